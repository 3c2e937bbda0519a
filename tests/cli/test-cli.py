#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The koine command against a thermostat, as a person would use it. TAP.

test-cli.py KOINE ROOT THERMOSTAT
"""
import json
import os
import subprocess
import sys

from command import ENV, KOINE, ROOT, WORK, expect, koine, run, until

THERMOSTAT = sys.argv[3]
T = "plant/thermostat"


def names_are_listed():
    line = json.loads(expect(0, ["ls", "--json"]))
    assert line == {"name": T, "state": "alive", "uid": os.getuid()}, line
    expect(0, ["ls", "plant"])
    expect(0, ["ls", "plan"], out="")
    nowhere = subprocess.run([KOINE, "ls"], env=dict(ENV, KOINE_DIR="/dev/null"), capture_output=True)
    assert nowhere.returncode == 6 and b"$KOINE_DIR" in nowhere.stderr, nowhere


def arguments_come_by_name_by_position_and_by_json():
    expect(0, ["call", T, "add", "a=1", "b=2", "--json"], out='{"return":3}\n')
    expect(0, ["call", T, "add", "1", "2", "--json"], out='{"return":3}\n')
    expect(0, ["call", T, "add", "-", "--json"], out='{"return":3}\n', stdin=b'{"b":2,"a":1}')
    expect(0, ["call", T, "add", "a=1", "b=2"], out='{\n  "return": 3\n}\n')
    expect(0, ["call", T, "add", "-9223372036854775808", "-0", "--json"],
           out='{"return":-9223372036854775808}\n')


def text_is_taken_as_it_stands():
    for text in ['a "b" \\ c', "caf\u00e9", "", "null", "{}", "x=y"]:
        out = json.loads(expect(0, ["call", T, "swap", "a=" + text, "b=-", "--json"]))
        assert out["b"] == text and out["length"] == len(text.encode()) + 1, out


def wrong_arguments_are_named():
    expect(2, ["call", T, "add", "a=1"], err="'b' is missing")
    expect(2, ["call", T, "add", "1", "2", "3"], err="one too many")
    expect(2, ["call", T, "add", "a=1", "a=2"], err="stands twice")
    expect(2, ["call", T, "add", "x", "2"], err="found 'x'")
    expect(2, ["call", T, "add", "1.5", "2"], err="'a': line 1, column 4: 1.5 is no int64")
    expect(2, ["call", T, "add", '1,"b":2'], err="expected the end of the text")
    expect(2, ["call", T, "add", "1", ""], err="'b': line 1, column 1: the text ends")
    expect(2, ["call", T, "add", "9223372036854775808", "2"], err="is no int64")
    expect(2, ["call", T, "set_target", b"\xff\xfe", "20"], err="not UTF-8")
    expect(2, ["call", T, "set_target", "hall", "1e999"], err="too large for a double")
    expect(2, ["call", T, "add", "-"], err="found an array, expected int64", stdin=b"[" * 100000)
    expect(2, ["call", T, "nothing"], err="has no member 'nothing'")
    expect(2, ["get", T, "add"], err="another sort")
    expect(2, ["sub", T, "label"], err="events have sub, attributes watch")
    expect(2, ["call", T], err="usage: koine call")
    expect(2, ["call", T, "add", "--nonsense"], err="unknown option")
    expect(2, ["call", "jsonrpc+http://127.0.0.1:1#x", "add"], err="endpoint")
    expect(2, ["frobnicate"], err="no command 'frobnicate'")
    expect(2, ["ls", "--count", "1"], err="unknown option '--count'")


def errors_have_their_exit_codes():
    expect(1, ["call", T, "set_target", "hall", "99"], err='demo::OutOfRange {"min":5,"max":30}')
    expect(1, ["call", T, "set_target", "cellar", "20"], err="no such room")
    expect(3, ["call", "plant/nothing", "add"], err="no service 'plant/nothing'")
    expect(2, ["call", "a b", "add"], err="is no name")
    expect(5, ["set", T, "outside", "1"], err="read-only")
    got, _, err = koine("call", "plant/nothing", "add", "--json")
    assert got == 3 and json.loads(err)["exit"] == 3, err


def attributes_are_written_read_and_watched():
    expect(0, ["set", T, "label", 'a "label"'])
    expect(0, ["get", T, "label", "--json"], out='{"return":"a \\"label\\""}\n')
    expect(0, ["watch", T, "label", "--count", "1"],
           out='{"changed":"label","value":"a \\"label\\""}\n')


def events_come_one_a_line():
    lines = expect(0, ["sub", T, "reading", "--count", "50"]).splitlines()
    assert len(lines) == 50
    for line in map(json.loads, lines):
        assert line["event"] == "reading" and line["value"]["room"] in ("hall", "attic"), line
        assert "lost" not in line, line


def a_description_is_idl_that_can_be_read_again():
    text = expect(0, ["describe", T])
    path = WORK + "/again.idl"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    assert expect(0, ["idl", path]) == text
    expect(0, ["gen", path, "-o", WORK])
    subprocess.run(["cc", "-std=c17", "-Wall", "-Werror", "-c", "-o", WORK + "/again.o",
                    "-I", ROOT + "/include", WORK + "/again.c"], check=True)


def a_bad_file_is_refused_with_its_place():
    path = WORK + "/bad.idl"
    with open(path, "w", encoding="utf-8") as file:
        file.write("interface X {\n  void f(in strong s);\n};\n")
    expect(2, ["idl", path], err="bad.idl:2:")
    expect(2, ["gen", path], err="bad.idl:2:")
    assert koine("idl", WORK + "/none.idl")[0] != 0


def every_command_explains_itself():
    text = expect(0, ["--help"])
    for command in "ls tree describe call get set watch pub sub serve idl gen".split():
        assert f"  {command} " in text
        assert "example:" in expect(0, [command, "--help"])


def a_subscriber_learns_that_the_service_died():
    subscriber = subprocess.Popen([KOINE, "sub", T, "reading"], env=ENV, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
    subscriber.stdout.readline()
    service.kill()
    service.wait()
    _, err = subscriber.communicate(timeout=20)
    assert subscriber.returncode == 3 and b"is gone" in err, err
    expect(0, ["ls"], out="")


service = subprocess.Popen([THERMOSTAT, "plant/thermostat", "2000"], env=ENV,
                           stderr=subprocess.DEVNULL)
try:
    until(lambda: koine("ls")[1])
    run([names_are_listed, arguments_come_by_name_by_position_and_by_json, text_is_taken_as_it_stands,
         wrong_arguments_are_named, errors_have_their_exit_codes,
         attributes_are_written_read_and_watched, events_come_one_a_line,
         a_description_is_idl_that_can_be_read_again, a_bad_file_is_refused_with_its_place,
         every_command_explains_itself, a_subscriber_learns_that_the_service_died])
finally:
    service.kill()
    service.wait()
