#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""koine serve --exec: commands that behave, and commands that do not. TAP.

test-serve.py KOINE ROOT CALLER
"""
import json
import os
import signal
import subprocess
import sys

from command import ENV, IDL, KOINE, ROOT, WORK, alive, expect, finish, koine, run, served, start, \
    until, write

T = "plant/thermostat"
CALLER = sys.argv[3]
HEAD = "#!/usr/bin/python3\nimport json, os, signal, sys, time\n" \
       f"open('{WORK}/pid', 'w').write(str(os.getpid()))\n" \
       "def tell(text):\n    os.write(1, text.encode() + b'\\n')\n" \
       "def asks():\n    return map(json.loads, sys.stdin)\n"


def serve(body, *options):
    """Serves with a command written in Python."""
    if os.path.exists(WORK + "/pid"):
        os.unlink(WORK + "/pid")
    process = start(KOINE, "serve", T, "--idl", IDL, *options, "--exec", "--",
                    write("command", HEAD + body))
    served(T)
    return process


def command_pid():
    def read():
        try:
            with open(WORK + "/pid", encoding="ascii") as file:
                return int(file.read() or 0)
        except FileNotFoundError:
            return 0
    return until(read)


def answer(text):
    """A command that answers every call with `text`, where ID is its id."""
    return serve(f"for ask in asks():\n    tell({text!r}.replace('ID', str(ask.get('id'))))\n")


def note(process, text):
    """Reads its errors up to a line that has `text`."""
    seen = []
    for line in process.stderr:
        seen.append(line.decode(errors="replace"))
        if text in seen[-1]:
            return seen[-1]
    raise AssertionError((text, seen))


def start_example():
    process = start(KOINE, "serve", T, "--idl", IDL, "--exec",
                    f"exec {ROOT}/examples/python/thermostat.py")
    served(T)
    return process


def the_example_in_python_does_all_that_the_interface_says():
    process = start_example()
    expect(0, ["call", T, "add", "9007199254740993", "1", "--json"],
           out='{"return":9007199254740994}\n')
    expect(0, ["call", T, "swap", "a=caf\u00e9 \"x\"\n", "b=\\", "--json"],
           out='{"a":"\\\\","b":"caf\u00e9 \\"x\\"\\n","length":11}\n')
    expect(0, ["call", T, "rooms", "--json"],
           out='{"return":[{"name":"hall","celsius":18,"mode":"heat","history":[]},'
               '{"name":"attic","celsius":9,"mode":"heat","history":[]}]}\n')
    expect(1, ["call", T, "set_target", "hall", "99"], err='demo::OutOfRange {"min":5,"max":30}')
    for wrong in "NaN", "Infinity":  # which are strings in JSON
        expect(1, ["call", T, "set_target", "hall", f'"{wrong}"'], err="demo::OutOfRange")
    expect(1, ["call", T, "set_target", "cellar", "20"], err="not_found: no such room")
    expect(0, ["get", T, "label", "--json"], out='{"return":"ground floor"}\n')
    expect(0, ["get", T, "outside", "--json"], out='{"return":-2.5}\n')
    expect(5, ["set", T, "outside", "1"], err="read-only")
    expect(0, ["call", T, "log", "line=to nobody", "--json"], out="{}\n")
    note(process, "log: to nobody")


def events_and_changes_reach_who_listens():
    start_example()
    watcher = start(KOINE, "watch", T, "label", "--count", "2")
    assert watcher.stdout.readline() == b'{"changed":"label","value":"ground floor"}\n'
    expect(0, ["set", T, "label", "door"])
    assert watcher.stdout.readline() == b'{"changed":"label","value":"door"}\n'
    finish(watcher, 0)
    subscriber = start(KOINE, "sub", T, "reading", "--count", "1")
    while subscriber.poll() is None:
        expect(0, ["call", T, "set_target", "hall", "21.5"])
    line = json.loads(subscriber.stdout.read())
    assert line == {"event": "reading", "value": {"room": "hall", "celsius": 21.5}}, line


def calls_are_pipelined_and_answered_in_any_order():
    serve("asked = asks()\n"
          "held = [next(asked) for _ in range(1000)]\n"
          "for a in reversed(held):\n"
          "    tell(json.dumps({'id': a['id'], 'out': {'return': a['in']['a'] + a['in']['b']}}))\n"
          "sys.stdin.read()\n")
    done = subprocess.run([CALLER, T, "1000"], capture_output=True, timeout=100, env=ENV)
    assert done.returncode == 0 and done.stdout == b"1000 right, 0 wrong, 0 refused, 0 over\n", done


def more_than_may_wait_is_refused():
    serve("held = []\n"
          "for ask in asks():\n"
          "    if 'id' in ask:\n"
          "        held.append(ask)\n"
          "    else:\n"
          "        for a in held:\n"
          "            tell(json.dumps({'id': a['id'], 'out': {'return': 2 * a['in']['a']}}))\n")
    done = subprocess.run([CALLER, T, "5000", "log"], capture_output=True, timeout=100, env=ENV)
    assert done.returncode == 0 and done.stderr == b"", done
    assert done.stdout == b"4096 right, 0 wrong, 904 refused, 0 over\n", done


def wrong_answers_are_faults_with_reasons():
    for text, why in [
            ('{"id":ID,"out":{"return":"x"}}', "the string is no int64"),
            ('{"id":ID,"out":{"return":9223372036854775808}}', "is no int64"),
            ('{"id":ID,"out":{}}', "'return' is missing"),
            ('{"id":ID,"out":[3]}', "found an array"),
            ('{"id":ID,"out":{"return":3,"more":1}}', "'more' is not known here"),
            ('{"id":ID,"fault":{"name":"demo::OutOfRange","value":{"min":1,"max":2}}}',
             "does not raise 'demo::OutOfRange'"),
            ('{"id":ID,"fault":{"code":"ok"}}', "no such fault code"),
            ('{"id":ID,"fault":{"code":"rotten"}}', "no such fault code"),
            ('{"id":ID,"fault":{"value":1}}', "has no value"),
            ('{"id":ID,"fault":{"reason":1}}', "name, value, message and code"),
            ('{"id":ID,"fault":7}', "expected an object")]:
        process = answer(text)
        expect(1, ["call", T, "add", "1", "2"], err="internal: the command gave a wrong answer")
        note(process, why)
        process.terminate()
        finish(process, 0)


def faults_keep_code_message_and_value():
    process = answer('{"id":ID,"fault":{"code":"aborted","message":"no \\u00e9 \\u001b"}}')
    expect(1, ["call", T, "add", "1", "2"], err="aborted: no \u00e9 ?")
    err = json.loads(koine("call", T, "add", "1", "2", "--json")[2])
    assert err["fault"] == {"code": "aborted", "name": "", "message": "no \u00e9 \x1b"}, err
    process.terminate()
    finish(process, 0)
    answer('{"id":ID,"fault":{"name":"demo::OutOfRange","value":{"min":1,"max":2},"message":"%s"}}'
           % ("\u00e9" * 100000))
    err = json.loads(koine("call", T, "set_target", "hall", "2", "--json")[2])
    assert err["fault"]["value"] == {"min": 1, "max": 2}, err
    assert err["fault"]["name"] == "demo::OutOfRange" and err["exit"] == 1, err
    assert err["fault"]["message"] == "\u00e9" * 2048, len(err["fault"]["message"])


def what_is_no_answer_is_noted_and_ignored():
    lines = [("garbage", "expected an object"), ("[1]", "expected an object"), ("{}", "is none of"),
             ('{"id":1}', "is none of"), ('{"id":1,"out":{},"x":1}', "is none of"),
             ('{"id":999,"out":{}}', "nothing with that id"), ('{"id":0,"out":{}}', "nothing with"),
             ('{"id":-1,"out":{}}', "is no uint64"), ('{"id":"x","out":{}}', "is no uint64"),
             ("[" * 100000, "expected an object"), ('{"id":' + "[" * 1000, "nested deeper"),
             ('{"event":"nothing","value":{}}', "has no event 'nothing'"),
             ('{"event":"add","value":{}}', "has no event 'add'"),
             ('{"event":7,"value":{}}', "expected a string"),
             ('{"event":"reading","value":{"room":"x"}}', "'celsius' is missing"),
             ('{"changed":"label","value":5}', "expected a string"),
             ('{"id":1,"id":2}', "stands twice"), ("\udcff", "found octet 0xff"),
             ("a\0b", "found 'a'")]
    for number, (line, why) in enumerate(lines, 1):
        raw = line.encode(errors="surrogateescape")
        process = serve(f"os.write(1, {raw!r} + b'\\n')\n"
                        "for ask in asks():\n"
                        "    tell(json.dumps({'id': ask['id'], 'out': {'return': 5}}))\n")
        assert "line 1 of the command" in note(process, why), number
        expect(0, ["call", T, "add", "1", "2", "--json"], out='{"return":5}\n')
        process.terminate()
        finish(process, 0)


def a_flood_of_garbage_is_noted_in_part():
    process = serve("for i in range(20000):\n    tell('garbage')\n"
                    "for ask in asks():\n"
                    "    tell(json.dumps({'id': ask['id'], 'out': {'return': 5}}))\n")
    expect(0, ["call", T, "add", "1", "2", "--json"], out='{"return":5}\n')
    process.terminate()
    assert finish(process, 0).count("garbage") < 2000


def a_line_too_long_is_lost_and_the_next_is_read():
    process = serve("os.write(2, b'begins\\n')\n"
                    "for i in range(33):\n"
                    "    left = memoryview(b'x' * (1 << 20))\n"
                    "    while left:\n"
                    "        left = left[os.write(1, left):]\n"
                    "tell('')\ntell('last')\n"
                    "sys.stdin.read()\n")
    note(process, "line 1 of the command is longer than 33554432 octets")
    assert "line 2" in note(process, "found 'l'")


def a_command_that_does_not_read_is_not_waited_for():
    process = serve("signal.pause()\n")
    done = subprocess.run([CALLER, T, "200", "large"], capture_output=True, timeout=100, env=ENV)
    assert done.returncode == 0, done
    assert "a one-way call of \"log\" is lost" in note(process, "does not read what it is asked")
    expect(4, ["call", T, "add", "1", "2", "--timeout", "0.3"])
    expect(1, ["call", T, "swap", "a=" + "x" * 60000, "b="], err="does not read what it is asked")
    process.terminate()
    finish(process, 0)


def a_late_answer_is_thrown_away():
    process = serve("asked = asks()\nfirst = next(asked)\n"
                    "for ask in asked:\n"
                    "    for id in (first['id'], ask['id']):\n"
                    "        tell(json.dumps({'id': id, 'out': {'return': id}}))\n")
    expect(4, ["call", T, "add", "1", "2", "--timeout", "0.2"])
    expect(0, ["call", T, "add", "1", "2", "--json"], out='{"return":2}\n')
    process.terminate()
    assert "koine" not in finish(process, 0)


def a_killed_command_fails_its_calls_and_ends_serve():
    process = serve("next(asks())\nos.kill(os.getpid(), signal.SIGKILL)\n")
    expect(1, ["call", T, "add", "1", "2"],
           err="unavailable: the command behind the service has ended")
    finish(process, 137, err="ended by signal 9")
    expect(0, ["ls"], out="")


def serve_ends_with_the_status_of_its_command():
    for status in (0, 7):
        process = start(KOINE, "serve", T, "--idl", IDL, "--exec", f"exit {status}")
        finish(process, status, err=f"ended with status {status}" if status else "")
    process = start(KOINE, "serve", T, "--idl", IDL, "--exec", "koine-nothing-of-that-name")
    finish(process, 127, err="not found")


def what_was_written_before_the_end_still_counts():
    process = serve("ask = next(asks())\n"
                    "tell(json.dumps({'id': ask['id'], 'out': {'return': 42}}))\n"
                    "sys.exit(3)\n")
    expect(0, ["call", T, "add", "1", "2", "--json"], out='{"return":42}\n')
    finish(process, 3)


def a_command_that_closes_its_output_is_ended():
    process = start(KOINE, "serve", T, "--idl", IDL, "--exec", "--",
                    write("command", HEAD + "os.close(1)\nsignal.pause()\n"))
    finish(process, 143)
    pid = command_pid()
    until(lambda: not alive(pid))


def a_command_that_closes_its_input_still_publishes():
    process = serve("os.close(0)\nopen(sys.argv[0] + '.closed', 'w')\n"
                    "while True:\n"
                    "    tell('{\"event\":\"reading\",\"value\":{\"room\":\"x\",\"celsius\":1}}')\n"
                    "    time.sleep(0.01)\n")
    until(lambda: os.path.exists(WORK + "/command.closed"))
    code, _, err = koine("call", T, "add", "1", "2")
    assert code == 1 and "the command behind the service reads no more" in err, err
    expect(0, ["sub", T, "reading", "--count", "2"],
           out='{"event":"reading","value":{"room":"x","celsius":1}}\n' * 2)
    process.terminate()
    finish(process, 0)


def signals_end_serve_and_its_command():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        process = serve("sys.stdin.read()\n")
        pid = command_pid()
        assert alive(pid)
        process.send_signal(number)
        finish(process, 0)
        assert not alive(pid)
        expect(0, ["ls"], out="")


def a_command_that_ignores_the_end_is_killed():
    process = serve("signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                    "open(sys.argv[0] + '.deaf', 'w')\nwhile True:\n    signal.pause()\n")
    until(lambda: os.path.exists(WORK + "/command.deaf"))
    pid = command_pid()
    process.terminate()
    finish(process, 0)
    until(lambda: not alive(pid))


def a_killed_serve_takes_its_command_and_what_that_started_along():
    process = serve("child = os.fork()\n"
                    "if not child:\n    signal.pause()\n"
                    f"open('{WORK}/child', 'w').write(str(child))\n"
                    "next(asks())\ntell('asked')\nsignal.pause()\n")
    caller = start(KOINE, "call", T, "add", "1", "2", "--timeout", "50")
    note(process, "asked")
    pid = command_pid()
    with open(WORK + "/child", encoding="ascii") as file:
        child = int(file.read())
    assert alive(pid) and alive(child)
    process.kill()
    finish(caller, 3)
    until(lambda: not alive(pid) and not alive(child))
    expect(0, ["ls"], out="")
    serve("for ask in asks():\n    tell(json.dumps({'id': ask['id'], 'out': {'return': 1}}))\n")
    expect(0, ["call", T, "add", "1", "2", "--json"], out='{"return":1}\n')


def wrong_uses_are_explained():
    serve("sys.stdin.read()\n")
    expect(6, ["serve", T, "--idl", IDL, "--exec", "touch " + WORK + "/started"],
           err="served by a living process")
    assert not os.path.exists(WORK + "/started")
    expect(2, ["serve", "x", "--idl", IDL], err="--exec CMD must say")
    expect(2, ["serve", "x", "--exec", "true"], err="open face, which this version does not have")
    expect(2, ["serve", "x", "--idl", IDL, "--exec", "--"], err="--exec CMD must say")
    expect(2, ["serve", "x", "--idl", IDL, "--exec"], err="takes a value")
    expect(6, ["serve", "x", "--idl", IDL, "--exec", "--", "koine-nothing-of-that-name"],
           err="cannot be started: No such file")
    expect(6, ["serve", "x", "--idl", IDL, "--exec", "--", IDL], err="Permission denied")
    expect(6, ["serve", "x", "--idl", "/nothing.idl", "--exec", "true"], err="cannot be read")
    expect(2, ["serve", "a b", "--idl", IDL, "--exec", "true"], err="is no name")
    expect(2, ["serve", "x", "--idl", IDL, "--interface", "demo::No", "--exec", "true"],
           err="no interface of that name, expected demo::Thermostat")
    two = write("two.idl", "interface A {};\ninterface B {};\n")
    expect(2, ["serve", "x", "--idl", two, "--exec", "true"], err="A")
    expect(2, ["serve", "x", "--idl", write("bad.idl", "interface {"), "--exec", "true"],
           err="bad.idl:1:11")


run([the_example_in_python_does_all_that_the_interface_says, events_and_changes_reach_who_listens,
     calls_are_pipelined_and_answered_in_any_order, more_than_may_wait_is_refused,
     wrong_answers_are_faults_with_reasons, faults_keep_code_message_and_value,
     what_is_no_answer_is_noted_and_ignored, a_flood_of_garbage_is_noted_in_part,
     a_line_too_long_is_lost_and_the_next_is_read, a_command_that_does_not_read_is_not_waited_for,
     a_late_answer_is_thrown_away, a_killed_command_fails_its_calls_and_ends_serve,
     serve_ends_with_the_status_of_its_command, what_was_written_before_the_end_still_counts,
     a_command_that_closes_its_output_is_ended, a_command_that_closes_its_input_still_publishes,
     signals_end_serve_and_its_command, a_command_that_ignores_the_end_is_killed,
     a_killed_serve_takes_its_command_and_what_that_started_along, wrong_uses_are_explained])
