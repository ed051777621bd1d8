# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of mx_pairs_info: options in, result out, the same wherever it runs.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from .._base.context import Context, EngineModule
from .._base.errors import ExchangeError, InvalidInput
from .._base.texts import listed, utc_text
from .engine import collector_paused, resolve
from .model import (
    DomainResult,
    DomainSettings,
    NameServer,
    Network,
    Networks,
    Options,
    Pair,
    Patience,
    Policy,
    RecordType,
    RunResult,
    Status,
)
from .names import parse_domain, parse_entry, shown

FAMILIES = ("ipv4", "ipv6")
AGREEMENTS = ("first", "all")
DEAD_EXCHANGES = ("refuse", "drop")
MOVING = ("keep", "pin")
FAILURES = tuple(status.value for status in Status if status is not Status.OK)
RESOLV_CONF = Path("/etc/resolv.conf")

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "domains": {"type": "list", "elements": "raw", "required": True},
    "invalid_domains": {"type": "str", "choices": ["fail", "return"], "default": "fail"},
    "nameservers": {"type": "list", "elements": "str"},
    "port": {"type": "int", "default": 53},
    "timeout": {"type": "float", "default": 2.0},
    "lifetime": {"type": "float", "default": 12.0},
    "retries": {"type": "int", "default": 2},
    "concurrency": {"type": "int", "default": 500},
    "max_rate": {"type": "float", "default": 0.0},
    "families": {"type": "list", "elements": "str", "choices": [*FAMILIES], "default": ["ipv4"]},
    "own_names": {"type": "list", "elements": "str", "default": []},
    "own_addresses": {"type": "list", "elements": "str", "default": []},
    "allow_private": {"type": "bool", "default": False},
    "dead_exchanges": {"type": "str", "choices": [*DEAD_EXCHANGES], "default": "refuse"},
    "moving": {"type": "str", "choices": [*MOVING], "default": "keep"},
    "search_list": {"type": "list", "elements": "str", "default": []},
    "agreement": {"type": "str", "choices": [*AGREEMENTS], "default": "first"},
    "max_pairs": {"type": "int", "default": 0},
    "evidence": {"type": "bool", "default": False},
    "fail_on": {"type": "list", "elements": "str", "choices": [*FAILURES], "default": []},
}

_SETTINGS: dict[str, tuple[object, ...]] = {
    "allow_private": (True, False),
    "dead_exchanges": DEAD_EXCHANGES,
    "moving": MOVING,
}
_RECORD_TYPES = {"ipv4": RecordType.A, "ipv6": RecordType.AAAA}
_NAME_SERVER = re.compile(
    r"\[(?P<ipv6>[^\]]*)\](?::(?P<port6>[0-9]{1,5}))?|(?P<ipv4>[0-9.]+):(?P<port4>[0-9]{1,5})"
)
_MAX_PORT = 65535
_MAX_REFUSALS = 20  # shown of one option
_MAX_WARNINGS = 20  # shown of a run
_LIMITS: dict[str, tuple[float, float]] = {
    "port": (1, _MAX_PORT),
    "timeout": (0.05, 60),
    "lifetime": (0.05, 600),
    "retries": (0, 10),
    "concurrency": (1, 500),  # each question under way holds a socket; 1,024 are the usual limit
    "max_pairs": (0, 1_000_000),
    "max_rate": (0, 1_000_000),
}
_SENTENCES = {
    Status.TEMPORARY_FAILURE: "DNS lookup failed, existing routes kept",
    Status.DISAGREEMENT: "Name servers disagree, existing routes kept",
    Status.LOOP: "All MX hosts are our own, existing routes kept",
    Status.NO_ADDRESS: "No MX host has a usable address, existing routes kept",
    Status.MOVING: "Addresses change from answer to answer, existing routes kept",
    Status.NO_SUCH_DOMAIN: "No such domain",
    Status.NULL_MX: "Accepts no mail (null MX)",
}

