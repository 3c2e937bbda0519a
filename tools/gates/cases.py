# SPDX-License-Identifier: MIT
"""How the gates are tested: a small tree that violates one gate alone, and that gate alone must fail."""
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent


def write_files(folder, files):
    for name, text in files.items():
        path = pathlib.Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def failed_gates(script, *args):
    """Names of the gates that `script` reports as failed."""
    run = subprocess.run([sys.executable, HERE / script, *args], capture_output=True, text=True)
    lines = run.stdout.splitlines()
    failed = [l.split(" - ")[1] for l in lines if l.startswith("not ok")]
    if not any(l.startswith(("ok", "not ok")) for l in lines) or bool(failed) != bool(run.returncode):
        return [f"no report: {run.stderr}"]
    return failed


def run_cases(cases, judge):
    """TAP for (title, expected failures, ...) cases; judge(folder, *rest) answers what failed."""
    print(f"1..{len(cases)}")
    status = 0
    for number, (title, expected, *rest) in enumerate(cases, 1):
        with tempfile.TemporaryDirectory() as folder:
            failed = judge(folder, *rest)
        if failed != expected:
            print(f"# expected {expected}, failed {failed}")
        print(f"{'ok' if failed == expected else 'not ok'} {number} - {title}")
        status |= failed != expected
    sys.exit(status)
