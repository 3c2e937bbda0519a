#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The host example through the koine command, compared with what /proc tells Python. TAP.

test-host.py KOINE HOST LATENCY LIBRARIES (how their paths begin). Cases with several users run as root only.
"""
import contextlib
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

WORK = tempfile.mkdtemp()
os.chmod(WORK, 0o755)


def for_everybody(path):
    """A copy that other users reach too: the build may lie in somebody's home."""
    return shutil.copy(path, WORK)


KOINE, HOST, LATENCY = (for_everybody(os.path.abspath(p)) for p in sys.argv[1:4])
for library in filter(os.path.isfile, glob.glob(sys.argv[4] + "*.so*")):
    for_everybody(library)
ENV = dict(os.environ, KOINE_DIR=WORK + "/names", LD_LIBRARY_PATH=WORK)
ANY = {"name": "", "uids": [], "states": [], "rss": 0, "order": "by_pid", "limit": 0}
STRANGER = 71001
PAGE = os.sysconf("SC_PAGESIZE")
TICK = os.sysconf("SC_CLK_TCK")
SLACK = 256 << 20  # what others may use or give back between two looks
H = "host"


# ---------------------------------------------------------------- helpers

def koine(*args, user=None):
    """As another user also in another session: within one, everybody may continue the others."""
    who = {} if user is None else {"user": user, "group": user, "extra_groups": [],
                                   "start_new_session": True}
    done = subprocess.run([KOINE, *map(str, args)], env=ENV, capture_output=True, timeout=60, **who)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def call(*args, user=None):
    code, out, err = koine("call", H, *args, "--json", user=user)
    assert code == 0, (args, code, err)
    return json.loads(out).get("return")


def processes(**filter):
    return call("processes", "filter=" + json.dumps({**ANY, **filter}))


def fails(code, text, *args, user=None):
    got, out, err = koine(*args, user=user)
    assert got == code and text in err, (args, got, out, err)


def get(name):
    code, out, err = koine("get", H, name, "--json")
    assert code == 0, err
    return json.loads(out)["return"]


def read(path):
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def until(true, seconds=30):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


@contextlib.contextmanager
def running(*args, **more):
    """A process that is there as long as the block, after it has said so with one line."""
    child = subprocess.Popen(args, stdout=subprocess.PIPE, **more)
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def sleeper(*args, name="sleeper", **more):
    """A program of any name and arguments that waits."""
    path = os.path.join(WORK, name)
    if not os.path.exists(path):
        shutil.copy("/bin/sleep", path)
    return running(path, "1000", *args, **more)


@contextlib.contextmanager
def serving(*args, **more):
    with running(HOST, *args, env=ENV, stderr=subprocess.DEVNULL, **more) as child:
        assert b"serving" in child.stdout.readline()
        yield child


def samples(count):
    code, out, err = koine("sub", H, "sample", "--count", count)
    assert code == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert len(lines) == count and not any("lost" in line for line in lines)
    return [line["value"] for line in lines]


def set_rate(rate):
    code, _, err = koine("set", H, "rate", rate)
    assert code == 0, err


def stat_counters():
    lines = dict(line.split(" ", 1) for line in read("/proc/stat").splitlines())
    return {"switches": int(lines["ctxt"]), "forks": int(lines["processes"]),
            "interrupts": int(lines["intr"].split()[0])}


def proc_stat(pid):
    text = read(f"/proc/{pid}/stat")
    return text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()


# ---------------------------------------------------------------- cases

def attributes_are_those_of_the_machine(host):
    assert get("hostname") == read("/proc/sys/kernel/hostname").strip()
    before = float(read("/proc/uptime").split()[0])
    told = get("uptime")
    assert before <= told <= float(read("/proc/uptime").split()[0]), told
    def load():
        words = read("/proc/loadavg").split()
        return dict(zip(["one", "five", "fifteen"], map(float, words)))
    looks = [load()]
    told = get("load")
    looks.append(load())
    assert {k: told[k] for k in looks[0]} in looks and told["threads"] >= told["runnable"], told


