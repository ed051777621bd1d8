# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock: pairs of domains as DNS had them at a time, how it is renewed and compared. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from .._run.routes import UNKNOWN_STATUSES


class LockedPair(NamedTuple):
    """One exchange with one of its addresses; the lower the preference (0 to 65535), the better."""

    preference: int
    exchange: str
    address: str

    def __str__(self) -> str:
        """Return the line of the lock file."""
        return f"{self.preference} {self.exchange} {self.address}"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is locked of one domain.

    ``warnings`` are codes of mx_pairs_info, sorted. ``unconfirmed`` means that one name server
    alone denies the domain. ``seen`` is when DNS last gave this answer (UTC, whole seconds),
    and ``ttl`` its time to live in seconds.
    """

    status: str
    pairs: tuple[LockedPair, ...] = ()
    implicit_mx: bool = False
    warnings: tuple[str, ...] = ()
    seen: datetime | None = None
    ttl: int | None = None
    unconfirmed: bool = False

    @property
    def known(self) -> bool:
        """Return True if DNS gave a definite answer about the domain."""
        return self.status not in UNKNOWN_STATUSES

    @property
    def destination(self) -> str:
        """The addresses that mail goes to, or else the status of the domain."""
        addresses = dict.fromkeys(pair.address for pair in self.pairs)
        return ", ".join(addresses) or self.status.replace("_", " ")

    @property
    def good_until(self) -> datetime | None:
        """Until when DNS promised that it holds; None where it promised nothing."""
        if self.seen is None:
            return None
        return self.seen + timedelta(seconds=self.ttl or 0)


@dataclass(frozen=True, slots=True)
class Conditions:
    """The options of mx_pairs_info that shape pairs. Lists are sorted, each value once."""

    families: tuple[str, ...] = ("ipv4",)
    own_names: tuple[str, ...] = ()
    own_addresses: tuple[str, ...] = ()
    agreement: str = "first"
    allow_private: bool = False
    max_pairs: int = 0

    def unlike(self, wanted: Conditions) -> list[str]:
        """Return the differences that make pairs computed under these conditions unusable.

        Pairs of more families, or with more hosts known as our own, serve as well: routes are
        narrowed to a host's families later, and a host that is ours is ours everywhere.
        """
        differences = []
        for name in ("families", "own_names", "own_addresses"):
            lacking = [x for x in getattr(wanted, name) if x not in getattr(self, name)]
            if lacking:
                differences.append(f"{name} without {', '.join(lacking)}")
        for name in ("agreement", "allow_private", "max_pairs"):
            had, wants = getattr(self, name), getattr(wanted, name)
            if had != wants:
                texts = (str(x).lower() if isinstance(x, bool) else str(x) for x in (had, wants))
                differences.append(f"{name} {' instead of '.join(texts)}")
        return differences


@dataclass(frozen=True, slots=True)
class Lock:
    """All of a lock file."""

    conditions: Conditions
    entries: Mapping[str, Entry]

    @property
    def seen(self) -> datetime | None:
        """The oldest time of its entries."""
        return min((e.seen for e in self.entries.values() if e.seen), default=None)

    @property
    def good_until(self) -> datetime | None:
        """When DNS stops vouching for the first of its entries."""
        times = (entry.good_until for entry in self.entries.values())
        return min((time for time in times if time), default=None)

    def expired(self, now: datetime, *, grace: int) -> list[str]:
        """Return the domains with a TTL that ended more than ``grace`` seconds before ``now``."""
        return [
            domain
            for domain, entry in sorted(self.entries.items())
            if entry.good_until is None or entry.good_until + timedelta(seconds=grace) < now
        ]

    def moved(self, live: Mapping[str, Entry]) -> list[str]:
        """Return the domains with a new destination in DNS; a failed lookup does not count."""
        return [
            domain
            for domain, entry in sorted(live.items())
            if (locked := self.entries.get(domain))
            and entry.known
            and (entry.status, entry.pairs) != (locked.status, locked.pairs)
        ]

    def same_as(self, other: Lock) -> bool:
        """Return True if both are equal except for their times."""
        return self.conditions == other.conditions and _timeless(self) == _timeless(other)


def _timeless(lock: Lock) -> dict[str, Entry]:
    return {name: replace(x, seen=None, ttl=None) for name, x in lock.entries.items()}


def entries_of(resolved: Mapping[str, Any], now: datetime) -> dict[str, Entry]:
    """Return the entries for a result of mx_pairs_info, computed ``now``."""
    routes = resolved.get("routes") or ()
    unconfirmed = {str(x["domain"]) for x in routes if x.get("unconfirmed") is True}
    return {
        str(domain["domain"]): Entry(
            status=str(domain["status"]),
            pairs=tuple(
                LockedPair(int(pair["preference"]), str(pair["exchange"]), str(pair["address"]))
                for pair in domain["pairs"]
            ),
            implicit_mx=bool(domain.get("implicit_mx")),
            warnings=tuple(sorted({str(x["code"]) for x in domain.get("warnings") or ()})),
            seen=now.replace(microsecond=0),
            ttl=domain.get("ttl"),
            unconfirmed=domain["domain"] in unconfirmed,
        )
        for domain in resolved["domains"]
    }


class Renewed(NamedTuple):
    """A lock that takes the place of another.

    ``kept`` are domains that DNS could not answer for and that stay as they were; ``unknown`` are
    such that were not in the lock. ``changed`` means that more than times is new.
    """

    lock: Lock
    kept: list[str]
    unknown: list[str]
    changed: bool


def renew(
    old: Lock | None,
    conditions: Conditions,
    live: Mapping[str, Entry],
    now: datetime,
    *,
    prune: bool,
) -> Renewed:
    """Return the lock for what is ``live``; ``prune`` leaves out what was not asked for.

    A failed lookup never removes a known entry, unless that was computed under conditions that no
    longer apply. Times change only together with something else, or when those of the old lock
    have expired, so that a lock that is still valid stays identical to the letter.
    """
    before = old.entries if old and not old.conditions.unlike(conditions) else {}
    failed = [domain for domain, entry in live.items() if not entry.known]
    entries = {} if prune else dict(before)
    entries |= {domain: before[domain] for domain in failed if domain in before}
    entries |= {domain: entry for domain, entry in live.items() if entry.known}
    lock = Lock(conditions, entries)
    changed = old is None or not old.same_as(lock)
    if old is not None and not changed and not old.expired(now, grace=0):
        lock = old
    return Renewed(
        lock,
        sorted(domain for domain in failed if domain in before),
        sorted(domain for domain in failed if domain not in before),
        changed,
    )
