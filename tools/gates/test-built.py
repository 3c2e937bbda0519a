#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Shows the gates on objects and libraries something built that violates them, and something that does not."""
import json
import pathlib
import subprocess

import cases

LIST = "# a comment\nkoine_a\n"
CALL = "void koine_a(void)\n{\n    %s;\n}\n"
# what it shows, gates that fail, source, list of symbols
LIBRARIES = [
    ("a library as it should be", [], "int koine_a;\n", LIST),
    ("a symbol that is not listed", ["symbols"], "int koine_a, koine_b;\n", LIST),
    ("a symbol that is gone", ["symbols"], "int koine_a;\n", LIST + "koine_b\n"),
    ("a symbol of another name", ["symbol-names"], "int koine_a, kn_b;\n", LIST + "kn_b\n"),
    ("nothing at all", ["symbols"], "static int a;\n", ""),
    ("another library", ["libc-alone"], "double sqrt(double);\ndouble koine_a(double a)\n{\n"
     "    return sqrt(a);\n}\n", LIST),
    *[(f"a library that calls {name}", ["quiet"],
       "#include <pthread.h>\n#include <signal.h>\n#include <assert.h>\n#include <stdio.h>\n"
       "#include <stdlib.h>\n#include <unistd.h>\n#include <sys/wait.h>\n" + CALL % call, LIST)
      for name, call in [
          ("printf", 'printf("%d", 1)'), ("puts", 'puts("a")'), ("fprintf", 'fprintf(stderr, "%d", 1)'),
          ("perror", 'perror("a")'), ("exit", "exit(1)"), ("_exit", "_exit(1)"), ("abort", "abort()"),
          ("assert", "assert(getpid())"), ("fork", "fork()"), ("system", 'system("a")'),
          ("pthread_create", "pthread_create(0, 0, 0, 0)"), ("signal", "signal(1, 0)"),
          ("sigaction", "sigaction(1, 0, 0)"), ("execv", 'execv("a", 0)'), ("atexit", "atexit(0)")]],
    ("a library that prints into a buffer", [],
     "#include <stdio.h>\nint koine_a(char *a)\n{\n    return snprintf(a, 9, \"%d\", *a);\n}\n", LIST),
]
# what it shows, gates that fail, file, its text
OBJECTS = [
    ("internal names", [], "src/a.c", "int kn_a, koine_b;\nstatic int c;\n"),
    ("a name without prefix", ["object-names"], "src/a.c", "int a;\n"),
    ("names in a test", ["objects are found"], "src/test-a.c", "int a;\n"),
    ("names in a folder of tests", ["objects are found"], "src/a/test/a.c", "int a;\n"),
    ("names of a dialect in its folder", [], "src/dialect/x/a.c", "int x_a;\n"),
    ("names of another dialect", ["object-names"], "src/dialect/x/a.c", "int y_a;\n"),
    ("names of a dialect elsewhere", ["object-names"], "src/x/a.c", "int x_a;\n"),
]


def judge_library(folder, source, listed):
    cases.write_files(folder, {"a.c": source, "list.txt": listed})
    library = pathlib.Path(folder, "a.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-o", library, pathlib.Path(folder, "a.c"), "-lm",
                    "-Wl,--as-needed"], check=True)
    return cases.failed_gates("library.py", library, pathlib.Path(folder, "list.txt"), "quiet")


def judge_object(folder, name, text):
    cases.write_files(folder, {name: text})
    build = pathlib.Path(folder, "build")
    build.mkdir()
    subprocess.run(["gcc", "-c", "-o", build / "a.o", pathlib.Path(folder, name)], check=True)
    commands = [{"file": f"../{name}", "output": "a.o"}]
    (build / "compile_commands.json").write_text(json.dumps(commands))
    return cases.failed_gates("objects.py", build)


def judge(folder, how, *rest):
    return how(folder, *rest)


cases.run_cases([(f"library.py: {what}: {gates or 'nothing'}", gates, judge_library, *rest)
                 for what, gates, *rest in LIBRARIES] +
                [(f"objects.py: {what}: {gates or 'nothing'}", gates, judge_object, *rest)
                 for what, gates, *rest in OBJECTS], judge)
