# SPDX-License-Identifier: MIT
"""The RPC language: what koine prints, rpcgen takes and C compilers accept; what others wrote is read."""
import glob
import os
import subprocess

from command import IDL, ROOT, WORK, expect, run, write

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


run([rpcgen_compiles_every_interface_there_is])
