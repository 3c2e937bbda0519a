#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Shows tools/check small projects whose tests fail in every way, and expects it to name each."""
import pathlib
import subprocess
import sys
import tempfile

CHECK = pathlib.Path(__file__).resolve().parents[1] / "check"
PROJECT = """project('small', 'c')
add_global_arguments('-w', language: 'c')
test('small', find_program('/bin/sh'), args: [files('test.sh')], protocol: 'tap', timeout: 2)
executable('program', 'program.c')
"""
# what the test does, what check must say, its last line; "{f}" is a folder
CASES = [
    ("echo 1..2; echo ok 1 - a; echo ok 2 - b", "nothing left behind", "2 passed, 0 failed"),
    ("echo 1..2; echo ok 1 - a; echo not ok 2 - b; exit 1", "small: not ok 2 - b", "1 passed, 1 failed"),
    ("echo 1..2; echo ok 1 - a; kill -SEGV $$", "small: error, status", "1 passed, 1 failed"),
    ("echo 1..2; echo ok 1 - a", "small: error, status", "1 passed, 1 failed"),
    ("echo 1..1; echo ok 1 - a; exit 3", "small: error, status 3", "1 passed, 1 failed"),
    ("echo 1..2; echo ok 1 - a; sleep 60", "small: timeout", "1 passed, 1 failed"),
    ("echo '1..2'; echo ok 1 - a; echo 'ok 2 - b # SKIP no'", "ok 2 - b # SKIP", "1 passed, 1 failed"),
    ("echo '1..0 # SKIP no'", "small: skip", "0 passed, 1 failed"),
    ("echo 1..1; echo ok 1; setsid sleep 60 >/dev/null 2>&1 &", "left running", "1 passed, 1 failed"),
    ("touch /dev/shm/koine-check-test; echo 1..1; echo ok 1", "koine-check-test was left behind",
     "1 passed, 1 failed"),
    ("touch $TMPDIR/x; echo 1..1; echo ok 1", "$TMPDIR/x was left behind", "1 passed, 1 failed"),
]
BUILD = ("int main(void) { return nothing_such; }\n", "does not build", "0 passed, 1 failed")


def output(test, program="int main(void) { return 0; }\n"):
    with tempfile.TemporaryDirectory() as folder:
        tools = pathlib.Path(folder, "tools")
        tools.mkdir()
        pathlib.Path(folder, "meson.build").write_text(PROJECT)
        pathlib.Path(folder, "program.c").write_text(program)
        pathlib.Path(folder, "test.sh").write_text(test + "\n")
        (tools / "check").write_text(CHECK.read_text())
        run = subprocess.run([sys.executable, tools / "check", "gcc"], capture_output=True, text=True)
        pathlib.Path("/dev/shm/koine-check-test").unlink(missing_ok=True)
    return run.stdout, run.returncode


print(f"1..{len(CASES) + 1}")
status = 0
for number, (test, says, last) in enumerate(CASES + [BUILD], 1):
    text, code = output(*(("true", test) if test == BUILD[0] else (test,)))
    good = says in text and text.rstrip().split("\n")[-1] == last and code == (" 0 failed" not in last)
    print(f"{'ok' if good else 'not ok'} {number} - check: {says.replace('# ', '')}")
    if not good:
        print(*(f"# {line}" for line in text.splitlines()), sep="\n")
    status |= not good
sys.exit(status)
