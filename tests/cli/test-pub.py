#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""koine pub: lines of standard input become events. TAP.

test-pub.py KOINE ROOT
"""
import json
import subprocess

from command import IDL, KOINE, expect, finish, objects, run, served, start, write

FEED = ["pub", "feed", "reading", "--idl", IDL]
LINE = '{"room":"hall","celsius":%d}\n'


def what_was_published_before_the_end_arrives_whole():
    path = write("input", "".join(LINE % i for i in range(1000)))
    with open(path, "rb") as file:
        feed = start(KOINE, *FEED, "--wait", "2", stdin=file)
        served("feed")
        subs = [start(KOINE, "sub", "feed", "reading") for _ in range(2)]
        for sub in subs:
            out, err = sub.communicate(timeout=60)
            assert sub.returncode == 3 and b"is gone" in err, err
            got = objects(out.decode())
            assert [line["value"]["celsius"] for line in got] == list(range(1000)), len(got)
            assert not any("lost" in line for line in got)
        finish(feed, 0)
    expect(0, ["ls"], out="")


def lines_are_published_as_they_come():
    feed = start(KOINE, *FEED, "--wait", "1", stdin=subprocess.PIPE)
    served("feed")
    sub = start(KOINE, "sub", "feed", "reading", "--json")
    for i in range(3):
        feed.stdin.write((LINE % i).encode())
        feed.stdin.flush()
        assert json.loads(sub.stdout.readline())["value"] == {"room": "hall", "celsius": i}
    feed.stdin.write((LINE % 3).strip().encode())  # without an end of line
    feed.stdin.close()
    assert json.loads(sub.stdout.readline())["value"]["celsius"] == 3
    finish(sub, 3)
    feed.stdin = None
    finish(feed, 0)


def bad_lines_are_named_and_the_rest_is_published():
    bad = ['{"room":"hall"}', "garbage", '{"room":"hall","celsius":1e999}', "[" * 70000, "a\0b",
           '{"room":"\udcff","celsius":1}']
    text = LINE % 1 + "\n" + "\n".join(bad) + "\n" + LINE % 2
    feed = start(KOINE, *FEED, "--wait", "1", stdin=subprocess.PIPE)
    served("feed")
    sub = start(KOINE, "sub", "feed", "reading")
    _, err = feed.communicate(text.encode(errors="surrogateescape"), timeout=60)
    err = err.decode(errors="replace")
    assert feed.returncode == 2 and "6 lines were not published" in err, err
    for number, why in [(3, "'celsius' is missing"), (4, "found 'g'"), (5, "too large"),
                        (6, "an array"), (7, "octet 0x00"), (8, "not UTF-8")]:
        assert any(f"line {number}: " in line and why in line for line in err.splitlines()), err
    out, _ = sub.communicate(timeout=60)
    assert [line["value"]["celsius"] for line in objects(out.decode())] == [1, 2], out


def too_few_subscribers_end_it_in_time():
    expect(4, [*FEED, "--wait", "1", "--timeout", "0.2"], err="0 of 1 subscribers came", stdin=b"")


def without_subscribers_the_lines_are_gone():
    expect(0, FEED, stdin=(LINE % 1).encode(), out="")


def a_feed_answers_nothing_else():
    start(KOINE, *FEED, stdin=subprocess.PIPE)
    served("feed")
    expect(1, ["call", "feed", "add", "1", "2"], err="unimplemented: this is a feed")
    expect(1, ["get", "feed", "label"], err="unimplemented")
    expect(6, FEED, err="served by a living process", stdin=b"")


def wrong_uses_are_explained():
    expect(2, ["pub", "feed", "reading"], err="--idl FILE must declare", stdin=b"")
    expect(2, ["pub", "feed", "label", "--idl", IDL], err="has no event 'label'", stdin=b"")
    expect(2, ["pub", "feed", "nothing", "--idl", IDL], err="has no event 'nothing'", stdin=b"")
    expect(2, [*FEED, "--wait", "0"], err="--wait takes a number above 0", stdin=b"")
    expect(2, ["pub", "a b", "reading", "--idl", IDL], err="is no name", stdin=b"")
    expect(6, ["pub", "feed", "reading", "--idl", "/nothing.idl"], err="cannot be read", stdin=b"")


run([what_was_published_before_the_end_arrives_whole, lines_are_published_as_they_come,
     bad_lines_are_named_and_the_rest_is_published, too_few_subscribers_end_it_in_time,
     without_subscribers_the_lines_are_gone, a_feed_answers_nothing_else,
     wrong_uses_are_explained])
