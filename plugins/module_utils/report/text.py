# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pieces of readable text: columns, counted things, lists that end somewhere. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MOST_LISTED = 4


def columns(rows: Sequence[Sequence[str]], *, indent: str = "  ", gap: str = "  ") -> list[str]:
    """Return rows as lines whose cells begin below each other; all rows have equally many."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        indent
        + gap.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def count(number: int, thing: str) -> str:
    """Return ``1 host`` or ``3 hosts``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def listed(items: Iterable[str], *, most: int = MOST_LISTED) -> str:
    """Return some items for a sentence, and how many more there are."""
    every = list(items)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def words(status: str) -> str:
    """Return a status as a person says it: ``no_such_domain`` is ``no such domain``."""
    return status.replace("_", " ")
