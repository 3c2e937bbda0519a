#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Gates on names: what public headers declare, no name of ours in _t, no typedef of a struct, and no
dialect outside of its folder.

A dialect is a folder of src/dialect/ with a dialect.c in it. Comments may name one.
"""
import pathlib
import re

import cscan
import gate

PUBLIC = re.compile(r"(?:koine|KOINE)_\w+$")
TAG = re.compile(r"\b(?:struct|enum|union)\s+(\w+)")
ENUM = re.compile(r"\benum\b[^{};()]*\{([^}]*)\}")
DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.M)
TYPEDEF = re.compile(r"\btypedef\b[^;{]*?(\w+)\s*(?:\([^;]*\)|\[[^;]*\])?\s*;")
CALLABLE = re.compile(r"(\w+)\s*\([^()]*(?:\([^()]*\)[^()]*)*\)\s*(?:__attribute__[^;{]*)?[;{]")
STRUCT = re.compile(r"\btypedef\s+(struct|union|enum)\b\s*\w*\s*(?:\{|\*?\s*\w+\s*;)")
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)


def outside_braces(text):
    """The text without what stands in braces; extern "C" is looked through."""
    text = re.sub(r'extern\s*"\s*"\s*\{', " ", text)
    kept, depth = [], 0
    for c in text:
        depth = max(0, depth - (c == "}"))
        kept.append(c if depth == 0 else " ")
        depth += c == "{"
    return "".join(kept)


def declared(text):
    """Names that a header gives to whoever includes it: macros, tags, labels, types, functions."""
    code = cscan.code(text)
    flat = outside_braces(code)
    labels = [re.match(r"\s*(\w*)", label).group(1) for body in ENUM.findall(code)
              for label in re.sub(r"\([^()]*\)", "", body).split(",")]
    names = DEFINE.findall(text) + TAG.findall(code) + labels + TYPEDEF.findall(flat)
    return [n for n in names + CALLABLE.findall(flat) if n]


def public(tree):
    return [f"{where}: declares {name}" for where, text in tree.sources
            if where.startswith("include/") for name in declared(text) if not PUBLIC.match(name)]


def reserved(tree):
    """POSIX keeps _t for itself."""
    return [f"{where}: {name} ends in _t" for where, text in tree.sources
            for name in declared(text) + [f.name for f in cscan.functions(text)]
            if name.endswith("_t")]


def struct_typedefs(tree):
    return [f"{where}: a typedef of a {sort}" for where, text in tree.sources
            for sort in STRUCT.findall(cscan.code(text))]


def dialects(tree):
    names = sorted(p.parent.name for p in pathlib.Path(tree.root).glob("src/dialect/*/dialect.c"))
    return [f"{where}: names {name}" for where, text in tree.sources
            for name in names if where.startswith(("src/", "include/"))
            and not where.startswith(f"src/dialect/{name}/")
            and re.search(rf"(?<![a-z]){name}(?![a-z])", COMMENT.sub(" ", text), re.I)]


gate.run({"public-names": public, "reserved-names": reserved, "struct-typedefs": struct_typedefs,
          "dialect-names": dialects})
