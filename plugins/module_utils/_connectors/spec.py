# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of transport_delivery that are about connectors, and what they mean together.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

from .._base.errors import InvalidInput
from .._base.texts import one_line
from .._pairs.names import parse_domain
from .._remote.commands import computer_name
from .._run.routes import NOTE_LIMIT, UNKNOWN_STATUSES, Route, parse_routes
from .canonical import COSTS, server_name, smart_host
from .connector import Settings
from .external_dns import OPTIONS, parse_external_dns
from .plan import DEFAULT_NAME, Desired, with_best_tier

TLS_LEVELS = {
    "encryption_only": "EncryptionOnly",
    "certificate_validation": "CertificateValidation",
    "domain_validation": "DomainValidation",
}
LOGGING = {"none": "None", "verbose": "Verbose"}
PREFERENCES = ("all", "best")
PORTS = range(1, 65536)

CONNECTOR_SPEC: dict[str, dict[str, Any]] = {
    "routes": {"type": "list", "elements": "dict"},
    "resolved": {"type": "list", "elements": "dict"},
    "state": {
        "type": "str",
        "choices": ["present", "absent", "exact", "restored"],
        "default": "present",
    },
    "may_change": {"type": "bool", "default": True},
    "mx_preference": {"type": "str", "choices": [*PREFERENCES], "default": "all"},
    "missing_domain": {"type": "str", "choices": ["keep", "remove"], "default": "keep"},
    "existing": {"type": "str", "choices": ["adopt", "refuse"], "default": "refuse"},
    "bypass_relay": {"type": "bool", "default": False, "no_log": False},
    "edge_synchronization": {"type": "bool", "default": True},
    "external_dns": {"type": "list", "elements": "str"},
    "external_dns_connectors": {"type": "list", "elements": "str"},
    "name_template": {"type": "str", "default": DEFAULT_NAME},
    "cost": {"type": "int", "default": 1},
    "source_servers": {"type": "list", "elements": "str"},
    "domain_controller": {"type": "str"},
    "port": {"type": "int", "default": 25},
    "require_tls": {"type": "bool"},
    "tls_auth_level": {"type": "str", "choices": list(TLS_LEVELS)},
    "tls_domain": {"type": "str"},
    "protocol_logging": {"type": "str", "choices": list(LOGGING)},
    "cmdlet_timeout": {"type": "int", "default": 120},
}

_NAME = re.compile(r"[A-Za-z0-9 ._()~@#-]*\{domain\}[A-Za-z0-9 ._()~@#-]*\Z")
_TLS_DOMAIN = re.compile(r"(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+\Z")
_SECONDS = range(1, 86401)


@dataclass(frozen=True, slots=True)
class Options:
    """The options, checked; the timeouts are in seconds.

    With ``edge_synchronization`` Edge Transport servers get a change at once.
    """

    desired: Desired
    domain_controller: str
    cmdlet_timeout: float
    edge_synchronization: bool = True


def parse_options(params: Mapping[str, Any]) -> Options:
    """Check the options of one task; raises InvalidInput before anything is asked of the host."""
    restored, given = params["state"] == "restored", params["domain_controller"]
    if restored and params["routes"] is not None:
        raise InvalidInput("state: restored restores the backup and does not accept routes.")
    if restored and any(params[name] is not None for name in OPTIONS):
        raise InvalidInput(
            "state: restored puts back the external DNS that the backup holds; it takes no"
            f" {' or '.join(OPTIONS)}."
        )
    return Options(
        desired=Desired(state="restored") if restored else _desired_with_dns(params),
        domain_controller=computer_name(given) if given else "",
        cmdlet_timeout=float(_within(params, "cmdlet_timeout", _SECONDS)),
        edge_synchronization=params["edge_synchronization"],
    )


def _desired_with_dns(params: Mapping[str, Any]) -> Desired:
    external_dns = parse_external_dns(params)
    alone = external_dns and params["routes"] is None and params["state"] == "present"
    desired = _desired({**params, "routes": []} if alone else params)
    return replace(desired, external_dns=external_dns)


def _check_tls(params: Mapping[str, Any], where: str = "") -> None:
    """Check the rules of New-SendConnector for TLS parameters before the first connection."""
    level, domain = params["tls_auth_level"], params["tls_domain"]
    key = "'" if where else ""  # a key of an entry, and not an option
    names = [f"{key}{name}{key}" for name in ("tls_auth_level", "require_tls", "tls_domain")]
    if level and level not in TLS_LEVELS:
        raise InvalidInput(f"{where}{names[0]} must be one of {', '.join(TLS_LEVELS)}.")
    if level and not params["require_tls"]:
        raise InvalidInput(f"{where}{names[0]}: {level} needs {names[1]}: true.")
    if (level == "domain_validation") != bool(domain):
        raise InvalidInput(f"{where}{names[0]}: domain_validation and {names[2]} need each other.")
    if domain and not _TLS_DOMAIN.match(domain):
        raise InvalidInput(
            f"{where}{names[2]} {domain!r:.80} must be a domain, optionally after '*.'."
        )


