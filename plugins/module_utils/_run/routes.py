# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``routes``, as every module that enforces routes reads it. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias

from .._base.errors import InvalidInput
from .._pairs.names import parse_domain, shown

#: Statuses after which nothing is known about a domain's addresses: its routes stay as they are.
UNKNOWN_STATUSES = frozenset({"temporary_failure", "disagreement", "loop", "moving", "no_address"})
#: Statuses that say a domain takes no mail any more.
GONE_STATUSES = frozenset({"no_such_domain", "null_mx"})
STATUSES = ("ok", *sorted(GONE_STATUSES), *sorted(UNKNOWN_STATUSES))

Address: TypeAlias = IPv4Address | IPv6Address
AddressCheck = Callable[[Address], str]
"""Says why an address cannot be used, or returns nothing."""


@dataclass(frozen=True, slots=True)
class Route:
    """One domain and where its mail is to go, in this order. ``domain`` is in lower case.

    ``short_lived`` means that DNS promised the addresses for seconds only, ``unconfirmed`` that one
    name server alone says that the domain does not exist, and ``bypass_relay`` that it may lead
    around a relay that takes the mail now.
    """

    domain: str
    addresses: tuple[str, ...] = ()
    status: str = "ok"
    short_lived: bool = False
    bypass_relay: bool = False
    unconfirmed: bool = False

    def beside(self, pinned: Sequence[str]) -> tuple[str, ...]:
        """Return the addresses to pin where ``pinned`` are; of those that share one, the old ones.

        Pools of mail servers show some of their addresses at a time; following each answer would
        change the pin, and restart a service, at every run.
        """
        keeps = self.short_lived and not set(pinned).isdisjoint(self.addresses)
        return tuple(pinned) if keeps else self.addresses


def parse_routes(
    entries: Sequence[object], *, needs_addresses: bool, check: AddressCheck, kind: str = "IP"
) -> tuple[Route, ...]:
    """Check the option ``routes``; raises InvalidInput naming the entry that must not be used.

    ``check`` decides on an address, and ``kind`` is what messages call one that can be used.
    Equal entries are folded. Keys beyond domain, addresses and status are ignored, so that what
    mx_pairs_info returns can be handed over as it is.
    """
    routes: dict[str, Route] = {}
    for number, entry in enumerate(entries):
        where = f"routes[{number}]"
        route = _parse_route(entry, where, needs_addresses)
        route = replace(route, addresses=_checked(route, where, check, kind))
        if routes.setdefault(route.domain, route) != route:
            raise InvalidInput(
                f"routes[{number}]: {route.domain} is listed twice, with different addresses or"
                " statuses.",
                hint="List each domain once, with all its addresses in order.",
            )
    return tuple(routes.values())


def _parse_route(entry: object, where: str, needs_addresses: bool) -> Route:
    if not isinstance(entry, Mapping):
        raise InvalidInput(
            f"{where} is no dictionary.",
            hint="An entry has the keys domain, addresses and, optionally, status.",
        )
    domain = _parse_domain(entry.get("domain"), where)
    where = f"{where} ({domain})"
    status = entry.get("status") or "ok"
    if status not in STATUSES:
        raise InvalidInput(
            f"{where}: the status {shown(str(status))} is not known.",
            hint=f"Known are {', '.join(STATUSES)}.",
        )
    given = entry.get("addresses")
    if given is None:
        given = []
    if not isinstance(given, list | tuple):
        raise InvalidInput(f"{where}: addresses is no list.")
    if status == "ok" and not given and needs_addresses:
        raise InvalidInput(
            f"{where} has no address: a route without an address is refused.",
            hint="Give its addresses, or leave the domain out.",
        )
    bypasses = entry.get("bypass_relay") or False
    if not isinstance(bypasses, bool):
        raise InvalidInput(f"{where}: bypass_relay must be true or false.")
    return Route(
        domain,
        tuple(given),
        status,
        short_lived=entry.get("short_lived") is True,
        bypass_relay=bypasses,
        unconfirmed=entry.get("unconfirmed") is True,
    )


def _checked(route: Route, where: str, check: AddressCheck, kind: str) -> tuple[str, ...]:
    """Return the addresses of a route in their one form, each once."""
    where = f"{where} ({route.domain})"
    texts = (_parse_address(address, where, check, kind) for address in route.addresses)
    return tuple(dict.fromkeys(texts))


def _parse_domain(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"{where} has no domain.")
    try:
        return parse_domain(value)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error.message}.", hint=error.hint) from error


def _parse_address(value: object, where: str, check: AddressCheck, kind: str) -> str:
    try:
        address = ip_address(value if isinstance(value, str) else "")
    except ValueError:
        raise InvalidInput(
            f"{where}: {shown(str(value))} is no {kind} address.",
            hint="Routes lead to addresses, as in 192.0.2.25.",
        ) from None
    problem = check(address) or ("is no address of a mail host" if is_no_host(address) else "")
    if problem:
        raise InvalidInput(f"{where}: {address} {problem}.")
    return str(address)


def is_no_host(address: Address) -> bool:
    """Tell addresses that cannot be another host's.

    They are 0.0.0.0/8 and ::, loopback, multicast, reserved ones, and link-local IPv6, which is
    nothing without the name of an interface.
    """
    if isinstance(address, IPv4Address):
        nowhere = int(address) >> 24 == 0
    else:
        nowhere = address.is_link_local or address.ipv4_mapped is not None
    return (
        nowhere
        or address.is_unspecified
        or address.is_loopback
        or address.is_multicast
        or address.is_reserved
    )
