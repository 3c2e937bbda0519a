#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Workers that die, and what is left of it: one connection, one line in the log, and nothing running."""
import os
import re
import signal
import socket
import subprocess

from rig import (ENV, KOINED, LIMIT, WORK, Koined, Lines, call, children, run, start_slow,
                 start_thermostat, stop, text, until)

T = "plant/thermostat"
KEEP = text("test/slow.keep")


def ini(content):
    path = f"{WORK}/{len(os.listdir(WORK))}.ini"
    with open(path, "w", encoding="ascii") as file:
        file.write(content)
    return path


class Logged(Koined):
    """koined with a log that can be read while it runs."""

    def __init__(self, *uris, **options):
        self.path = f"{WORK}/{len(os.listdir(WORK))}.log"
        with open(self.path, "w", encoding="ascii") as file:
            super().__init__(*uris, stderr=file, **options)

    def log(self):
        with open(self.path, encoding="utf-8") as file:
            return file.read()


def works(where):
    with Lines(where) as lines:
        return lines.call(T + ".add", [1, 2]) == {"jsonrpc": "2.0", "result": 3, "id": 1}


def replaced(own, old):
    """Another worker in the place of `old`, which is dead."""
    now = [pid for pid in own.workers() if pid not in old]
    return len(now) == 1 and now[0]


def each_endpoint_has_a_worker_of_its_own():
    with Koined("jsonrpc+tcp://127.0.0.1:0", "jsonrpc+tcp://127.0.0.1:0") as own:
        assert len(own.workers()) == 2
        assert works(own.ports[0]) and works(own.ports[1])


def endpoints_of_a_group_share_one():
    config = ini("[endpoint a]\nlisten = jsonrpc+tcp://127.0.0.1:0\ngroup = c\n"
                 "[endpoint b]\nlisten = jsonrpc+tcp://127.0.0.1:0\ngroup = c\n"
                 "[endpoint c]\nlisten = jsonrpc+tcp://127.0.0.1:0\n")
    with Koined(config=config) as own:
        assert len(own.workers()) == 2
        assert all(works(port) for port in own.ports)


def several_workers_accept_for_one_endpoint():
    config = ini("[endpoint a]\nlisten = jsonrpc+tcp://127.0.0.1:0\nworkers = 3\n")
    with Koined(config=config) as own:
        assert len(own.workers()) == 3 and len(own.uris) == 1
        for pid in own.workers()[1:]:  # whoever is left serves
            os.kill(pid, signal.SIGSTOP)
        assert all(works(own.ports[0]) for _ in range(3))
        for pid in own.workers()[1:]:
            os.kill(pid, signal.SIGCONT)


def a_worker_killed_in_a_call_costs_its_connections_only():
    with Logged("jsonrpc+tcp://127.0.0.1:0", "jsonrpc+tcp://127.0.0.1:0") as own:
        first, second = own.workers()
        with Lines(own.ports[0]) as lines, Lines(own.ports[1]) as other:
            assert other.call(T + ".add", [1, 2])["result"] == 3
            lines.send(KEEP)
            until(lambda: call(HTTP, "test/slow.kept")["result"] == 1, "the call")
            os.kill(first, signal.SIGKILL)
            try:
                assert lines.receive() is None
            except ConnectionResetError:
                pass
            assert works(own.ports[0])
            assert other.call(T + ".add", [1, 2])["result"] == 3
        until(lambda: call(HTTP, "test/slow.cancelled")["result"] == 1, "the cancel")
        assert call(HTTP, "test/slow.release")["result"] == 1
        assert second in own.workers()
        line = f"koined: {own.uris[0]}: worker {first} ended: killed by SIGKILL; the next one in 100 ms"
        assert own.log() == line + "\n", own.log()


def who_connects_while_there_is_no_worker_is_served_by_the_next():
    with Logged("jsonrpc+unix://" + WORK + "/wait.sock") as own:
        for _ in range(3):
            old = own.workers()
            os.kill(old[0], signal.SIGKILL)
            assert works(WORK + "/wait.sock")
            until(lambda: replaced(own, old), "the next one")
        assert re.findall(r"in (\d+) ms", own.log()) == ["100", "200", "400"], own.log()


def a_worker_that_is_told_to_end_lets_answers_out_and_is_replaced():
    with Logged("jsonrpc+unix://" + WORK + "/told.sock") as own:
        old = own.workers()
        with Lines(WORK + "/told.sock") as busy, Lines(WORK + "/told.sock") as idle:
            assert idle.call(T + ".add", [1, 2])["result"] == 3
            busy.send(KEEP)
            until(lambda: call(HTTP, "test/slow.kept")["result"] == 1, "the call")
            os.kill(old[0], signal.SIGTERM)
            assert idle.receive() is None
            assert call(HTTP, "test/slow.release")["result"] == 1
            assert busy.receive()["result"] is None
        assert works(WORK + "/told.sock")
        assert "exit code 0" in own.log(), own.log()


def a_killed_koined_takes_its_workers_along():
    own = Koined("jsonrpc+tcp://127.0.0.1:0", "jsonrpc+unix://" + WORK + "/along.sock")
    workers = own.workers()
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGSTOP)
    stop(own.program, signal.SIGKILL)
    until(lambda: not [pid for pid in workers if is_alive(pid)], "the end of the workers")


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def a_worker_that_hangs_is_killed_at_the_second_signal():
    own = Koined("jsonrpc+unix://" + WORK + "/hang.sock")
    workers = own.workers()
    os.kill(workers[0], signal.SIGSTOP)
    own.program.send_signal(signal.SIGTERM)
    until(lambda: not os.path.exists(WORK + "/hang.sock"), "the drain")
    own.program.send_signal(signal.SIGTERM)
    assert own.program.wait(2) == 0
    own.program.stdout.close()
    assert not is_alive(workers[0])


def nothing_of_koined_is_open_in_a_worker():
    if os.geteuid():  # only root sees it
        return
    with open(__file__, "rb") as file, \
            Koined("jsonrpc+tcp://127.0.0.1:0", pass_fds=(file.fileno(),)) as own:
        what = {os.readlink(f"/proc/{own.workers()[0]}/fd/{fd}").split(":")[0]
                for fd in os.listdir(f"/proc/{own.workers()[0]}/fd")}
        assert what == {"socket", "pipe", "anon_inode", "/dev/null"}, what


def a_signal_before_it_is_ready_ends_it():
    for _ in range(5):
        program = subprocess.Popen([KOINED, "--listen", "jsonrpc+unix://" + WORK + "/early.sock"],
                                   env=ENV, stdout=subprocess.PIPE, text=True)
        until(lambda: os.path.exists(WORK + "/early.sock"), "the socket")
        assert stop(program) == 0
        assert not os.path.exists(WORK + "/early.sock")
        assert not children(program.pid)


thermostat = start_thermostat()
slow = start_slow()
with Koined("jsonrpc+http://127.0.0.1:0") as main:
    HTTP = main.ports[0]
    run([each_endpoint_has_a_worker_of_its_own, endpoints_of_a_group_share_one,
         several_workers_accept_for_one_endpoint,
         a_worker_killed_in_a_call_costs_its_connections_only,
         who_connects_while_there_is_no_worker_is_served_by_the_next,
         a_worker_that_is_told_to_end_lets_answers_out_and_is_replaced,
         a_killed_koined_takes_its_workers_along,
         a_worker_that_hangs_is_killed_at_the_second_signal,
         nothing_of_koined_is_open_in_a_worker, a_signal_before_it_is_ready_ends_it])
