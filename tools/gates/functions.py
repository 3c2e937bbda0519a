#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Gates on functions: lines, branches, parameters. allowed.txt lists what may be more, and why.

An entry must give the very number that is there, so what shrinks shrinks in the list, and ENTRIES
bounds how many there are; lower it when one goes.
"""
import pathlib

import cscan
import gate

MAX_LINES = 80      # this many fail
USUAL_LINES = 40    # nine in ten are shorter
MAX_BRANCHES = 20   # this many fail
MAX_SWITCH = 40     # this many fail even where listed
MAX_PARAMETERS = 7  # this many fail
ENTRIES = {"parameters": 6, "function-size": 0}  # "branches" is for codecs' switches, with a reason
ALLOWED = "tools/gates/allowed.txt"


def every_function(tree):
    return [(where, f) for where, text in tree.sources for f in cscan.functions(text)]


def allowed(tree):
    """{(gate, file:function): number}; a line is gate, file:function, number, reason."""
    path = pathlib.Path(tree.root, ALLOWED)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = [l.split(None, 3) for l in lines if l.strip() and not l.startswith("#")]
    return {(r[0], r[1]): int(r[2]) for r in rows if len(r) == 4}


def over(tree, name, found, limit):
    """Errors for each (file:function, number) of at least `limit` that is not listed with its number."""
    listed = allowed(tree)
    return [f"{key}: {name} {number}, fails at {limit}" for key, number in found
            if number >= limit and listed.get((name, key)) != number]


def size(tree):
    return over(tree, "function-size", [(f"{w}:{f.name}", f.lines) for w, f in every_function(tree)],
                MAX_LINES)


def usual_size(tree):
    every = every_function(tree)
    longer = [f"{where}:{f.name}: {f.lines} lines" for where, f in every if f.lines >= USUAL_LINES]
    return longer if 10 * len(longer) > len(every) else []


def branches(tree):
    found = [(f"{w}:{f.name}", f.branches) for w, f in every_function(tree)]
    return over(tree, "branches", found, MAX_BRANCHES) + \
        [f"{key}: {n} branches, more than a list can allow" for key, n in found if n >= MAX_SWITCH]


def parameters(tree):
    found = [(f"{w}:{f.name}", f.parameters) for w, f in every_function(tree)]
    found += [(f"{where}:{name}", n) for where, text in tree.sources
              for name, n in cscan.pointers(text)]
    return over(tree, "parameters", found, MAX_PARAMETERS)


def allow_list(tree):
    """An entry for something that is gone or has shrunk must go too."""
    every = every_function(tree)
    there = {("function-size", f"{w}:{f.name}", f.lines) for w, f in every}
    there |= {("branches", f"{w}:{f.name}", f.branches) for w, f in every}
    there |= {("parameters", f"{w}:{f.name}", f.parameters) for w, f in every}
    there |= {("parameters", f"{w}:{n}", count) for w, text in tree.sources
              for n, count in cscan.pointers(text)}
    listed = allowed(tree)
    stale = [f"{ALLOWED}: {kind} {key} {number}: not so any more"
             for (kind, key), number in listed.items() if (kind, key, number) not in there]
    return stale + [f"{ALLOWED}: more than {most} entries of {kind}" for kind, most in ENTRIES.items()
                    if sum(k == kind for k, _ in listed) > most]


gate.run({"function-size": size, "nine-in-ten": usual_size, "branches": branches,
          "parameters": parameters, "allow-list": allow_list})
