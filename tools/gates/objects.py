#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The object gate: what a file of src/ shows to other files begins with kn_ or koine_, or in the folder of
a dialect with the dialect's name: its files are one module, and nobody else includes their headers.

It looks at the objects that compile_commands.json of a build folder names: of sources in src/ that are
neither tests (test/, test-*) nor generated.
"""
import json
import pathlib
import re
import subprocess
import sys

import gate

OURS = re.compile(r"(?:kn|koine)_\w+(?:\.\w+)*$")


def is_test(source):
    parts = source.parts[::-1]
    return any(part == "test" or part.startswith("test-") for part in parts[:parts.index("src")])


def objects(build):
    """(source, object) pairs."""
    commands = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    sources = [(pathlib.Path(build, c["file"]).resolve(), build / c["output"]) for c in commands]
    return [(s, o) for s, o in sources
            if "src" in s.parts and not is_test(s) and o.exists()
            and build.resolve() not in s.parents]


def shown(path):
    run = subprocess.run(["nm", "--extern-only", "--defined-only", "--format=posix", path],
                         capture_output=True, text=True, check=True)
    return [line.split()[0] for line in run.stdout.splitlines() if line.strip()]


def allowed(source, name):
    above = source.parent
    own = above.parent.name == "dialect" and name.startswith(above.name + "_")
    return own or name == "main" or OURS.match(name)


def errors(found):
    return [f"{source.name}: shows {name}" for source, object_file in found
            for name in shown(object_file) if not allowed(source, name)]


build_folder = pathlib.Path(gate.arguments("build").build)
every = objects(build_folder)
sys.exit(gate.report([("objects are found", [] if every else [f"no objects in {build_folder}"]),
                      ("object-names", errors(every))]))
