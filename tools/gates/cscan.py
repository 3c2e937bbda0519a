# SPDX-License-Identifier: MIT
"""A small reader of C: enough of it to count, no more.

It blanks comments, literals and preprocessor lines, then matches braces and brackets. It does not
preprocess. So it does not see functions that a macro makes, takes all sides of an #if as code (both
must balance), and knows a function by a `)` before a `{` outside of all other braces, which is how C17
without K&R definitions writes them. `extern "C" {` is looked through.

A function's lines run from the first line of its head to its closing brace. Its branches are its ways
to go on, less one: if, for, while, case, ?, && and ||.
"""
import re
from typing import NamedTuple

NOISE = re.compile(r'//(?:\\\n|[^\n])*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
DIRECTIVE = re.compile(r'^[ \t]*#(?:\\\n|[^\n])*', re.M)
BRANCH = re.compile(r'\b(?:if|for|while|case)\b|\?|&&|\|\|')
POINTER = re.compile(r'\(\s*\*\s*(\w+)\s*\)\s*\(')


class Function(NamedTuple):
    name: str
    line: int
    lines: int
    branches: int
    parameters: int


def blank(match):
    text = match.group()
    if text[0] in "\"'":
        return text[0] + " " * (len(text) - 2) + text[0]
    return re.sub(r"[^\n]", " ", text)


def code(text):
    """The text with everything blanked that is no code; every character stays in its place."""
    return DIRECTIVE.sub(blank, NOISE.sub(blank, text))


def closing(text, at, pair):
    """The place of what closes the bracket at `at`; the end of the text when nothing does."""
    depth = 0
    for place in range(at, len(text)):
        depth += (text[place] == pair[0]) - (text[place] == pair[1])
        if depth == 0:
            return place
    return len(text) - 1


def opening(text, at):
    """The place of the bracket that the one at `at` closes, or -1."""
    depth = 0
    for place in range(at, -1, -1):
        depth += (text[place] == ")") - (text[place] == "(")
        if depth == 0:
            return place
    return -1


def count_parameters(text, start, end):
    inner = text[start + 1:end].strip()
    if inner in ("", "void"):
        return 0
    depth = commas = 0
    for c in inner:
        depth += (c in "([{") - (c in ")]}")
        commas += c == "," and depth == 0
    return commas + 1


def head_of(text, start, brace):
    """Name and parameters of the function whose head lies in text[start:brace]; None when none does."""
    end = start + len(text[start:brace].rstrip()) - 1
    if end < start or text[end] != ")":
        return None
    bracket = opening(text, end)
    name = re.search(r"(\w+)\s*$", text[start:max(bracket, start)])
    if not name:  # returns a pointer to a function: int (*name(int))(char)
        name = re.search(r"\(\s*\*\s*(\w+)\s*\(", text[start:brace])
        bracket, end = (start + name.end() - 1, closing(text, start + name.end() - 1, "()")) \
            if name else (bracket, end)
    return (name.group(1), count_parameters(text, bracket, end)) if name else None


def functions(text):
    """All functions that are defined in the text, in order."""
    text = code(text)
    found, start, at = [], 0, 0
    while at < len(text):
        if text[at] in ";}":
            start = at + 1
        elif text[at] == "{" and re.search(r'extern\s*"\s*"\s*$', text[start:at]):
            start = at + 1
        elif text[at] == "{":
            end = closing(text, at, "{}")
            head = head_of(text, start, at)
            if head:
                first = start + len(text[start:at]) - len(text[start:at].lstrip())
                found.append(Function(head[0], text.count("\n", 0, first) + 1,
                                      text.count("\n", first, end) + 1,
                                      len(BRANCH.findall(text[at:end])), head[1]))
                start = end + 1
            at = end
        at += 1
    return found


def pointers(text):
    """(name, parameters) of the pointers to functions in the text."""
    text = code(text)
    return [(m.group(1), count_parameters(text, m.end() - 1, closing(text, m.end() - 1, "()")))
            for m in POINTER.finditer(text)]
