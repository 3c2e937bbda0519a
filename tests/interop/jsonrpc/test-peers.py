#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Peers that die, flood, or do not read, and koined's own life: each costs only its own connection.
"""
import errno
import os
import resource
import select
import signal
import socket
import stat
import subprocess
import sys
import time

from rig import (ENV, KOINED, LIMIT, WORK, Koined, Lines, call, post, raw, run, start_slow,
                 start_thermostat, stop, text, until)

T = "plant/thermostat"
KEEP = text("test/slow.keep")
CHILD = """
import socket, sys, time
if sys.argv[1] == "unix":
    link = socket.socket(socket.AF_UNIX)
    link.connect(sys.argv[2])
else:
    link = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
link.sendall(sys.argv[3].encode())
print("sent", flush=True)
time.sleep(60)
"""


def kept():
    return call(HTTP, "test/slow.kept")["result"]


def a_hundred_connections_at_once_are_all_served():
    links = [Lines(TCP) for _ in range(100)]
    for i, link in enumerate(links):
        link.send(text(T + ".add", [i, 1], i))
    for i, link in enumerate(links):
        assert link.receive() == {"jsonrpc": "2.0", "result": i + 1, "id": i}
    for link in links:
        link.close()


def check_killed_client(kind, where, octets):
    client = subprocess.Popen([sys.executable, "-c", CHILD, kind, str(where), octets],
                              stdout=subprocess.PIPE)
    client.stdout.readline()
    until(lambda: kept() == 1, "the call")
    assert call(HTTP, "test/slow.cancelled")["result"] == 0
    client.kill()
    client.wait()
    client.stdout.close()
    until(lambda: call(HTTP, "test/slow.cancelled")["result"] == 1, "the cancel")
    assert call(HTTP, "test/slow.release")["result"] == 1


def a_call_whose_client_is_killed_is_cancelled_and_nothing_stays():
    call(HTTP, "test/slow.kept")
    before = main.descriptors()
    post_keep = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(KEEP)}\r\n\r\n{KEEP}"
    check_killed_client("unix", UNIX, KEEP + "\n")
    check_killed_client("tcp", TCP, KEEP + "\n")
    check_killed_client("tcp", HTTP, post_keep)
    until(lambda: main.descriptors() <= before, "descriptors")


def wait_for_a_stall(path):
    with Lines(path) as half:
        half.socket.sendall(b"{")
        assert half.receive() is None


def who_ends_its_side_and_lives_is_waited_for():
    path = WORK + "/patient.sock"
    with Koined("jsonrpc+tcp://127.0.0.1:0?stall=1", f"jsonrpc+unix://{path}?stall=1") as own:
        links = [Lines(own.ports[0]), Lines(path)]
        for link in links:
            link.send(KEEP)
        until(lambda: kept() == 2, "the calls")
        for link in links:
            link.socket.shutdown(socket.SHUT_WR)
        wait_for_a_stall(path)
        assert call(HTTP, "test/slow.cancelled")["result"] == 0
        assert call(HTTP, "test/slow.release")["result"] == 2
        for link in links:
            assert link.receive()["result"] is None
            link.close()


def flood(where, octets, most=64 << 20):
    """Sends and never reads; whether the other side hung up, or at last read no more."""
    link = Lines(where)
    link.socket.settimeout(0.5)
    sent = 0
    try:
        while sent < most:
            sent += link.socket.send(octets)
    except (BrokenPipeError, ConnectionResetError, TimeoutError):
        pass
    return link, sent


def who_never_reads_is_not_read_from_and_then_hung_up_on():
    path = WORK + "/flood.sock"
    with Koined(f"jsonrpc+unix://{path}?stall=1", "jsonrpc+http://127.0.0.1:0") as own:
        before = own.descriptors()
        link, sent = flood(path, (text("test/slow.big", [60000]) + "\n").encode() * 100)
        assert 0 < sent < 16 << 20, sent
        assert call(own.ports[1], T + ".add", [1, 2])["result"] == 3
        assert own.memory() < 512 << 20, own.memory()
        until(lambda: own.descriptors() <= before, "the end of the flood")
        link.close()


def http_floods_are_bounded_too():
    body = text("test/slow.big", [60000])
    octets = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    link, sent = flood(HTTP, octets.encode() * 100)
    assert sent < 16 << 20, sent
    assert call(HTTP, T + ".add", [1, 2])["result"] == 3
    link.close()


def a_line_without_end_is_bounded():
    link, _ = flood(UNIX, b"x" * (1 << 20))
    assert call(HTTP, T + ".add", [1, 2])["result"] == 3
    assert main.memory() < 512 << 20, main.memory()
    link.close()


def a_half_line_is_hung_up_on_and_an_idle_connection_is_not():
    with Koined("jsonrpc+unix://" + WORK + "/half.sock?stall=1") as own:
        with Lines(WORK + "/half.sock") as idle, Lines(WORK + "/half.sock") as half:
            assert idle.call(T + ".add", [1, 2])["result"] == 3
            half.socket.sendall(text(T + ".add", [1, 2]).encode())
            assert half.receive() is None
            assert idle.call(T + ".add", [1, 2])["result"] == 3
        assert own.program.poll() is None


def a_stream_of_lines_may_take_longer_than_one():
    known = text(T + ".log", ["x"], None).encode() + b"\n"
    unknown = text("no/service.log", ["x"], None).encode() + b"\n"
    wrong = b'{"jsonrpc":"1.0"}\n'
    with Koined("jsonrpc+unix://" + WORK + "/stream.sock?stall=1") as own:
        links = [Lines(WORK + "/stream.sock") for _ in range(3)]
        end = time.monotonic() + 1.5
        for link, line in zip(links, (known, unknown, wrong)):
            link.socket.sendall(line[:9])
        while time.monotonic() < end:  # there is always one that has begun
            for link, line in zip(links, (known, unknown, wrong)):
                link.socket.sendall(line[9:] + line[:9])
            assert links[2].receive()["error"]["code"] == -32600
        for link, line in zip(links[:2], (known, unknown)):
            link.socket.sendall(line[9:])
            assert link.call(T + ".add", [1, 2])["result"] == 3
        for link in links:
            link.close()
        assert own.program.poll() is None


def an_idle_connection_makes_room_for_a_new_one():
    with Koined("jsonrpc+tcp://127.0.0.1:0?connections=4") as own:
        links = [Lines(own.ports[0]) for _ in range(4)]
        for link in links:
            assert link.call(T + ".add", [1, 2])["result"] == 3
        with Lines(own.ports[0]) as fifth:
            assert fifth.call(T + ".add", [1, 2])["result"] == 3
            assert links[0].receive() is None
            assert links[3].call(T + ".add", [1, 2])["result"] == 3
        for link in links:
            link.close()


def busy_connections_do_not_make_room():
    with Koined("jsonrpc+tcp://127.0.0.1:0?connections=2") as own:
        links = [Lines(own.ports[0]) for _ in range(2)]
        for link in links:
            link.send(KEEP)
        until(lambda: kept() == 2, "the calls")
        with Lines(own.ports[0]) as third:
            assert third.receive() is None
        assert call(HTTP, "test/slow.release")["result"] == 2
        for link in links:
            assert link.receive()["result"] is None
            link.close()


def without_descriptors_koined_goes_on_when_there_are_some_again():
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
    with Koined("jsonrpc+tcp://127.0.0.1:0", preexec_fn=few) as own:
        links = [socket.create_connection(("127.0.0.1", own.ports[0]), LIMIT) for _ in range(60)]
        assert select.select(links, [], [], LIMIT)[0], "nobody was hung up on"
        for link in links:
            link.close()
        def works():
            with Lines(own.ports[0]) as lines:
                try:
                    return lines.call(T + ".add", [1, 2]) == {"jsonrpc": "2.0", "result": 3, "id": 1}
                except ConnectionError:
                    return False
        until(works, "a call")


def a_term_signal_lets_answers_under_way_out():
    own = Koined("jsonrpc+unix://" + WORK + "/term.sock", "jsonrpc+http://127.0.0.1:0")
    with Lines(WORK + "/term.sock") as busy, Lines(WORK + "/term.sock") as idle:
        assert idle.call(T + ".add", [1, 2])["result"] == 3
        busy.send(KEEP)
        until(lambda: kept() == 1, "the call")
        own.program.send_signal(signal.SIGTERM)
        assert idle.receive() is None
        assert not os.path.exists(WORK + "/term.sock")
        assert own.program.poll() is None
        assert call(HTTP, "test/slow.release")["result"] == 1
        assert busy.receive()["result"] is None
        assert busy.receive() is None
    assert own.program.wait(LIMIT) == 0
    own.program.stdout.close()


def a_second_signal_does_not_wait():
    own = Koined("jsonrpc+unix://" + WORK + "/twice.sock")
    with Lines(WORK + "/twice.sock") as busy:
        busy.send(KEEP)
        until(lambda: kept() == 1, "the call")
        own.program.send_signal(signal.SIGINT)
        until(lambda: not os.path.exists(WORK + "/twice.sock"), "the drain")
        own.program.send_signal(signal.SIGINT)
        assert own.program.wait(2) == 0
        own.program.stdout.close()
        until(lambda: call(HTTP, "test/slow.cancelled")["result"] == 1, "the cancel")
    assert call(HTTP, "test/slow.release")["result"] == 1


def is_refused(path):
    with socket.socket(socket.AF_UNIX) as link:
        return link.connect_ex(path) == errno.ECONNREFUSED


def a_dead_koined_leaves_a_socket_that_the_next_one_replaces():
    path = WORK + "/again.sock"
    first = Koined("jsonrpc+unix://" + path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    stop(first.program, signal.SIGKILL)
    assert os.path.exists(path)
    until(lambda: is_refused(path), "the worker follows its koined")
    with Koined("jsonrpc+unix://" + path + "?mode=0660"):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
        with Lines(path) as lines:
            assert lines.call(T + ".add", [1, 2])["result"] == 3
        assert not [n for n in os.listdir(WORK) if n.startswith(".koine")]
    assert not os.path.exists(path)


def refused(code, what, *args):
    done = subprocess.run([KOINED, *args], env=ENV, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == code and not done.stdout, (args, done)
    assert what in done.stderr, (args, done.stderr)


def what_is_taken_is_named():
    refused(6, "another program listens there", "--listen", f"jsonrpc+tcp://127.0.0.1:{TCP}")
    refused(6, "a living process listens there", "--listen", "jsonrpc+unix://" + UNIX)
    assert os.path.exists(UNIX)
    with open(WORK + "/file", "w", encoding="ascii"):
        pass
    refused(6, "is no socket", "--listen", "jsonrpc+unix://" + WORK + "/file")
    refused(6, "No such file", "--listen", "jsonrpc+unix:///nowhere/at/all.sock")


def wrong_uris_are_explained():
    for uri, what in (("nothing", "has no '://'"), ("http://127.0.0.1:1", "says no transport"),
                      ("x+tcp://127.0.0.1:1", "there are: jsonrpc"),
                      ("jsonrpc+smoke://127.0.0.1:1", "there are: http, tcp, unix"),
                      ("jsonrpc+tcp://127.0.0.1", "port 0 takes a free one"),
                      ("jsonrpc+tcp://127.0.0.1:70000", "up to 65535"),
                      ("jsonrpc+tcp://box:1", "is no address"),
                      ("jsonrpc+tcp://::1:1", "65535"),
                      ("jsonrpc+unix://relative.sock", "absolute path"),
                      ("jsonrpc+unix:///" + "x" * 200, "107 octets"),
                      ("jsonrpc+tcp://127.0.0.1:0?colour=red", "no option 'colour'"),
                      ("jsonrpc+tcp://127.0.0.1:0?stall=0", "seconds, 1 to 3600"),
                      ("jsonrpc+tcp://127.0.0.1:0?mode=0600", "no option 'mode'"),
                      ("jsonrpc+http://127.0.0.1:0#plant/x", "part of a target")):
        refused(2, what, "--listen", uri)
    refused(5, "public=yes", "--listen", "jsonrpc+tcp://0.0.0.0:0")
    refused(2, "nothing to listen on")
    refused(2, "is no option", "--listen", "jsonrpc+tcp://127.0.0.1:0", "stray")
    for option, what in (("--help", "usage: koined"), ("--version", "koined 0")):
        done = subprocess.run([KOINED, option], capture_output=True, text=True, timeout=LIMIT)
        assert done.returncode == 0 and what in done.stdout


def other_loopback_addresses_work():
    uris = ["jsonrpc+tcp://localhost:0", "jsonrpc+tcp://127.9.8.7:0"]
    if socket.has_ipv6 and os.path.exists("/proc/net/if_inet6"):
        uris.append("jsonrpc+http://[::1]:0")
    with Koined(*uris) as own:
        assert own.uris[1].startswith("jsonrpc+tcp://127.9.8.7:")
        with Lines(own.ports[0]) as lines:
            assert lines.call(T + ".add", [1, 2])["result"] == 3
        if len(uris) == 3:
            done = subprocess.run(["curl", "-gsS", "-d", text(T + ".add", [1, 2]),
                                   f"http://[::1]:{own.ports[2]}/"], capture_output=True, check=True)
            assert b'"result":3' in done.stdout


thermostat = start_thermostat()
slow = start_slow()
UNIX = WORK + "/lines.sock"
with Koined("jsonrpc+http://127.0.0.1:0", "jsonrpc+tcp://127.0.0.1:0",
            "jsonrpc+unix://" + UNIX) as main:
    HTTP, TCP, _ = main.ports
    run([a_hundred_connections_at_once_are_all_served,
         a_call_whose_client_is_killed_is_cancelled_and_nothing_stays,
         who_ends_its_side_and_lives_is_waited_for,
         who_never_reads_is_not_read_from_and_then_hung_up_on, http_floods_are_bounded_too,
         a_line_without_end_is_bounded, a_half_line_is_hung_up_on_and_an_idle_connection_is_not,
         a_stream_of_lines_may_take_longer_than_one,
         an_idle_connection_makes_room_for_a_new_one, busy_connections_do_not_make_room,
         without_descriptors_koined_goes_on_when_there_are_some_again,
         a_term_signal_lets_answers_under_way_out, a_second_signal_does_not_wait,
         a_dead_koined_leaves_a_socket_that_the_next_one_replaces, what_is_taken_is_named,
         wrong_uris_are_explained, other_loopback_addresses_work])
