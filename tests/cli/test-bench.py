#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""koine bench: every row in its shape, nothing left behind. How fast anything is does not matter. TAP.

test-bench.py KOINE
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

KOINE = sys.argv[1]
WORK = tempfile.mkdtemp()
ENV = dict(os.environ, XDG_RUNTIME_DIR=WORK)
TIMES = ["event-rtt-64-spin", "call-rtt-64-spin", "call-rtt-64-adaptive", "loan-rtt-1m",
         "event-rtt-64-block", "call-rtt-64-block-same", "call-rtt-64-block-cross", "echo-4k",
         "echo-1m"]
RATES = ["event-rate-64", "event-rate-64-batched", "event-rate-64-1to4", "event-rate-1m"]
CPUS = sorted(os.sched_getaffinity(0))


def bench(*args, **more):
    done = subprocess.run([KOINE, "bench", *args], env=ENV, capture_output=True, timeout=100, **more)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as listed:
        return [int(child) for child in listed.read().split()]


def start(*args):
    """A long measurement, and its processes once they are there."""
    run = subprocess.Popen([KOINE, "bench", "--seconds", "30", *args], env=ENV,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + 20
    while len(children(run.pid)) < 2 and time.monotonic() < until:
        time.sleep(0.005)
    return run, children(run.pid)


def gone(pids):
    """True when the processes end; a zombie that init has not met yet is gone, too."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        states = []
        for pid in pids:
            try:
                with open(f"/proc/{pid}/stat") as stat:
                    states.append(stat.read().rsplit(")", 1)[1].split()[0])
            except (FileNotFoundError, ProcessLookupError):
                pass
        if all(state == "Z" for state in states):
            return True
        time.sleep(0.005)
    return False


def nothing_left():
    return os.listdir(WORK) == []


def every_row_has_its_shape():
    code, out, err = bench("--json", "--seconds", "0.02")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0, (code, out, err)
    machine = lines[0]["machine"]
    assert {"cpu", "cpus", "used", "kernel", "governor", "koine", "date"} <= set(machine), machine
    assert sorted(row["name"] for row in lines[1:]) == sorted(TIMES + RATES), out
    for row in lines[1:]:
        if len(CPUS) < 2 and row["name"] != "call-rtt-64-block-same":
            assert row == {"name": row["name"], "error": "needs 2 cpus"}, row
            continue
        assert row["unit"] == ("msg/s" if row["name"] in RATES else "ns"), row
        assert 0 < row["min"] <= row["value"] <= row["max"], row
        assert 0 < row["limit_min"] <= row["limit"] <= row["limit_max"], row
        assert abs(row["ratio"] - row["value"] / row["limit"]) < 0.01 * row["ratio"] + 0.001, row
        assert len(CPUS) < 2 or row["reference"] > 0, row
    assert nothing_left(), os.listdir(WORK)


def rows_are_chosen_and_laid_out_for_people():
    code, out, err = bench("call-rtt-64-block-same", "--seconds", "0.02")
    assert code == 0 and "call-rtt-64-block-same" in out and "lower ratio" in out, (code, out, err)
    assert not any(row in out for row in RATES), out


def one_processor_says_so():
    code, out, err = bench("--json", "--seconds", "0.02", "event-rate-64", "call-rtt-64-block-same",
                           preexec_fn=lambda: os.sched_setaffinity(0, CPUS[:1]))
    rows = {row["name"]: row for row in map(json.loads, out.splitlines()[1:])}
    assert code == 0, (code, err)
    assert rows["event-rate-64"] == {"name": "event-rate-64", "error": "needs 2 cpus"}, rows
    assert rows["call-rtt-64-block-same"]["reference"] is None, rows
    assert rows["call-rtt-64-block-same"]["value"] > 0, rows


def wrong_arguments_are_refused():
    for args, why in [(["event-rate-65"], "no row"), (["--cpus", "0"], "--cpus"),
                      (["--cpus", "0,x"], "--cpus"), (["--cpus", "0,100000"], "--cpus"),
                      (["--seconds", "0"], "--seconds"), (["--seconds", "x"], "--seconds")]:
        code, out, err = bench(*args)
        assert code == 2 and why in err and not out, (args, code, out, err)
    assert nothing_left()


def an_interrupt_leaves_nothing():
    for number in (signal.SIGINT, signal.SIGTERM):
        run, pids = start("call-rtt-64-block-same")
        assert len(pids) >= 2, pids
        run.send_signal(number)
        assert run.wait(20) == -number, run.returncode
        run.communicate()
        assert gone(pids) and nothing_left(), (pids, os.listdir(WORK))


def a_child_that_dies_ends_the_row():
    for which in (0, 1):
        run, pids = start("call-rtt-64-block-same", "--json")
        os.kill(pids[which], signal.SIGKILL)
        out, _ = run.communicate(timeout=20)
        row = json.loads(out.splitlines()[-1])
        assert run.returncode == 6 and row["error"], (run.returncode, out)
        assert gone(pids) and nothing_left(), (pids, os.listdir(WORK))


def a_killed_parent_takes_its_children_along():
    run, pids = start("call-rtt-64-block-same")
    run.kill()
    run.communicate()
    assert gone(pids), pids


TESTS = [every_row_has_its_shape, rows_are_chosen_and_laid_out_for_people, one_processor_says_so,
         wrong_arguments_are_refused, an_interrupt_leaves_nothing, a_child_that_dies_ends_the_row,
         a_killed_parent_takes_its_children_along]

print(f"1..{len(TESTS)}")
for number, test in enumerate(TESTS, 1):
    try:
        test()
        print(f"ok {number} - {test.__name__}")
    except Exception as error:  # every failure is a line
        print(f"not ok {number} - {test.__name__}: {type(error).__name__} {error}".replace("\n", " "))
    sys.stdout.flush()
shutil.rmtree(WORK)
