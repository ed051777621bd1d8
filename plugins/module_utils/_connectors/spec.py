# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of transport_delivery, and what they mean together.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._base.errors import InvalidInput
from .._pairs.addresses import Address
from .._remote.commands import computer_name
from .._run.backups import parse_run_id
from .._run.change_limit import CHANGE_LIMIT_SPEC, ChangeLimit, parse_change_limit
from .._run.routes import UNKNOWN_STATUSES, Route, parse_routes
from .canonical import COSTS, server_name, smart_host
from .connector import Settings
from .plan import DEFAULT_NAME, Desired, with_best_tier
from .resolved import Resolved, parse_resolved

TLS_LEVELS = {
    "encryption_only": "EncryptionOnly",
    "certificate_validation": "CertificateValidation",
    "domain_validation": "DomainValidation",
}
LOGGING = {"none": "None", "verbose": "Verbose"}

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "routes": {"type": "list", "elements": "dict"},
    "resolved": {"type": "list", "elements": "dict"},
    "state": {
        "type": "str",
        "choices": ["present", "absent", "exact", "restored"],
        "default": "present",
    },
    "backup": {"type": "path"},
    "backup_dir": {"type": "path"},
    "run_id": {"type": "str"},
    "may_change": {"type": "bool", "default": True},
    **CHANGE_LIMIT_SPEC,
    "tiers": {"type": "str", "choices": ["all", "best"], "default": "all"},
    "missing_domain": {"type": "str", "choices": ["keep", "remove"], "default": "keep"},
    "existing": {"type": "str", "choices": ["adopt", "refuse"], "default": "refuse"},
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
    "lock_timeout": {"type": "int", "default": 600},
}

_NAME = re.compile(r"[A-Za-z0-9 ._()~@#-]*\{domain\}[A-Za-z0-9 ._()~@#-]*\Z")
_TLS_DOMAIN = re.compile(r"(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+\Z")
_PORTS = range(1, 65536)


@dataclass(frozen=True, slots=True)
class Options:
    """The options, checked. ``desired`` is None for state restored, ``backup`` for the others."""

    desired: Desired | None
    resolved: Mapping[str, Resolved]
    kept: tuple[Route, ...]
    domain_controller: str
    backup_dir: Path
    backup: Path | None
    change_limit: ChangeLimit
    run_id: str
    cmdlet_timeout: float
    lock_timeout: float


def parse_options(params: Mapping[str, Any], basedir: Path) -> Options:
    """Check the options of one task; raises InvalidInput before anything is asked of the host.

    ``basedir`` is what relative paths on the controller count from.
    """
    _check_together(params)
    restored, given = params["state"] == "restored", params["domain_controller"]
    resolved = parse_resolved(params["resolved"] or [])
    routes = _routes(params) if not restored else ()
    desired = None if restored else _desired(params, routes, resolved)
    return Options(
        desired=desired,
        resolved=resolved,
        kept=tuple(route for route in routes if desired and route.domain in desired.kept),
        domain_controller=computer_name(given) if given else "",
        backup_dir=basedir / (params["backup_dir"] or "backups"),
        backup=basedir / params["backup"] if params["backup"] else None,
        change_limit=parse_change_limit(params),
        run_id=parse_run_id(params["run_id"]),
        cmdlet_timeout=_seconds(params, "cmdlet_timeout"),
        lock_timeout=_seconds(params, "lock_timeout"),
    )


def _check_together(params: Mapping[str, Any]) -> None:
    state, routes = params["state"], params["routes"] is not None
    if state == "restored":
        if routes:
            raise InvalidInput(
                "state: restored puts back what the backup holds; it takes no routes."
            )
        if not params["backup"]:
            raise InvalidInput("state: restored needs the option backup.")
        return
    if params["backup"]:
        raise InvalidInput("The option backup is for state: restored only.")
    if not routes:
        raise InvalidInput(f"state: {state} needs the option routes.")
    _check_tls(params)


