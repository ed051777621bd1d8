# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""FOR and IF: what a loop runs over, and what a condition compares."""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

from .errors import WinError
from .filesystem import is_device
from .shell import Shell
from .syntax import DELIMITERS, For

Capture = Callable[[str | None], tuple[Shell, bytes]]
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "EQU": operator.eq,
    "NEQ": operator.ne,
    "LSS": operator.lt,
    "LEQ": operator.le,
    "GTR": operator.gt,
    "GEQ": operator.ge,
}


def compare(kind: str, left: str, right: str, *, ignore_case: bool) -> bool:
    """Compare for IF: ``==`` as text, the words as numbers when both are numbers."""
    if ignore_case:
        left, right = left.casefold(), right.casefold()
    if kind == "==":
        return left == right
    number = re.compile(r"-?\d+")
    if number.fullmatch(left) and number.fullmatch(right):
        return _COMPARISONS[kind](int(left), int(right))
    return _COMPARISONS[kind](left, right)


def matching(pattern: str, shell: Shell) -> list[str]:
    """Return what exists for a path whose last part may hold ``*`` and ``?``, as typed so far.

    The folder part is given back as it was typed. Nothing there: an empty list.
    """
    pattern = pattern.strip('"').rstrip()
    folder, backslash, name = pattern.replace("/", "\\").rpartition("\\")
    start = folder + backslash
    try:
        if is_device(pattern):
            return [pattern]
        if not set(name) & {"*", "?"}:
            files, path = shell.locate(pattern)
            return [pattern] if files.exists(path) else []
        files, path = shell.locate(start or ".")
        names = files.listdir(path)
    except WinError:
        return []
    return [start + entry for entry in names if wildcard(entry, name)]


def wildcard(name: str, pattern: str) -> bool:
    """Match a file name as Windows does: ``*.*`` is everything, ``*.`` has no suffix."""
    if pattern in {"*.*", "*"}:
        return True
    if pattern.endswith(".") and "." in name:
        return False
    literal = pattern.rstrip(".").replace("[", "[[]")
    return fnmatch.fnmatchcase(name.upper(), literal.upper())


def letters(node: For) -> list[str]:
    """Return the loop variables that ``for`` may set."""
    if node.kind != "F":
        return [node.letter]
    return [chr(ord(node.letter) + index) for index in range(27)]


def iterations(node: For, items: str, capture: Capture) -> Iterator[dict[str, str]]:
    """Yield the loop variables of each turn."""
    if node.kind == "F":
        yield from _lines(node, items, capture)
        return
    shell, _skipped = capture(None)
    words = _words(items)
    if node.kind == "L":
        for number in _counter(words):
            yield {node.letter: str(number)}
        return
    for word in words:
        if not set(word) & {"*", "?"}:
            yield {node.letter: word}
            continue
        for path in matching(word, shell):
            files, real = shell.locate(path)
            if files.is_dir(real) is (node.kind == "D"):
                yield {node.letter: path}


def _words(items: str) -> list[str]:
    """Split a FOR set at delimiters outside quotes; the quotes stay."""
    inside = re.escape(DELIMITERS)
    return re.findall(rf'(?:"[^"]*"?|[^{inside}"])+', items)


def _counter(words: list[str]) -> Iterator[int]:
    start, step, end = (int(word) for word in [*words, "0", "0", "0"][:3])
    while start <= end if step >= 0 else start >= end:
        yield start
        start += step


def _lines(node: For, items: str, capture: Capture) -> Iterator[dict[str, str]]:
    options = _options(node.options)
    lines = _source(items.strip(), options, capture)
    for line in lines[int(options.get("skip", "0")) :]:
        if line and not line.startswith(options.get("eol", ";")):
            values = _tokens(line, node.letter, options)
            if values is not None:
                yield values


def _options(text: str) -> dict[str, str]:
    """Read ``tokens=1,2* delims=, skip=1 eol=; usebackq``; delims at the end may hold a space."""
    options: dict[str, str] = {}
    rest = text
    if (start := rest.lower().find("delims=")) >= 0:
        value = rest[start + 7 :]
        known = re.search(r" (?=(tokens|skip|eol|usebackq))", value)
        options["delims"] = value[: known.start()] if known else value
        rest = rest[:start] + (value[known.start() :] if known else "")
    for name, value in re.findall(r"(tokens|skip|eol)=(\S*)", rest, re.IGNORECASE):
        options[name.lower()] = value
    if "usebackq" in rest.lower():
        options["usebackq"] = "yes"
    return options


def _source(items: str, options: dict[str, str], capture: Capture) -> list[str]:
    back = "usebackq" in options
    command, literal = ("`", "'") if back else ("'", '"')
    if len(items) > 1 and items[0] == items[-1] == command:
        shell, output = capture(items[1:-1])
        return output.decode(shell.codec, "replace").splitlines()
    if len(items) > 1 and items[0] == items[-1] == literal:
        return [items[1:-1]]
    shell, _skipped = capture(None)
    lines: list[str] = []
    for name in _words(items):
        files, path = shell.locate(name)
        lines += files.read_bytes(path).decode(shell.codec, "replace").splitlines()
    return lines


def _tokens(line: str, letter: str, options: dict[str, str]) -> dict[str, str] | None:
    delims = re.escape(options.get("delims", " \t"))
    if not delims:
        return {letter: line}
    spans = list(re.finditer(f"[^{delims}]+", line))
    values: list[str] = []
    for wanted in _token_numbers(options.get("tokens", "1")):
        index = abs(wanted) - 1
        if index >= len(spans):
            values.append("")
        elif wanted < 0:  # the rest of the line from here on
            values.append(line[spans[index].start() :])
        else:
            values.append(spans[index][0])
    if not any(values):
        return None
    return {chr(ord(letter) + index): value for index, value in enumerate(values)}


def _token_numbers(text: str) -> list[int]:
    """Read ``1,3-4*``; a star becomes a negative number: the rest from that token on."""
    numbers: list[int] = []
    star = text.endswith("*")
    for part in filter(None, text.rstrip("*").split(",")):
        first, _skipped, last = part.partition("-")
        numbers.extend(range(int(first), int(last or first) + 1))
    if star:
        numbers.append(-((numbers[-1] if numbers else 0) + 1))
    return numbers
