# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lock holds: the pairs of domains, as they were when somebody looked. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from .._run.routes import UNKNOWN_STATUSES


@dataclass(frozen=True, slots=True)
class LockedPair:
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

    ``warnings`` are codes of mx_pairs, sorted. The first four fields are what matters; ``seen`` is
    when DNS last said so (UTC, whole seconds), and ``ttl`` for how many seconds it promised to.
    """

    status: str
    pairs: tuple[LockedPair, ...] = ()
    implicit_mx: bool = False
    warnings: tuple[str, ...] = ()
    seen: datetime | None = None
    ttl: int | None = None

    @property
    def matters(self) -> Entry:
        """The entry without its times."""
        return replace(self, seen=None, ttl=None)

    @property
    def way(self) -> tuple[str, tuple[LockedPair, ...]]:
        """Where mail goes, or why nowhere."""
        return self.status, self.pairs

    @property
    def good_until(self) -> datetime | None:
        """Until when DNS promised that it holds; None where it promised nothing."""
        if self.seen is None:
            return None
        return self.seen + timedelta(seconds=self.ttl or 0)


@dataclass(frozen=True, slots=True)
class Conditions:
    """The options of mx_pairs that shape pairs. Lists are sorted, each value once."""

    families: tuple[str, ...] = ("ipv4",)
    own_names: tuple[str, ...] = ()
    own_addresses: tuple[str, ...] = ()
    agreement: str = "first"
    allow_private: bool = False
    max_pairs: int = 0

    def unlike(self, wanted: Conditions) -> list[str]:
        """Return what keeps pairs computed under these from being used for what is wanted.

        Pairs of more families, or with more hosts known as our own, serve as well: routes are
        narrowed to a host's families later, and a host that is ours is ours everywhere.
        """
        told = []
        for name in ("families", "own_names", "own_addresses"):
            lacking = [x for x in getattr(wanted, name) if x not in getattr(self, name)]
            if lacking:
                told.append(f"{name} without {', '.join(lacking)}")
        for name in ("agreement", "allow_private", "max_pairs"):
            had, wants = getattr(self, name), getattr(wanted, name)
            if had != wants:
                told.append(f"{name} {_shown(had)} instead of {_shown(wants)}")
        return told


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


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


@dataclass(frozen=True, slots=True)
class Move:
    """A domain of which DNS says something else now than the lock."""

    domain: str
    locked: Entry
    live: Entry

    def __str__(self) -> str:
        """Say what left and what came."""
        return f"{_leads_to(self.locked)} -> {_leads_to(self.live)}"


def _leads_to(entry: Entry) -> str:
    addresses = dict.fromkeys(pair.address for pair in entry.pairs)
    return ", ".join(addresses) or entry.status.replace("_", " ")


def entries_of(domains: Iterable[Mapping[str, Any]], now: datetime) -> dict[str, Entry]:
    """Return the entries for the ``domains`` of a result of mx_pairs that was computed ``now``."""
    return {
        str(domain["domain"]): Entry(
            status=str(domain["status"]),
            pairs=tuple(
                LockedPair(int(pair["preference"]), str(pair["exchange"]), str(pair["address"]))
                for pair in domain["pairs"]
            ),
            implicit_mx=bool(domain.get("implicit_mx")),
            warnings=tuple(sorted({str(note["code"]) for note in domain.get("warnings") or ()})),
            seen=now.replace(microsecond=0),
            ttl=domain.get("ttl"),
        )
        for domain in domains
    }


@dataclass(frozen=True, slots=True)
class Renewed:
    """A lock that takes the place of another.

    ``kept`` are domains that DNS could not tell about now and that stay as they were; ``unknown``
    are such that were not in the lock, and so still are not. ``changed`` tells that something that
    matters is another.
    """

    lock: Lock
    kept: tuple[str, ...]
    unknown: tuple[str, ...]
    changed: bool


def renew(
    old: Lock | None,
    conditions: Conditions,
    found: Mapping[str, Entry],
    now: datetime,
    *,
    prune: bool,
) -> Renewed:
    """Return the lock for what was ``found`` now; ``prune`` leaves out what was not asked for.

    What is known is never lost for a question that failed, unless it was computed under conditions
    that do not serve any more. Times move only together with something that matters, or when those
    of the old lock have run out, so that a lock that is still good stays as it is, to the letter.
    """
    before = old.entries if old and not old.conditions.unlike(conditions) else {}
    failed = [domain for domain, entry in found.items() if entry.status in UNKNOWN_STATUSES]
    entries = {} if prune else dict(before)
    entries |= {domain: before[domain] for domain in failed if domain in before}
    entries |= {domain: entry for domain, entry in found.items() if domain not in failed}
    lock = Lock(conditions, entries)
    changed = old is None or _matter(old) != _matter(lock)
    if old is not None and not changed and not overdue(old, now, grace=0):
        lock = old
    return Renewed(
        lock,
        kept=tuple(sorted(domain for domain in failed if domain in before)),
        unknown=tuple(sorted(domain for domain in failed if domain not in before)),
        changed=changed,
    )


def _matter(lock: Lock) -> tuple[Conditions, dict[str, Entry]]:
    return lock.conditions, {domain: entry.matters for domain, entry in lock.entries.items()}


def overdue(lock: Lock, now: datetime, *, grace: int) -> list[str]:
    """Return the domains whose answers DNS vouches for no longer, ``grace`` seconds allowed."""
    return [
        domain
        for domain, entry in sorted(lock.entries.items())
        if entry.good_until is None or entry.good_until + timedelta(seconds=grace) < now
    ]


def moved(lock: Lock, live: Mapping[str, Entry]) -> list[Move]:
    """Return the domains that DNS leads elsewhere now; a question that failed is no move."""
    return [
        Move(domain, lock.entries[domain], entry)
        for domain, entry in sorted(live.items())
        if domain in lock.entries
        and entry.status not in UNKNOWN_STATUSES
        and entry.way != lock.entries[domain].way
    ]
