# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses no mail server on the Internet can have (rule 11).

The ranges are those of the IANA special-purpose address registries (RFC 6890) that are not
globally reachable. They stand here, and not in Python's ``ipaddress``, because its answers differ
between the versions of Python, and a result must not.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from ipaddress import IPv4Network, IPv6Network
from socket import AF_INET, AF_INET6, inet_pton
from typing import TypeAlias

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"
Network: TypeAlias = "IPv4Network | IPv6Network"

IPV4, IPV6 = 4, 6


class _Ranges:
    """Ranges of one family that do not overlap, each with the reason why it is not global."""

    def __init__(self, ranges: Iterable[tuple[Network, str]]) -> None:
        ordered = sorted(ranges, key=lambda one: one[0].network_address.packed)
        self._first = [network.network_address.packed for network, _reason in ordered]
        self._last = [network.broadcast_address.packed for network, _reason in ordered]
        self._reasons = [reason for _network, reason in ordered]

    def reason(self, number: bytes) -> str:
        """Return the reason of the range that an address lies in, or nothing."""
        at = bisect_right(self._first, number) - 1
        return self._reasons[at] if at >= 0 and number <= self._last[at] else ""


_IPV4 = _Ranges(
    (IPv4Network(text), reason)
    for text, reason in (
        ("0.0.0.0/8", "unspecified (RFC 791)"),
        ("10.0.0.0/8", "private (RFC 1918)"),
        ("100.64.0.0/10", "shared (RFC 6598)"),
        ("127.0.0.0/8", "loopback (RFC 1122)"),
        ("169.254.0.0/16", "link-local (RFC 3927)"),
        ("172.16.0.0/12", "private (RFC 1918)"),
        ("192.0.0.0/24", "protocol assignments (RFC 6890)"),
        ("192.0.2.0/24", "documentation (RFC 5737)"),
        ("192.88.99.0/24", "6to4 relay (RFC 7526)"),
        ("192.168.0.0/16", "private (RFC 1918)"),
        ("198.18.0.0/15", "benchmarking (RFC 2544)"),
        ("198.51.100.0/24", "documentation (RFC 5737)"),
        ("203.0.113.0/24", "documentation (RFC 5737)"),
        ("224.0.0.0/4", "multicast (RFC 5771)"),
        ("240.0.0.0/4", "reserved (RFC 1112)"),
    )
)

_IPV6 = _Ranges(
    (IPv6Network(text), reason)
    for text, reason in (
        ("::/128", "unspecified (RFC 4291)"),
        ("::1/128", "loopback (RFC 4291)"),
        ("::ffff:0:0/96", "IPv4-mapped (RFC 4291)"),
        ("64:ff9b:1::/48", "translation (RFC 8215)"),
        ("100::/64", "discard (RFC 6666)"),
        ("2001::/23", "protocol assignments (RFC 2928)"),
        ("2001:db8::/32", "documentation (RFC 3849)"),
        ("2002::/16", "6to4 (RFC 7526)"),
        ("3fff::/20", "documentation (RFC 9637)"),
        ("fc00::/7", "unique local (RFC 4193)"),
        ("fe80::/10", "link-local (RFC 4291)"),
        ("fec0::/10", "site-local (RFC 3879)"),
        ("ff00::/8", "multicast (RFC 4291)"),
    )
)
_TRANSLATED = IPv6Network("64:ff9b::/96").network_address.packed[:12]  # RFC 6052
_GLOBAL = 0b001  # the first bits of 2000::/3
#: Addresses whose reason is kept: those of exchanges that many domains share.
_KEPT = 1024


@lru_cache(_KEPT)
def why_not_global(address: str) -> str:
    """Return the reason why an address is not globally reachable, or nothing if it is."""
    family, number = sort_key(address)
    if family == IPV4:
        return _IPV4.reason(number)
    if number.startswith(_TRANSLATED):  # an IPv4 address behind a translator
        return _IPV4.reason(number[len(_TRANSLATED) :])
    return _IPV6.reason(number) or ("" if number[0] >> 5 == _GLOBAL else "not allocated (RFC 4291)")


def sort_key(address: str) -> tuple[int, bytes]:
    """Return what sorts addresses as numbers, IPv4 before IPv6 (rule 3)."""
    if ":" in address:
        return IPV6, inet_pton(AF_INET6, address)
    return IPV4, inet_pton(AF_INET, address)


def in_order(addresses: Iterable[str]) -> list[str]:
    """Return addresses sorted as numbers; most often there is but one."""
    found = list(addresses)
    if len(found) > 1:
        found.sort(key=sort_key)
    return found


def parse_network(text: str) -> Network:
    """Return an address, or a range in CIDR form, as a network; ValueError if it is neither."""
    return ipaddress.ip_network(text, strict=False)


@dataclass(frozen=True)
class Networks:
    """Addresses and ranges. Whether an address lies in one takes a look for each prefix length."""

    ranges: tuple[Network, ...] = ()

    @cached_property
    def _starts(self) -> dict[tuple[int, int], set[int]]:
        """The numbers of the networks, by version and by the bits that their hosts have."""
        starts: dict[tuple[int, int], set[int]] = {}
        for network in self.ranges:
            bits = network.max_prefixlen - network.prefixlen
            number = int(network.network_address) >> bits
            starts.setdefault((network.version, bits), set()).add(number)
        return starts

    def __contains__(self, address: str) -> bool:
        """Whether an address lies in one of them."""
        version, octets = sort_key(address)
        number = int.from_bytes(octets)
        return any(
            number >> bits in starts
            for (family, bits), starts in self._starts.items()
            if family == version
        )
