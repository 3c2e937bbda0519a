#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Shows each gate on sources a small tree that violates it alone, and some that do not."""
import cases

SPDX = "// SPDX-License-Identifier: MIT\n"
HEAD = SPDX + "#ifndef KOINE_A_H\n#define KOINE_A_H\n"
FILLER = "int kn_filler;\n" * 900


def function(lines, name="f"):
    return f"static int {name}(void)\n{{\n" + "    g();\n" * (lines - 4) + "    return 0;\n}\n"


def branches(count):
    return SPDX + "int kn_f(int a)\n{\n    return a" + " && a" * count + ";\n}\n"


SEVEN = SPDX + "int kn_f(int a, int b, int c, int d, int e, int f, int g)\n{\n    return a;\n}\n"
LISTED = "parameters src/a.c:kn_f 7 as an example\n"
FORMAT = "BasedOnStyle: LLVM\nIndentWidth: 4\n"
KOINE = "#!/bin/sh\n[ $1 = ls ]\n"

# script, gate that must fail (None: none), what the case shows, files
CASES = [
    ("text.py", None, "a clean tree", {"src/node/a.c": SPDX + '#include "base/arena.h"\n'}),
    ("text.py", "sources are found", "no sources", {"notes.txt": "nothing\n"}),
    ("text.py", "layers", "an upward include", {"src/base/a.c": SPDX + '#include "node/node.h"\n'}),
    ("text.py", "layers", "internals in the command",
     {"src/cli/a.c": SPDX + '#include "base/arena.h"\n'}),
    ("text.py", "layers", "internals in an example",
     {"examples/x/a.c": SPDX + '#include "base/arena.h"\n'}),
    ("text.py", "file-size", "1000 lines", {"src/base/a.c": SPDX + "\n" * 999}),
    ("text.py", "licence", "a header without licence", {"include/koine/a.h": "int koine_a(void);\n"}),
    ("text.py", "licence", "a script without licence",
     {"src/a.c": SPDX, "tools/x": "#!/bin/sh\ntrue\n"}),
    ("text.py", "words", "leftover words", {"src/base/a.c": SPDX + "// TO" "DO: later\n"}),
    ("text.py", "conditionals", "two #if in 900 lines",
     {"src/base/a.c": SPDX + FILLER + "#if A\n#elif B\n#endif\n"}),
    ("text.py", None, "guards, C++, comments and the platform's #if",
     {"src/base/a.h": HEAD + "#ifdef __cplusplus\n#endif\n/*\n#if no\n*/\n#endif\n",
      "src/base/platform/a.c": SPDX + "#if A\n#endif\n"}),
    ("text.py", "fixed-paths", "a path in /tmp", {"src/a.c": SPDX + 'char *kn_a = "/tmp' '/x";\n'}),

    ("functions.py", None, "short functions", {"src/a.c": SPDX + function(39)}),
    ("functions.py", "function-size", "80 lines among many short ones",
     {"src/a.c": SPDX + function(80) + "".join(function(4, f"f{i}") for i in range(10))}),
    ("functions.py", None, "79 lines among many short ones",
     {"src/a.c": SPDX + function(79) + "".join(function(4, f"f{i}") for i in range(10))}),
    ("functions.py", "nine-in-ten", "two of eleven with 40 lines",
     {"src/a.c": SPDX + function(40) * 2 + function(4) * 9}),
    ("functions.py", "branches", "20 branches", {"src/a.c": branches(20)}),
    ("functions.py", None, "19 branches", {"src/a.c": branches(19)}),
    ("functions.py", None, "20 branches, listed",
     {"src/a.c": branches(20), "tools/gates/allowed.txt": "branches src/a.c:kn_f 20 a switch\n"}),
    ("functions.py", "branches", "40 branches, even listed",
     {"src/a.c": branches(40), "tools/gates/allowed.txt": "branches src/a.c:kn_f 40 a switch\n"}),
    ("functions.py", None, "no branches in strings, comments and characters",
     {"src/a.c": SPDX + "char *kn_f(void)\n{\n" + "    g(\"if (\\\"?\", '?'); // if\n" * 30 + "}\n"}),
    ("functions.py", "parameters", "seven parameters", {"src/a.c": SEVEN}),
    ("functions.py", "parameters", "a pointer to a function of seven",
     {"src/a.c": SPDX + "struct kn_a { int (*f)(int, int, int, int, int, int, int); };\n"}),
    ("functions.py", None, "seven parameters, listed",
     {"src/a.c": SEVEN, "tools/gates/allowed.txt": LISTED}),
    ("functions.py", "allow-list", "an entry that is not needed",
     {"src/a.c": branches(1), "tools/gates/allowed.txt": LISTED}),
    ("functions.py", "allow-list", "more entries than may be",
     {f"src/a{i}.c": SEVEN for i in range(9)} |
     {"tools/gates/allowed.txt": "".join(LISTED.replace("a.c", f"a{i}.c") for i in range(9))}),
    ("functions.py", "parameters", "a function with attributes in extern C",
     {"src/a.h": 'extern "C" {\n__attribute__((cold)) static inline int f(int a, int (*b)(int, int),'
                 ' int c, int d, int e, int f, int g)\n{\n    return 0;\n}\n}\n'}),

    ("names.py", None, "public names",
     {"include/koine/a.h": HEAD + "enum koine_a { KOINE_B = 1, KOINE_C };\nstruct koine_d { int x; };"
                           "\ntypedef int koine_f(void *arg);\nint koine_g(int (*x)(int), size_t n);\n"
                           "static inline int koine_h(int a)\n{\n    return y(a);\n}\n"}),
    *[("names.py", "public-names", f"a public {what}", {"include/koine/a.h": HEAD + text})
      for what, text in [
          ("function", "int call(int a);\n"), ("macro", "#define LIMIT 1\n"),
          ("struct", "struct thing;\n"), ("label", "enum koine_a { KOINE_A, B };\n"),
          ("type", "typedef int handler(void *arg);\n"),
          ("inline function", "static inline int f(int a)\n{\n    return a;\n}\n"),
          ("internal name", "int kn_call(int a);\n")]],
    ("names.py", "reserved-names", "a struct in _t", {"src/a.c": SPDX + "struct kn_a_t { int a; };\n"}),
    ("names.py", "struct-typedefs", "a typedef of a struct",
     {"src/a.c": SPDX + "typedef struct kn_a { int a; } kn_b;\n"}),
    ("names.py", "struct-typedefs", "a typedef of a named struct",
     {"src/a.c": SPDX + "typedef struct kn_a kn_b;\n"}),
    ("names.py", "dialect-names", "a dialect in another layer",
     {"src/dialect/morse/dialect.c": SPDX, "src/node/a.c": SPDX + "int kn_morse_x;\n"}),
    ("names.py", "dialect-names", "a dialect in a public header",
     {"src/dialect/morse/dialect.c": SPDX, "include/koine/a.h": HEAD + "#define KOINE_MORSE 1\n"}),
    ("names.py", None, "a dialect in its folder, in a comment, in its interop test",
     {"src/dialect/morse/dialect.c": SPDX + "int kn_morse;\n", "src/a.c": SPDX + "// morse\n",
      "tests/interop/morse/a.c": SPDX + "int morse;\n"}),

    ("format.py", None, "formatted", {".clang-format": FORMAT, "src/a.c": "int kn_a;\n"}),
    *[("format.py", "format", f"{f}/ not formatted", {".clang-format": FORMAT, f"{f}/a.h": "int  a ;\n"})
      for f in ("include/koine", "examples", "fuzz", "src")],

    ("headers.py", None, "a good header", {"include/koine/a.h": HEAD + "int koine_a(void);\n#endif\n"}),
    ("headers.py", "headers-alone", "a header that misses an include",
     {"include/koine/a.h": HEAD + "int koine_a(size_t n);\n#endif\n"}),
    ("headers.py", "headers-alone", "a header that C++ cannot read",
     {"include/koine/a.h": HEAD + "int koine_a(int class);\n#endif\n"}),
    ("headers.py", "headers-alone", "a header that C cannot read",
     {"include/koine/a.h": HEAD + "int koine_a(int &a);\n#endif\n"}),

    ("docs.py", None, "links and commands that exist",
     {"README.md": "[a](docs/a.md#one-two) `koine ls`\n\n    make run X=1\n", "Makefile": "run: x\n",
      "docs/a.md": "# One two\n[b](../README.md)\n"}),
    ("docs.py", "README.md is there", "no README.md", {"docs/a.md": "# A\n"}),
    ("docs.py", "links", "a link to nothing", {"README.md": "# A\n", "docs/a.md": "[a](b.md)\n"}),
    ("docs.py", "links", "a link to no heading", {"README.md": "[a](#b)\n# A\n"}),
    ("docs.py", "make-targets", "no such target", {"README.md": "`make tea`\n", "Makefile": "a:\n"}),
    ("docs.py", "koine-commands", "no such command", {"README.md": "```\nkoine brew --x\n```\n"}),
]


def judge(folder, script, files):
    cases.write_files(folder, files)
    args = ["--tree", folder]
    if script == "docs.py":
        koine = cases.pathlib.Path(folder, "koine")
        koine.write_text(KOINE)
        koine.chmod(0o755)
        args.append(koine)
    return cases.failed_gates(script, *args)


cases.run_cases([(f"{script}: {what}: {gate or 'nothing'} fails", [gate] if gate else [], script, files)
                 for script, gate, what, files in CASES], judge)
