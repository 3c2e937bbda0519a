#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Who may use an endpoint, and what may be called through it."""
import os
import subprocess
import sys

from rig import LIMIT, WORK, Koined, Lines, run, start_thermostat

T = "plant/thermostat"
DENIED = "permission_denied"
OTHER = 65533  # a user that is neither this one nor koined's


def code_of(answer):
    return answer["error"]["data"]["code"] if "error" in answer else None


def what_no_rule_names_is_refused_and_the_rules_are_named():
    with Koined("jsonrpc+tcp://127.0.0.1:0?allow-call=plant/*.add,lab/*") as own:
        with Lines(own.ports[0]) as lines:
            assert lines.call(T + ".add", [1, 2])["result"] == 3
            answer = lines.call(T + "._get_label")
            assert code_of(answer) == DENIED, answer
            assert "allow-call" in answer["error"]["data"]["message"], answer
            assert answer["error"]["data"]["completion"] == "no", answer
            answer = lines.call("oven/door.open")
            assert code_of(answer) == DENIED, answer
            assert "allow-call" in answer["error"]["data"]["message"], answer
            assert lines.call(T + ".add", [1, 2])["result"] == 3


def a_one_way_call_is_refused_too():
    with Koined("jsonrpc+tcp://127.0.0.1:0?allow-call=*.add") as own:
        with Lines(own.ports[0]) as lines:
            assert code_of(lines.call(T + ".log", ["x"])) == DENIED


DIAL = """
import os, socket, sys
os.setgroups([int(sys.argv[3])] if sys.argv[3] != "-" else [])
os.setresgid(int(sys.argv[2]), int(sys.argv[2]), int(sys.argv[2]))
os.setresuid(int(sys.argv[2]), int(sys.argv[2]), int(sys.argv[2]))
link = socket.socket(socket.AF_UNIX)
link.settimeout(20)
link.connect(sys.argv[1])
try:
    link.sendall(b'{"jsonrpc":"2.0","method":"plant/thermostat.add","params":[1,2],"id":1}\\n')
    print(len(link.recv(100)) > 0)
except (BrokenPipeError, ConnectionResetError):
    print(False)
"""


def is_served(path, group="-"):
    done = subprocess.run([sys.executable, "-c", DIAL, path, str(OTHER), group], check=True,
                          capture_output=True, text=True, timeout=LIMIT)
    return done.stdout == "True\n"


def serves_another_user(rules, group="-"):
    """Over a socket that everybody may connect to."""
    path = WORK + "/open.sock"
    with Koined(f"jsonrpc+unix://{path}?mode=0666{rules}"):
        return is_served(path, group)


def other_users_are_hung_up_on_unless_they_are_listed():
    if os.geteuid():  # nobody else can be made; the rules themselves are tested beside their code
        return
    os.chmod(WORK, 0o755)
    assert not serves_another_user("")
    assert serves_another_user(f"&allow=uid:{OTHER}")
    assert not serves_another_user("&allow=uid:1")
    assert serves_another_user("&allow=uid:*")
    assert not serves_another_user("&allow=gid:4711")
    assert serves_another_user("&allow=gid:4711", "4711")


thermostat = start_thermostat()
run([what_no_rule_names_is_refused_and_the_rules_are_named, a_one_way_call_is_refused_too,
     other_users_are_hung_up_on_unless_they_are_listed])
