#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Gates that read text: layers, file size, licence line, leftover words. One TAP line per gate.

--tree DIR checks another tree; test-text.py uses that to see each gate fail.
"""
import argparse
import pathlib
import re
import sys

LAYERS = ["base", "value", "idl", "plane", "node", "codec", "dialect", "runtime", "daemon"]
PUBLIC_ONLY = ["src/cli", "compat", "examples"]
FOLDERS = ["include", "src", "tests", "examples", "compat", "fuzz", "bench"]
MAX_LINES = 1000
INCLUDE = re.compile(r'^\s*#\s*include\s+"([a-z]+)/', re.M)


def sources(tree):
    return [p for f in FOLDERS for p in sorted((tree / f).rglob("*.[ch]"))]


def layer_errors(tree, path, text):
    where = path.relative_to(tree).as_posix()
    used = [u for u in INCLUDE.findall(text) if u in LAYERS]
    if any(where.startswith(p + "/") for p in PUBLIC_ONLY):
        return [f"{where}: includes internal {u}/" for u in used]
    own = where.split("/")[1] if where.startswith("src/") else None
    if own not in LAYERS:
        return []
    return [f"{where}: {own} includes {u}, which is above it"
            for u in used if LAYERS.index(u) > LAYERS.index(own)]


def size_errors(tree, path, text):
    lines = text.count("\n")
    return [f"{path.relative_to(tree)}: {lines} lines"] if lines >= MAX_LINES else []


def licence_errors(tree, path, text):
    first = text.split("\n", 1)[0]
    good = "SPDX-License-Identifier: MIT" in first
    return [] if good else [f"{path.relative_to(tree)}: first line has no SPDX licence"]


def word_errors(tree, path, text):
    found = re.findall(r"\b(?:TO" r"DO|FIX" r"ME)\b", text)
    return [f"{path.relative_to(tree)}: says {w}" for w in found]


GATES = {"layers": layer_errors, "file-size": size_errors, "licence": licence_errors,
         "words": word_errors}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tree", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parents[2])
    tree = parser.parse_args().tree
    files = [(p, p.read_text(encoding="utf-8")) for p in sources(tree)]
    bad = 0
    print(f"1..{len(GATES) + 1}")
    print(f"{'ok' if files else 'not ok'} 1 - sources are found")
    for number, (name, gate) in enumerate(GATES.items(), 2):
        errors = [e for path, text in files for e in gate(tree, path, text)]
        for error in errors:
            print(f"# {error}")
        print(f"{'not ok' if errors else 'ok'} {number} - {name}")
        bad += bool(errors)
    return 1 if bad or not files else 0


sys.exit(main())
