# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the checked variables of a host to the options of mail_delivery and of mx_pairs_info. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from ..module_utils._base.errors import InvalidInput
from ..module_utils._connectors.external_dns import OPTIONS as EXTERNAL_DNS
from ..module_utils._pairs.names import parse_domain
from ..module_utils._report.limits import batches
from ..module_utils._run.change_limit import parse_limit
from ..module_utils._run.mail_delivery_spec import IMC_OPTIONS
from ._domain_entries import Entry, parse_entries

Values = Mapping[str, Any]

_PREFIX = "mx_delivery_"
_LIMITS = ("max_changed_hosts", "max_changes")
_REMOVALS = "max_removed_domains"
#: Entry points that change nothing: a question for AAAA can make a resolver forget a name.
_LOOKING = ("audit", "diagnose", "check")

_CONNECTOR = (
    "existing",
    "bypass_relay",
    "edge_synchronization",
    "name_template",
    "cost",
    "source_servers",
    "port",
    "require_tls",
    "tls_auth_level",
    "tls_domain",
    "protocol_logging",
)
_SMTP = ("host", "port", "starttls", "ca_cert")
_DNS = {
    "nameservers": "nameservers",
    "port": "dns_port",
    "timeout": "dns_timeout",
    "lifetime": "dns_lifetime",
    "agreement": "agreement",
    "allow_private": "allow_private",
    "dead_exchanges": "dead_exchanges",
    "moving": "moving",
    "max_pairs": "max_pairs",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What hosts with the same variables ask for.

    ``domains`` are the entries of the list, by domain. ``options`` are those of mail_delivery but
    for the routes.
    """

    family: str
    domains: Mapping[str, Entry]
    families: tuple[str, ...]
    own_names: tuple[str, ...]
    own_addresses: tuple[str, ...]
    search_list: tuple[str, ...]
    serial: tuple[str, ...]
    limited: bool
    evidence: bool
    options: dict[str, Any] = field(compare=False)

    def to_dict(self, resolved: Values) -> dict[str, Any]:
        """Return it as the result has it, with the routes of its domains."""
        chosen = [
            {**route, **entry.route} if entry.route else route
            for route in resolved.get("routes") or ()
            if (entry := self.domains.get(route["domain"]))
        ]
        options = {**self.options}
        if "routes" in resolved:
            options["routes"] = chosen
        if self.family != "imc" and "mx_preference" in self.options["connectors"]:
            told = resolved.get("domains") or ()
            options["resolved"] = [one for one in told if one["domain"] in self.domains]
        return {
            "family": self.family,
            "domains": list(self.domains),
            "untested": [x.domain for x in self.domains.values() if x.route.get("test") is False],
            "families": list(self.families),
            "search_list": list(self.search_list),
            "options": options,
        }


def settings_of(values: Values, entry_point: str, *, may_change: bool) -> Settings:
    """Return the settings from the checked variables of a host; raises InvalidInput."""
    known = {name.removeprefix(_PREFIX): value for name, value in values.items()}
    limits = [parse_limit(f"{_PREFIX}{name}", known.get(name)) for name in _LIMITS]
    removals = parse_limit(f"{_PREFIX}{_REMOVALS}", known.get(_REMOVALS))
    if known.get("missing_domain") == "remove":
        limits.append(removals)
    limited = any(limit.most is not None for limit in limits) and not known.get("force")
    limited = limited or known.get("test_from") in {"delayed", "all"}
    serial = batches(known.get("serial") or [])
    family = known["family"]
    families = ("ipv4",) if family == "imc" else tuple(known.get("families") or ("ipv4",))
    _check_own_addresses(known.get("own_addresses") or ())
    return Settings(
        family=family,
        domains=parse_entries(known.get("domains") or []),
        families=families,
        own_names=_names("own_names", known.get("own_names") or (), host=True),
        own_addresses=tuple(known.get("own_addresses") or ()),
        search_list=_names("search_list", known.get("search_list") or (), host=True),
        serial=tuple(serial),
        limited=limited or bool(serial),
        evidence=bool(known.get("evidence")) and family != "imc" and entry_point in _LOOKING,
        options=_options(known, entry_point, may_change=may_change),
    )


def _options(known: Values, entry_point: str, *, may_change: bool) -> dict[str, Any]:
    """Return the options of mail_delivery from the variables of an entry point."""
    connectors = _chosen(known, _CONNECTOR, "connector_")
    names = ("mx_preference", "families", "domain_controller", *EXTERNAL_DNS)
    connectors |= _chosen(known, names)
    test = _chosen(known, ("sender", "method", "deadline", "interval", "limit"), "test_")
    test |= _chosen(known, ("retry_queues",))
    if smtp := _chosen(known, _SMTP, "test_smtp_"):
        test["smtp"] = smtp
    which = known.get("rollback_test" if entry_point == "rollback" else "test") or "none"
    if entry_point == "diagnose":
        which = "stuck" if known.get("test_stuck") else "none"
    queue = _chosen(known, ("own_domains", "min_age"))
    if entry_point == "audit":
        queue["read"] = bool(known.get("look_at_queues"))
    return {
        "family": known["family"],
        **_chosen(
            known,
            (
                "state",
                "max_changes",
                _REMOVALS,
                "force",
                "note",
                "moved_often",
                "backup_dir",
                "backup_mode",
                "backup_group",
                "backup",
                "command_timeout",
            ),
        ),
        "missing_domain": known.get("missing_domain") or "keep",
        "may_change": may_change,
        "read_resolver": entry_point == "audit",
        "return_plan": bool(known.get("plan_out")),
        "imc": _chosen(known, IMC_OPTIONS),
        "connectors": connectors,
        "test": {**test, "domains": which, "fail_on_undelivered": False},
        "queue": queue,
    }


def _chosen(known: Values, names: Iterable[str], prefix: str = "") -> dict[str, Any]:
    """Return the variables that have a value, by the names of the options."""
    found = {name: known.get(f"{prefix}{name}") for name in names}
    return {name: value for name, value in found.items() if value is not None}


def dns_options(settings: Sequence[Settings], values: Values) -> dict[str, Any]:
    """Return the options of mx_pairs_info for all hosts; ``values`` are those of the first host."""
    wanted = [
        {*each.families, "ipv4"} if each.family == "auto" else each.families for each in settings
    ]
    given = {
        option: values[f"{_PREFIX}{name}"]
        for option, name in _DNS.items()
        if values.get(f"{_PREFIX}{name}") is not None
    }
    return {
        **given,
        "nameservers": given.get("nameservers") or None,
        "own_names": _all(each.own_names for each in settings),
        "own_addresses": _all(each.own_addresses for each in settings),
        "families": sorted(_all(wanted)) or ["ipv4"],
        "evidence": any(each.evidence for each in settings),
    }


def all_domains(settings: Iterable[Settings]) -> list[str]:
    """Return the domains of all hosts, each once, in order of appearance."""
    return _all(each.domains for each in settings)


def dns_entries(settings: Iterable[Settings]) -> list[Any]:
    """Return the domains of all hosts as mx_pairs_info takes them; the first setting counts."""
    entries: dict[str, Any] = {}
    for each in settings:
        for name, own in each.domains.items():
            entry = {"domain": name, **own.dns} if own.dns else name
            if entries.setdefault(name, entry) == name:
                entries[name] = entry
    return list(entries.values())


def all_suffixes(settings: Iterable[Settings]) -> list[str]:
    """Return the suffixes that the variables of all hosts name."""
    return _all(each.search_list for each in settings)


def _all(lists: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(value for values in lists for value in values))


def _names(option: str, texts: Iterable[str], *, host: bool) -> tuple[str, ...]:
    try:
        return tuple(parse_domain(text, host=host) for text in texts)
    except InvalidInput as error:
        raise InvalidInput(f"{_PREFIX}{option}: {error.message}.") from error


def _check_own_addresses(texts: Iterable[str]) -> None:
    for text in texts:
        try:
            ip_network(text, strict=False)
        except ValueError:
            _names("own_addresses", (text,), host=True)
