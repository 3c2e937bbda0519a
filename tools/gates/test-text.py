#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Shows each text gate a small tree that violates it alone, and expects that gate alone to fail."""
import pathlib
import subprocess
import sys
import tempfile

SPDX = "// SPDX-License-Identifier: MIT\n"
GATE = pathlib.Path(__file__).with_name("text.py")
# gate that must fail (none: a clean tree), file, its text
CASES = [
    (None, "src/node/a.c", SPDX + '#include "base/arena.h"\n'),
    ("layers", "src/base/a.c", SPDX + '#include "node/node.h"\n'),
    ("layers", "src/cli/a.c", SPDX + '#include "base/arena.h"\n'),
    ("layers", "examples/x/a.c", SPDX + '#include "base/arena.h"\n'),
    ("file-size", "src/base/a.c", SPDX + "\n" * 999),
    ("licence", "include/koine/a.h", "int koine_a(void);\n"),
    ("words", "src/base/a.c", SPDX + "// TO" "DO: later\n"),
    ("sources are found", "notes.txt", "no sources\n"),
]


def failed_gates(name, text):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        run = subprocess.run([sys.executable, GATE, "--tree", folder],
                             capture_output=True, text=True)
    failed = [l.split(" - ")[1] for l in run.stdout.splitlines() if l.startswith("not ok")]
    return failed if bool(failed) == bool(run.returncode) else ["wrong exit code"]


print(f"1..{len(CASES)}")
status = 0
for number, (gate, name, text) in enumerate(CASES, 1):
    good = failed_gates(name, text) == ([gate] if gate else [])
    status |= not good
    print(f"{'ok' if good else 'not ok'} {number} - {gate or 'nothing'} fails for {name}")
sys.exit(status)
