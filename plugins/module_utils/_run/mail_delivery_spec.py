# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of mail_delivery, and how they become those of the engines that do its parts.

Three of its options are groups (``imc``, ``connectors``, ``test``). Their suboptions come
from the argument specification of the engine, the only place of their names, types, and defaults.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from .._base.errors import InvalidInput
from .._connectors.external_dns import OPTIONS as EXTERNAL_DNS
from .._pairs.names import parse_domain
from .approval import APPROVAL_SPEC
from .backup_info import ARGUMENT_SPEC as BACKUPS_SPEC
from .imc_delivery import ARGUMENT_SPEC as IMC_SPEC
from .options import DELIVERY_TEST_SPEC, EXCHANGE_INFO_SPEC, QUEUE_INFO_SPEC
from .proof import ProofPolicy
from .transport_delivery import ARGUMENT_SPEC as CONNECTORS_SPEC

Params = Mapping[str, Any]

MODES = ("compare", "enforce", "diagnose", "check", "restore", "history")
#: Which domains get a test message.
TESTED = ("none", "changed", "all", "stuck")

_VERSIONS = {"ipv4": 4, "ipv6": 6}
#: How a backup is called, unlike a run.
_BACKUP_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d{6}Z(-\d{1,3})?\Z", re.ASCII)

#: The options of the group ``imc``; the role has a variable for each.
IMC_OPTIONS = (
    "resolver_search_list",
    "service_restart",
    "service_timeout",
    "missing_service",
    "missing_imccopy",
    "imccopy",
    "registry_key",
    "max_routes",
    "silent_exchanges",
    "host_backup_dir",
    "target_computer",
    "target_imccopy",
    "target_directory",
)
_CONNECTORS = (
    "mx_preference",
    "existing",
    "bypass_relay",
    "edge_synchronization",
    "external_dns",
    "external_dns_connectors",
    "name_template",
    "cost",
    "source_servers",
    "port",
    "require_tls",
    "tls_auth_level",
    "tls_domain",
    "protocol_logging",
    "domain_controller",
)
_TEST = ("sender", "subject", "method", "deadline", "interval", "smtp")
_QUEUE = ("own_domains", "min_age")
# What both engines that change something take as it is.
_BOTH = (
    "run_id",
    "note",
    "moved_often",
    "backup_dir",
    "backup_mode",
    "backup_group",
    "max_changes",
    "max_removed_domains",
    "force",
    *APPROVAL_SPEC,
)


def _group(spec: Params, names: Iterable[str], **more: Any) -> dict[str, Any]:
    """Return a group of suboptions; its defaults apply even if the task omits the group."""
    options = {name: spec[name] for name in names} | more
    return {"type": "dict", "apply_defaults": True, "options": options}


ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "mode": {"type": "str", "choices": [*MODES], "required": True},
    "settings": {"type": "dict"},
    "family": EXCHANGE_INFO_SPEC["family"],
    "routes": {"type": "list", "elements": "dict"},
    "resolved": {"type": "list", "elements": "dict"},
    "state": {"type": "str", "choices": ["present", "absent", "exact"], "default": "present"},
    "missing_domain": {"type": "str", "choices": ["keep", "remove"], "default": "keep"},
    **{name: IMC_SPEC[name] for name in ("max_changes", "max_removed_domains")},
    "force": {"type": "bool", "default": False},
    "may_change": {"type": "bool", "default": True},
    "refuse_removals": {"type": "bool", "default": False},
    "run_id": {"type": "str"},
    "note": {"type": "str"},
    "moved_often": {"type": "int", "default": 0},
    **APPROVAL_SPEC,
    "backup_dir": {"type": "path"},
    "backup_mode": {"type": "str"},
    "backup_group": {"type": "str"},
    "backup": {"type": "str"},
    "command_timeout": IMC_SPEC["command_timeout"],
    "imc": _group(IMC_SPEC, IMC_OPTIONS),
    "connectors": _group(
        CONNECTORS_SPEC,
        _CONNECTORS,
        families={
            "type": "list",
            "elements": "str",
            "choices": [*_VERSIONS],
            "default": [*_VERSIONS],
        },
    ),
    "test": _group(
        DELIVERY_TEST_SPEC,
        _TEST,
        domains={"type": "str", "choices": [*TESTED], "default": "none"},
        limit={"type": "int", "default": 100},
        retry_queues={"type": "bool", "default": True},
        fail_on_undelivered={"type": "bool", "default": True},
    ),
    "also_test": {"type": "list", "elements": "str", "default": []},
    "queue": _group(QUEUE_INFO_SPEC, _QUEUE, read={"type": "bool"}),
    "read_resolver": {"type": "bool", "default": False},
    "smtp_login": {
        "type": "dict",
        "options": {
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
        },
    },
}


