#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A thermostat in Python, with nothing but the standard library:

  koine serve plant/thermostat --idl examples/thermostat.idl --exec examples/python/thermostat.py
"""
import json
import sys

ROOMS = {"hall": 18.0, "attic": 9.0}
label = "ground floor"


def tell(**line):
    print(json.dumps(line), flush=True)


def fault(**what):
    return {"fault": what}


def set_target(room, celsius):
    if room not in ROOMS:
        return fault(code="not_found", message="no such room")
    if not 5 <= float(celsius) <= 30:  # what JSON has no number for comes as "NaN", "Infinity"
        return fault(name="demo::OutOfRange", value={"min": 5, "max": 30})
    ROOMS[room] = celsius
    tell(event="reading", value={"room": room, "celsius": celsius})
    return {"out": {}}


def add(a, b):
    if not -2**63 <= a + b < 2**63:
        return fault(code="out_of_range", message="the sum has more than 64 bits")
    return {"out": {"return": a + b}}


def rooms():
    return {"out": {"return": [{"name": name, "celsius": celsius, "mode": "heat", "history": []}
                               for name, celsius in ROOMS.items()]}}


def swap(a, b):
    return {"out": {"a": b, "b": a, "length": len((a + b).encode())}}


def log(line):
    print("log:", line, file=sys.stderr, flush=True)


OPERATIONS = {"set_target": set_target, "add": add, "rooms": rooms, "swap": swap, "log": log}

for ask in map(json.loads, sys.stdin):
    if "get" in ask:
        answer = {"out": {"return": label if ask["get"] == "label" else -2.5}}
    elif "set" in ask:
        label = ask["value"]
        tell(changed="label", value=label)
        answer = {"out": {}}
    else:
        answer = OPERATIONS[ask["member"]](**ask["in"])
    if "id" in ask:
        tell(id=ask["id"], **answer)
