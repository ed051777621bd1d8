# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changes on hosts, domain by domain, with equal changes of many hosts kept once. Pure.

A thousand hosts that get the same thousand routes have a thousand changes, not a million.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._run.changed_domains import Rows, rows_by_domain, table_rows

#: The flag of a row in which nobody set another one.
_USUAL_FLAG = "0"


@dataclass(slots=True)
class Domains:
    """The domains of a report by number. One that DNS was not asked about is added when named."""

    entries: list[dict[str, Any]]
    _numbers: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._numbers = {entry["name"]: number for number, entry in enumerate(self.entries)}

    def number(self, name: str) -> int:
        """Return the number of a domain."""
        found = self._numbers.get(name)
        if found is None:
            found = self._numbers[name] = len(self.entries)
            self.entries.append({"name": name, "status": None, "pairs": []})
        return found


@dataclass(slots=True)
class Changes:
    """All different changes of a report by number."""

    domains: Domains
    entries: list[dict[str, Any]] = field(default_factory=list)
    _numbers: dict[tuple[object, ...], int] = field(default_factory=dict)

    def of_routes(self, enforced: Mapping[str, Any]) -> list[int]:
        """Return the numbers of what a result of imc_delivery changes in its table."""
        before, after = table_rows(enforced)
        if before == after:
            return []
        return [self.number(*change) for change in _route_changes(before, after)]

    def number(self, domain: str, before: tuple[str, ...], after: tuple[str, ...]) -> int:
        """Return the number of a change; without a domain it is one of rows that are none."""
        key = (domain, before, after)
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.entries)
            self.entries.append(
                {
                    "domain": self.domains.number(domain) if domain else None,
                    "before": list(before),
                    "after": list(after),
                }
            )
        return found


def _route_changes(
    before: Rows, after: Rows
) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Yield domain, and where it led and leads; rows that are none go under no domain."""
    old, new = rows_by_domain(before), rows_by_domain(after)
    for name in {**old, **new}:
        if old.get(name) != new.get(name):
            yield name, _places(old.get(name, ())), _places(new.get(name, ()))
    broken = [tuple(row["raw"] for row in rows if "raw" in row) for rows in (before, after)]
    if broken[0] != broken[1]:
        yield "", broken[0], broken[1]


def _places(found: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Return where a domain leads, with the flag of a row where that is not the usual one."""
    return tuple(
        address if flag == _USUAL_FLAG else f"{address} flag {flag}" for address, flag in found
    )
