# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pairs of a domain as anybody would compute them from the text that dig prints.

It knows RFC 5321 section 5.1 and nothing of this project's rules: no order but that of numbers, no
folding, no doubts. What it leaves out is what test_generated lists as differences, by rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .dig import Line, Raw, dig_all
from .servers import Server

_MOST_ALIASES = 20
FAILED = "FAILED"


@dataclass(slots=True)
class Found:
    """What one domain comes to: all pairs that are known, and which questions failed.

    ``status`` is that of the MX question: NOERROR, NXDOMAIN, or FAILED. ``mx`` is the raw data.
    A pair is (preference, exchange, address, time to live). ``ttl`` is the smallest of all seen.
    """

    status: str
    mx: list[str] = field(default_factory=list)
    pairs: list[tuple[int, str, str, int]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class _Looked:
    """One look-up, aliases followed: the data, their time to live, and whether it failed."""

    status: str
    data: tuple[str, ...]
    ttl: int | None


class Naive:
    """Asks a server by dig, a batch at a time, until nothing is left to be asked."""

    def __init__(self, server: Server, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._raw: dict[tuple[str, str], Raw] = {}
        self._missing: set[tuple[str, str]] = set()

    @property
    def questions(self) -> int:
        """How many questions were asked."""
        return len(self._raw)

    def compute(self, domains: Iterable[str]) -> dict[str, Found]:
        """Return what the domains come to."""
        names = list(domains)
        while True:
            found = {name: self._domain(f"{name}.") for name in names}
            if not self._missing:
                return found
            asked, self._missing = sorted(self._missing), set()
            for question, raw in zip(asked, self._ask(asked), strict=True):
                self._raw[question] = raw

    def _ask(self, questions: list[tuple[str, str]]) -> list[Raw]:
        replies = dig_all(self._server, questions, self._folder)
        assert [(raw.name, raw.rdtype) for raw in replies] == questions
        return replies

    def _domain(self, name: str) -> Found:
        mx = self._look_up(name, "MX")
        found = Found(mx.status, sorted(mx.data), ttl=mx.ttl)
        if mx.status != "NOERROR":
            if mx.status == FAILED:
                found.failed.append(f"MX {name}")
            return found
        for entry in found.mx or [f"0 {name}"]:
            preference, exchange = entry.split()
            addresses = self._look_up(exchange.lower(), "A")
            if addresses.status == FAILED:
                found.failed.append(f"A {exchange}")
            if exchange != ".":
                found.ttl = _least(found.ttl, addresses.ttl)
            ttl = _least(mx.ttl, addresses.ttl) or 0
            found.pairs += [
                (int(preference), exchange.lower().rstrip("."), address, ttl)
                for address in addresses.data
            ]
        found.pairs.sort(key=lambda pair: (pair[0], pair[1], _number(pair[2])))
        return found

    def _look_up(self, name: str, rdtype: str) -> _Looked:
        """Follow aliases, through the records of as many replies as it takes."""
        ttl: int | None = None
        for _round in range(_MOST_ALIASES):
            raw = self._raw.get((name, rdtype))
            if raw is None:
                self._missing.add((name, rdtype))
                return _Looked(FAILED, (), None)
            if raw.status not in ("NOERROR", "NXDOMAIN"):
                return _Looked(FAILED, (), None)
            end, ttl = _end_of_aliases(name, raw.answer, ttl)
            if not end:
                return _Looked(FAILED, (), None)
            lines = [x for x in raw.answer if x.owner.lower() == end and x.rdtype == rdtype]
            if lines or raw.status == "NXDOMAIN" or end == name:
                ttls: list[int | None] = [x.ttl for x in lines] or [_negative(raw)]
                return _Looked(raw.status, tuple(x.data for x in lines), _least(ttl, *ttls))
            name = end
        return _Looked(FAILED, (), None)


def _end_of_aliases(name: str, answer: tuple[Line, ...], ttl: int | None) -> tuple[str, int | None]:
    """Return where the aliases of a reply end, or nothing if they do not."""
    aliases = {x.owner.lower(): x for x in answer if x.rdtype == "CNAME"}
    for _round in range(_MOST_ALIASES):
        if name not in aliases:
            return name, ttl
        ttl = _least(ttl, aliases[name].ttl)
        name = aliases[name].data.lower()
    return "", ttl


def _negative(raw: Raw) -> int | None:
    """Return the time to live of an absence: the fourth number of the SOA, or its own."""
    for line in raw.authority:
        if line.rdtype == "SOA":
            return min(line.ttl, int(line.data.split()[-1]))
    return None


def _least(*ttls: int | None) -> int | None:
    return min((ttl for ttl in ttls if ttl is not None), default=None)


def _number(address: str) -> tuple[int, ...]:
    return tuple(int(part) for part in address.split("."))
