# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the administrator wants of a host, checked before anything else happens.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from ..errors import InvalidInput
from ..pairs.names import parse_domain, shown

#: Statuses after which nothing is known about a domain's addresses: its rows stay as they are.
UNKNOWN_STATUSES = frozenset({"temporary_failure", "disagreement", "loop", "no_address"})
#: Statuses that say a domain takes no mail any more.
GONE_STATUSES = frozenset({"no_such_domain", "null_mx"})
STATUSES = ("ok", *sorted(GONE_STATUSES), *sorted(UNKNOWN_STATUSES))


class SearchList(StrEnum):
    """Option resolver_search_list."""

    DISABLED = "disabled"
    ENABLED = "enabled"
    UNMANAGED = "unmanaged"


class State(StrEnum):
    """Option state."""

    PRESENT = "present"
    ABSENT = "absent"
    EXACT = "exact"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class Route:
    """One domain and where its mail is to go, in this order. ``domain`` is in lower case."""

    domain: str
    addresses: tuple[str, ...] = ()
    status: str = "ok"


@dataclass(frozen=True, slots=True)
class Desired:
    """The wanted state of registry value and table; ``routes`` None leaves the table alone."""

    search_list: SearchList = SearchList.UNMANAGED
    routes: tuple[Route, ...] | None = None
    state: State = State.PRESENT
    remove_gone: bool = False

    def rows_of(self, route: Route) -> tuple[str, ...] | None:
        """Return the addresses a listed domain is to have, or None to keep what it has."""
        if route.status in UNKNOWN_STATUSES:
            return None
        if self.state is State.ABSENT:
            return ()
        if route.status in GONE_STATUSES:
            return () if self.remove_gone else None
        return route.addresses


def parse_routes(entries: Sequence[Any], *, state: State) -> tuple[Route, ...]:
    """Check the option ``routes``; raises InvalidInput naming the entry that must not be used.

    Equal entries are folded. Keys beyond domain, addresses and status are ignored, so that what
    mx_pairs returns can be handed over as it is.
    """
    routes: dict[str, Route] = {}
    for number, entry in enumerate(entries):
        route = _parse_route(entry, f"routes[{number}]", state)
        if routes.setdefault(route.domain, route) != route:
            raise InvalidInput(
                f"routes[{number}]: {route.domain} is listed twice, with different addresses or"
                " statuses.",
                hint="List each domain once, with all its addresses in order.",
            )
    return tuple(routes.values())


def _parse_route(entry: object, where: str, state: State) -> Route:
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
    addresses = tuple(_parse_address(address, where) for address in given)
    if status == "ok" and not addresses and state is not State.ABSENT:
        raise InvalidInput(
            f"{where} has no address: a route without an address is refused.",
            hint="Give its addresses, or leave the domain out.",
        )
    return Route(domain, tuple(dict.fromkeys(addresses)), status)


def _parse_domain(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"{where} has no domain.")
    try:
        return parse_domain(value)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error.message}.", hint=error.hint) from error


def _parse_address(value: object, where: str) -> str:
    """Check one address; the Internet Mail Connector knows only IPv4."""
    try:
        address = ip_address(value if isinstance(value, str) else "")
    except ValueError:
        raise InvalidInput(
            f"{where}: {shown(str(value))} is no IPv4 address.",
            hint="Routes lead to addresses, as in 192.0.2.25.",
        ) from None
    if isinstance(address, IPv6Address):
        raise InvalidInput(
            f"{where}: {address} is an IPv6 address; the Internet Mail Connector takes only IPv4.",
            hint="Compute the pairs with families: ipv4.",
        )
    if _is_no_host(address):
        raise InvalidInput(f"{where}: {address} is no address of a mail host.")
    return str(address)


def _is_no_host(address: IPv4Address) -> bool:
    """Tell addresses that cannot be another host's: 0.0.0.0/8, 127/8, multicast, reserved."""
    return (
        int(address) >> 24 == 0
        or address.is_loopback
        or address.is_multicast
        or address.is_reserved
    )
