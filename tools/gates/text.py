#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Gates that read text: layers, file size, licence, leftover words, conditionals, fixed paths."""
import re

import cscan
import gate

LAYERS = ["base", "value", "idl", "plane", "node", "codec", "dialect", "runtime", "daemon"]
PUBLIC_ONLY = ["src/cli/", "compat/", "examples/"]
MAX_LINES = 1000
CONDITIONALS = 1  # of a thousand lines of src/ and include/, without src/base/platform
INCLUDE = re.compile(r'^\s*#\s*include\s+"([a-z]+)/', re.M)
CONDITIONAL = re.compile(r"^[ \t]*#[ \t]*(?:if|ifdef|ifndef|elif)\b[^\n]*", re.M)
GUARD = re.compile(r"^[ \t]*#[ \t]*ifndef[ \t]+(\w+)\s+#[ \t]*define[ \t]+\1\b", re.M)
WORDS = re.compile(r"\b(?:TO" r"DO|FIX" r"ME)\b")


def layer_errors(where, text):
    used = [u for u in INCLUDE.findall(text) if u in LAYERS]
    if where.startswith(tuple(PUBLIC_ONLY)):
        return [f"{where}: includes internal {u}/" for u in used]
    own = where.split("/")[1] if where.startswith("src/") else None
    if own not in LAYERS:
        return []
    return [f"{where}: {own} includes {u}, which is above it"
            for u in used if LAYERS.index(u) > LAYERS.index(own)]


def layers(tree):
    return [e for where, text in tree.sources for e in layer_errors(where, text)]


def file_size(tree):
    return [f"{where}: {text.count(chr(10))} lines" for where, text in tree.sources
            if text.count("\n") >= MAX_LINES]


def licence(tree):
    return [f"{where}: none of its first two lines has an SPDX licence"
            for where, text in tree.sources + tree.scripts()
            if not any("SPDX-License-Identifier: MIT" in l for l in text.split("\n", 2)[:2])]


def words(tree):
    return [f"{where}: says {w}" for where, text in tree.sources + tree.scripts()
            for w in WORDS.findall(text)]


def conditionals(tree):
    """Include guards and the test for C++ do not count; defaults for old headers do."""
    own = [(where, text) for where, text in tree.sources if where.startswith(("src/", "include/"))
           and not where.startswith("src/base/platform") and "/test" not in where]
    found = [f"{where}: {line.strip()}" for where, text in own
             for line in CONDITIONAL.findall(GUARD.sub("", cscan.NOISE.sub(cscan.blank, text), 1))
             if "__cplusplus" not in line]
    lines = sum(text.count("\n") for _, text in own)
    return found if 1000 * len(found) > CONDITIONALS * lines else []


def fixed_paths(tree):
    """Tests keep to $TMPDIR, so that tools/check sees what they leave behind."""
    return [f"{where}: a fixed path in /tmp or /dev/shm" for where, text in tree.sources
            if re.search(r'"/(?:tmp|dev/shm)/', text)]


gate.run({"layers": layers, "file-size": file_size, "licence": licence, "words": words,
          "conditionals": conditionals, "fixed-paths": fixed_paths})