def restores(params: Params) -> bool:
    """True if a backup is restored or compared: compare with a named backup previews a rollback."""
    return params["mode"] == "restore" or (params["mode"] == "compare" and bool(params["backup"]))


def check(params: Params) -> None:
    """Raise InvalidInput for options that do not go together."""
    mode = params["mode"]
    if mode in {"compare", "enforce"} and params["routes"] is None and not restores(params):
        raise InvalidInput(f"mode: {mode} needs the option routes.")
    if params["backup"] and mode not in {"restore", "compare"}:
        raise InvalidInput("The option backup is for mode: restore, or compare with it.")
    if params["approved_plan"] is not None and mode not in {"compare", "enforce"}:
        raise InvalidInput("The option approved_plan is for mode: compare and mode: enforce only.")
    if params["test"]["limit"] < 0:
        raise InvalidInput(f"test.limit is {params['test']['limit']}; it must be 0 or more.")
    for number, route in enumerate(params["routes"] or ()):
        if not isinstance(route.get("domain"), str):
            raise InvalidInput(f"routes[{number}] has no domain.")


def routes_for(family: str, params: Params) -> list[dict[str, Any]]:
    """Return the routes with the addresses that a host of this family can use.

    The Internet Mail Connector takes IPv4 only. A route left without any has no address.
    """
    wanted = ("ipv4",) if family == "imc" else params["connectors"]["families"]
    versions = {_VERSIONS[name] for name in wanted}
    return [_narrowed(route, versions) for route in params["routes"] or ()]


def _narrowed(route: Mapping[str, Any], versions: set[int]) -> dict[str, Any]:
    given = route.get("addresses") or ()
    try:
        kept = [address for address in given if ip_address(address).version in versions]
    except (ValueError, TypeError):  # the engine names the route, and what is wrong with it
        return dict(route)
    if len(kept) == len(given):
        return dict(route)
    status = route.get("status", "ok") if kept else "no_address"
    return {**route, "addresses": kept, "status": status}


# -- the options of each engine


def _defaults(spec: Params) -> dict[str, Any]:
    return {name: option.get("default") for name, option in spec.items()}


def exchange_params(params: Params) -> dict[str, Any]:
    """Return the options of exchange_info; everything is gathered for a diagnosis only."""
    smtp = params["test"]["smtp"] or {}
    return {
        "family": params["family"],
        "gather": "all" if params["mode"] in {"diagnose", "check"} else "basics",
        "target_computer": params["imc"]["target_computer"],
        "smtp_host": smtp.get("host"),
        "smtp_port": smtp.get("port") if params["mode"] == "diagnose" else None,
    }


def imc_params(params: Params) -> dict[str, Any]:
    """Return the options of imc_delivery."""
    changing = {
        "routes": routes_for("imc", params),
        "state": params["state"],
        "missing_domain": params["missing_domain"],
    }
    if restores(params):
        changing = {
            "state": "restored",
            "resolver_search_list": "unmanaged",
            "backup": backup_path(params),
        }
    common = (*_BOTH, "command_timeout")
    return {
        **_defaults(IMC_SPEC),
        **params["imc"],
        **{name: params[name] for name in common},
        **changing,
        "return_routes": "text",
        "tests": proof_params(params),
    }


def connectors_params(params: Params) -> dict[str, Any]:
    """Return the options of transport_delivery."""
    changing = {
        "routes": routes_for("transport", params),
        "resolved": params["resolved"],
        "state": params["state"],
        "missing_domain": params["missing_domain"],
    }
    if restores(params):
        changing = {"state": "restored", "backup": backup_path(params)}
    group = {name: value for name, value in params["connectors"].items() if name != "families"}
    if restores(params):
        group |= dict.fromkeys(EXTERNAL_DNS)
    common = (*_BOTH, "may_change")
    return {
        **_defaults(CONNECTORS_SPEC),
        **group,
        **{name: params[name] for name in common},
        **changing,
        "cmdlet_timeout": params["command_timeout"],
        "tests": proof_params(params),
    }


