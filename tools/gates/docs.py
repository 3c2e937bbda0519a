#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Gates on documentation: relative links lead somewhere, and the commands in README.md exist.

Commands are looked for in code: between backquotes, and in indented or fenced lines.
"""
import pathlib
import re
import subprocess
import sys

import gate

LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.M | re.S)


def pages(tree):
    return [p for p in sorted(tree.rglob("*.md"))
            if not set(p.relative_to(tree).parts[:-1]) & {"build", ".git"}]


def anchors(text):
    heads = re.findall(r"^#+ +(.*)$", FENCE.sub("", text), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}


def link_error(page, link):
    """None when the link leads somewhere."""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return f"{page.name}: {link} leads nowhere"
    if anchor and target.suffix == ".md" and anchor not in anchors(target.read_text("utf-8")):
        return f"{page.name}: {link}: no such heading"
    return None


def link_errors(tree):
    every = [(p, l) for p in pages(tree) for l in LINK.findall(FENCE.sub("", p.read_text("utf-8")))]
    return [e for p, l in every if not re.match(r"[a-z]+:", l) for e in [link_error(p, l)] if e]


def code(text):
    return "\n".join(FENCE.findall(text) + re.findall(r"^(?: {4}|\t).*$", text, re.M) +
                     re.findall(r"`([^`\n]+)`", FENCE.sub("", text)))


def make_errors(tree, text):
    makefile = tree / "Makefile"
    targets = set(re.findall(r"^([\w-]+):", makefile.read_text("utf-8") if makefile.exists() else "",
                             re.M))
    named = re.findall(r"(?:^|[\s`])make +([a-z][\w-]*)", code(text))
    return [f"README.md: make {n} does not exist" for n in sorted(set(named) - targets)]


def command_errors(koine, text):
    named = sorted(set(re.findall(r"(?:^|[\s`/])koine +([a-z]+)\b", code(text))))
    return [f"README.md: koine {n} does not exist" for n in named
            if subprocess.run([koine, n, "--help"], capture_output=True).returncode]


args = gate.arguments("koine")
readme = args.tree / "README.md"
body = readme.read_text("utf-8") if readme.exists() else ""
sys.exit(gate.report([("README.md is there", [] if body else ["no README.md"]),
                      ("links", link_errors(args.tree)),
                      ("make-targets", make_errors(args.tree, body)),
                      ("koine-commands", command_errors(args.koine, body))]))
