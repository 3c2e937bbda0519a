#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the models with spin: each right form must hold, each with a part left out must fail.

TAP on standard output. Needs spin and a C compiler; without them it fails.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
# How spin reports what a wrong variant must show.
HOW = {"wake": "invalid end state", "hold": "assertion violated", "revoked": "assertion violated"}
# model, what is defined, must it hold?
RUNS = [
    ("wake", [], True),
    ("wake", ["NO_WRITER_FENCE"], False),
    ("wake", ["NO_SLEEPER_FENCE"], False),
    ("wake", ["NO_LOOK"], False),
    ("wake", ["SAME_KEY"], False),
    ("wake", ["STREAM"], True),
    ("wake", ["STREAM", "NO_NAP"], False),
    ("wake", ["BUCKET"], True),
    ("wake", ["BUCKET", "LATE_THROTTLE"], False),
    ("wake", ["BUCKET", "NO_THROTTLE"], False),
    ("hold", [], True),
    ("hold", ["CURSOR_FIRST"], False),
    ("hold", ["HOLDS_FIRST"], False),
    ("hold", ["NO_RELEASE"], False),
    ("hold", ["STAMP_FIRST"], False),
    ("hold", ["PLAIN_STAMP"], False),
    ("revoked", [], True),
    ("revoked", ["NO_WRITER_FENCE"], False),
    ("revoked", ["REVOKED_LATE"], False),
    ("revoked", ["NO_READER_FENCE"], False),
    ("revoked", ["HANG_UP_FIRST"], False),
]


def verify(model, defines):
    """(complete, errors, output) of an exhaustive search."""
    with tempfile.TemporaryDirectory() as place:
        spin = ["spin"] + [f"-D{d}" for d in defines] + ["-a", str(HERE / f"{model}.pml")]
        build = [os.environ.get("CC", "cc"), "-O0", "-w", "-DSAFETY", "-DMEMLIM=1024", "-o", "pan",
                 "pan.c"]
        output = ""
        for command in (spin, build, ["./pan", "-m100000"]):
            run = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120)
            output += run.stdout + run.stderr
            if run.returncode:
                return False, 0, output
        errors = [line.split("errors:")[1] for line in output.splitlines() if "errors:" in line]
        incomplete = "max search depth too small" in output or "out of memory" in output
        return bool(errors) and not incomplete, int(errors[0]) if errors else 0, output


def main():
    failed = 0
    print(f"1..{len(RUNS)}")
    for number, (model, defines, holds) in enumerate(RUNS, 1):
        try:
            complete, errors, output = verify(model, defines)
        except (OSError, subprocess.TimeoutExpired) as error:
            complete, errors, output = False, 0, str(error)
        good = complete and errors == 0 if holds else errors > 0 and HOW[model] in output
        failed += not good
        name = " ".join([model] + defines) + (" holds" if holds else " is found out")
        print(f"{'ok' if good else 'not ok'} {number} - {name}", flush=True)
        if not good:
            print("\n".join("# " + line for line in output.splitlines()[:40]))
    return 1 if failed else 0


sys.exit(main())
