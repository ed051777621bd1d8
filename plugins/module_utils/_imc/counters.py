# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The performance counters of the Internet Mail Connector, as ``typeperf`` prints them.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping

from .._remote.commands import computer_name
from .._remote.parse import decode
from .._remote.session import Section
from .state import SERVICE_NAME

#: Counters by their names in the result (release notes of Exchange 5.0, 3.2.10).
COUNTERS: Mapping[str, str] = {
    "queued_outbound": "Queued Outbound",
    "connections_failed": "Connections Total Failed",
    "ndrs": "NDRs Total Inbound",
    "outbound_messages": "Outbound Messages Total",
}
_MARK = "(PDH-CSV"
_NO_PROGRAM = 9009
_LONGEST_LINE = 10_000


def counters_command(computer: str) -> str:
    """Return the command that prints each counter once; it takes about a second."""
    where = f"\\\\{computer_name(computer)}" if computer else ""
    paths = " ".join(f'"{where}\\{SERVICE_NAME}\\{name}"' for name in COUNTERS.values())
    return f"typeperf {paths} -sc 1"


def no_counters() -> dict[str, int | None]:
    """Return the counters of a host that tells none."""
    return dict.fromkeys(COUNTERS)


def read_counters(section: Section) -> tuple[dict[str, int | None], str]:
    """Return the counters by their names in the result, and why some are missing, if any are."""
    values = _values(decode(section.output))
    found = no_counters()
    for name, counter in COUNTERS.items():
        found[name] = values.get(f"{SERVICE_NAME}\\{counter}".lower())
    if all(value is not None for value in found.values()):
        return found, ""
    if section.exit_code == _NO_PROGRAM:
        return found, "There is no typeperf on the host, so no performance counter is known."
    return found, "The host does not tell all performance counters of the connector."


def _values(output: str) -> dict[str, int]:
    r"""Return the numbers by ``object\counter`` in lower case, without the computer."""
    rows = [
        row
        for line in output.splitlines()
        if line.startswith('"') and len(line) <= _LONGEST_LINE
        for row in csv.reader([line])
    ]
    header = next((row for row in rows if row and row[0].startswith(_MARK)), [])
    data = rows[-1] if len(rows) > 1 else []
    found: dict[str, int] = {}
    for column, text in zip(header[1:], data[1:], strict=False):
        name = "\\".join(column.lower().split("\\")[-2:])
        try:
            found[name] = int(float(text))
        except (ValueError, OverflowError):
            continue
    return found
