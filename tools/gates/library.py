#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Gates on a shared library of the release build: what it exports, what it needs, what it may do.

  library.py LIBRARY LIST         exports are those of LIST and begin with koine_
  library.py LIBRARY LIST quiet   and it needs libc alone, and neither prints, exits, aborts, starts
                                  threads or processes, nor installs signal handlers
  library.py LIBRARY LIST update  writes LIST

The release build, because an assertion of a debug build may abort. What is called through a pointer,
dlsym or a bare system call is not seen.
"""
import pathlib
import re
import subprocess
import sys

import gate

LIBC = re.compile(r"libc\.so\.\d+|ld-linux\S*\.so\.\d+")
# Whole names, as libc has them; what _FORTIFY_SOURCE makes of printf is __printf_chk.
LOUD = re.compile(r"""(?:__)?(?:
    v?f?printf(?:_chk)? | v?dprintf(?:_chk)? | f?puts | f?putc | putchar | fwrite | perror | psignal |
    (?:v?(?:err|warn)x?) | v?syslog(?:_chk)? | stdout | stderr |
    _?exit | _Exit | quick_exit | abort | assert_fail | assert_perror_fail | chk_fail | raise |
    pthread_create | thrd_create | clone | v?fork | posix_spawnp? | system | popen | daemon |
    exec(?:v|ve|vp|vpe|l|le|lp|veat)? | fexecve |
    signal | sigaction | bsd_signal | sysv_signal | sigset | sigvec | sigaltstack |
    sigprocmask | pthread_sigmask | alarm | setitimer | timer_create |
    atexit | cxa_atexit | on_exit | pthread_atfork | longjmp | siglongjmp | setlocale
    )$""", re.X)
HEAD = """# Dynamic symbols of {name}, release build; tools/gates/library.py compares.
# After a deliberate change: tools/gates/library.py build/release/{name} {where} update
"""


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def symbols(library, which):
    lines = output("nm", "--dynamic", which, "--format=posix", library).splitlines()
    return sorted({line.split()[0].split("@")[0] for line in lines if line.strip()})


def listed(path):
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [l for l in lines if l and not l.startswith("#")]


def export_errors(exported, path):
    known = listed(path)
    return [f"{s} is exported and not in {path.name}" for s in exported if s not in known] + \
        [f"{s} is in {path.name} and not exported" for s in known if s not in exported] + \
        ([] if exported else ["nothing is exported"])


def needs(library):
    found = re.findall(r"NEEDED\s+(\S+)", output("objdump", "-p", library))
    return [f"needs {n}" for n in found if not LIBC.fullmatch(n)]


def main():
    library, path = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    exported = symbols(library, "--defined-only")
    if sys.argv[3:] == ["update"]:
        path.write_text(HEAD.format(name=library.name, where=path) + "\n".join(exported) + "\n")
        return 0
    results = [("symbols", export_errors(exported, path)),
               ("symbol-names", [s for s in exported if not s.startswith("koine_")])]
    if sys.argv[3:] == ["quiet"]:
        loud = [f"calls {s}" for s in symbols(library, "--undefined-only") if LOUD.match(s)]
        results += [("libc-alone", needs(library)), ("quiet", loud)]
    return gate.report(results)


sys.exit(main())
