#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Options, output for programs, and output that cannot be written. TAP.

test-output.py KOINE ROOT THERMOSTAT
"""
import json
import subprocess
import sys

from command import ENV, IDL, KOINE, WORK, expect, finish, koine, run, served, start, write

THERMOSTAT = sys.argv[3]
T = "plant/thermostat"


def serve(rate="1"):
    start(THERMOSTAT, T, rate)
    served(T)


def error(*args, stdin=None):
    code, out, err = koine(*args, "--json", stdin=stdin)
    lines = err.splitlines()
    assert not out and len(lines) == 1, (out, err)
    told = json.loads(lines[0])
    assert told["exit"] == code, told
    return told


def an_option_that_a_command_does_not_have_is_an_error():
    for command, option in [("ls", "--count"), ("get", "-o"), ("describe", "--idl"),
                            ("gen", "--timeout"), ("serve", "--count"), ("tree", "--exec")]:
        expect(2, [command, "x", "y", option, "1"], err=f"unknown option '{option}'")
        assert option not in expect(0, [command, "--help"])
    expect(2, ["ls", "--json=1"], err="--json takes no value")
    expect(2, ["sub", T, "reading", "--count"], err="--count takes a value")
    for wrong in ["", "x", "0", "-1", "1e99", "nan", "99999999999999999999"]:
        expect(2, ["sub", T, "reading", "--count", wrong], err="--count takes a number above 0")
    for wrong in ["", "x", "0", "-1", "1e99", "nan", "1s"]:
        expect(2, ["get", T, "label", "--timeout", wrong], err="--timeout takes seconds")
    expect(2, ["gen", IDL, "--", "--json"], err="usage: koine gen")


def options_may_stand_anywhere_and_end():
    serve()
    expect(0, ["call", "--json", T, "--timeout=5.5", "add", "1", "-2"], out='{"return":-1}\n')
    expect(0, ["call", T, "swap", "--json", "--", "--json", "-o"],
           out='{"a":"-o","b":"--json","length":8}\n')


def the_version_is_told():
    out = expect(0, ["--version"])
    assert out.startswith("koine ") and out.strip()[-1].isdigit(), out


def errors_are_objects_for_programs():
    serve()
    for wrong in ["ls", "--bogus"], ["ls", "--json=1"], ["frobnicate"], ["sub", "x", "--count", "x"]:
        assert error(*wrong)["exit"] == 2, wrong
    assert error("get", "plant/none", "label")["exit"] == 3
    assert error("call", T, "nothing\u00e9\"\\\x01")["error"].count('nothing\u00e9"\\\x01') == 1
    assert "\ufffd" in error("call", T, b"\xff\xc3")["error"]
    told = error("call", T, "set_target", "hall", "99")
    assert told["fault"] == {"code": "unknown", "name": "demo::OutOfRange", "message": "",
                             "value": {"min": 5, "max": 30}}, told
    told = error("call", T, "set_target", "cellar", "9")
    assert told["fault"] == {"code": "not_found", "name": "", "message": "no such room"}, told
    assert error("call", T, "add", "-", stdin=b"\0")["error"] == "octet 0x00 on standard input"
    bad = WORK + "/bad.idl"
    with open(bad, "w", encoding="utf-8") as file:
        file.write("interface X { void f(in strong s); };\ninterface Y { void f(in strung s); };")
    assert "bad.idl:1:25" in error("idl", bad)["error"]


def descriptions_are_objects_for_programs():
    serve()
    text = expect(0, ["describe", T])
    assert json.loads(expect(0, ["describe", T, "--json"])) == \
        {"name": T, "interface": "demo::Thermostat", "idl": text}
    assert json.loads(expect(0, ["idl", IDL, "--json"]))["idl"] == expect(0, ["idl", IDL])
    assert expect(0, ["idl", T, "--as", "idl"]) == text
    expect(2, ["idl", IDL, "--as", "klingon"], err="no notation 'klingon'; there are: idl x")
    files = [json.loads(line)["file"] for line in
             expect(0, ["gen", IDL, "-o", WORK, "--json"]).splitlines()]
    assert files == [WORK + "/thermostat.h", WORK + "/thermostat.c"], files
    expect(6, ["gen", IDL, "-o", WORK + "/nothing"], err="No such file")


def several_attributes_are_set_one_after_the_other():
    serve()
    expect(0, ["set", T, "label=a=b"])
    expect(0, ["get", T, "label", "--json"], out='{"return":"a=b"}\n')
    expect(0, ["set", T, "label", "label=c"])
    expect(0, ["get", T, "label"], out='{\n  "return": "label=c"\n}\n')
    expect(5, ["set", T, "label=d", "outside=1"], err="read-only")
    expect(0, ["get", T, "label", "--json"], out='{"return":"d"}\n')
    expect(2, ["set", T, "label=d", "nothing"], err="'nothing' is not ATTRIBUTE=VALUE")
    expect(2, ["set", T, "label"], err="'label' is not ATTRIBUTE=VALUE")
    expect(2, ["set", T, "nothing", "x"], err="has no member 'nothing'")


def nothing_for_a_while_is_a_deadline():
    serve("0.0001")
    expect(4, ["sub", T, "reading", "--timeout", "0.2"])
    expect(4, ["watch", T, "outside", "--timeout", "0.2", "--json"],
           out='{"changed":"outside","value":-2.5}\n')


def a_full_disk_is_noticed():
    serve("2000")
    for args in [["ls"], ["tree"], ["describe", T], ["call", T, "add", "1", "2"], ["idl", IDL],
                 ["get", T, "label"], ["sub", T, "reading"], ["--version"], ["--help"],
                 ["ls", "--help"]]:
        with open("/dev/full", "wb") as full:
            done = subprocess.run([KOINE, *args], env=ENV, stdout=full, stderr=subprocess.PIPE,
                                  timeout=60)
        assert done.returncode == 6 and b"No space left" in done.stderr, (args, done)


def what_is_closed_is_no_other_descriptor():
    serve()
    for code, args, closed in [(6, ["pub", "x", "reading", "--idl", IDL], "<&-"),
                               (6, ["call", T, "add", "-"], "<&-"),
                               (6, ["call", T, "add", "1", "2"], "<&- >&-"),
                               (6, ["watch", T, "label"], "<&- >&- 2>&-")]:
        done = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", KOINE, *args], env=ENV,
                              capture_output=True, timeout=60)
        assert done.returncode == code, (args, done)
        assert "2>" in closed or b"Bad file descriptor" in done.stderr, (args, done)


def a_reader_that_went_away_is_no_error():
    serve("2000")
    for args in [["sub", T, "reading"], ["describe", T], ["ls"]]:
        process = start(KOINE, *args)
        if args[0] == "sub":
            process.stdout.readline()
        process.stdout.close()
        process.stdout = None
        assert finish(process, 0) == "", args


def terminals_are_safe_from_what_services_say():
    service = start(KOINE, "serve", "evil", "--idl", IDL, "--exec",
                    "read line; printf '%s\\n' '{\"id\":1,\"fault\":{\"code\":\"aborted\","
                    "\"message\":\"\\u001b[2J\"}}'; cat")
    served("evil")
    _, _, err = koine("call", "evil", "add", "1", "2")
    assert "\x1b" not in err and "aborted: ?[2J" in err, err
    service.terminate()
    finish(service, 0)
    told = write("told.idl", "/** \x1b[2J\tx */\ninterface X { void f(); };")
    service = start(KOINE, "serve", "evil", "--idl", told, "--exec", "cat")
    served("evil")
    assert expect(0, ["describe", "evil"]).startswith("/** ?[2J\tx */\ninterface X {")
    service.terminate()
    finish(service, 0)


run([an_option_that_a_command_does_not_have_is_an_error, options_may_stand_anywhere_and_end,
     the_version_is_told, errors_are_objects_for_programs, descriptions_are_objects_for_programs,
     several_attributes_are_set_one_after_the_other, nothing_for_a_while_is_a_deadline,
     a_full_disk_is_noticed, what_is_closed_is_no_other_descriptor,
     a_reader_that_went_away_is_no_error, terminals_are_safe_from_what_services_say])
