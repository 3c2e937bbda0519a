#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""tools/demo: it ends well, fails when it should, and leaves nothing behind however it ends. TAP.

test-demo.py DEMO BUILD
"""
import os
import signal
import subprocess
import sys
import tempfile
import time

DEMO, BUILD = map(os.path.abspath, sys.argv[1:3])


class Run:
    """The demo in a process group and with temporary files of its own."""

    def __init__(self, folder, **more):
        self.folder = folder
        self.log = open(folder + ".log", "w+b")
        env = dict(os.environ, TMPDIR=folder, BUILD=BUILD, **more)
        self.process = subprocess.Popen([DEMO], env=env, stdout=self.log, stderr=self.log,
                                        stdin=subprocess.DEVNULL, start_new_session=True,
                                        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

    def said(self):
        self.log.seek(0)
        return self.log.read().decode()

    def await_text(self, text):
        deadline = time.monotonic() + 60
        while text not in self.said():
            assert self.process.poll() is None and time.monotonic() < deadline, self.said()
            time.sleep(0.02)

    def interrupt(self, number):
        os.killpg(self.process.pid, number)

    def left(self):
        """Processes of its group that are not dead."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                    name, rest = file.read().rsplit(") ", 1)
            except OSError:
                continue
            state, _, group = rest.split()[:3]
            if int(group) == self.process.pid and state != "Z":
                found.append(name)
        return found

    def ends_with(self, code):
        got = self.process.wait(120)
        assert got == code, (got, self.said())
        deadline = time.monotonic() + 10
        while (left := self.left()) and time.monotonic() < deadline:
            time.sleep(0.05)  # a leak checker that is killed leaves its helper for a moment
        if left:
            self.interrupt(signal.SIGKILL)
        assert left == [], left
        assert os.listdir(self.folder) == [], os.listdir(self.folder)


def it_shows_all_and_ends_well(folder):
    run = Run(folder)
    run.ends_with(0)
    for text in ("demo: all as expected", "machine::NoSuchProcess", "30000 samples, 0 missing",
                 "went away before it answered", "third   killed after"):
        assert text in run.said(), run.said()


def it_stays_up_when_it_is_asked_to_until_it_is_interrupted(folder):
    run = Run(folder, KEEP="1")
    run.await_text("export KOINE_DIR=")
    run.interrupt(signal.SIGINT)
    run.ends_with(0)


def interrupted_in_the_middle_it_leaves_nothing(folder):
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
        run = Run(folder)
        run.await_text("host-latency")
        run.interrupt(number)
        run.ends_with(code)


TESTS = [it_shows_all_and_ends_well, it_stays_up_when_it_is_asked_to_until_it_is_interrupted,
         interrupted_in_the_middle_it_leaves_nothing]

for number in (signal.SIGHUP, signal.SIGINT):  # may have been ignored by whoever started this
    signal.signal(number, signal.SIG_DFL)

failed = 0
print(f"1..{len(TESTS)}")
for number, test in enumerate(TESTS, 1):
    with tempfile.TemporaryDirectory() as work:
        os.mkdir(work + "/tmp")
        try:
            test(work + "/tmp")
            print(f"ok {number} - {test.__name__}", flush=True)
        except Exception as error:  # each case must be counted
            failed += 1
            print(f"not ok {number} - {test.__name__}\n# " +
                  f"{type(error).__name__}: {error}".replace("\n", "\n# "), flush=True)
sys.exit(1 if failed else 0)
