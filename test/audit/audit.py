#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Looks, for a sample of the sites that gfp-scope says are in a scope, for a chain of callers with none.

Deliberately simple, and shares no code with src/: function bounds from universal-ctags, everything else
is text. A caller of F is any function in whose body `F(` stands, or that is stored in a table together
with nobody known to call it (then F is a root: it is entered from outside with no scope).

usage: audit.py SCAN.json LINUX [--sample N] [--seed N] [--explained FILE] [DIR...]

FILE has a reason for each site on which both may differ; the status is 1 if one is missing or stale.

SCAN.json is what `gfp-scope scan --format json` printed. DIRs are where callers are looked for (default:
the directories of the sites, with fs mm include). Prints JSON: {"sites": N, "disagreements": {site: chain}}.
"""
import argparse
import collections
import json
import os
import random
import re
import subprocess
import sys

SAVE = re.compile(r"\bmemalloc_no(?:fs|io)_save\s*\(")
RESTORE = re.compile(r"\bmemalloc_no(?:fs|io)_restore\s*\(")
CALL = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
HIDE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)
KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "typeof", "defined", "__attribute__"}
MAX_DEPTH = 40


def blank(match):
    """Comments and strings become spaces: offsets and lines stay."""
    return re.sub(r"[^\n]", " ", match.group())


class Function:
    __slots__ = ("name", "file", "line", "end", "body", "calls", "is_static")

    def __init__(self, name, file, line, end, body, is_static):
        self.name, self.file, self.line, self.end, self.body = name, file, line, end, body
        self.is_static = is_static
        self.calls = collections.defaultdict(list)
        for match in CALL.finditer(body):
            if match.group(1) not in KEYWORDS and match.start() > 0:
                self.calls[match.group(1)].append(match.start())


class Tree:
    def __init__(self, root, dirs):
        self.root = root
        self.texts = {}
        self.functions = []
        self.by_name = collections.defaultdict(list)
        self.by_file = collections.defaultdict(list)
        self.callers = collections.defaultdict(list)
        self.stored = collections.defaultdict(set)
        self.read(dirs)

    def read(self, dirs):
        command = ["ctags", "-R", "--languages=C", "--langmap=C:.c.h", "--kinds-C=f", "--fields=+neSm",
                   "--output-format=json", "-f", "-", *dirs]
        out = subprocess.run(command, cwd=self.root, stdout=subprocess.PIPE, check=True).stdout
        tags = collections.defaultdict(list)
        for line in out.decode("latin1").splitlines():
            tag = json.loads(line)
            if "end" in tag:
                tags[os.path.normpath(tag["path"])].append(tag)
        for file, found in tags.items():
            with open(os.path.join(self.root, file), encoding="latin1", newline="") as source:
                text = HIDE.sub(blank, source.read())
            starts = [0] + [m.end() for m in re.finditer("\n", text)]
            covered = []
            for tag in sorted(found, key=lambda t: t["line"]):
                begin, end = starts[tag["line"] - 1], starts[min(tag["end"], len(starts) - 1)]
                chunk = text[begin:end]
                brace = chunk.find("{")
                fn = Function(tag["name"], file, tag["line"], tag["end"], chunk[brace + 1:] if brace >= 0 else "",
                              "static" in text[starts[max(0, tag["line"] - 2)]:begin + max(brace, 0)])
                covered.append((begin + max(brace, 0), end))
                self.functions.append(fn)
                self.by_name[fn.name].append(fn)
                self.by_file[file].append(fn)
            # What stands outside of all bodies: initialisers, and macros.
            at = 0
            for begin, end in covered + [(len(text), len(text))]:
                for match in re.finditer(r"(?:=\s*|[{,(]\s*)&?([A-Za-z_]\w*)\s*(?=[,}\n;])", text[at:begin]):
                    self.stored[match.group(1)].add(file)
                at = max(at, end)
        for fn in self.functions:
            for name, places in fn.calls.items():
                self.callers[name].append((fn, places))
        # A function whose name stands in a body without parentheses is handed on: it is called from who knows where.
        known = set(self.by_name)
        for fn in self.functions:
            for match in re.finditer(r"[=,(]\s*&?([A-Za-z_]\w*)\s*[,);]", fn.body):
                if match.group(1) in known:
                    self.stored[match.group(1)].add(fn.file)

    def callers_of(self, fn):
        for caller, places in self.callers[fn.name]:
            if caller is fn:
                continue
            if fn.is_static and caller.file != fn.file and not fn.file.endswith(".h"):
                continue
            yield caller, places


class Scopes:
    """Functions that leave a scope open, by one textual rule: more saves (or starts) than restores (or stops)."""

    def __init__(self, tree, proposed):
        self.proposed = proposed
        self.starts, self.stops = set(), set()
        for _ in range(8):
            before = len(self.starts) + len(self.stops)
            for fn in tree.functions:
                opens = len(SAVE.findall(fn.body)) + sum(len(p) for n, p in fn.calls.items() if n in self.starts)
                closes = len(RESTORE.findall(fn.body)) + sum(len(p) for n, p in fn.calls.items() if n in self.stops)
                if opens and not closes:
                    self.starts.add(fn.name)
                elif closes and not opens:
                    self.stops.add(fn.name)
            if len(self.starts) + len(self.stops) == before:
                break
        self.starts -= self.stops

    def open_at(self, fn, offset):
        if (fn.file, fn.name) in self.proposed:
            return True
        before = fn.body[:offset]
        if SAVE.search(before):
            return True
        return any(place < offset for name in self.starts for place in fn.calls.get(name, ()))


def chain_without(tree, scopes, fn, offset):
    """Breadth first over callers outside of scopes, to a function that nobody calls or that is stored somewhere."""
    if scopes.open_at(fn, offset):
        return None
    way = {id(fn): (fn, None)}
    queue = collections.deque([(fn, 0)])
    while queue:
        at, depth = queue.popleft()
        callers = list(tree.callers_of(at))
        if at.name in tree.stored or not callers or depth >= MAX_DEPTH:
            chain = []
            step = way[id(at)]
            while step:
                chain.append(f"{step[0].file}:{step[0].line} {step[0].name}")
                step = step[1]
            return chain
        for caller, places in callers:
            if id(caller) in way or all(scopes.open_at(caller, p) for p in places):
                continue
            way[id(caller)] = (caller, way[id(at)])
            queue.append((caller, depth + 1))
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("scan")
    parser.add_argument("tree")
    parser.add_argument("dirs", nargs="*")
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--explained")
    args = parser.parse_args()
    with open(args.scan, encoding="utf8") as source:
        scan = json.load(source)
    sites = [s for s in scan["sites"] if s["verdict"] in ("covered", "scopable", "lock-free") and s["function"]]
    sites.sort(key=lambda s: s["id"])
    if len(sites) > args.sample:
        sites = random.Random(args.seed).sample(sites, args.sample)
    proposed = {(s["file"], s["function"]) for s in scan["scopes"] if s["state"] == "proposed"}
    dirs = args.dirs or sorted({"fs", "mm", "include"} | {s["file"].split("/")[0] for s in sites})
    dirs = [d for d in dirs if os.path.isdir(os.path.join(args.tree, d))]
    tree = Tree(args.tree, dirs)
    scopes = Scopes(tree, proposed)
    found, unread = {}, []
    for site in sites:
        # lock-free says that no lock is held, not that there is a scope: there is nothing to look for.
        if site["verdict"] == "lock-free":
            continue
        own = [f for f in tree.by_file[site["file"]] if f.line <= site["line"] <= f.end]
        if not own:
            unread.append(site["id"])
            continue
        fn = own[-1]
        lines = [m.end() for m in re.finditer("\n", fn.body)]
        skip = fn.body.count("\n")
        total = fn.end - fn.line
        index = site["line"] - fn.line - (total - skip) - 1
        offset = lines[index] if 0 <= index < len(lines) else 0
        # The end of the line: a save on the line itself comes before the allocation.
        chain = chain_without(tree, scopes, fn, offset + site["column"])
        if chain:
            found[site["id"]] = chain
    verdicts = collections.Counter(s["verdict"] for s in sites)
    json.dump({"sites": len(sites), "verdicts": verdicts, "functions": len(tree.functions),
               "unread": unread, "disagreements": found}, sys.stdout, indent=2)
    print()
    if args.explained:
        with open(args.explained, encoding="utf8") as source:
            explained = json.load(source)
        wrong = set(explained) ^ set(found)
        for site in sorted(wrong):
            print(f"{site}: {'not explained' if site in found else 'explained, but both agree'}", file=sys.stderr)
        sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
