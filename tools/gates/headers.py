#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The header gate: each public header compiles alone, as C17 and as C++17, by both compilers."""
import subprocess
from concurrent.futures import ThreadPoolExecutor

import gate

COMPILERS = [("gcc", "c", "c17"), ("clang", "c", "c17"), ("g++", "c++", "c++17"),
             ("clang++", "c++", "c++17")]


def compile_alone(tree, where, compiler, language, standard):
    name = where.removeprefix("include/")
    run = subprocess.run([compiler, "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-Werror",
                          "-fsyntax-only", "-I", tree.root / "include", "-"],
                         input=f"#include <{name}>\n", capture_output=True, text=True)
    why = run.stderr.strip().splitlines()[:1]
    return [f"{where}: {compiler} -std={standard}: {' '.join(why)}"] if run.returncode else []


def alone(tree):
    headers = [where for where, _ in tree.sources if where.startswith("include/")]
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(compile_alone, tree, where, *c) for where in headers for c in COMPILERS]
        return [error for job in jobs for error in job.result()]


gate.run({"headers-alone": alone})
