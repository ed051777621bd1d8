# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pieces of readable text: columns, counted things, lists that end somewhere. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_LISTED = 4

#: What stands for a character that would do something instead of being seen.
REPLACEMENT = "\ufffd"
# Control characters but line feed and tab, halves of surrogate pairs, what turns the direction of
# the text around it, and the two code points that XML forbids besides.
_UNSEEN = dict.fromkeys(
    (
        *(c for c in range(0xA0) if unicodedata.category(chr(c)) == "Cc" and c not in (9, 10)),
        *range(0xD800, 0xE000),
        0x061C,
        0x200E,
        0x200F,
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        0xFFFE,
        0xFFFF,
    ),
    REPLACEMENT,
)


def clean(text: str) -> str:
    """Return a text that can be shown on a terminal, in HTML and in XML, whoever wrote it.

    What is replaced could move a cursor, turn the direction of what stands beside it, or make a
    file invalid. The result is a plain ``str``.
    """
    return str.translate(text, _UNSEEN)


def cleaned(tree: Any) -> Any:
    """Return plain data, as JSON knows it, with every text in it cleaned."""
    if isinstance(tree, str):
        return clean(tree)
    if isinstance(tree, dict):
        return {clean(str(key)): cleaned(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        if tree and isinstance(tree[0], int):  # numbers of domains, a million for a large fleet
            return list(tree)
        return [cleaned(value) for value in tree]
    return tree


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a report. Its tone is the verdict it tells, ``warning``, or nothing."""

    text: str
    tone: str = ""


def columns(rows: Sequence[Sequence[str]], *, indent: str = "  ", gap: str = "  ") -> list[str]:
    """Return rows as lines whose cells begin below each other; all rows have equally many."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        indent
        + gap.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def count(number: int, thing: str) -> str:
    """Return ``1 host``, ``3 hosts`` or ``3 addresses``."""
    ending = "es" if thing.endswith("s") else "s"
    return f"{number} {thing}" if number == 1 else f"{number} {thing}{ending}"


def reason(name: str, *results: Mapping[str, Any] | None) -> str:
    """Return why the tasks of a host say nothing about it, or nothing if all do.

    A result is None for a task that did not run. Where the host's name begins the text, it goes.
    """
    for result in results:
        if result is None:
            return "was not looked at"
        if result.get("failed") or result.get("unreachable"):
            said = str(result.get("msg") or "failed without a word")
            return said.removeprefix(f"{name}: ")
    return ""


def failure_text(failure: Mapping[str, Any]) -> str:
    """Return one question that mx_pairs_info got no answer to, with what came instead."""
    return (
        f"{failure['type']} of {failure['name']} at {failure['nameserver']}: {failure['message']}"
    )


def wrapped(line: str, *, width: int = 100) -> list[str]:
    """Return a line as several that are not too wide, further in than its own beginning."""
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.wrap(
        line,
        width,
        initial_indent="",
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    ) or [""]


def listed(items: Iterable[str], *, most: int = MOST_LISTED) -> str:
    """Return some items for a sentence, and how many more there are."""
    every = list(items)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def words(status: str) -> str:
    """Return a status as a person says it: ``no_such_domain`` is ``no such domain``."""
    return status.replace("_", " ")
