#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Calls by JSON-RPC: what is asked wrongly gets a clear error, and nothing else is lost by it.

Clients: curl, http.client, sockets, jsonrpclib-pelix.
"""
import json
import socket
import subprocess
import urllib.parse

import jsonrpclib

from rig import (WORK, Koined, Lines, call, post, raw, run, start_slow, start_thermostat, stop,
                   text, until)

T = "plant/thermostat"
BIG = 9007199254740993  # no double


def curl(port, *args):
    done = subprocess.run(["curl", "-sS", "--max-time", "20", *args, f"http://127.0.0.1:{port}/"],
                          capture_output=True, check=True)
    return done.stdout


def curl_calls():
    out = curl(HTTP, "-d", text(T + ".add", {"a": BIG, "b": 1}))
    assert out == b'{"jsonrpc":"2.0","result":%d,"id":1}' % (BIG + 1), out


def http_client_calls():
    assert call(HTTP, T + ".add", [BIG, 1])["result"] == BIG + 1
    assert [r["name"] for r in call(HTTP, T + ".rooms")["result"]] == ["hall", "attic"]


def jsonrpclib_calls():
    server = jsonrpclib.ServerProxy(f"http://127.0.0.1:{HTTP}/")
    assert server._request(T + ".add", (BIG, 1)) == BIG + 1
    swapped = server._request(T + ".swap", {"a": "l", "b": "\u00e4\0"})
    assert swapped == {"a": "\u00e4\0", "b": "l", "length": 4}, swapped
    try:
        server._request(T + ".set_target", ("hall", 99))
        raise AssertionError("a fault was expected")
    except jsonrpclib.ProtocolError as error:
        assert "-32002" in str(error), error


def jsonrpclib_sends_batches():
    server = jsonrpclib.ServerProxy(f"http://127.0.0.1:{HTTP}/")
    batch = jsonrpclib.MultiCall(server)
    for i in range(20):
        getattr(batch, T + ".add")(i, i)
    assert sorted(batch()) == [2 * i for i in range(20)]


def lines_over_tcp_and_unix_sockets_call():
    for where in (TCP, UNIX):
        with Lines(where) as lines:
            assert lines.call(T + ".add", [1, 2], "x") == {"jsonrpc": "2.0", "result": 3, "id": "x"}
            assert lines.call(T + "._set_label", ["gate"])["result"] is None
            assert lines.call(T + "._get_label")["result"] == "gate"


WRONG = [  # what is sent, the code, and what the message names
    (b'{"jsonrpc":"2.0","id":1,"method":', -32700, ""),
    (b'{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}', -32600, "twice"),
    (b'["a", "\xff"]', -32700, "UTF-8"),
    (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', -32700, "UTF-8"),
    (b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}', -32700, "surrogate"),
    (b"[" * 100000, -32700, ""),
    (b'{"a":' * 5000 + b"1" + b"}" * 5000, -32700, ""),
    (b"[]", -32600, ""),
    (b"17", -32600, ""),
    (b'{"jsonrpc":"2.0","id":1}', -32600, ""),
    (b'{"jsonrpc":"2.0","id":{},"method":"a.b"}', -32600, ""),
    (text("nothing"), -32601, "a service, a dot"),
    (text("plant/nothing.add", [1, 2]), -32601, "plant/nothing"),
    (text("no name at all.add", [1, 2]), -32601, ""),
    (text(T + ".nothing", []), -32601, "nothing"),
    (text(T + ".add", [1]), -32602, "b"),
    (text(T + ".add", [1, 2, 3]), -32602, ""),
    (text(T + ".add", {"a": 1, "c": 2}), -32602, "c"),
    (text(T + ".add", ["x", 2]), -32602, "a"),
    (text(T + ".add", [1.5, 2]), -32602, "1.5"),
    (text(T + ".add", [1 << 63, 2]), -32602, str(1 << 63)),
    (text(T + ".add", [(1 << 63) - 1, 1]), -32000 - 11, "64 bits"),
    (text(T + ".set_target", {"room": "cellar", "celsius": 20}), -32000 - 5, "room"),
    (text(T + ".set_target", {"room": "hall", "celsius": 99}), -32000 - 2, ""),
]


def check_wrong(octets, code, name, answer):
    error = json.loads(answer)["error"]
    assert error["code"] == code, (octets[:80], answer)
    assert name in error["message"], (octets[:80], answer)


def wrong_requests_over_http_are_answered_by_name():
    for octets, code, name in WRONG:
        octets = octets if isinstance(octets, bytes) else octets.encode()
        status, _, body = post(HTTP, octets)
        assert status == 200, (octets[:80], status, body)
        check_wrong(octets, code, name, body)


def wrong_lines_are_answered_and_the_connection_goes_on():
    for where in (TCP, UNIX):
        with Lines(where) as lines:
            for octets, code, name in WRONG:
                lines.send(octets)
                check_wrong(octets, code, name, json.dumps(lines.receive()))
                assert lines.call(T + ".add", [1, 2])["result"] == 3


def a_declared_exception_comes_with_its_value():
    error = call(HTTP, T + ".set_target", ["hall", 99])["error"]
    assert error["data"]["name"] == "demo::OutOfRange", error
    assert error["data"]["value"] == {"min": 5, "max": 30}, error


def a_thousand_calls_go_over_one_connection():
    with Lines(TCP) as lines:
        for i in range(1000):
            assert lines.call(T + ".add", [i, 1], i) == {"jsonrpc": "2.0", "result": i + 1, "id": i}


def a_thousand_pipelined_lines_are_all_answered():
    for where in (TCP, UNIX):
        with Lines(where) as lines:
            lines.send("\n".join(text(T + ".add", [i, 1], i) for i in range(1000)))
            answers = {a["id"]: a["result"] for a in (lines.receive() for _ in range(1000))}
            assert answers == {i: i + 1 for i in range(1000)}


def lines_may_come_octet_by_octet():
    with Lines(TCP) as lines:
        for octet in (text(T + ".add", [20, 22]) + "\n").encode():
            lines.socket.send(bytes([octet]))
        assert lines.receive()["result"] == 42


def who_ends_its_side_still_gets_the_answers():
    request = (text(T + ".add", [1, 2]) + "\n" + text(T + ".add", [3, 4])).encode()
    answer = raw(TCP, request, shut=True)
    assert sorted(json.loads(a)["result"] for a in answer.splitlines()) == [3, 7], answer
    with Lines(UNIX) as lines:
        lines.socket.sendall(request)
        lines.socket.shutdown(socket.SHUT_WR)
        assert sorted(a["result"] for a in (lines.receive(), lines.receive())) == [3, 7]
        assert lines.receive() is None


def a_note_is_delivered_although_its_sender_is_gone_at_once():
    for where in (TCP, UNIX):
        before = call(HTTP, "test/slow.noted")["result"]
        with Lines(where) as lines:
            lines.send(text("test/slow.note", [], None))
        until(lambda: call(HTTP, "test/slow.noted")["result"] == before + 1, "the note")


def large_answers_come_whole():
    with Lines(UNIX) as lines:
        for length in (0, 100, 4096, 60000, 1000000, 8000000):
            answer = lines.call("test/slow.big", [length])
            assert answer["result"] == "x" * length


def a_service_that_dies_in_a_call_is_a_fault_at_once():
    service = start_slow("test/mortal")
    with Lines(TCP) as lines:
        lines.send(text("test/mortal.keep"))
        until(lambda: call(HTTP, "test/mortal.kept")["result"] == 1, "the call")
        stop(service, 9)
        error = lines.receive()["error"]
        assert error["code"] == -32014 and error["data"]["completion"] == "maybe", error
        assert lines.call("test/mortal.kept")["error"]["code"] == -32601
        service = start_slow("test/mortal")
        assert lines.call("test/mortal.kept")["result"] == 0
        stop(service)


def a_name_that_came_back_with_another_interface_is_used_with_that_one():
    service = start_slow("test/changing")
    with Lines(TCP) as lines:
        assert lines.call("test/changing.kept")["result"] == 0
        stop(service)
        service = start_thermostat("test/changing")
        assert lines.call("test/changing.add", [1, 2])["result"] == 3
        assert lines.call("test/changing.kept")["error"]["code"] == -32601
        stop(service)


def calls_have_a_deadline():
    with Koined("jsonrpc+tcp://127.0.0.1:0?timeout=1") as koined, Lines(koined.ports[0]) as lines:
        error = lines.call("test/slow.keep")["error"]
        assert error["code"] == -32004 and error["data"]["completion"] == "maybe", error
    call(HTTP, "test/slow.release")


thermostat = start_thermostat()
slow = start_slow()
UNIX = WORK + "/lines.sock"
with Koined("jsonrpc+http://127.0.0.1:0", "jsonrpc+tcp://127.0.0.1:0",
            "jsonrpc+unix://" + urllib.parse.quote(UNIX) + "") as main:
    HTTP, TCP, _ = main.ports
    run([curl_calls, http_client_calls, jsonrpclib_calls, jsonrpclib_sends_batches,
         lines_over_tcp_and_unix_sockets_call, wrong_requests_over_http_are_answered_by_name,
         wrong_lines_are_answered_and_the_connection_goes_on,
         a_declared_exception_comes_with_its_value, a_thousand_calls_go_over_one_connection,
         a_thousand_pipelined_lines_are_all_answered, lines_may_come_octet_by_octet,
         who_ends_its_side_still_gets_the_answers,
         a_note_is_delivered_although_its_sender_is_gone_at_once, large_answers_come_whole,
         a_service_that_dies_in_a_call_is_a_fault_at_once,
         a_name_that_came_back_with_another_interface_is_used_with_that_one,
         calls_have_a_deadline])
