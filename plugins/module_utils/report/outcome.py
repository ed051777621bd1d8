# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the domains stand on one host after a run, as the results of its tasks tell it. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..wanted_routes import GONE_STATUSES, UNKNOWN_STATUSES
from .text import reason


class Standing(StrEnum):
    """How a domain stands on a host after the run."""

    CHANGED = "changed"
    IN_PLACE = "in place"
    GONE = "gone"
    UNKNOWN = "unknown"
    BY_HAND = "by hand"


@dataclass(frozen=True, slots=True)
class HostOutcome:
    """What the tasks of one host returned; None for a task that did not run.

    ``transport`` tells a host of Exchange 2010 and later, of which ``enforced`` is the result of
    transport_delivery; of others it is that of imc_delivery. ``info`` is what exchange_info
    returned, where it was asked.
    """

    name: str
    domains: Sequence[str]
    enforced: Mapping[str, Any] | None = None
    tested: Mapping[str, Any] | None = None
    transport: bool = False
    info: Mapping[str, Any] | None = None

    @property
    def failure(self) -> str:
        """Why nothing is known of this host, or nothing."""
        asked = () if self.info is None else (self.info,)
        return reason(self.name, *asked, self.enforced)

    @property
    def appends(self) -> list[str]:
        """Suffixes that Windows on this host may append to names, in lower case."""
        resolver = (self.info or {}).get("resolver") or {}
        names = resolver.get("search_list") or ()
        return list(dict.fromkeys(name.lower().strip(".") for name in names))

    @property
    def skipped(self) -> bool:
        """Whether there was nothing to do here, as an option says."""
        return bool(self.enforced and self.enforced.get("skipped"))


def changed_domains(enforced: Mapping[str, Any]) -> list[str]:
    """Return the domains whose way a result of imc_delivery or transport_delivery changes."""
    if "steps" in enforced:
        return list(dict.fromkeys(step["domain"] for step in enforced["steps"]))
    table = enforced.get("routes") or {}
    before, after = _rows(table.get("before", ())), _rows(table.get("after", ()))
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def switch_changed(enforced: Mapping[str, Any]) -> bool:
    """Whether a result of imc_delivery changes the registry value."""
    registry = enforced.get("registry") or {}
    return bool(registry.get("before") != registry.get("after"))


def worth_testing(enforced: Mapping[str, Any], pinned: Collection[str]) -> set[str]:
    """Return those of the domains that are pinned whose way out of the host is a new one.

    The registry value changes how the host finds every domain, and so the restart after it.
    """
    if enforced.get("worksheet"):
        return set()  # the rows are not there yet
    if switch_changed(enforced):
        return set(pinned)
    return set(pinned).intersection(changed_domains(enforced))


def _rows(rows: Sequence[Mapping[str, str]]) -> dict[str, list[tuple[str, str]]]:
    """Return where each domain leads, in order, by its name in lower case."""
    table: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        if "domain" in row:
            table[row["domain"].lower()].append((row["address"].lower(), row["flag"]))
    return dict(table)


def standings(host: HostOutcome, statuses: Mapping[str, str]) -> Counter[Standing]:
    """Return how many of a host's domains stand how; ``statuses`` are those of mx_pairs."""
    enforced = host.enforced or {}
    changed = set(changed_domains(enforced))
    by_hand = {row["domain"] for row in enforced.get("worksheet") or ()}
    found: Counter[Standing] = Counter()
    for domain in host.domains:
        status = statuses.get(domain, "")
        if status in UNKNOWN_STATUSES:
            found[Standing.UNKNOWN] += 1
        elif domain in by_hand:
            found[Standing.BY_HAND] += 1
        elif domain in changed:
            found[Standing.CHANGED] += 1
        elif status in GONE_STATUSES:
            found[Standing.GONE] += 1
        else:
            found[Standing.IN_PLACE] += 1
    others = changed.difference(host.domains)
    found[Standing.CHANGED] += len(others)
    return +found