T = TypeVar("T")


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the task result.

    Raises InvalidInput for options that cannot be used, and ExchangeError with the whole result as
    details where a domain ends in one of the statuses of ``fail_on``.
    """
    options = parse_options(params)
    started = context.now()
    outcome = resolve(options, context.progress)
    with collector_paused():
        result = as_dict(outcome, started)
    result["invalid"] = [{"entry": x, "message": message} for x, message in options.refused]
    named: dict[str, list[str]] = {}
    for domain in outcome.results:
        if domain.status in options.fail_on:
            named.setdefault(domain.status.value, []).append(domain.domain)
    if not named:
        return result
    groups = "; ".join(f"{status}: {listed(names)}" for status, names in named.items())
    count = sum(len(names) for names in named.values())
    reason = _first_failure(x for x in outcome.results if x.status in options.fail_on)
    raise ExchangeError(
        f"{count} of {len(outcome.results)} domains ended in a status of fail_on ({groups})."
        f"{reason and f' Questions to name servers failed; {reason}.'}",
        hint="No changes were made, and the result contains all domains. Correct these domains, or"
        " change fail_on.",
        details=result,
    )


def parse_options(params: Mapping[str, Any]) -> Options:
    """Return the options of a task; InvalidInput names every value that cannot be used."""
    for name, (least, most) in _LIMITS.items():
        if not least <= params[name] <= most:
            raise InvalidInput(f"{name} is {params[name]}; it must be from {least} to {most}.")
    if not params["families"]:
        raise InvalidInput("families is empty; it must hold ipv4, ipv6 or both.")
    domains, refused = _domains(params)
    own_names = _each("own_names", params["own_names"], _host)
    networks: list[Network] = []
    hosts: list[str] = []
    for text in params["own_addresses"]:  # an inventory's address of a host is often its name
        try:
            networks.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            hosts.append(text)
    own_hosts = _each("own_addresses", hosts, _host)
    return Options(
        domains=domains,
        nameservers=nameservers(params["nameservers"], params["port"]) if domains else (),
        patience=Patience(params["timeout"], params["retries"], params["lifetime"]),
        concurrency=params["concurrency"],
        max_rate=params["max_rate"],
        policy=Policy(
            types=tuple(t for name, t in _RECORD_TYPES.items() if name in params["families"]),
            own_names=frozenset({*own_names, *own_hosts}),
            own_networks=Networks(tuple(networks)),
            max_pairs=params["max_pairs"],
        ),
        own_hosts=own_hosts,
        search_list=_each("search_list", params["search_list"], _host),
        agreement=params["agreement"],
        evidence=params["evidence"],
        fail_on=frozenset(Status(name) for name in params["fail_on"]),
        refused=refused,
        port=params["port"],
    )


def _domains(
    params: Mapping[str, Any],
) -> tuple[dict[str, DomainSettings], tuple[tuple[str, str], ...]]:
    """Return the domains with their settings, and the entries that are refused with the reasons."""
    general = DomainSettings(*(params[name] for name in DomainSettings._fields))
    domains: dict[str, DomainSettings] = {}
    refused: list[tuple[str, str]] = []
    for entry in params["domains"]:
        try:
            name, settings = parse_entry(entry)
            wanted = general._replace(**domain_settings(name, settings))
            if domains.setdefault(name, wanted) != wanted:
                raise InvalidInput(f"{name} is listed twice, with different settings")
        except InvalidInput as err:
            refused.append((entry if isinstance(entry, str) else str(entry), err.message))
    if refused and params["invalid_domains"] == "fail":
        raise _refusals("domains", [message for _entry, message in refused])
    return domains, tuple(refused)


def domain_settings(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of an entry's settings that are of a domain; InvalidInput for a wrong value."""
    own = {key: value for key, value in settings.items() if key in DomainSettings._fields}
    for key, value in own.items():
        if value not in _SETTINGS[key]:
            choices = ", ".join(str(x).lower() for x in _SETTINGS[key])
            raise InvalidInput(f"{key} of {name} must be one of {choices}")
    return own


def _host(text: str) -> str:
    return parse_domain(text, host=True)


def _each(option: str, texts: Iterable[str], parse: Callable[[str], T]) -> tuple[T, ...]:
    """Parse a list, fold duplicates, and refuse all that is wrong with it at once."""
    parsed: dict[T, None] = {}
    refused: list[str] = []
    for text in texts:
        try:
            parsed[parse(text)] = None
        except InvalidInput as err:
            refused.append(err.message)
    if refused:
        raise _refusals(option, refused)
    return tuple(parsed)


def _refusals(option: str, messages: list[str]) -> InvalidInput:
    return InvalidInput(
        f"{option}: {listed(messages, _MAX_REFUSALS, separator='; ')}.",
        hint="No name server was asked, and no changes were made.",
    )


def parse_nameserver(text: str, port: int) -> NameServer:
    """Read ``address``, ``address:port`` or ``[address]:port``; ValueError if it is neither."""
    match = _NAME_SERVER.fullmatch(text)
    address, given = text, None
    if match:
        address = match["ipv4"] or match["ipv6"]
        given = match["port4"] or match["port6"]
    number = int(given) if given else port
    if not 0 < number <= _MAX_PORT:
        raise ValueError("port out of range")
    return NameServer(str(ipaddress.ip_address(address)), number)


def parse_resolv_conf(text: str, port: int) -> tuple[NameServer, ...]:
    """Return the name servers of a resolv.conf(5); other lines do not count."""
    servers = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":  # noqa: PLR2004 - keyword and address
            try:
                servers.append(NameServer(str(ipaddress.ip_address(words[1])), port))
            except ValueError:
                continue
    return tuple(dict.fromkeys(servers))


