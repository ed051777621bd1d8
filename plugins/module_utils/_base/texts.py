# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists and times as sentences and results show them.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime


def listed(names: Sequence[str], most: int = 5, *, separator: str = ", ") -> str:
    """Join the first ``most`` names for a sentence, and count the others."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{separator.join(names[:most])}{more}"


def utc_text(when: datetime | None) -> str | None:
    """Format a time with a time zone as ``2026-11-23T12:00:00Z``; None stays None."""
    return None if when is None else when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def one_line(text: str, most: int) -> str:
    """Return a text as one line of at most ``most`` visible characters.

    Whatever ends a line, moves a cursor, or turns the direction of text becomes a space.
    """
    seen = (c if unicodedata.category(c)[0] not in "CZ" else " " for c in text)
    line = " ".join("".join(seen).split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}\u2026"
