# SPDX-License-Identifier: MIT
"""What the tests of the command share: a name directory, running koine, waiting for a name, TAP.

The first argument of a test is the command, the second the source root.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

KOINE, ROOT = os.path.abspath(sys.argv[1]), sys.argv[2]
IDL = ROOT + "/examples/thermostat.idl"
WORK = tempfile.mkdtemp()
ENV = dict(os.environ, KOINE_DIR=WORK + "/names")
LONG = int(os.environ.get("KOINE_TEST_LONG", 120))  # seconds that nothing here takes
running = []


def koine(*args, stdin=None):
    done = subprocess.run([KOINE, *args], env=ENV, input=stdin, capture_output=True, timeout=LONG)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def expect(code, args, out=None, err=None, stdin=None):
    """Runs koine; the exit code, and what must be all of its output and a part of its errors."""
    got, stdout, stderr = koine(*args, stdin=stdin)
    assert got == code, (args, got, stdout, stderr)
    assert out is None or stdout == out, (args, stdout)
    assert err is None or err in stderr, (args, stderr)
    return stdout


def write(name, text, mode=0o755):
    path = f"{WORK}/{name}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def until(what, seconds=LONG):
    """Asks again until there is an answer; what it was."""
    end = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < end, "nothing came of it"
        time.sleep(0.01)
    return answer


def start(*args, **options):
    """A process that this test ends, or end_all."""
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
               **options}
    process = subprocess.Popen(args, env=ENV, **options)
    running.append(process)
    return process


def served(name):
    return until(lambda: f'"{name}"' in koine("ls", "--json")[1])


def finish(process, code, err=""):
    """Waits for its end; its errors."""
    _, stderr = process.communicate(timeout=LONG)
    stderr = stderr.decode(errors="replace")
    assert process.returncode == code, (process.returncode, stderr)
    assert err in stderr, stderr
    return stderr


def alive(pid):
    """Whether a process is there and no zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def end_all():
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.communicate()
    running.clear()


def stuck(*_):
    raise TimeoutError("the test is stuck")


def run(tests):
    failed = 0
    signal.signal(signal.SIGALRM, stuck)
    print(f"1..{len(tests)}")
    for number, test in enumerate(tests, 1):
        signal.alarm(LONG)
        try:
            test()
            print(f"ok {number} - {test.__name__}", flush=True)
        except Exception as error:  # each case must be counted
            failed += 1
            line = error.__traceback__.tb_next.tb_lineno  # of the test
            told = f"line {line}: {type(error).__name__}: {error}".replace("\n", "\n# ")[:4000]
            print(f"not ok {number} - {test.__name__}\n# {told}", flush=True)
        end_all()
    shutil.rmtree(WORK)
    sys.exit(1 if failed else 0)


def objects(text):
    return [json.loads(line) for line in text.splitlines()]
