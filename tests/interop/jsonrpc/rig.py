# SPDX-License-Identifier: MIT
"""What the tests of this folder stand on: koined, a thermostat and a slow service, and small clients.

Every test is a function without arguments; its name, with blanks, is the name of its TAP line.
"""
import atexit
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

KOINED, THERMOSTAT, SLOW = sys.argv[1:4]
WORK = tempfile.mkdtemp()
ENV = dict(os.environ, KOINE_DIR=WORK + "/names")
LIMIT = 20  # seconds, where a promise is milliseconds
started = []


def until(true, what):
    end = time.monotonic() + LIMIT
    while not true():
        assert time.monotonic() < end, "never: " + what
        time.sleep(0.005)


def start(*command, **options):
    """A program that says "ready" on a line of its own; and the lines before that."""
    program = subprocess.Popen(command, env=ENV, stdout=subprocess.PIPE, text=True, **options)
    started.append(program)
    lines = []
    for line in program.stdout:
        if line == "ready\n":
            return program, lines
        lines.append(line.strip())
    raise AssertionError(f"{command} ended with {program.wait()}")


def stop(program, by=signal.SIGTERM):
    program.send_signal(by)
    code = program.wait(LIMIT)
    program.stdout.close()
    return code


def children(parent):
    """Living ones, by age."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if entry.isdigit() and int(fields[1]) == parent and fields[0] != "Z":
            found.append((int(fields[19]), int(entry)))
    return [pid for _, pid in sorted(found)]


def descriptors(pid):
    """Of a process that shows them to nobody the kernel tells how many, since Linux 6.2."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except PermissionError:
        return os.stat(f"/proc/{pid}/fd").st_size


def memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) << 10


class Koined:
    """koined with one endpoint for each URI; ports are what it says that they are."""

    def __init__(self, *uris, config=None, program=KOINED, **options):
        self.listening = [a for uri in uris for a in ("--listen", uri)]
        if config:
            self.listening += ["--config", config]
        self.program, self.uris = start(program, *self.listening, **options)
        self.ports = [int(m[1]) if (m := re.search(r":(\d+)(/.*)?$", u)) else None
                      for u in self.uris]

    def workers(self):
        """Process ids, by age."""
        return children(self.program.pid)

    def descriptors(self):
        return sum(descriptors(pid) for pid in self.workers())

    def memory(self):
        return max(memory(pid) for pid in self.workers())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.program.poll() is None:
            code = stop(self.program)
            assert code == 0, f"koined ended with {code}"


def is_served(name):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
        return link.connect_ex(f"{ENV['KOINE_DIR']}/{name}") == 0


def start_thermostat(name="plant/thermostat"):
    program = subprocess.Popen([THERMOSTAT, name, "10"], env=ENV, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    started.append(program)
    until(lambda: is_served(name), name)
    return program


def start_slow(name="test/slow"):
    return start(SLOW, name)[0]


def text(method, params=None, request_id=1):
    request = {"jsonrpc": "2.0", "method": method}
    if request_id is not None:
        request["id"] = request_id
    if params is not None:
        request["params"] = params
    return json.dumps(request)


class Lines:
    """JSON-RPC by lines, over TCP (a port) or a unix socket (a path)."""

    def __init__(self, where):
        self.socket = socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET)
        self.socket.settimeout(LIMIT)
        self.socket.connect(where if isinstance(where, str) else ("127.0.0.1", where))
        self.file = self.socket.makefile("rb")

    def send(self, line):
        self.socket.sendall((line if isinstance(line, bytes) else line.encode()) + b"\n")

    def receive(self):
        line = self.file.readline()
        return json.loads(line) if line else None

    def call(self, method, params=None, request_id=1):
        self.send(text(method, params, request_id))
        return self.receive()

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def post(port, body, headers=None, connection=None, path="/"):
    """One POST: status, headers, body."""
    link = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    link.request("POST", path, body, headers or {})
    answer = link.getresponse()
    octets = answer.read()
    if not connection:
        link.close()
    return answer.status, answer.headers, octets


def call(port, method, params=None):
    status, _, body = post(port, text(method, params))
    assert status == 200, (status, body)
    return json.loads(body)


def raw(port, octets, shut=False):
    """Everything that comes back until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), LIMIT) as link:
        try:
            link.sendall(octets)
            if shut:
                link.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = b""
        while part := link.recv(65536):
            answer += part
        return answer


def run(tests):
    failed = 0
    print(f"1..{len(tests)}")
    for number, test in enumerate(tests, 1):
        begun = time.monotonic()
        try:
            test()
            print(f"ok {number} - {test.__name__.replace('_', ' ')}")
        except Exception:
            failed += 1
            for line in traceback.format_exc().splitlines():
                print("# " + line)
            print(f"not ok {number} - {test.__name__.replace('_', ' ')}")
        print(f"# {time.monotonic() - begun:.2f} s", flush=True)
    sys.exit(1 if failed else 0)


@atexit.register
def leave_nothing():
    for program in started:
        if program.poll() is None:
            program.kill()
            program.wait()
    shutil.rmtree(WORK)
