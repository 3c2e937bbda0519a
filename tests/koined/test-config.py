#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""INI files: what is served because of them, and what is said of those that are wrong."""
import os
import re
import subprocess

from rig import ENV, KOINED, LIMIT, WORK, Koined, Lines, run, start_thermostat

T = "plant/thermostat"
LISTEN = "listen = jsonrpc+tcp://127.0.0.1:0\n"


def write(name, content):
    path = f"{WORK}/{name}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write(content)
    return path


def koined(*args):
    return subprocess.run([KOINED, *args], env=ENV, capture_output=True, text=True, timeout=LIMIT)


def check(content):
    done = koined("--check", "--config", write("check.ini", content))
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout.splitlines()


def refused(content, what, code=2):
    path = write("wrong.ini", content)
    for args in (["--check"], []):
        done = koined(*args, "--config", path)
        assert done.returncode == code and not done.stdout, (content, done)
        assert done.stderr == f"koined: {path}:{what}\n", (content, done.stderr)


def what_a_file_says_is_served():
    path = write("main.ini", "; two endpoints\n[endpoint lines]\nlisten = jsonrpc+unix://" + WORK +
                 "/lines.sock\nmode = 0660\n\n[endpoint web]\n" + LISTEN)
    with Koined(config=path) as own:
        assert own.uris[0] == f"jsonrpc+unix://{WORK}/lines.sock"
        assert os.stat(WORK + "/lines.sock").st_mode & 0o777 == 0o660
        for where in (WORK + "/lines.sock", own.ports[1]):
            with Lines(where) as lines:
                assert lines.call(T + ".add", [1, 2])["result"] == 3


def check_says_what_would_be_served_and_serves_nothing():
    lines = check("[endpoint a]\nlisten = jsonrpc+tcp://127.0.0.1:4711?stall=5\ncalls = 7\ngroup = g\n"
                  "[endpoint b]\nlisten = jsonrpc+http://127.0.0.1:4711\nworkers = 2\n")
    assert lines[:2] == ["a: jsonrpc+tcp://127.0.0.1:4711?stall=5&calls=7, group g",
                         "b: jsonrpc+http://127.0.0.1:4711, 2 workers"], lines
    assert re.fullmatch(r"sandbox: seccomp.*", lines[2]), lines


def lists_may_have_several_lines():
    lines = check(
        "[endpoint a]\nlisten = jsonrpc+unix:///x/y.sock\nallow = uid:1\n  gid:2\n"
        "allow-call = a/b.c, d/*\nallow-call = e.get_*\n")
    assert lines[0] == ("a: jsonrpc+unix:///x/y.sock?allow=uid:1,gid:2"
                        "&allow-call=a/b.c,%20d/*,e.get_*"), lines


def files_of_a_folder_are_included_by_name():
    write("d/20.ini", "[endpoint second]\n" + LISTEN)
    write("d/10.ini", "[endpoint first]\n" + LISTEN)
    write("d/.hidden.ini", "nonsense")
    write("d/note.txt", "nonsense")
    lines = check(f"include = {WORK}/d\ninclude = {WORK}/nowhere\n[endpoint main]\n{LISTEN}")
    assert [line.split(":")[0] for line in lines] == ["first", "second", "main", "sandbox"], lines
    write("d/30.ini", "[endpoint first]\n" + LISTEN)
    path = write("including.ini", f"include = {WORK}/d\n")
    done = koined("--check", "--config", path)
    assert done.returncode == 2
    assert done.stderr == f"koined: {WORK}/d/30.ini:2: there is an endpoint 'first' already\n", done
    write("d/30.ini", f"include = {WORK}/d\n")
    assert "stands before all sections of the main file" in koined("--check", "--config", path).stderr


def what_is_wrong_is_told_with_its_line():
    head = "[endpoint a]\n"
    for content, what in (
            ("listen = x\n", "1: only 'include' stands before the first section"),
            ("[service a]\nx = y\n", "2: a section is [endpoint NAME] or [mount NAME]"),
            (head + "nonsense\n", "2: neither [endpoint NAME] nor key = value"),
            (head + LISTEN + LISTEN, "3: 'listen' stands twice"),
            (head + LISTEN + "calls = 1\ncalls = 2\n", "4: 'calls' stands twice"),
            (head + LISTEN + "workers = 0\n", "3: 'workers' takes 1 to 64, not '0'"),
            (head + LISTEN + "group = a b\n",
             "3: 'a b' is no name: 1 to 32 letters, digits, '_', '-' and '.'"),
            (head + "calls = 1\n", "2: [endpoint a] has no 'listen = URI'"),
            (head + LISTEN + "workers = 2\ngroup = g\n", "2: either 'group' or 'workers'"),
            (head + LISTEN + "stall = 0\n", "2: option 'stall' takes seconds, 1 to 3600, not '0'"),
            (head + LISTEN + "allow-call = .\n", "2: option 'allow-call' takes service.member with "
             "commas, * for any octets, not '.'"),
            (head + "listen = jsonrpc+unix:///x\nallow = bob\n",
             "2: option 'allow' takes uid:N, gid:N and uid:* with commas, not 'bob'"),
            (head + LISTEN + "host = " + "x" * 200 + "\n",
             "3: a line of more than 197 octets; go on in the next one, which begins with a blank"),
            ("include = relative\n", "1: include = FOLDER, with an absolute path, stands before all "
             "sections of the main file"),
            ("[mount plc]\nuri = x+tcp://127.0.0.1:1\n",
             "2: 'plc': foreign services cannot be mounted in this version"),
            ("[mount plc]\nlisten = x\n", "2: a mount has 'uri' only, not 'listen'")):
        refused(content, what)
    refused(head + "listen = jsonrpc+tcp://0.0.0.0:0\n",
            "2: 0.0.0.0: is not loopback: whoever reaches it could call everything, so it takes the "
            "option public=yes", 5)


def the_example_is_right():
    example = os.path.join(os.path.dirname(__file__), "..", "..", "examples", "koined.ini")
    done = koined("--check", "--config", example)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 3, done


def a_file_that_is_not_there_is_told():
    done = koined("--config", WORK + "/nowhere.ini")
    assert done.returncode == 6
    assert done.stderr == f"koined: {WORK}/nowhere.ini: No such file or directory\n", done
    done = koined("--mount", "plc=x+tcp://127.0.0.1:1")
    assert done.returncode == 2 and "cannot be mounted in this version" in done.stderr, done
    done = koined("--mount", "plc")
    assert done.returncode == 2 and "--mount takes NAME=URI" in done.stderr, done


thermostat = start_thermostat()
run([what_a_file_says_is_served, check_says_what_would_be_served_and_serves_nothing,
     lists_may_have_several_lines, files_of_a_folder_are_included_by_name,
     what_is_wrong_is_told_with_its_line, the_example_is_right, a_file_that_is_not_there_is_told])
