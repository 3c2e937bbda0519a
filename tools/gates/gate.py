# SPDX-License-Identifier: MIT
"""What all gates share: the sources of a tree, and one TAP line for each gate.

A gate is a function of a Tree that answers a list of errors. --tree DIR checks another tree, which is
how test-*.py see each gate fail.
"""
import argparse
import pathlib
import sys

FOLDERS = ["include", "src", "tests", "examples", "compat", "fuzz", "bench"]


class Tree:
    def __init__(self, root):
        self.root = root
        paths = [p for f in FOLDERS for p in sorted((root / f).rglob("*.[ch]"))]
        # (path from the root, text)
        self.sources = [(p.relative_to(root).as_posix(), p.read_text(encoding="utf-8"))
                        for p in paths]

    def scripts(self):
        """Files that are no C and have a licence line: (path, text)."""
        paths = [p for pattern in ("*.py", "meson.build", "Makefile") for p in self.root.rglob(pattern)]
        paths += (p for p in (self.root / "tools").glob("*") if p.is_file())
        return [(p.relative_to(self.root).as_posix(), p.read_text(encoding="utf-8"))
                for p in sorted(set(paths))
                if "build" not in p.relative_to(self.root).parts[:-1]]


def arguments(*names):
    """--tree, and the positional `names`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tree", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parents[2])
    for name in names:
        parser.add_argument(name)
    return parser.parse_args()


def report(results):
    """Prints TAP for (name, errors) pairs; answers the exit code."""
    results = list(results)
    print(f"1..{len(results)}")
    for number, (name, errors) in enumerate(results, 1):
        for error in errors:
            print(f"# {error}")
        print(f"{'not ok' if errors else 'ok'} {number} - {name}")
    return 1 if any(errors for _, errors in results) else 0


def run(gates):
    """Runs `gates` (name to function) on the sources of the tree, of which there must be some."""
    tree = Tree(arguments().tree)
    found = [("sources are found", [] if tree.sources else [f"no sources in {tree.root}"])]
    sys.exit(report(found + [(name, gate(tree)) for name, gate in gates.items()]))
