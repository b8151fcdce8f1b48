#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Counts the words GFP_NOFS and GFP_NOIO that stand in code, file by file, of a whole kernel tree.

usage: count-masks.py TREE    prints {"file": count} as JSON

Shares no code with the program. A plain state machine over the characters: comments (with a backslash that carries a
line comment on), strings and character constants are no code. The macros that define the masks in include/linux/gfp*.h
do not count, nor do the trace tables that give them names there: whatever stands in a #define of those headers.
Looks at every .c and .h file below TREE that is no symbolic link.
"""
import json
import os
import re
import sys

WORD = re.compile(r"\bGFP_NO(?:FS|IO)\b")


def code_only(text):
    """The text with comments and literals blanked."""
    out = []
    i, n = 0, len(text)
    state = "code"
    while i < n:
        c = text[i]
        two = text[i : i + 2]
        if state == "code":
            if two == "/*":
                state = "block"
                out.append("  ")
                i += 2
                continue
            if two == "//":
                state = "line"
                out.append("  ")
                i += 2
                continue
            if c == '"' or c == "'":
                state = c
                out.append(" ")
                i += 1
                continue
            out.append(c)
        elif state == "block":
            if two == "*/":
                state = "code"
                out.append("  ")
                i += 2
                continue
            out.append("\n" if c == "\n" else " ")
        elif state == "line":
            if two == "\\\n":
                out.append(" \n")
                i += 2
                continue
            if c == "\n":
                state = "code"
            out.append("\n" if c == "\n" else " ")
        else:
            if c == "\\":
                out.append("  ")
                i += 2
                continue
            if c == state or c == "\n":
                # A literal ends with its line at the latest: an apostrophe in an #error is none.
                state = "code"
            out.append("\n" if c == "\n" else " ")
        i += 1
    return "".join(out)


def without_defines(code):
    return re.sub(r"^[ \t]*#[ \t]*define\b(?:\\\n|[^\n])*", "", code, flags=re.M)


def main(tree):
    counts = {}
    for folder, folders, files in os.walk(tree):
        folders.sort()
        for name in files:
            if not name.endswith((".c", ".h")):
                continue
            path = os.path.join(folder, name)
            if os.path.islink(path):
                continue
            with open(path, "rb") as f:
                raw = f.read()
            if b"GFP_NOFS" not in raw and b"GFP_NOIO" not in raw:
                continue
            code = code_only(raw.decode("latin-1"))
            where = os.path.relpath(path, tree)
            if re.fullmatch(r"include/linux/gfp[^/]*\.h", where):
                code = without_defines(code)
            count = len(WORD.findall(code))
            if count:
                counts[where] = count
    json.dump(counts, sys.stdout, indent=1, sort_keys=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
