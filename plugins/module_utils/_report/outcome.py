# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the domains stand on one host after a run, as the results of its tasks tell it. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Any

from .._run.changed_domains import deferred
from .._run.routes import GONE_STATUSES, UNKNOWN_STATUSES
from .text import reason

_VERSIONS = {"ipv4": 4, "ipv6": 6}


class Standing(StrEnum):
    """How a domain stands on a host after the run.

    DRIFTED is what enforce would change, CHANGED what this run did change, HELD what it did not
    begin, UNKNOWN and GONE what DNS says of the domain, BY_HAND what no tool can write.
    """

    FAILED = "failed"
    DRIFTED = "drifted"
    CHANGED = "changed"
    BY_HAND = "by_hand"
    UNKNOWN = "unknown"
    HELD = "held"
    GONE = "gone"
    IN_PLACE = "in_place"


@dataclass(frozen=True, slots=True)
class HostOutcome:
    """What the tasks of one host returned; None for a task that did not run.

    ``family`` is ``imc`` or ``transport`` (Exchange 2010 and later), or empty where nobody could
    tell; ``enforced`` is the result of imc_delivery or transport_delivery accordingly. ``earlier``
    are results of tasks that the host needs to be looked at: of those for all hosts, too. ``info``
    is what exchange_info returned, ``planned`` as ``enforced`` a look beforehand, and ``queue``
    what queue_info returned, where they were asked. ``held`` is why the run did not begin with this
    host, or nothing. ``families`` are the addresses it takes, ``ipv4`` and ``ipv6``. ``suffixes``
    are what may be appended to names there, as far as the host or the inventory says.
    """

    name: str
    domains: Sequence[str]
    enforced: Mapping[str, Any] | None = None
    tested: Mapping[str, Any] | None = None
    family: str = "imc"
    earlier: Sequence[Mapping[str, Any]] = ()
    info: Mapping[str, Any] | None = None
    planned: Mapping[str, Any] | None = None
    queue: Mapping[str, Any] | None = None
    held: str = ""
    families: Sequence[str] = ("ipv4",)
    suffixes: Sequence[str] = ()

    @property
    def failure(self) -> str:
        """Why nothing is known of this host, or nothing; a host that is held has not failed."""
        needed = [*self.earlier, *(one for one in (self.info, self.planned) if one is not None)]
        if not self.held or self.enforced:
            return reason(self.name, *needed, self.enforced)
        return reason(self.name, *needed)

    @property
    def unreachable(self) -> bool:
        """Whether a task could not reach this host."""
        results = (self.info, self.planned, self.enforced, self.tested)
        return any(result.get("unreachable") for result in results if result)

    @property
    def skipped(self) -> bool:
        """Whether there was nothing to do here, as an option says."""
        return bool(self.enforced and self.enforced.get("skipped"))


def appended(family: str, info: Mapping[str, Any] | None, said: Sequence[str]) -> list[str]:
    """Return what may be appended to names on a host, as it is written.

    That is what ``info``, the result of exchange_info, tells where somebody looked, and what the
    inventory has ``said``. The connector of Exchange 4.0 to 5.5 appends the TCP/IP domain, too; of
    later ones the list says all.
    """
    resolver = (info or {}).get("resolver") or {}
    own = () if family == "transport" else (resolver.get("domain"),)
    return [name for name in (*own, *(resolver.get("search_list") or ()), *said) if name]


def status_for(domain: Mapping[str, Any], families: Collection[str]) -> str:
    """Return the status of a domain of mx_pairs_info for a host that takes these addresses only."""
    status = str(domain["status"])
    pairs = domain.get("pairs") or ()
    versions = {_VERSIONS[name] for name in families}
    if status == "ok" and not any(
        ip_address(pair["address"]).version in versions for pair in pairs
    ):
        return "no_address"
    return status


def standings(
    host: HostOutcome, statuses: Mapping[str, str], changed: Collection[str], *, proposed: bool
) -> dict[str, Standing]:
    """Return how each domain stands; ``statuses`` are those of mx_pairs_info for this host.

    ``changed`` are the domains whose way changes; those that the host does not list come last.
    ``proposed`` says that changes were not made. There is nothing to say of a host that was
    skipped.
    """
    if host.skipped:
        return {}
    if host.failure or host.enforced is None:
        standing = Standing.FAILED if host.failure else Standing.HELD
        return dict.fromkeys(host.domains, standing)
    by_hand = {row["domain"] for row in host.enforced.get("worksheet") or ()}
    proposed = proposed or deferred(host.enforced)
    difference = Standing.DRIFTED if proposed else Standing.CHANGED

    def standing_of(domain: str) -> Standing:
        status = statuses.get(domain, "")
        if status in UNKNOWN_STATUSES:
            return Standing.UNKNOWN
        if domain in by_hand:
            return Standing.BY_HAND
        if domain in changed:
            return difference
        return Standing.GONE if status in GONE_STATUSES else Standing.IN_PLACE

    found = {domain: standing_of(domain) for domain in host.domains}
    return {**found, **{domain: difference for domain in changed if domain not in found}}
