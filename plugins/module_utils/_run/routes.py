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
from typing import Any, TypeAlias

from .._base.errors import InvalidInput
from .._base.texts import one_line
from .._pairs.addresses import why_not_global
from .._pairs.names import parse_domain, shown

#: Statuses after which nothing is known about a domain's addresses: its routes stay as they are.
UNKNOWN_STATUSES = frozenset({"temporary_failure", "disagreement", "loop", "moving", "no_address"})
#: Statuses of a domain that no longer accepts mail.
GONE_STATUSES = frozenset({"no_such_domain", "null_mx"})
STATUSES = ("ok", *sorted(GONE_STATUSES), *sorted(UNKNOWN_STATUSES))

#: What an entry may set for the connector of its domain, each with its type. It replaces the option
#: of the same name; a route of Exchange 4.0 to 5.5 has nothing like it.
CONNECTOR_SETTINGS: Mapping[str, type] = {
    "mx_preference": str,
    "port": int,
    "cost": int,
    "require_tls": bool,
    "tls_auth_level": str,
    "tls_domain": str,
}
_KINDS = {str: "a text", int: "a number", bool: "true or false"}
#: Characters of a note on a domain that are kept.
NOTE_LIMIT = 200

Address: TypeAlias = IPv4Address | IPv6Address
AddressCheck = Callable[[Address], str]
"""Says why an address cannot be used, or returns nothing."""


@dataclass(frozen=True, slots=True)
class Route:
    """One domain and where its mail is to go, in this order. ``domain`` is in lower case.

    ``short_lived`` means that the addresses have a TTL of seconds, ``unconfirmed`` that only
    one name server reports that the domain does not exist, and ``bypass_relay`` that it may lead
    around a relay that takes the mail now. ``connector`` are the ``CONNECTOR_SETTINGS`` of the
    domain, and ``note`` is why it is pinned.
    """

    domain: str
    addresses: tuple[str, ...] = ()
    status: str = "ok"
    short_lived: bool = False
    bypass_relay: bool = False
    unconfirmed: bool = False
    connector: tuple[tuple[str, Any], ...] = ()
    note: str = ""

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
    Equal entries are folded. Keys that are not known are ignored, so that what mx_pairs_info
    returns can be handed over as it is.
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
            f"{where} must be a dictionary.",
            hint="An entry has the keys domain, addresses and, optionally, status.",
        )
    domain = _parse_domain(entry.get("domain"), where)
    where = f"{where} ({domain})"
    status = entry.get("status") or "ok"
    if status not in STATUSES:
        raise InvalidInput(
            f"{where}: the status {shown(str(status))} is not valid.",
            hint=f"Use one of {', '.join(STATUSES)}.",
        )
    given = entry.get("addresses")
    if given is None:
        given = []
    if not isinstance(given, list | tuple):
        raise InvalidInput(f"{where}: addresses must be a list.")
    if status == "ok" and not given and needs_addresses:
        raise InvalidInput(
            f"{where} must have at least one address.",
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
        connector=_connector_settings(entry, where),
        note=one_line(str(entry.get("note") or ""), NOTE_LIMIT),
    )


def _connector_settings(entry: Mapping[Any, Any], where: str) -> tuple[tuple[str, Any], ...]:
    """Return the settings that an entry has for its connector; their values are checked there."""
    settings = []
    for name, kind in CONNECTOR_SETTINGS.items():
        value = entry.get(name)
        if value is None:
            continue
        if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
            raise InvalidInput(f"{where}: {name} must be {_KINDS[kind]}, not {value!a:.80}.")
        settings.append((name, value))
    return tuple(settings)


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
            f"{where}: {shown(str(value))} is not an {kind} address.",
            hint="Routes lead to addresses, as in 192.0.2.25.",
        ) from None
    problem = check(address) or (
        "cannot be the address of a mail server" if is_no_host(address) else ""
    )
    if problem:
        raise InvalidInput(f"{where}: {address} {problem}.")
    return str(address)


def is_no_host(address: Address) -> bool:
    """True for an address that another host cannot have.

    These are unspecified, loopback, link-local, multicast, reserved, broadcast, and IPv4-mapped
    ones, and IPv6 addresses that translate to one of them.
    """
    return why_not_global(str(address))[1]
