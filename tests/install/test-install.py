#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make install` into an empty folder; programs in C and C++ are built against what is there, and run."""
import os
import pathlib
import subprocess
import sys
import tempfile

SOURCE, BUILD = map(pathlib.Path, sys.argv[1:3])
PREFIX = "/usr/local"
IDL = "module demo { interface Adder { int32 add(in int32 a, in int32 b); }; };\n"
# Serves and calls in one program: a child calls, its parent serves until the child is done.
PROGRAM = """
#include <koine/koine.h>
#include <koine/idl.h>
#include <koine/value.h>
#include "adder.h"
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int add(void *self, struct koine_request *request, const struct demo_Adder_add_in *in,
               struct demo_Adder_add_out *out)
{
    (void)self, (void)request;
    out->return_ = in->a + in->b;
    return 0;
}

static int call(void)
{
    struct koine_node *node;
    struct koine_ref *ref;
    int32_t sum = 0;
    if (koine_node_open(&node, NULL) || koine_ref_open(&ref, node, "adder", &demo_Adder, 0))
        return 1;
    int rc = demo_Adder_add(&sum, ref, 40, 2);
    koine_node_close(node);
    return rc || sum != 42;
}

int main(void)
{
    struct demo_Adder_handlers handlers = {};
    struct koine_node *node;
    struct koine_service *service;
    int status = 0;
    handlers.add = add;
    if (koine_node_open(&node, NULL) ||
        koine_service_open(&service, node, "adder", &demo_Adder, &handlers, NULL, NULL))
        return 2;
    pid_t child = fork();
    if (child == 0)
        _exit(call());
    while (!waitpid(child, &status, WNOHANG))
        koine_node_process(node, KOINE_MILLISECOND);
    koine_node_close(node);
    printf("%d\\n", status);
    return status != 0;
}
"""


def run(*command, **more):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)


def steps(folder):
    """(name, CompletedProcess) pairs; each step needs those before it."""
    root = folder / "root"
    yield "make_installs_below_DESTDIR", run("make", "-s", "install", f"DESTDIR={root}",
                                             f"PREFIX={PREFIX}", f"BUILD={BUILD}", cwd=SOURCE)
    koine = root / "usr/local/bin/koine"
    (folder / "adder.idl").write_text(IDL)
    yield "the_installed_koine_generates", run(koine, "gen", "adder.idl", "-o", folder, cwd=folder)
    config = next(root.rglob("koine.pc"), pathlib.Path("nothing"))
    flags = run("pkg-config", "--cflags", "--libs", "koine", env=dict(
        os.environ, PKG_CONFIG_PATH=str(config.parent), PKG_CONFIG_SYSROOT_DIR=str(root)))
    yield "pkg_config_knows_koine", flags
    flags = flags.stdout.split()
    library = next(root.rglob("libkoine.so"), pathlib.Path("nothing")).parent
    env = dict(os.environ, LD_LIBRARY_PATH=str(library), KOINE_DIR=str(folder / "names"))
    (folder / "program.c").write_text(PROGRAM)
    yield "generated_code_compiles", run("gcc", "-std=c17", "-c", "adder.c", *flags, cwd=folder)
    for name, compiler in (("c", ["gcc", "-std=gnu17"]), ("c++", ["g++", "-std=c++17", "-x", "c++"])):
        program = folder / f"program-{name}"
        yield f"a_program_in_{name}_compiles", run(*compiler, "-Wall", "-Wextra", "-Werror", "-c",
                                                   "program.c", *flags, cwd=folder)
        yield f"a_program_in_{name}_links", run(compiler[0], "program.o", "adder.o", *flags, "-o",
                                                program, cwd=folder)
        yield f"a_program_in_{name}_serves_and_calls", run(program, env=env, timeout=60)
    needed = run("ldd", folder / "program-c", env=env)
    needed.returncode = 0 if str(library) in needed.stdout else 1
    yield "the_program_runs_with_the_installed_library", needed
    yield "the_installed_koine_works", run(koine, "ls", env=env)


with tempfile.TemporaryDirectory() as work:
    count = status = 0
    for name, result in steps(pathlib.Path(work)):
        count += 1
        status |= result.returncode != 0
        print(f"{'not ok' if result.returncode else 'ok'} {count} - {name}")
        if result.returncode:
            print(*(f"# {line}" for line in result.stdout.splitlines()), sep="\n")
            break
    print(f"1..{count}")
sys.exit(status)
