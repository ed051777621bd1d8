# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Some thousands of mail domains, the same ones for the same seed: sound, odd and broken ones."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

SEED = 169781
DOMAINS = 3000
_HOSTS = 900
_ADDRESSES = 1500
_ZONES = 10
_TTLS = (0, 30, 60, 300, 3600, 86400, 604800)
BROKEN = "broken.example"  # which its authority cannot read


@dataclass(frozen=True, slots=True)
class Generated:
    """Records by the origin of their zone, and the domains to be asked."""

    zones: dict[str, str]
    domains: tuple[str, ...]


def generate(seed: int = SEED, number: int = DOMAINS) -> Generated:
    """Return the domains of a seed."""
    return _Generator(random.Random(seed), number).run()


class _Generator:
    def __init__(self, chance: random.Random, number: int) -> None:
        self._chance = chance
        self._number = number
        self._records: dict[str, list[str]] = defaultdict(list)
        self._addresses = [
            f"10.{n >> 8}.{n & 255}.{chance.randrange(256)}" for n in range(_ADDRESSES)
        ]
        self._hosts: list[str] = []
        self._domains: list[str] = []

    def run(self) -> Generated:
        self._make_hosts()
        kinds: dict[Callable[[str], None], int] = {
            self._shared: 52,
            self._own_hosts: 12,
            self._alias: 7,
            self._implicit: 7,
            self._nothing: 4,
            self._absent: 4,
            self._null: 3,
            self._null_beside: 1,
            self._dangling: 3,
            self._literal: 2,
            self._lost_alias: 1,
            self._loop: 1,
            self._broken: 2,
            self._wildcard: 1,
        }
        for number in range(self._number):
            name = f"d{number:04}.g{number % _ZONES}.example"
            (make,) = self._chance.choices(list(kinds), list(kinds.values()))
            make(name)
            self._domains.append(name)
        zones = {origin: "".join(lines) for origin, lines in sorted(self._records.items())}
        return Generated(zones, tuple(self._domains))

    def _make_hosts(self) -> None:
        """Make the exchanges that domains share: some are aliases, some have no IPv4 address."""
        for number in range(_HOSTS):
            name = f"mx{number:03}.hosts{number % 4}.example"
            if self._hosts and number % 23 == 0:
                self._add(name, "CNAME", f"{self._chance.choice(self._hosts)}.")
            elif number % 29 == 0:
                self._add(name, "AAAA", f"2001:db8::{number:x}")
            else:
                self._host(name)
            self._hosts.append(name)

    def _host(self, name: str) -> None:
        many = self._chance.choices((1, 2, 3, 4), (70, 15, 10, 5))[0]
        self._add(name, "A", *self._chance.sample(self._addresses, many))

    def _add(self, name: str, rdtype: str, *values: str) -> None:
        """Add one set of records, all of the same time to live."""
        origin = ".".join(name.split(".")[-2:])
        ttl = self._chance.choice(_TTLS)
        self._records[origin] += [f"{name}. {ttl} {rdtype} {value}\n" for value in values]

    def _some_hosts(self, most: int = 5) -> list[str]:
        return self._chance.sample(self._hosts, self._chance.randint(1, most))

    def _mx(self, name: str, hosts: list[str]) -> None:
        values = {f"{self._chance.choice((0, 5, 10, 10, 10, 20, 50))} {host}." for host in hosts}
        self._add(name, "MX", *sorted(values))

    def _shared(self, name: str) -> None:
        self._mx(name, self._some_hosts())

    def _own_hosts(self, name: str) -> None:
        hosts = [f"mx{number}.{name}" for number in range(self._chance.randint(1, 3))]
        for host in hosts:
            self._host(host)
        self._mx(name, hosts)

    def _alias(self, name: str) -> None:
        """Add an alias of a domain before it, which may be an alias itself."""
        target = self._chance.choice(self._domains) if self._domains else "absent.g0.example"
        self._add(name, "CNAME", f"{target}.")

    def _implicit(self, name: str) -> None:
        self._host(name)

    def _nothing(self, name: str) -> None:
        self._add(name, "TXT", "nothing")

    def _absent(self, name: str) -> None:
        """Add nothing: the name does not exist."""

    def _null(self, name: str) -> None:
        self._add(name, "MX", "0 .")

    def _null_beside(self, name: str) -> None:
        self._add(name, "MX", "0 .", *(f"10 {host}." for host in self._some_hosts(2)))

    def _dangling(self, name: str) -> None:
        self._mx(name, [f"gone.{name}", *self._some_hosts(2)][: self._chance.randint(1, 3)])

    def _literal(self, name: str) -> None:
        rest = [f"20 {host}." for host in self._some_hosts(1)][: self._chance.randint(0, 1)]
        self._add(name, "MX", f"10 {self._chance.choice(self._addresses)}.", *rest)

    def _lost_alias(self, name: str) -> None:
        self._add(name, "CNAME", f"gone.{name}.")

    def _loop(self, name: str) -> None:
        self._add(name, "CNAME", f"back.{name}.")
        self._add(f"back.{name}", "CNAME", f"{name}.")

    def _broken(self, name: str) -> None:
        """Add a domain that depends on the zone that cannot be read."""
        if self._chance.random() < 0.5:
            self._add(name, "CNAME", f"{name}.{BROKEN}.")
        else:
            self._mx(name, [f"mx.{BROKEN}", *self._some_hosts(2)])

    def _wildcard(self, name: str) -> None:
        """Add a name that exists only by a wildcard above it."""
        origin = ".".join(name.split(".")[-2:])
        self._add(f"*.{name}", "MX", f"10 {self._chance.choice(self._hosts)}.")
        self._records[origin].append(f"{name}. 60 CNAME any.{name}.\n")