def memory_is_what_meminfo_tells(host):
    def meminfo():
        return {line.split(":")[0]: int(line.split()[1]) * 1024
                for line in read("/proc/meminfo").splitlines()}
    told, look = call("memory"), meminfo()
    keys = {"available": "MemAvailable", "free": "MemFree", "buffers": "Buffers", "cached": "Cached",
            "shared": "Shmem", "dirty": "Dirty", "swap_free": "SwapFree"}
    assert told["total"] == look["MemTotal"] and told["swap_total"] == look["SwapTotal"]
    assert told["used"] == told["total"] - told["available"]
    for key, name in keys.items():
        assert abs(told[key] - look[name]) < SLACK, (key, told[key], look[name])


def disks_are_what_is_mounted(host):
    types = {line[1:] for line in read("/proc/filesystems").splitlines() if line[0] == "\t"}
    types = types - {"fuseblk"} | {"overlay"}
    expected = {}
    for line in read("/proc/self/mountinfo").splitlines():
        before, after = line.split(" - ")
        if after.split()[0] in types:
            expected.setdefault(before.split()[2], (before.split()[4], after.split()[0]))
    disks = call("disks")
    assert {(d["path"], d["type"]) for d in disks} == set(expected.values()), (disks, expected)
    for disk in disks:
        look = os.statvfs(disk["path"])
        assert disk["total"] == look.f_blocks * look.f_frsize
        assert disk["read_only"] == bool(look.f_flag & os.ST_RDONLY)
        assert abs(disk["free"] - look.f_bfree * look.f_frsize) < 16 * SLACK
        assert disk["available"] <= disk["free"] <= disk["total"]
        assert disk["files_free"] <= disk["files"] == look.f_files


def all_processes_are_listed(host):
    def pids():
        return {int(name) for name in os.listdir("/proc") if name.isdigit()}
    before = pids()
    told = processes()
    both = before & pids()
    assert both <= {p["pid"] for p in told}, both - {p["pid"] for p in told}
    assert [p["pid"] for p in told] == sorted(p["pid"] for p in told)


def filters_join(host):
    with sleeper(name="alder") as one, sleeper(name="alderfly") as two, sleeper(name="birch"):
        os.kill(two.pid, signal.SIGSTOP)
        until(lambda: proc_stat(two.pid)[1][0] == "T" and proc_stat(one.pid)[1][0] == "S")
        own = {"uids": [os.getuid()]}
        def found(**filter):
            return [p["pid"] for p in processes(**filter)]
        pair = sorted([one.pid, two.pid])
        assert found(name="alder") == pair
        assert found(name="alder", limit=1) == pair[:1]
        assert found(name="alder", order="by_name") == [one.pid, two.pid]
        assert found(name="alder", **own) == pair
        assert found(name="alder", uids=[4242]) == []
        assert found(name="alder", states=["stopped"]) == [two.pid]
        until(lambda: found(name="alder", states=["stopped", "sleeping"], **own) == pair)
        assert found(name="alder", states=["zombie"]) == []
        assert found(name="alder", rss=1 << 50) == []
        assert os.getpid() in found(rss=PAGE, **own)  # from a sleeper the kernel may take all pages
        assert found(name="no such name") == []


def orders_put_the_largest_first(host):
    for order, key in (("by_rss", "rss"), ("by_cpu", "cpu")):
        told = [p[key] for p in processes(order=order)]
        assert told == sorted(told, reverse=True) and told[0] > 0
        assert len(processes(order=order, limit=2)) == 2


def a_process_is_what_proc_tells(host):
    with sleeper("1", name="plain", cwd="/") as child:
        until(lambda: proc_stat(child.pid)[1][0] == "S")
        told = call("process", child.pid)
        name, fields = proc_stat(child.pid)
        assert (told["pid"], told["parent"], told["name"]) == (child.pid, os.getpid(), name)
        assert told["uid"] == told["effective_uid"] == told["saved_uid"] == os.getuid()
        assert told["state"] == "sleeping" and told["threads"] == int(fields[17])
        assert told["rss"] == int(fields[21]) * PAGE and told["virtual_size"] == int(fields[20])
        assert abs(told["started"] - int(fields[19]) / TICK) < 1e-6
        assert abs(told["cpu"] - (int(fields[11]) + int(fields[12])) / TICK) < 1e-6
        assert told["nice"] == int(fields[16]) and told["session"] == int(fields[3])
        assert told["executable"] == WORK + "/plain" and told["directory"] == "/"
        assert told["files"] == len(os.listdir(f"/proc/{child.pid}/fd"))
        assert told["arguments"] == [WORK + "/plain", "1000", "1"] and not told["arguments_cut"]
        assert told["command"] == f"{WORK}/plain 1000 1"