def _check_tls(params: Mapping[str, Any]) -> None:
    """The rules of New-SendConnector between its TLS parameters, told before anything is asked."""
    level, domain = params["tls_auth_level"], params["tls_domain"]
    if level and not params["require_tls"]:
        raise InvalidInput(f"tls_auth_level: {level} needs require_tls: true.")
    if (level == "domain_validation") != bool(domain):
        raise InvalidInput("tls_auth_level: domain_validation and tls_domain need each other.")
    if domain and not _TLS_DOMAIN.match(domain):
        raise InvalidInput(f"tls_domain {domain!r:.80} is no domain, nor one after '*.'.")


def _routes(params: Mapping[str, Any]) -> tuple[Route, ...]:
    if params["state"] == "exact" and not params["routes"]:
        raise InvalidInput(
            "routes is empty with state: exact, which would remove all pins of the organisation.",
            hint="Nothing was changed. Look where the list comes from; state: absent removes the"
            " pins of listed domains.",
        )
    return parse_routes(
        params["routes"], needs_addresses=params["state"] != "absent", check=_any_address
    )


def _any_address(_address: Address) -> str:
    return ""


def _desired(
    params: Mapping[str, Any], routes: Sequence[Route], resolved: Mapping[str, Resolved]
) -> Desired:
    if not _NAME.match(params["name_template"]):
        raise InvalidInput(
            "name_template needs {domain} once, among letters, digits, spaces and . _ - ( ) ~ @ #."
        )
    pins, kept, removed = [], set(), set()
    for route in routes:
        if route.status in UNKNOWN_STATUSES:
            kept.add(route.domain)
        elif params["state"] == "absent" or (
            route.status != "ok" and params["missing_domain"] == "remove"
        ):
            removed.add(route.domain)
        elif route.status != "ok":
            kept.add(route.domain)
        else:
            pins.append(_settings(params, route, resolved))
    return Desired(
        pins=tuple(pins),
        kept=frozenset(kept),
        removed=frozenset(removed),
        state=params["state"],
        existing=params["existing"],
        name_template=params["name_template"],
    )


def _settings(
    params: Mapping[str, Any], route: Route, resolved: Mapping[str, Resolved]
) -> Settings:
    settings = Settings(
        domain=route.domain,
        smart_hosts=tuple(smart_host(address) for address in route.addresses),
        cost=_within(params, "cost", COSTS),
        source_servers=tuple(sorted({_server(name) for name in params["source_servers"] or ()})),
        port=_within(params, "port", _PORTS),
        tls_auth_level=TLS_LEVELS.get(params["tls_auth_level"] or ""),
        tls_domain=params["tls_domain"],
        require_tls=params["require_tls"],
        protocol_logging=LOGGING.get(params["protocol_logging"] or ""),
    )
    if params["tiers"] == "best":
        settings = with_best_tier(settings, _preferences(route, resolved))
    return settings.sorted()


def _preferences(route: Route, resolved: Mapping[str, Resolved]) -> list[int]:
    """Return the MX preference of each address of a route."""
    known = resolved[route.domain].preferences if route.domain in resolved else {}
    missing = [address for address in route.addresses if address not in known]
    if missing:
        raise InvalidInput(
            f"tiers: best needs the MX preference of every address, and {missing[0]} of"
            f" {route.domain} has none.",
            hint="Give what mx_pairs_info returned as 'domains' in the option resolved.",
        )
    return [known[address] for address in route.addresses]


def _server(text: str) -> str:
    return server_name(computer_name(text))


def _within(params: Mapping[str, Any], name: str, allowed: range) -> int:
    number: int = params[name]
    if number not in allowed:
        raise InvalidInput(f"{name} is {number}; it has to be {allowed[0]} to {allowed[-1]}.")
    return number


def _seconds(params: Mapping[str, Any], name: str) -> float:
    seconds = params[name]
    if seconds < 1:
        raise InvalidInput(f"{name} is {seconds}; it has to be 1 second or more.")
    return float(seconds)