def nameservers(texts: Iterable[str] | None, port: int) -> tuple[NameServer, ...]:
    """Return the name servers that are given, or those of the system."""

    def parse(text: str) -> NameServer:
        try:
            return parse_nameserver(text, port)
        except ValueError as err:
            raise InvalidInput(
                f"{shown(text)} is not the address of a name server (192.0.2.53, 192.0.2.53:5353, "
                "2001:db8::53 or [2001:db8::53]:5353)"
            ) from err

    if given := _each("nameservers", texts or (), parse):
        return given
    try:
        text = RESOLV_CONF.read_text(encoding="utf-8", errors="replace")
    except OSError as err:
        text = f"# {err}"
    servers = parse_resolv_conf(text, port)
    if not servers:
        raise InvalidInput(
            f"nameservers is not set, and {RESOLV_CONF} contains no name server.",
            hint="Set nameservers to the addresses of name servers that this task can reach.",
        )
    return servers


def as_dict(outcome: RunResult, started: datetime) -> dict[str, Any]:
    """Return the task result; ``started`` is when the first question was asked (UTC)."""
    untils: dict[int | None, str | None] = {
        ttl: None if ttl is None else utc_text(started + timedelta(seconds=ttl))
        for ttl in {result.ttl for result in outcome.results}
    }
    domains = [_domain(result, untils[result.ttl]) for result in outcome.results]
    return {
        "changed": False,
        "domains": domains,
        "pairs": [
            {"domain": domain["domain"], **pair} for domain in domains for pair in domain["pairs"]
        ],
        "routes": [
            {
                "domain": result.domain,
                "status": result.status.value,
                "addresses": [pair.address for pair in result.pairs],
                **({"short_lived": True} if result.short_lived else {}),
                **({"unconfirmed": True} if result.unconfirmed else {}),
            }
            for result in outcome.results
        ],
        "stats": {
            "domains": len(outcome.results),
            "questions": outcome.stats.questions,
            "cache_hits": outcome.stats.cache_hits,
            "retries": outcome.stats.retries,
            "tcp": outcome.stats.tcp,
            "seconds": round(outcome.stats.seconds, 3),
        },
        "warnings": _warnings(outcome),
    }


def _domain(result: DomainResult, until: str | None) -> dict[str, Any]:
    return {
        "domain": result.domain,
        "status": result.status.value,
        "implicit_mx": result.implicit_mx,
        "pairs": [_pair(pair) for pair in result.pairs],
        "ttl": result.ttl,
        "valid_until": until,
        "warnings": [
            {"code": x.code, "message": x.message, **dict(x.facts)} for x in result.warnings
        ],
        "failures": [
            {
                "name": failure.question.name,
                "type": failure.question.rdtype.name,
                "kind": failure.kind.value,
                "nameserver": failure.nameserver,
                "message": failure.message,
                "needed": failure.needed,
            }
            for failure in result.failures
        ],
        "views": [
            {
                "nameserver": view.nameserver,
                "status": view.status.value,
                "pairs": [_pair(pair) for pair in view.pairs],
            }
            for view in result.views
        ],
        "evidence": None
        if result.authentic is None
        else {"authentic": result.authentic, "aaaa_not_asked": list(result.not_asked)},
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "preference": pair.preference,
        "exchange": pair.exchange,
        "address": pair.address,
        "ttl": pair.ttl,
    }


def _warnings(outcome: RunResult) -> list[str]:
    """Return a few sentences to be seen, whatever the number of domains.

    There is one for each status, and for each kind of warning that of its first domain.
    """
    named: dict[str, list[str]] = {}
    kinds: dict[str, tuple[str, list[str]]] = {}
    for result in outcome.results:
        if result.status in _SENTENCES:
            named.setdefault(_SENTENCES[result.status], []).append(result.domain)
        for warning in result.warnings:
            _message, domains = kinds.setdefault(warning.code, (warning.message, []))
            if result.domain not in domains:
                domains.append(result.domain)
    lines = [f"{what}: {listed(domains)}" for what, domains in named.items()]
    for message, (first, *others) in kinds.values():
        also = f" (the same kind of warning for {listed(others)})" if others else ""
        lines.append(f"{first}: {message}{also}")
    if reason := _first_failure(outcome.results):
        lines.append(f"Questions to name servers failed; {reason}")
    lines = [*(warning.message for warning in outcome.warnings), *lines]
    more = len(lines) - _MAX_WARNINGS
    rest = [f"Warnings not shown here: {more} (see the result)"] if more > 0 else []
    return [*lines[:_MAX_WARNINGS], *rest]


def _first_failure(results: Iterable[DomainResult]) -> str:
    """Return, as part of a sentence, the first failed question that pairs depend on."""
    for result in results:
        for failure in result.failures:
            if failure.needed:
                question = failure.question
                return (
                    f"first: {question.rdtype.name} of {question.name}: {failure.kind.value} at "
                    f"{failure.nameserver}, {failure.message}"
                )
    return ""


MODULE = EngineModule(ARGUMENT_SPEC, run, needs_session=False)