def proof_params(params: Params) -> ProofPolicy | None:
    """Return what becomes of changes without a delivered test message.

    A rollback without test messages leaves those of other changes to the next run; a run that
    enforces without any discards them.
    """
    mode, test = params["mode"], params["test"]
    tests_on = test["domains"] != "none" and test["limit"]
    if mode in {"diagnose", "check"}:
        return None
    if mode == "compare":
        return ProofPolicy("show")
    if not tests_on:
        return ProofPolicy("keep" if mode == "restore" else "forget")
    if mode == "restore":
        return ProofPolicy("test")
    pinned = set()
    for route in params["routes"] or ():
        if (route.get("status") or "ok") == "ok" and route.get("test") is not False:
            with contextlib.suppress(InvalidInput):  # the engine names the route
                pinned.add(parse_domain(route["domain"]))
    return ProofPolicy("test", frozenset(pinned))


def untested(params: Params) -> list[str]:
    """Return the domains with ``test: false`` in their routes."""
    return [route["domain"] for route in params["routes"] or () if route.get("test") is False]


def queue_params(family: str, params: Params) -> dict[str, Any]:
    """Return the options of queue_info."""
    return {
        **_defaults(QUEUE_INFO_SPEC),
        **{name: params["queue"][name] for name in _QUEUE},
        "family": family,
        "target_computer": params["imc"]["target_computer"],
    }


def test_params(
    family: str, params: Params, domains: Sequence[str], relays: Mapping[str, str]
) -> dict[str, Any]:
    """Return the options of delivery_test for these domains; ``relays`` are those known by domain.

    Exchange 2010 and later gets its messages by SMTP. A later step judges undelivered ones.
    """
    group = params["test"]
    smtp = {**(group["smtp"] or {}), **(params["smtp_login"] or {})}
    routes = {parse_domain(route["domain"]): route for route in params["routes"] or ()}
    entries = [_test_entry(domain, routes.get(domain) or {}, relays) for domain in domains]
    return {
        **_defaults(DELIVERY_TEST_SPEC),
        **{name: group[name] for name in _TEST},
        "family": family,
        "domains": entries,
        "smtp": smtp or None,
        "method": "smtp" if family == "transport" else group["method"],
        "retry_queues": group["retry_queues"] and family == "transport",
        "remove_queued": params["mode"] == "restore",
        "fail_on_undelivered": False,
        "target_computer": params["imc"]["target_computer"],
    }


def _test_entry(domain: str, route: Params, relays: Mapping[str, str]) -> dict[str, Any] | str:
    """Return a domain with what the run knows of it, as delivery_test takes it."""
    known = {
        "recipient": route.get("test_recipient"),
        "addresses": list(route.get("addresses") or ()),
        "relay": relays.get(domain),
    }
    given = {name: value for name, value in known.items() if value}
    return {"name": domain, **given} if given else domain


def history_params(family: str, params: Params) -> dict[str, Any]:
    """Return the options of backup_info."""
    given = {**params["imc"], **params["connectors"], **params}
    return {
        **{name: given.get(name, option.get("default")) for name, option in BACKUPS_SPEC.items()},
        "family": family,
    }


def backup_path(params: Params) -> str:
    """Return where the backup to restore is looked for: a path, or a name below the backups."""
    backup = params["backup"] or ""
    if "/" in backup:
        return str(backup)
    return "/".join(part for part in (params["backup_dir"] or "backups", backup) if part)


def may_lack_backup(params: Params, basedir: Path) -> bool:
    """True if a host may lack the backup to restore, since the named run may not have changed it.

    A named backup must exist, and so must the newest one, and the folder of all backups.
    """
    backup = params["backup"] or ""
    folder = basedir / (params["backup_dir"] or "backups")
    names_run = bool(backup) and "/" not in backup and not _BACKUP_NAME.match(backup)
    return names_run and folder.is_dir()