def strange_names_and_arguments_arrive(host):
    args = [b"\xff\xfe", b"new\nline", b"", "caf\u00e9".encode(), b'a "b" \\']
    for name in (") R 1 1", "a (b) c", "(", "x\ny"):
        path = os.path.join(WORK, name)
        shutil.copy("/bin/cat", path)
        # an argument that is no file makes cat complain and go on to read its standard input
        with running(path, *args, "-", stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
            until(lambda: proc_stat(child.pid)[0] == name and proc_stat(child.pid)[1][0] == "S")
            told = call("process", child.pid)
            assert told["name"] == name and told["parent"] == os.getpid(), told
            assert told["arguments"] == [path, "\ufffd\ufffd", "new\nline", "", "caf\u00e9",
                                         'a "b" \\', "-"], told
            assert "\n" not in told["command"] and "new line" in told["command"]
            assert [p["pid"] for p in processes(name=name)] == [child.pid]


def long_arguments_are_cut_and_said_so(host):
    with sleeper("0" * 30000, name="long") as child:
        until(lambda: proc_stat(child.pid)[0] == "long")
        told = call("process", child.pid)
        assert told["arguments_cut"] and sum(len(a) + 1 for a in told["arguments"]) >= 16384
        assert len(told["command"]) == 160


def what_is_no_process_raises(host):
    child = subprocess.Popen(["/bin/true"])
    child.wait()
    threads = [int(t) for t in os.listdir(f"/proc/{host.pid}/task")]
    for pid in (child.pid, 0, -1, 2147483647):
        raised = f'machine::NoSuchProcess {{"pid":{pid}}}'
        fails(1, raised, "call", H, "process", pid)
        fails(1, raised, "call", H, "send_signal", pid, "TERM")
    assert threads == [host.pid]
    with running("/usr/bin/python3", "-c", "import threading, time; threading.Thread(target=time."
                 "sleep, args=[1000]).start(); print(1, flush=True); time.sleep(1000)") as many:
        many.stdout.readline()
        thread = max(int(t) for t in os.listdir(f"/proc/{many.pid}/task"))
        assert thread != many.pid
        fails(1, f'NoSuchProcess {{"pid":{thread}}}', "call", H, "process", thread)
        assert call("process", many.pid)["threads"] == 2


def processes_may_vanish_while_they_are_read(host):
    with running("/bin/sh", "-c", "while :; do /bin/true; done"):
        for _ in range(20):
            assert any(p["pid"] == host.pid for p in processes())


def signals_arrive(host):
    for name in ("TERM", "KILL", "USR1", "HUP"):
        with sleeper() as child:
            call("send_signal", child.pid, "PROBE")
            call("send_signal", child.pid, name)
            assert child.wait(30) == -getattr(signal, "SIG" + name)
    with sleeper() as child:
        call("send_signal", child.pid, "STOP")
        until(lambda: proc_stat(child.pid)[1][0] == "T")
        call("send_signal", child.pid, "CONT")
        until(lambda: proc_stat(child.pid)[1][0] == "S")


def wrong_arguments_have_exit_code_2(host):
    fails(2, "", "call", H, "send_signal", host.pid, "NONSENSE")
    fails(2, "", "call", H, "process", "x")
    fails(2, "", "call", H, "process", "2147483648")
    fails(2, "", "call", H, "processes", 'filter={"name":""}')
    fails(2, "", "call", H, "processes", "filter=" + json.dumps({**ANY, "order": "by_luck"}))
    fails(5, "read-only", "set", H, "hostname", "x")
    assert processes(limit=1)


def strangers_reach_their_own_processes_alone(host):
    with sleeper() as roots, sleeper(user=STRANGER, group=STRANGER) as own:
        for name in ("PROBE", "TERM", "KILL", "CONT"):
            fails(1, "permission_denied", "call", H, "send_signal", roots.pid, name, user=STRANGER)
        fails(1, "permission_denied", "call", H, "send_signal", 1, "KILL", user=STRANGER)
        fails(1, "permission_denied", "call", H, "send_signal", host.pid, "TERM", user=STRANGER)
        fails(1, "SignalRefused", "call", H, "send_signal", 1, "KILL")
        told = call("process", roots.pid, user=STRANGER)
        assert told["pid"] == roots.pid and (told["executable"], told["files"]) == ("", 0), told
        assert call("process", own.pid, user=STRANGER)["executable"] == WORK + "/sleeper"
        assert roots.poll() is None
        call("send_signal", own.pid, "TERM", user=STRANGER)
        assert own.wait(30) == -signal.SIGTERM


def a_service_without_rights_says_what_it_may(host):
    os.makedirs(WORK + "/theirs", exist_ok=True)
    os.chown(WORK + "/theirs", STRANGER, STRANGER)
    env = dict(ENV, KOINE_DIR=WORK + "/theirs")
    with running(HOST, "--name", "theirs", env=env, user=STRANGER, group=STRANGER) as theirs, \
            sleeper() as roots:
        theirs.stdout.readline()
        def run(*args):
            done = subprocess.run([KOINE, *map(str, args)], env=env, capture_output=True, timeout=60)
            return done.returncode, done.stdout.decode() + done.stderr.decode()
        code, out = run("call", "theirs", "process", roots.pid, "--json")
        told = json.loads(out)["return"]
        assert told["uid"] == 0 and told["arguments"] and told["executable"] == "", told
        code, out = run("call", "theirs", "send_signal", roots.pid, "TERM")
        assert code == 1 and "permission_denied" in out, out
        code, out = run("call", "theirs", "send_signal", theirs.pid, "TERM")
        assert theirs.wait(30) == 0, out


def the_rate_is_set_watched_and_kept(host):
    set_rate(500)
    with running(KOINE, "watch", H, "rate", "--timeout", "20", env=ENV) as watcher:
        def seen():
            return json.loads(watcher.stdout.readline())["value"]
        assert seen() == 500
        for rate in (1, 20000, 2000):
            set_rate(rate)
            assert seen() == rate and get("rate") == rate
    for rate in ("0", "20001", "4294967295"):
        fails(1, "out_of_range", "set", H, "rate", rate)
    fails(2, "", "set", H, "rate", "-1")
    assert get("rate") == 2000
    for rate in (200, 2000, 10000):
        set_rate(rate)
        taken = samples(rate // 2)
        time_taken = (taken[-1]["published"] - taken[0]["published"]) / 1e9
        assert rate / 2 < (len(taken) - 1) / time_taken < rate * 2, (rate, time_taken)
    until(lambda: 5000 < samples(1)[0]["rate"] < 15000)


def samples_are_true(host):
    set_rate(1000)
    before, begun = stat_counters(), time.monotonic_ns()
    taken = samples(200)
    while taken[-1]["published"] - taken[-1]["age"] < begun:  # counters of before it was asked for
        taken += samples(1)
    after = stat_counters()
    total = call("memory")
    for a, b in zip(taken, taken[1:]):
        assert a["published"] < b["published"]
        assert all(a[k] <= b[k] for k in before), (a, b)
    assert all(before[k] <= taken[-1][k] <= after[k] for k in before), (before, taken[-1], after)
    for sample in taken:
        assert 0 <= sample["busy"] <= 1 and sample["age"] >= 0
        assert abs(sample["memory_used"] - total["used"]) < SLACK
        assert abs(sample["time"] / 1e9 - time.time()) < 60
        assert sample["threads"] >= sample["runnable"]
    with running("/bin/sh", "-c", "while :; do :; done"):
        until(lambda: samples(1)[0]["busy"] > 0.45 / os.cpu_count())


def one_of_three_subscribers_is_killed_and_the_others_lose_nothing(host):
    set_rate(10000)
    files = call("process", host.pid)["files"]
    others = [subprocess.Popen([LATENCY, "--count", "15000", H], env=ENV, stdout=subprocess.PIPE)
              for _ in range(2)]
    with running(KOINE, "sub", H, "sample", env=ENV) as third:
        third.stdout.readline()
        third.kill()
    for other in others:
        out = other.communicate(timeout=60)[0].decode()
        assert other.returncode == 0 and "15000 samples, 0 missing" in out, out
    until(lambda: call("process", host.pid)["files"] <= files)


def a_stopped_subscriber_is_dropped_and_holds_up_nobody(host):
    set_rate(20000)
    with running(KOINE, "sub", H, "sample", env=ENV, stderr=subprocess.PIPE) as third:
        third.stdout.readline()
        os.kill(third.pid, signal.SIGSTOP)
        out = subprocess.run([LATENCY, "--count", "60000", H], env=ENV, capture_output=True,
                             timeout=60)
        assert out.returncode == 0 and b"60000 samples, 0 missing" in out.stdout, out
        os.kill(third.pid, signal.SIGCONT)
        _, err = third.communicate(timeout=60)
        assert third.returncode == 3 and b"gone" in err, (third.returncode, err)
        third.stdout = open(os.devnull)
    set_rate(10)


def a_second_host_of_one_name_is_refused(host):
    done = subprocess.run([HOST], env=ENV, capture_output=True, timeout=60)
    assert done.returncode == 6 and b"host" in done.stderr, done
    for wrong in (["--rate", "0"], ["--rate", "x"], ["--mode", "9"], ["--nonsense"], ["more"]):
        assert subprocess.run([HOST, *wrong], env=ENV, capture_output=True).returncode == 2


def killed_in_the_middle_of_a_call_its_caller_is_told(host):
    with serving("--name", "mortal") as mortal:
        global H
        H = "mortal"
        try:
            fails(3, "went away", "call", H, "send_signal", mortal.pid, "KILL")
            assert mortal.wait(30) == -signal.SIGKILL
            fails(3, "", "call", H, "memory")
            assert "mortal" not in koine("ls")[1]
        finally:
            H = "host"
    with serving("--name", "mortal") as again:
        assert "mortal" in koine("ls")[1]
        again.terminate()
        assert again.wait(30) == 0
        assert "mortal" not in koine("ls")[1]


TESTS = [attributes_are_those_of_the_machine, memory_is_what_meminfo_tells, disks_are_what_is_mounted,
         all_processes_are_listed, filters_join, orders_put_the_largest_first,
         a_process_is_what_proc_tells, strange_names_and_arguments_arrive,
         long_arguments_are_cut_and_said_so, what_is_no_process_raises,
         processes_may_vanish_while_they_are_read, signals_arrive, wrong_arguments_have_exit_code_2,
         the_rate_is_set_watched_and_kept, samples_are_true,
         one_of_three_subscribers_is_killed_and_the_others_lose_nothing,
         a_stopped_subscriber_is_dropped_and_holds_up_nobody, a_second_host_of_one_name_is_refused,
         killed_in_the_middle_of_a_call_its_caller_is_told]
if os.getuid() == 0:
    TESTS += [strangers_reach_their_own_processes_alone, a_service_without_rights_says_what_it_may]


def run(number, test, host):
    try:
        test(host)
        print(f"ok {number} - {test.__name__}", flush=True)
    except Exception as error:  # each case must be counted
        line = error.__traceback__.tb_next.tb_lineno  # of the test
        print(f"not ok {number} - {test.__name__}\n# line {line}: {type(error).__name__}: {error}",
              flush=True)
        return 1
    return 0


for number in (signal.SIGHUP, signal.SIGINT):  # may have been ignored by whoever started this
    signal.signal(number, signal.SIG_DFL)

print(f"1..{len(TESTS)}")
try:
    with serving("--mode", "666") as service:
        failed = sum(run(number, test, service) for number, test in enumerate(TESTS, 1))
finally:
    shutil.rmtree(WORK)
sys.exit(1 if failed else 0)
