#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a worker can do once it does what a client says: nothing. Each attempt is made by a worker of its own,
and by the same code without the sandbox, so that it is known to do something there.
"""
import os
import signal
import socket
import subprocess
import sys

from rig import ENV, LIMIT, WORK, Koined, run, start, start_thermostat, stop

TAKEN, FREE = sys.argv[4:6]
PATH = WORK + "/taken.sock"
OUTSIDE = WORK + "/outside"
ROOT = os.geteuid() == 0

stranger = socket.socket(socket.AF_UNIX)
stranger.bind(WORK + "/stranger.sock")
stranger.listen(64)
inet = socket.create_server(("127.0.0.1", 0), backlog=64)
PORT = str(inet.getsockname()[1])
with open(OUTSIDE, "w", encoding="ascii") as file:
    file.write("x")
os.mkdir(WORK + "/folder")

KILLED = "killed"
# attempt, argument, what comes of it in a worker, without the sandbox (None: depends on the machine)
ATTEMPTS = [
    ("open", "/etc/passwd", "EACCES", "did"),
    ("open", "/proc/self/mem", "EACCES", "did"),
    ("create", WORK + "/new", "EACCES", "did"),
    ("path", "/", "EACCES", "did"),
    ("handle", "", KILLED, "did" if ROOT else "EPERM"),
    ("stat", "/etc/passwd", "EACCES", "did"),
    ("readlink", "/proc/self/exe", "EACCES", "did"),
    ("rename", OUTSIDE, KILLED, "did"),
    ("mkdir", WORK + "/made", KILLED, "did"),
    ("chdir", "/tmp", KILLED, "did"),
    ("chroot", "/", KILLED, "did" if ROOT else "EPERM"),
    ("mount", WORK + "/folder", KILLED, None),
    ("unlink", OUTSIDE, KILLED, "did"),
    ("inet", PORT, KILLED, "did"),
    ("unix", WORK + "/stranger.sock", KILLED, "did"),
    ("datagram", "", KILLED, "did"),
    ("bind", "", KILLED, "did"),
    ("sendto", PORT, KILLED, None),
    ("exec", "/nowhere", KILLED, "ENOENT"),
    ("fork", "", KILLED, "did"),
    ("kill", str(os.getpid()), KILLED, "did"),
    ("ptrace", str(os.getpid()), KILLED, "ESRCH"),
    ("peek", str(os.getpid()), KILLED, None),
    ("take-fd", str(os.getpid()), KILLED, None),
    ("signal-fd", str(os.getpid()), KILLED, "did"),
    ("survive", "", KILLED, "did"),
    ("limit", "", KILLED, "did"),
    ("unshare", "", KILLED, "did"),
    ("code", "", KILLED, "did"),
    ("ioctl", "", KILLED, None),
    ("owner", "", KILLED, "did"),
    ("ring", "", KILLED, None),
    ("perf", "", KILLED, None),
    ("bpf", "", KILLED, None),
    ("key", "", KILLED, None),
]


def ask(path, name, arg):
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(LIMIT)
        link.connect(path)
        link.sendall(f"{name} {arg}\n".encode())
        try:
            return link.recv(100).decode().strip() or None
        except ConnectionResetError:
            return None


def attempt(name, arg, rules=""):
    """What comes of it, and what koined says."""
    own = Koined(f"taken+unix://{PATH}{rules}", program=TAKEN, stderr=subprocess.PIPE)
    answer = ask(PATH, name, arg)
    line = own.program.stderr.readline() if answer is None else ""
    stop(own.program)
    line += own.program.stderr.read()
    own.program.stderr.close()
    return answer, line


def a_worker_that_is_taken_over_opens_nothing():
    wrong = []
    for name, arg, expected, _ in ATTEMPTS:
        answer, log = attempt(name, arg)
        if answer is None:
            answer = KILLED if "killed by SIGSYS: it tried what its sandbox forbids" in log else log
        print(f"# {name} {arg}: {answer}")
        if answer != expected:
            wrong.append((name, arg, answer, log))
    assert not wrong, wrong
    assert os.path.exists(OUTSIDE) and not os.path.exists(WORK + "/new")


def the_attempts_do_something_without_a_sandbox():
    program, _ = start(FREE, f"taken+unix://{WORK}/free.sock")
    for name, arg, _, expected in ATTEMPTS:
        answer = ask(WORK + "/free.sock", name, arg)
        print(f"# {name} {arg}: {answer}")
        assert answer and (answer == expected or not expected), (name, arg, answer)
    stop(program, signal.SIGKILL)
    os.unlink(WORK + "/new")
    assert not os.path.exists(OUTSIDE)


def it_has_no_privileges():
    with Koined(f"taken+unix://{PATH}", program=TAKEN) as own:
        pid = own.workers()[0]
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            status = dict(line.split(":\t", 1) for line in file.read().splitlines())
        with open(f"/proc/{pid}/limits", encoding="ascii") as file:
            limits = {line[:26].strip(): line[26:].split()[:2] for line in file}
    for key in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[key], 16) == 0, (key, status[key])
    assert not ROOT or int(status["CapBnd"], 16) == 0, status["CapBnd"]
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2"), status
    for key in ("Max core file size", "Max processes"):
        assert limits[key] == ["0", "0"], limits


def it_has_memory():
    assert attempt("memory", "") == ("did", "")


def it_reaches_what_the_rules_of_its_endpoint_name():
    assert attempt("reach", "plant/thermostat") == ("did", "")
    assert attempt("reach", "plant/thermostat", "?allow-call=lab/*,plant/*.add") == ("did", "")
    assert attempt("reach", "plant/thermostat", "?allow-call=lab/*") == ("EPERM", "")
    assert attempt("reach", "plant/boiler") == ("ENOENT", "")
    assert attempt("reach", "../names/plant/thermostat")[0] == "ENOENT"


def a_lie_to_the_supervisor_ends_it():
    answer, log = attempt("lie", "")
    assert "breaks the rules and is killed" in log, (answer, log)


def an_abort_is_told_as_what_it_is():
    answer, log = attempt("crash", "")
    assert answer is None and "killed by SIGABRT; the next one in 100 ms" in log, log


def what_a_dialect_refuses_at_its_start_ends_koined():
    done = subprocess.run([TAKEN, "--listen", f"taken+unix://{PATH}?refuse=yes"], env=ENV,
                          capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 2 and not done.stdout, done
    assert done.stderr.startswith(f"koined: taken+unix://{PATH}: taken does not start"), done
    assert not os.path.exists(PATH)


thermostat = start_thermostat()
run([a_worker_that_is_taken_over_opens_nothing, the_attempts_do_something_without_a_sandbox,
     it_has_no_privileges, it_has_memory, it_reaches_what_the_rules_of_its_endpoint_name,
     a_lie_to_the_supervisor_ends_it, what_a_dialect_refuses_at_its_start_ends_koined, an_abort_is_told_as_what_it_is])
