# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses a mail server on the Internet cannot have, and which no mail server can.

The ranges are those of the IANA special-purpose address registries (RFC 6890) that are not
globally reachable. They are listed here, because Python's ``ipaddress`` differs between the
versions of Python, and a result must not.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_pton
from typing import TypeAlias

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"

IPV4, IPV6 = 4, 6
# Range, reason, and a mark where no host can have the address, not even in a private network.
_RANGES = (
    ("0.0.0.0/8", "unspecified (RFC 791)", "!"),
    ("10.0.0.0/8", "private (RFC 1918)", ""),
    ("100.64.0.0/10", "shared (RFC 6598)", ""),
    ("127.0.0.0/8", "loopback (RFC 1122)", "!"),
    ("169.254.0.0/16", "link-local (RFC 3927)", "!"),
    ("172.16.0.0/12", "private (RFC 1918)", ""),
    ("192.0.0.0/24", "protocol assignments (RFC 6890)", ""),
    ("192.0.2.0/24", "documentation (RFC 5737)", ""),
    ("192.88.99.0/24", "6to4 relay (RFC 7526)", ""),
    ("192.168.0.0/16", "private (RFC 1918)", ""),
    ("198.18.0.0/15", "benchmarking (RFC 2544)", ""),
    ("198.51.100.0/24", "documentation (RFC 5737)", ""),
    ("203.0.113.0/24", "documentation (RFC 5737)", ""),
    ("224.0.0.0/4", "multicast (RFC 5771)", "!"),
    ("240.0.0.0/4", "reserved or broadcast (RFC 1112)", "!"),
    ("::/128", "unspecified (RFC 4291)", "!"),
    ("::1/128", "loopback (RFC 4291)", "!"),
    ("::ffff:0:0/96", "IPv4-mapped (RFC 4291)", "!"),
    ("64:ff9b:1::/48", "translation (RFC 8215)", ""),
    ("100::/64", "discard (RFC 6666)", "!"),
    ("2001::/23", "protocol assignments (RFC 2928)", ""),
    ("2001:db8::/32", "documentation (RFC 3849)", ""),
    ("2002::/16", "6to4 (RFC 7526)", ""),
    ("3fff::/20", "documentation (RFC 9637)", ""),
    ("fc00::/7", "unique local (RFC 4193)", ""),
    ("fe80::/10", "link-local (RFC 4291)", "!"),
    ("fec0::/10", "site-local (RFC 3879)", ""),
    ("ff00::/8", "multicast (RFC 4291)", "!"),
)
_TRANSLATED = inet_pton(AF_INET6, "64:ff9b::")[:12]  # RFC 6052
_GLOBAL = 0b001  # the first bits of 2000::/3
#: Addresses with a cached reason: those of exchanges that many domains share.
_KEPT = 1024


def _table(family: int) -> tuple[list[bytes], list[tuple[bytes, str, bool]]]:
    """Return the first addresses of the ranges of a family, and their ends, reasons and marks."""
    rows = sorted(
        (network[0].packed, (network[-1].packed, reason, bool(mark)))
        for text, reason, mark in _RANGES
        if (network := ipaddress.ip_network(text)).version == family
    )
    return [first for first, _row in rows], [row for _first, row in rows]


_TABLES = {family: _table(family) for family in (IPV4, IPV6)}


@lru_cache(_KEPT)
def why_not_global(address: str) -> tuple[str, bool]:
    """Return why an address is not globally reachable, or nothing, and whether no host has it."""
    family, number = sort_key(address)
    if family == IPV6 and number.startswith(_TRANSLATED):  # an IPv4 address behind a translator
        family, number = IPV4, number[len(_TRANSLATED) :]
    firsts, rows = _TABLES[family]
    at = bisect_right(firsts, number) - 1
    if at >= 0 and number <= rows[at][0]:
        return rows[at][1:]
    if family == IPV6 and number[0] >> 5 != _GLOBAL:
        return "not allocated (RFC 4291)", False
    return "", False


def sort_key(address: str) -> tuple[int, bytes]:
    """Return what sorts addresses as numbers, IPv4 before IPv6 (rule 3)."""
    if ":" in address:
        return IPV6, inet_pton(AF_INET6, address)
    return IPV4, inet_pton(AF_INET, address)


def in_order(addresses: Iterable[str]) -> list[str]:
    """Return addresses sorted as numbers; most often there is but one."""
    ordered = list(addresses)
    if len(ordered) > 1:
        ordered.sort(key=sort_key)
    return ordered
