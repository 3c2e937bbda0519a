#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The format gate: clang-format, of the version that tools/deps installs, would change nothing."""
import subprocess

import gate


def formatted(tree):
    paths = [where for where, _ in tree.sources]
    run = subprocess.run(["clang-format", "--dry-run", "-Werror", "--style=file", *paths],
                         cwd=tree.root, capture_output=True, text=True)
    wrong = sorted({line.split(":")[0] for line in run.stderr.splitlines() if ": error:" in line})
    if run.returncode and not wrong:
        return [run.stderr.strip()]
    return [f"{where}: run clang-format -i on it" for where in wrong]


gate.run({"format": formatted})
