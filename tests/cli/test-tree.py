#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""koine tree. TAP.

test-tree.py KOINE ROOT THERMOSTAT
"""
import os
import signal
import sys
import time

from command import expect, koine, objects, run, served, start

THERMOSTAT = sys.argv[3]
MEMBERS = ["void set_target(in string room, in double celsius) raises (OutOfRange)",
           "long long add(in long long a, in long long b)",
           "sequence<Room> rooms()",
           "void swap(inout string a, inout string b, out unsigned long length)",
           "oneway void log(in string line)",
           "attribute string label",
           "readonly attribute double outside",
           "@event void reading(in string room, in double celsius)"]


def serve(*names):
    services = [start(THERMOSTAT, name) for name in names]
    for name in names:
        served(name)
    return services


def lines(depth):
    return "".join("  " * depth + member + "\n" for member in MEMBERS)


def names_are_a_tree_with_the_members_of_each_service():
    serve("plant/a/one", "plant/a/two", "plant/b", "alone")
    face = "  demo::Thermostat\n"
    expect(0, ["tree"], out="alone" + face + lines(1) +
           "plant/\n  a/\n    one" + face + lines(3) + "    two" + face + lines(3) +
           "  b" + face + lines(2))
    expect(0, ["tree", "plant/b"], out="plant/\n  b" + face + lines(2))
    expect(0, ["tree", "pla"], out="")


def each_service_is_an_object():
    serve("line/a", "line/b")
    got = objects(expect(0, ["tree", "--json"]))
    assert [service["name"] for service in got] == ["line/a", "line/b"], got
    for service in got:
        assert service["interface"] == "demo::Thermostat" and service["state"] == "alive", service
        assert service["uid"] == os.getuid()
        assert [member["idl"] for member in service["members"]] == MEMBERS, service
        assert [member["sort"] for member in service["members"]] == \
            ["operation"] * 5 + ["attribute"] * 2 + ["event"]
        assert service["members"][0]["name"] == "set_target"


def services_that_are_stopped_do_not_hold_it_up():
    stopped = serve("line/a", "line/b", "line/c")[:2]
    for service in stopped:
        service.send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    out = expect(0, ["tree", "--timeout", "0.3"])
    assert time.monotonic() - begun < 20
    assert out == "line/\n  a  does not answer\n  b  does not answer\n  c  demo::Thermostat\n" + \
        lines(2), out
    states = [service["state"] for service in objects(koine("tree", "--json", "--timeout", "0.3")[1])]
    assert states == ["does not answer", "does not answer", "alive"], states


def more_services_than_are_asked_at_once():
    names = [f"n{i:03}" for i in range(70)]
    serve(*names)
    got = objects(expect(0, ["tree", "--json", "--timeout", "20"]))
    assert [service["name"] for service in got] == names
    assert all(service["state"] == "alive" for service in got), got


def each_dialect_says_what_its_clients_use():
    code, _, err = koine("tree", "--as", "klingon")
    assert code == 2 and "no dialect 'klingon'" in err, err
    if "there are:" not in err:  # a build without dialects
        return
    serve("foreign/t")
    for dialect in err.partition("there are:")[2].split():
        lines = expect(0, ["tree", "foreign", "--as", dialect]).splitlines()
        assert lines[:2] == ["foreign/", "  t  demo::Thermostat"] and len(lines) == 10, lines
        got = objects(expect(0, ["tree", "foreign", "--as", dialect, "--json"]))[0]["members"]
        assert [member["address"] for member in got] == [line.strip() for line in lines[2:]], got
        assert "set_target" in lines[2] and "celsius" in lines[2], lines


def nothing_is_nothing():
    expect(0, ["tree"], out="")
    expect(0, ["tree", "--json"], out="")


run([names_are_a_tree_with_the_members_of_each_service, each_service_is_an_object,
     services_that_are_stopped_do_not_hold_it_up, more_services_than_are_asked_at_once,
     each_dialect_says_what_its_clients_use, nothing_is_nothing])