def _own_settings(params: Mapping[str, Any], route: Route) -> dict[str, Any]:
    """Return the options with what a route sets for its own connector in their place.

    A route that ends or changes the check of certificates does not inherit the rest of that check.
    Raises InvalidInput that names the domain.
    """
    own = dict(route.connector)
    if not own:
        return dict(params)
    settings = {**params, **own}
    if own.get("require_tls") is False:
        settings |= {name: own.get(name) for name in ("tls_auth_level", "tls_domain")}
    elif own.get("tls_auth_level", "domain_validation") != "domain_validation":
        settings["tls_domain"] = own.get("tls_domain")
    where = f"{route.domain}: "
    if settings["mx_preference"] not in PREFERENCES:
        raise InvalidInput(f"{where}'mx_preference' must be one of {', '.join(PREFERENCES)}.")
    for name, allowed in (("port", PORTS), ("cost", COSTS)):
        _within(settings, name, allowed, where)
    _check_tls(settings, where)
    return settings


def _desired(params: Mapping[str, Any]) -> Desired:
    state = params["state"]
    if params["routes"] is None:
        raise InvalidInput(f"state: {state} needs the option routes.")
    _check_tls(params)
    if state == "exact" and not params["routes"]:
        raise InvalidInput(
            "routes is empty with state: exact, which would remove all pins of the organisation.",
            hint="Nothing was changed. Check where the list comes from; state: absent removes the"
            " pins of listed domains.",
        )
    routes = parse_routes(params["routes"], needs_addresses=state != "absent", check=lambda _a: "")
    if not _NAME.match(params["name_template"]):
        raise InvalidInput(
            "name_template needs {domain} once, among letters, digits, spaces and . _ - ( ) ~ @ #."
        )
    preferences = parse_preferences(params["resolved"] or [])
    pins, kept, removed, missing = [], {}, set(), set()
    for route in routes:
        settings = _own_settings(params, route)
        if route.status in UNKNOWN_STATUSES:
            kept[route.domain] = route.status
        elif state == "absent":
            removed.add(route.domain)
        elif route.status == "ok":
            pins.append(_settings(settings, route, preferences))
        elif params["missing_domain"] == "remove" and route.unconfirmed:
            kept[route.domain] = "only one name server reports that it does not exist"
        elif params["missing_domain"] == "remove":
            missing.add(route.domain)
        else:
            kept[route.domain] = route.status
    return Desired(
        pins=tuple(pins),
        kept=kept,
        removed=frozenset(removed | missing),
        missing=frozenset(missing),
        nonexistent=frozenset(
            route.domain
            for route in routes
            if route.status == "no_such_domain" and state != "absent"
        ),
        short_lived=frozenset(route.domain for route in routes if route.short_lived),
        state=state,
        existing=params["existing"],
        name_template=params["name_template"],
        bypass_relay=frozenset(
            route.domain for route in routes if params["bypass_relay"] or route.bypass_relay
        ),
        lower_tls=params["force"],
        note=one_line(params.get("note") or "", NOTE_LIMIT),
    )


def _settings(
    params: Mapping[str, Any], route: Route, preferences: Mapping[str, Mapping[str, int]]
) -> Settings:
    servers = {server_name(computer_name(name)) for name in params["source_servers"] or ()}
    settings = Settings(
        domain=route.domain,
        smart_hosts=tuple(smart_host(address) for address in route.addresses),
        cost=_within(params, "cost", COSTS),
        source_servers=tuple(sorted(servers)),
        port=_within(params, "port", PORTS),
        tls_auth_level=TLS_LEVELS.get(params["tls_auth_level"] or ""),
        tls_domain=params["tls_domain"],
        require_tls=params["require_tls"],
        protocol_logging=LOGGING.get(params["protocol_logging"] or ""),
        note=route.note,
    )
    if params["mx_preference"] == "best":
        known = preferences.get(route.domain, {})
        missing = [address for address in route.addresses if address not in known]
        if missing:
            raise InvalidInput(
                f"mx_preference: best needs the MX preference of every address, and {missing[0]} of"
                f" {route.domain} has none.",
                hint="Give what mx_pairs_info returned as 'domains' in the option resolved.",
            )
        settings = with_best_tier(settings, [known[address] for address in route.addresses])
    return settings.sorted()


def parse_preferences(entries: Sequence[Any]) -> dict[str, dict[str, int]]:
    """Read the option ``resolved``: by domain, the MX preference of each address.

    Raises InvalidInput for what mx_pairs_info never returns.
    """
    domains: dict[str, dict[str, int]] = {}
    for number, entry in enumerate(entries):
        preferences: dict[str, int] = {}
        try:
            for pair in entry.get("pairs") or ():
                address, preference = str(ip_address(pair["address"])), int(pair["preference"])
                preferences[address] = min(preference, preferences.get(address, preference))
            domains[parse_domain(entry["domain"])] = preferences
        except (InvalidInput, AttributeError, KeyError, TypeError, ValueError):
            raise InvalidInput(
                f"resolved[{number}] is not an entry of what mx_pairs_info returns as 'domains'.",
                hint='Give resolved: "{{ mx.domains }}" where mx is the registered result.',
            ) from None
    return domains


def _within(params: Mapping[str, Any], name: str, allowed: range, where: str = "") -> int:
    number: int = params[name]
    if number not in allowed:
        name = f"'{name}'" if where else name
        raise InvalidInput(f"{where}{name} must be {allowed[0]} to {allowed[-1]}, not {number}.")
    return number
