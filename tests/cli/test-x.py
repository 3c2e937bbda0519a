# SPDX-License-Identifier: MIT
"""The RPC language: what koine prints, rpcgen takes and C compilers accept; what others wrote is read."""
import glob
import json
import os
import subprocess

from command import IDL, KOINE, ROOT, WORK, expect, run, served, start, write

PRINTED = [IDL, ROOT + "/examples/host/host.idl", ROOT + "/src/node/test-wire.idl",
           ROOT + "/src/node/test-stream.idl", *sorted(glob.glob(ROOT + "/src/idl/test/*.idl"))]


def tool(folder, *command):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), (command, done.stderr[:2000])


def compile_x(name, text):
    """rpcgen's header, routines, client and server of it, through the compiler."""
    folder = f"{WORK}/{name}"
    os.mkdir(folder)
    write(f"{name}/t.x", text)
    for option, file in [("-h", "t.h"), ("-c", "xdr.c"), ("-l", "client.c"), ("-m", "server.c")]:
        tool(folder, "rpcgen", option, "-o", file, "t.x")
    for file in ["xdr.c", "client.c", "server.c"]:
        tool(folder, "cc", "-fsyntax-only", "-Wall", "-Wno-unused", "-I/usr/include/tirpc", file)


def rpcgen_compiles_every_interface_there_is():
    assert len(PRINTED) > 7
    for number, path in enumerate(PRINTED):
        compile_x(f"printed{number}", expect(0, ["idl", path, "--as", "x"]))


READ = "rex rstat rusers sm_inter spray yppasswd".split()
REFUSED = {  # what is said first
    "bootparam_prot": "66:1: not supported yet: union", "rquota": "38:1: not supported yet: union",
    "mount": "55:1: not supported yet: union", "nfs_prot": "148:1: not supported yet: union",
    "yp": "144:1: not supported yet: union",
    "key_prot": "94:27: found 'MAXNETNAMELEN', expected a number that is declared in this file",
    "klm_prot": "56:2: found 'netobj', expected a type that is declared in this file",
    "nlm_prot": "55:2: found 'netobj', expected a type that is declared in this file",
    "nis": "57:1: not supported yet: #include",
    "nis_callback": "51:9: found 'nis_object', expected a type that is declared in this file",
    "nis_object": "112:2: found label 'NIS_BOGUS_OBJ' with value 0"}


def files_of_the_system_are_read_or_refused_by_what_is_missing():
    told = {os.path.basename(path)[:-2] for path in glob.glob("/usr/include/rpcsvc/*.x")}
    assert told == {*READ, *REFUSED}, told
    for name in READ:
        path = f"/usr/include/rpcsvc/{name}.x"
        text = expect(0, ["idl", path])
        assert expect(0, ["idl", write(name + ".idl", text)]) == text
        expect(0, ["gen", path, "-o", WORK])
        tool(WORK, "cc", "-fsyntax-only", "-Wall", f"-I{ROOT}/include", name + ".c")
        compile_x("of-" + name, expect(0, ["idl", path, "--as", "x"]))
    for name, said in REFUSED.items():
        expect(2, ["idl", f"/usr/include/rpcsvc/{name}.x"], err=f"{name}.x:{said}")


def numbers_of_a_program_stay_what_they_are():
    text = expect(0, ["idl", "/usr/include/rpcsvc/rstat.x", "--as", "x"])
    for version in "321":
        assert f"RSTATVERS_{dict(zip('321', ['TIME', 'SWTCH', 'ORIG']))[version]}_v{version}" in text
    assert text.count("} = 0x186a1;") == 3 and text.count("_HAVEDISK(void) = 2;") == 3, text


def a_service_is_served_and_described_in_the_language():
    path = write("echo.x", "program ECHO { version V { string TWICE(string) = 1; } = 1; } = 7;")
    start(KOINE, "serve", "echo", "--idl", path, "--exec",
          "while read line; do echo '{\"id\":1,\"out\":{\"return\":\"ab\"}}'; done")
    served("echo")
    assert json.loads(expect(0, ["call", "echo", "TWICE", "b", "--json"])) == {"return": "ab"}
    assert "ECHO_V_TWICE(ECHO_V_string) = 1;" in expect(0, ["idl", "echo", "--as", "x"])


run([rpcgen_compiles_every_interface_there_is,
     files_of_the_system_are_read_or_refused_by_what_is_missing,
     numbers_of_a_program_stay_what_they_are, a_service_is_served_and_described_in_the_language])
