# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pieces of readable text: columns, counts, lists of limited length, cleaning. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_LISTED = 5

#: Replaces a character that would act instead of being shown.
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
    """Return a hostile text that a terminal, HTML and XML can show, as a plain ``str``.

    The replaced characters could move a cursor, turn the direction of the text beside them, or make
    a file invalid.
    """
    return str.translate(text, _UNSEEN)


def cleaned(tree: Any) -> Any:
    """Return plain data (lists, dictionaries, scalars) with every text in it cleaned."""
    if isinstance(tree, str):
        return clean(tree)
    if isinstance(tree, dict):
        return {clean(str(key)): cleaned(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        if all(isinstance(value, int) for value in tree):  # a million for a large fleet
            return list(tree)
        return [cleaned(value) for value in tree]
    return tree


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a report. Its tone is a verdict, ``warning``, or nothing."""

    text: str
    tone: str = ""


def columns(rows: Sequence[Sequence[str]], *, indent: str = "  ", gap: str = "  ") -> list[str]:
    """Return rows, of equally many cells each, as lines with aligned cells."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        indent
        + gap.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def count(number: int, thing: str) -> str:
    """Return ``1 host``, ``3 hosts``, ``3 addresses`` or ``3 queries``."""
    if number == 1:
        return f"1 {thing}"
    if thing.endswith("ry"):
        return f"{number} {thing[:-1]}ies"
    return f"{number} {thing}{'es' if thing.endswith('s') else 's'}"


def failure_of(
    result: Mapping[str, Any] | None, otherwise: str = "failed without a message"
) -> str:
    """Return the message of a result that failed, ``otherwise`` if it has none, or nothing."""
    if result and (result.get("failed") or result.get("unreachable")):
        return str(result.get("msg") or otherwise)
    return ""


def failure_text(failure: Mapping[str, Any]) -> str:
    """Return one DNS query that failed, with its name server and the reason."""
    return (
        f"{failure['type']} of {failure['name']} at {failure['nameserver']}: {failure['message']}"
    )


def wrapped(line: str, *, width: int = 100) -> list[str]:
    """Return a line as several of limited width, the further ones indented."""
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
    """Return the first items for a sentence, and how many more there are."""
    every = list(items)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def words(status: str) -> str:
    """Return a code in words: ``would_send`` is ``would send``."""
    return status.replace("_", " ")
