#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Looks, for a sample of the sites that gfp-scope says are in a scope, for a chain of callers with none.

Deliberately simple, and shares no code with src/: function bounds from universal-ctags, everything else
is text. Callers of F are the functions
- in whose body, or in a macro used there, `F(` stands;
- that call `->M(` or `.M(`, where F is what a table or an assignment gives the member M; only those of the
  same part of the kernel (fs/ext4) and of shared code (fs/*.c, mm, block, fs.h, a folder of fs without a filesystem);
- that hand F to a function which calls that argument.
F is a root, entered from outside with no scope, if nobody calls it, or if it is handed on in any other way.

A scope is open from a save (or a call of a function with more saves than restores) to a restore (likewise); a
restore after which the block returns or jumps does not count. A proposed one is open from its line to the next
line that unlocks what the lock is called; so is what stands between other such lines of the function. One around a
worker or kthread is open in all of it. For a GFP_NOIO only NOIO scopes count. One of a transaction is open from where a
local variable gets the handle of its struct from a call to a call that is handed that variable and frees one, itself or in what it calls.

usage: audit.py SCAN.json LINUX [--sample N] [--seed N] [--explained FILE] [DIR...]

FILE has a reason for each site on which both may differ; the status is 1 if one is missing or stale.

SCAN.json is what `gfp-scope scan --format json` printed. DIRs are where callers are looked for (default: fs, mm,
block, kernel, net, security, include, and the parts of drivers etc. that have sites).
Prints JSON: {"sites": N, "disagreements": {site: chain}}.
"""
import argparse
import bisect
import collections
import json
import os
import random
import re
import subprocess
import sys

# By what a mask is about: scopes that are as good as it.
SCOPES = {"nofs": "fs|io|reclaim", "noio": "io|reclaim"}
CALL = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
MEMBER_CALL = re.compile(r"(?:->|\.)\s*([A-Za-z_]\w*)\s*\)?\s*\(")
HANDED = re.compile(r"([=,(?:])\s*&?([A-Za-z_]\w*)\s*(?=[,);:}])")
STORED = re.compile(r"(?:=\s*|[{,(]\s*)&?([A-Za-z_]\w*)\s*(?=[,}\n;])")
MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)\([^)\n]*\)((?:\\\n|[^\n])*)", re.M)
UNLOCKS = re.compile(r"unlock|(?:^|_)up(?:_|$)")
LOCKS = re.compile(r"(?:^|_)(?:lock|down)(?:_|$)")
HIDE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)
KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "typeof", "defined", "__attribute__"}
SHARED = {"fs", "mm", "block"}
EVERYWHERE = ["fs", "mm", "block", "kernel", "net", "security", "include"]
MAX_DEPTH = 40


def blank(match):
    """Comments and strings become spaces: offsets and lines stay."""
    return re.sub(r"[^\n]", " ", match.group())


def part_of(file):
    return "/".join(file.split("/")[:-1][:2])


class Function:
    __slots__ = ("name", "file", "line", "end", "body", "body_line", "params", "calls", "is_static", "events", "head")

    def __init__(self, tag, file, head, body, body_line, is_static):
        self.name, self.file, self.line, self.end = tag["name"], file, tag["line"], tag["end"]
        self.body, self.body_line, self.is_static = body, body_line, is_static
        self.head, self.params = head, parameters(head)
        self.calls = collections.defaultdict(list)
        for match in CALL.finditer(body):
            if match.group(1) not in KEYWORDS:
                self.calls[match.group(1)].append(match.start())

    def offset_of(self, line, column=0):
        """Where a 1-based line of the file begins in the body, and the column after that."""
        at = 0
        for _ in range(line - self.body_line):
            at = self.body.find("\n", at) + 1
            if at == 0:
                return len(self.body)
        return at + column

    def declares(self, name):
        if name in self.params:
            return True
        found = re.finditer(r"\b(\w+)\s+(?:\*\s*)*%s\s*[;=,\[]" % name, self.body)
        return any(m.group(1) not in ("return", "else", "case", "goto") for m in found)


def parameters(head):
    """Names of the parameters, in order; head is the text from the name to the body."""
    depth, current, parts = 0, "", []
    for char in head[head.find("("):]:
        if char == "(":
            depth += 1
            if depth == 1:
                continue
        elif char == ")":
            depth -= 1
            if depth == 0:
                break
        elif char == "," and depth == 1:
            parts.append(current)
            current = ""
            continue
        current += char
    names = []
    for part in parts + [current]:
        pointer = re.search(r"\(\s*\*\s*(\w+)", part)
        words = re.findall(r"\w+", part)
        names.append(pointer.group(1) if pointer else words[-1] if words else "")
    return names


class Tree:
    def __init__(self, root, dirs):
        self.root = root
        self.functions = []
        self.by_name = collections.defaultdict(list)
        self.by_file = collections.defaultdict(list)
        self.callers = collections.defaultdict(list)
        self.member_calls = collections.defaultdict(list)
        self.members = collections.defaultdict(set)  # function name -> (member, file)
        self.handed = collections.defaultdict(list)  # function name -> (function that hands it on, offset)
        self.roots = collections.defaultdict(set)  # function name -> files
        self.outside = []
        self.macros = {}
        self.filesystems = set()
        self.read(dirs)
        self.link()

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
            if "register_filesystem" in text:
                self.filesystems.add(part_of(file))
            for name, body in MACRO.findall(text):
                self.macros.setdefault(name, set()).update(CALL.findall(body))
            starts = [0] + [m.end() for m in re.finditer("\n", text)]
            at, outside = 0, []
            for tag in sorted(found, key=lambda t: t["line"]):
                begin, end = starts[tag["line"] - 1], starts[min(tag["end"], len(starts) - 1)]
                brace = text.find("{", begin, end)
                brace = begin if brace < 0 else brace
                body_line = bisect.bisect_right(starts, brace + 1)
                before = text[starts[max(0, tag["line"] - 2)]:brace]
                # The body keeps the line of its brace, so that columns are those of the file.
                body = " " * (brace + 1 - starts[body_line - 1]) + text[brace + 1:end]
                fn = Function(tag, file, text[text.find(tag["name"], begin):brace], body, body_line,
                              "static" in before)
                self.functions.append(fn)
                self.by_name[fn.name].append(fn)
                self.by_file[file].append(fn)
                outside.append(text[at:max(at, brace)])
                at = max(at, end)
            self.outside.append((file, "\n".join(outside) + text[at:]))

    def link(self):
        for fn in self.functions:
            for name, places in list(fn.calls.items()):
                # A macro of this name calls what stands in its body, two levels deep.
                if name in self.macros and name not in self.by_name:
                    inner = self.macros[name]
                    inner = inner.union(*(self.macros.get(i, ()) for i in inner))
                    for target in inner & self.by_name.keys():
                        fn.calls[target].extend(places)
        for fn in self.functions:
            for name, places in fn.calls.items():
                self.callers[name].append((fn, places))
            for match in MEMBER_CALL.finditer(fn.body):
                self.member_calls[match.group(1)].append((fn, match.start()))
            self.hand_on(fn)
        for file, text in self.outside:
            for match in STORED.finditer(text):
                name = match.group(1)
                if name not in self.by_name or text.endswith("ALLOW_ERROR_INJECTION", 0, match.start()):
                    continue
                member = re.search(r"\.(\w+)\s*$", text[max(0, match.start() - 80):match.start()])
                if member:
                    self.members[name].add((member.group(1), file))
                else:
                    self.roots[name].add(file)

    def hand_on(self, fn):
        """Names of functions in the body that are not called there."""
        for match in HANDED.finditer(fn.body):
            how, name = match.groups()
            if name not in self.by_name or fn.declares(name):
                continue
            if how == "=":
                left = re.search(r"(->|\.)?\s*(\w+)\s*$", fn.body[max(0, match.start() - 80):match.start()])
                if left and left.group(1):
                    self.members[name].add((left.group(2), fn.file))
                elif left and left.group(2) in fn.calls:
                    self.handed[name] += [(fn, place) for place in fn.calls[left.group(2)]]
                else:
                    self.roots[name].add(fn.file)
                continue
            callee, position = enclosing_call(fn.body, match.start(2))
            calls = self.calls_of_argument(callee, position, fn.file, 4) if callee else []
            if calls:
                self.handed[name] += calls
            else:
                self.roots[name].add(fn.file)

    def calls_of_argument(self, name, position, file, depth):
        """Where the function calls its argument, itself or by handing it on: functions and offsets."""
        found = []
        for fn in self.by_name.get(name, ()):
            if fn.is_static and fn.file != file and not fn.file.endswith(".h"):
                continue
            if position >= len(fn.params) or depth == 0:
                return []
            param = re.escape(fn.params[position])
            found += [(fn, m.start()) for m in re.finditer(r"\b%s\s*\)?\s*\(" % param, fn.body)]
            for match in re.finditer(r"[,(]\s*%s\s*(?=[,)])" % param, fn.body):
                callee, at = enclosing_call(fn.body, match.end())
                if callee and callee != name:
                    found += self.calls_of_argument(callee, at, fn.file, depth - 1)
        return found

    def is_shared(self, file):
        folder = os.path.dirname(file)
        return folder in SHARED or file.startswith("include/linux/fs") or (
            folder.startswith("fs/") and part_of(file) not in self.filesystems)

    def visible(self, fn, file):
        return not fn.is_static or file == fn.file or fn.file.endswith(".h")

    def is_root(self, fn):
        return any(self.visible(fn, file) for file in self.roots.get(fn.name, ()))

    def callers_of(self, fn):
        for caller, places in self.callers[fn.name]:
            if caller is not fn and self.visible(fn, caller.file):
                yield caller, places
        for caller, place in self.handed.get(fn.name, ()):
            if caller is not fn:
                yield caller, [place]
        for member, file in self.members.get(fn.name, ()):
            if not self.visible(fn, file):
                continue
            for caller, place in self.member_calls[member]:
                if caller is not fn and (part_of(caller.file) == part_of(file) or self.is_shared(caller.file)):
                    yield caller, [place]


def enclosing_call(body, offset):
    """Name of the call in whose arguments the offset is, and which argument; '' where that is not a call by name."""
    depth, position = 0, 0
    for at in range(offset - 1, max(-1, offset - 2000), -1):
        char = body[at]
        if char in ")]}":
            depth += 1
        elif char in "([{":
            if depth:
                depth -= 1
                continue
            name = re.search(r"(->|\.)?\s*\b([A-Za-z_]\w*)\s*$", body[max(0, at - 80):at])
            if char != "(" or not name or name.group(1) or name.group(2) in KEYWORDS:
                return "", 0
            return name.group(2), position
        elif char == "," and not depth:
            position += 1
        elif char == ";":
            break
    return "", 0


class Scopes:
    """Where scopes are open. Functions that leave one open are found by one textual rule, see above."""

    def __init__(self, tree, proposed, api, handles=()):
        self.proposed = proposed
        self.handles = {part: re.compile(r"\bstruct %s \*\s*(\w+)" % tag) for part, tag in handles}
        self.ends = self.enders(tree)
        self.save = re.compile(r"\bmemalloc_no(?:%s)_save\s*\(" % SCOPES[api])
        self.restore = re.compile(r"\bmemalloc_no(?:%s)_restore\s*\(" % SCOPES[api])
        self.events = {}
        self.starts, self.stops = set(), set()
        # From scratch each time: what seemed to start a scope may call something that turns out to stop it.
        for _ in range(8):
            starts, stops = set(), set()
            for fn in tree.functions:
                calls = fn.calls.keys()
                if "memalloc_no" in fn.body or calls & self.starts or calls & self.stops:
                    marks = self.marks(fn)
                    if marks and marks[-1][1]:
                        starts.add(fn.name)
                    elif marks and not any(is_open for _, is_open in marks):
                        stops.add(fn.name)
            starts -= stops
            if (starts, stops) == (self.starts, self.stops):
                break
            self.starts, self.stops = starts, stops

    def enders(self, tree):
        """Names of the functions that free a handle, or call one with a handle of theirs."""
        found = set()
        for _ in range(4):
            for fn in tree.functions:
                handle = self.handles.get(part_of(fn.file))
                if not handle:
                    continue
                ours = set(handle.findall(fn.head))
                for name, places in fn.calls.items():
                    if name in found or re.search(r"^k\w*free$", name):
                        given = [re.findall(r"\w+", fn.body[at:fn.body.find(";", at)]) for at in places]
                        if any(ours & set(words) for words in given):
                            found.add(fn.name)
        return found

    def handled(self, fn):
        """Offset and whether a transaction is open from there on, by variables that get a handle in the function."""
        handle = self.handles.get(part_of(fn.file))
        if not handle:
            return []
        marks = []
        for variable in set(handle.findall(fn.body)):
            starts = re.finditer(r"\b%s\s*=\s*\w+\s*\([^;]*;" % variable, fn.body)
            marks += [(m.end(), True) for m in starts]
            for name in fn.calls.keys() & self.ends:
                marks += [(at, False) for at in fn.calls[name]
                          if re.search(r"\b%s\b" % variable, fn.body[at:fn.body.find(";", at)])]
        return sorted(on_the_way(fn.body, marks))

    def marks(self, fn):
        """Offset and whether a scope is open from there on, for each save and restore on the way to the end."""
        found = [(m.start(), True) for m in self.save.finditer(fn.body)]
        found += [(m.start(), False) for m in self.restore.finditer(fn.body)]
        for name in fn.calls.keys() & self.starts:
            found += [(place, True) for place in fn.calls[name]]
        for name in fn.calls.keys() & self.stops:
            found += [(place, False) for place in fn.calls[name]]
        return sorted(on_the_way(fn.body, found))

    def events_of(self, fn):
        """Lists as `marks` has them: of the function's own scopes, of proposed ones, of those that calls leave open."""
        if id(fn) not in self.events:
            saved = on_the_way(fn.body, [(m.start(), True) for m in self.save.finditer(fn.body)]
                               + [(m.start(), False) for m in self.restore.finditer(fn.body)])
            own = []
            for line, lock in self.proposed.get((fn.file, fn.name), ()):
                # One entry stands for all regions of the lock in the function.
                first, found = fn.offset_of(line), re.search(r"(\w+)(?:\[\w*\])?$", lock)
                own.append((first, True))
                if not found:
                    continue
                lines = re.finditer(r"\b(\w+)\s*\((?:[^;()]|\([^;()]*\))*\b%s\b" % found.group(1), fn.body)
                named = [(m.start(1), m.end(), m.group(1)) for m in lines]
                own += [(start, True) for start, _, how in named if LOCKS.search(how)]
                own += on_the_way(fn.body, [(end, False) for _, end, how in named if UNLOCKS.search(how)])
            called = [(place, True) for name in fn.calls.keys() & self.starts for place in fn.calls[name]]
            called += [(place, False) for name in fn.calls.keys() & self.stops for place in fn.calls[name]]
            self.events[id(fn)] = (sorted(saved), sorted(own), sorted(on_the_way(fn.body, called)), self.handled(fn))
        return self.events[id(fn)]

    def open_at(self, fn, offset):
        for events in self.events_of(fn):
            before = [is_open for place, is_open in events if place <= offset]
            if before and before[-1]:
                return True
        return False


def exits(body, place):
    """Is there a return or jump that is not conditional between the statement at that place and the end of its block?"""
    rest = re.split("[{}]", body[place:place + 2000], maxsplit=1)[0]
    words = [re.match(r"\s*(\w*)", statement).group(1) for statement in rest.split(";")[1:]]
    return any(word in ("return", "goto", "continue", "break") for word in words)


def on_the_way(body, marks):
    """Without the restores after which the block returns or jumps, and those behind the last return of a function."""
    kept = []
    for place, is_open in marks:
        if not is_open:
            before = body[:place]
            if before.count("{") > before.count("}"):
                if exits(body, place) or before.endswith("return "):
                    continue
            elif re.search(r"\n\treturn\b", before):
                continue
        kept.append((place, is_open))
    return kept


def chain_without(tree, scopes, fn, offset):
    """Breadth first over callers outside of scopes, to a root."""
    if scopes.open_at(fn, offset):
        return None
    way = {id(fn): (fn, None)}
    queue = collections.deque([(fn, 0)])
    while queue:
        at, depth = queue.popleft()
        callers = list(tree.callers_of(at))
        if tree.is_root(at) or not callers or depth >= MAX_DEPTH:
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
    # lock-free says that no lock is held, not that there is a scope: there is nothing to look for.
    scoped = ("covered", "scopable", "task")
    sites = [s for s in scan["sites"] if s["verdict"] in scoped and s["function"] and not s["kept"]]
    sites.sort(key=lambda s: s["id"])
    if len(sites) > args.sample:
        sites = random.Random(args.seed).sample(sites, args.sample)
    handles = []
    proposed = {api: collections.defaultdict(list) for api in SCOPES}
    for scope in scan["scopes"]:
        if scope["kind"] == "transaction":
            handles.append((part_of(scope["file"]), scope["lock"].split()[-1]))
            continue
        for api, good in SCOPES.items():
            if scope["state"] == "proposed" and scope["api"][2:] in good.split("|"):
                proposed[api][scope["file"], scope["function"]].append((scope["line"], scope["lock"]))
    parts = {part_of(s["file"]) for s in sites}
    dirs = args.dirs or EVERYWHERE + sorted(p for p in parts if p.split("/")[0] not in EVERYWHERE)
    dirs = [d for d in dirs if os.path.isdir(os.path.join(args.tree, d))]
    tree = Tree(args.tree, dirs)
    scopes = {api: Scopes(tree, proposed[api], api, handles if api == "nofs" else ()) for api in SCOPES}
    found, unread = {}, []
    for site in sites:
        own = [f for f in tree.by_file[site["file"]] if f.line <= site["line"] <= f.end]
        if not own:
            unread.append(site["id"])
            continue
        api = "noio" if re.search("NOIO|__GFP_IO", site["flag"]) else "nofs"
        chain = chain_without(tree, scopes[api], own[-1], own[-1].offset_of(site["line"], site["column"]))
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
