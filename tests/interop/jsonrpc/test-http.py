#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""HTTP below JSON-RPC: connections, framing, who may ask, and what is refused.

Clients: curl, http.client, sockets.
"""
import http.client
import json
import socket
import subprocess
import time

from rig import (LIMIT, Koined, call, post, raw, run, start_slow, start_thermostat, text,
                 until)

T = "plant/thermostat"
ADD = text(T + ".add", [1, 2]).encode()


def request(body=ADD, head=b"", line=b"POST / HTTP/1.1", host=b"Host: localhost\r\n"):
    return b"%s\r\n%s%sContent-Length: %d\r\n\r\n%s" % (line, host, head, len(body), body)


def status(answer):
    assert answer.startswith(b"HTTP/1.1 "), answer
    return int(answer[9:12])


def a_thousand_calls_go_over_one_connection():
    link = http.client.HTTPConnection("127.0.0.1", PORT, timeout=LIMIT)
    link.connect()
    own = link.sock.getsockname()
    for i in range(1000):
        answer = post(PORT, text(T + ".add", [i, 1], i), connection=link)
        assert json.loads(answer[2]) == {"jsonrpc": "2.0", "result": i + 1, "id": i}
        assert link.sock.getsockname() == own
    link.close()


def pipelined_requests_are_answered_in_their_order():
    bodies = [text(T + ".add", [i, 0], i).encode() for i in range(200)]
    answers = raw(PORT, b"".join(map(request, bodies)), shut=True)
    ids = [json.loads(part.split(b"\r\n\r\n")[1])["id"] for part in answers.split(b"HTTP/1.1 ")[1:]]
    assert ids == list(range(200)), ids


def a_request_may_come_octet_by_octet():
    with socket.create_connection(("127.0.0.1", PORT), LIMIT) as link:
        for octet in request():
            link.send(bytes([octet]))
        link.shutdown(socket.SHUT_WR)
        assert b'"result":3' in link.recv(65536)


def chunked_bodies_are_put_together():
    chunks = [ADD[i:i + 7] for i in range(0, len(ADD), 7)]
    assert b'"result":3' in post(PORT, iter(chunks))[2]
    done = subprocess.run(["curl", "-sS", "-H", "Transfer-Encoding: chunked", "--data-binary", "@-",
                           f"http://127.0.0.1:{PORT}/"], input=ADD, capture_output=True, check=True)
    assert b'"result":3' in done.stdout
    framed = b"".join(b"%x;n=v\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\nX: y\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert raw(PORT, (head + framed) * 2, shut=True).count(b'"result":3') == 2


def who_expects_100_gets_it_before_the_body():
    with socket.create_connection(("127.0.0.1", PORT), LIMIT) as link:
        link.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                     b"Content-Length: %d\r\n\r\n" % len(ADD))
        assert link.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        link.sendall(ADD)
        assert b'"result":3' in link.recv(65536)
    refused = raw(PORT, b"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                        b"Content-Length: 99999999999\r\n\r\n")
    assert status(refused) == 413 and b"100 Continue" not in refused, refused
    large = text("test/slow.big", {"length": 1, "pad": "x" * 3000000})
    done = subprocess.run(["curl", "-sS", "-H", "Expect: 100-continue", "--data-binary", "@-",
                           f"http://127.0.0.1:{PORT}/"], input=large.encode(), capture_output=True,
                          check=True)
    assert json.loads(done.stdout)["error"]["code"] == -32602, done.stdout[:200]


def http_1_0_closes_unless_it_asks_not_to():
    old = request(line=b"POST / HTTP/1.0", host=b"")
    answer = raw(PORT, old)
    assert status(answer) == 200 and b"Connection: close" in answer and b'"result":3' in answer
    kept = request(line=b"POST / HTTP/1.0", head=b"Connection: keep-alive\r\n")
    answer = raw(PORT, kept + old)
    assert answer.count(b'"result":3') == 2 and b"Connection: keep-alive" in answer, answer


def connection_close_is_obeyed():
    answer = raw(PORT, request(head=b"Connection: close\r\n") + request())
    assert answer.count(b'"result":3') == 1 and b"Connection: close" in answer, answer


def other_methods_get_405_by_name():
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
        link = http.client.HTTPConnection("127.0.0.1", PORT, timeout=LIMIT)
        link.request(method, "/")
        answer = link.getresponse()
        body = answer.read()
        assert answer.status == 405 and answer.headers["Allow"] == "POST", (method, answer.status)
        assert bool(body) == (method != "HEAD")
        assert post(PORT, ADD, connection=link)[0] == 200
        link.close()


def nothing_to_say_is_204():
    assert post(PORT, text(T + ".log", ["x"], None))[::2] == (204, b"")
    assert post(PORT, text(T + ".add", [1, 2], None))[::2] == (204, b"")


def any_content_type_is_taken():
    for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded", ""):
        code, headers, body = post(PORT, ADD, {"Content-Type": kind})
        assert code == 200 and b'"result":3' in body
        assert headers["Content-Type"] == "application/json" and headers["Date"].endswith("GMT")


def web_pages_are_refused_unless_they_are_listed():
    assert post(PORT, ADD, {"Origin": "http://evil.example"})[0] == 403
    assert post(PORT, ADD, {"Origin": "null"})[0] == 403
    with Koined("jsonrpc+http://127.0.0.1:0?origin=http://a.example,http://localhost:3000") as own:
        port = own.ports[0]
        code, headers, _ = post(port, ADD, {"Origin": "http://localhost:3000"})
        assert code == 200
        assert headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
        assert post(port, ADD, {"Origin": "http://localhost:30"})[0] == 403
        assert post(port, ADD, {"Origin": "http://localhost:30000"})[0] == 403
        preflight = raw(port, b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://a.example\r\n"
                              b"Access-Control-Request-Method: POST\r\nConnection: close\r\n\r\n")
        assert status(preflight) == 204 and b"Access-Control-Allow-Methods: POST" in preflight


def only_loopback_and_listed_hosts_are_answered():
    for host, code in (("localhost", 200), ("LOCALHOST:1", 200), ("127.0.0.1:80", 200),
                       ("127.9.9.9", 200), ("[::1]:8080", 200), ("evil.example", 403),
                       ("127.0.0.1.evil.example", 403), ("localhost,.evil.example", 403),
                       ("10.0.0.1", 403), ("[::2]", 403), ("", 403)):
        answer = raw(PORT, request(host=b"Host: %s\r\nConnection: close\r\n" % host.encode()))
        assert status(answer) == code, (host, answer)
    absolute = request(line=b"POST http://evil.example/ HTTP/1.1", head=b"Connection: close\r\n")
    assert status(raw(PORT, absolute)) == 403
    with Koined("jsonrpc+http://127.0.0.1:0?host=box.lan") as own:
        assert post(own.ports[0], ADD, {"Host": "Box.LAN:99"})[0] == 200
        assert post(own.ports[0], ADD, {"Host": "box"})[0] == 403


def an_endpoint_with_a_path_has_no_other():
    with Koined("jsonrpc+http://127.0.0.1:0/rpc") as own:
        assert own.uris[0].endswith("/rpc")
        assert post(own.ports[0], ADD, path="/rpc")[0] == 200
        assert post(own.ports[0], ADD, path="/rpc?x=y")[0] == 200
        assert post(own.ports[0], ADD, path="/")[0] == 404
        assert post(own.ports[0], ADD, path="/rpc/")[0] == 404


def what_is_no_http_gets_its_status_and_the_end():
    rows = [(b"hello\r\n\r\n", 400), (ADD + b"\n", 400), (b"POST / HTTP/2.0\r\n\r\n", 505),
            (b"POST / HTTP/1.1\r\n\r\n", 400), (b"POST /" + b"x" * 9000 + b" HTTP/1.1\r\n", 414),
            (b"POST / HTTP/1.1\r\nX: " + b"x" * 20000, 431),
            (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
            (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
             400),
            (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
            (b"POST / HTTP/1.1\r\nHost: a\r\nExpect: more\r\nContent-Length: 1\r\n\r\n", 417)]
    for octets, code in rows:
        answer = raw(PORT, octets)
        assert status(answer) == code and b"Connection: close" in answer, (octets[:60], answer)


def a_body_of_a_gibibyte_is_refused_at_once():
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1073741824\r\n\r\n"
    begun = time.monotonic()
    assert status(raw(PORT, head)) == 413
    with socket.create_connection(("127.0.0.1", PORT), LIMIT) as link:
        link.sendall(head + b"x" * 5000000)  # no reset, which could overtake the answer
        assert status(link.recv(65536)) == 413
    assert time.monotonic() - begun < 10
    with Koined("jsonrpc+http://127.0.0.1:0?body=1000") as own:
        assert post(own.ports[0], b" " * 1000)[0] == 200
        assert post(own.ports[0], b" " * 1001)[0] == 413
        assert post(own.ports[0], iter([b" " * 600, b" " * 401]))[0] == 413


def who_ends_its_side_still_gets_the_answer():
    assert b'"result":3' in raw(PORT, request(), shut=True)
    assert raw(PORT, request()[:40], shut=True) == b""
    assert raw(PORT, request(head=b"X: y\r\n")[:-1], shut=True) == b""


def a_half_request_is_hung_up_on_and_an_idle_connection_is_not():
    with Koined("jsonrpc+http://127.0.0.1:0?stall=1") as own:
        port = own.ports[0]
        idle = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
        post(port, ADD, connection=idle)
        begun = time.monotonic()
        assert raw(port, request()[:40]) == b""
        assert raw(port, request()[:-1]) == b""
        assert 1.5 < time.monotonic() - begun < LIMIT
        assert post(port, ADD, connection=idle)[0] == 200
        idle.close()


def a_stream_of_requests_may_take_longer_than_one():
    said = request(text("plant/thermostat.log", ["x"], None).encode())
    with Koined("jsonrpc+http://127.0.0.1:0?stall=1") as own:
        with socket.create_connection(("127.0.0.1", own.ports[0]), LIMIT) as link:
            link.sendall(said[:40])
            end = time.monotonic() + 1.5
            while time.monotonic() < end:  # there is always one that has begun
                link.sendall(said[40:] + said[:40])
                assert status(link.recv(65536)) == 204


def an_answer_may_take_longer_than_a_request():
    with Koined("jsonrpc+http://127.0.0.1:0?stall=1") as own:
        with socket.create_connection(("127.0.0.1", own.ports[0]), LIMIT) as link:
            link.sendall(request(text("test/slow.keep").encode()))
            until(lambda: call(PORT, "test/slow.kept")["result"] == 1, "the call")
            assert raw(own.ports[0], request()[:-1]) == b""  # that took as long as a request may
            assert call(PORT, "test/slow.release")["result"] == 1
            assert status(link.recv(65536)) == 200


thermostat = start_thermostat()
slow = start_slow()
with Koined("jsonrpc+http://127.0.0.1:0") as main:
    PORT = main.ports[0]
    run([a_thousand_calls_go_over_one_connection, pipelined_requests_are_answered_in_their_order,
         a_request_may_come_octet_by_octet, chunked_bodies_are_put_together,
         who_expects_100_gets_it_before_the_body, http_1_0_closes_unless_it_asks_not_to,
         connection_close_is_obeyed, other_methods_get_405_by_name, nothing_to_say_is_204,
         any_content_type_is_taken, web_pages_are_refused_unless_they_are_listed,
         only_loopback_and_listed_hosts_are_answered, an_endpoint_with_a_path_has_no_other,
         what_is_no_http_gets_its_status_and_the_end, a_body_of_a_gibibyte_is_refused_at_once,
         who_ends_its_side_still_gets_the_answer,
         a_half_request_is_hung_up_on_and_an_idle_connection_is_not,
         a_stream_of_requests_may_take_longer_than_one, an_answer_may_take_longer_than_a_request])
