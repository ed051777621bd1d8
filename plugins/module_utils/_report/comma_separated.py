# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of a run as comma-separated values (RFC 4180), a row for each domain on each host.

A spreadsheet takes a cell for a formula that begins with one of ``= + - @``, a tab or a carriage
return. Such a cell gets an apostrophe before it. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any

from .rows import Row, rows

HEADER = (
    "run", "finished_at", "host", "family", "version", "organisation", "host_state", "domain",
    "state", "reason", "before", "after", "test", "delayed_messages", "oldest_delayed", "error",
    "cause",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def comma_separated(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the file line by line, its header first. A host without domains has a row, too."""
    yield _line(HEADER)
    without_rows = {host["name"] for host in document["hosts"]}
    for row in rows(document):
        without_rows.discard(row.host["name"])
        yield _line(_cells(document, row))
    for host in document["hosts"]:
        if host["name"] in without_rows:
            yield _line(_cells(document, Row(host, "")))


def _cells(document: Mapping[str, Any], row: Row) -> tuple[str, ...]:
    host, run = row.host, document["run"]
    number = host["organisation"]
    organisation = "" if number is None else document["organisations"][number]["name"]
    return (
        run["id"] or "",
        run["finished_at"],
        host["name"],
        host["family"] or "",
        host["version"] or "",
        organisation,
        host["state"],
        row.domain,
        row.state,
        row.reason,
        " ".join(row.before),
        " ".join(row.after),
        row.test,
        ("unknown" if row.delayed is None else str(row.delayed)) if row.stuck else "",
        row.oldest,
        row.error,
        row.cause,
    )


def _line(cells: tuple[str, ...]) -> str:
    text = StringIO()
    safe = (f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells)
    csv.writer(text).writerow(safe)
    return text.getvalue()
