# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results that tasks left in the variables of hosts, as the report takes them.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..module_utils._pairs.names import parse_domain
from ..module_utils._report.host_result import NOT_CHECKED, HostResult
from ..module_utils._report.limits import gate
from ._role_variables import results_of

_DELIVERY = {
    ("rollback", False): "_mx_delivery_restored",
    ("rollback", True): "_mx_delivery_connectors_restored",
    ("other", False): "_mx_delivery_enforced",
    ("other", True): "_mx_delivery_connectors",
}


def hosts_of(params: Mapping[str, Any], variables: Mapping[str, Any]) -> list[HostResult]:
    """Return the hosts of a report from the variables that its options name.

    A host without a result that did not fail was not begun, because a limit or an earlier batch
    stopped the run: the option ``held`` says why, or else the failures of the others.
    """
    hostvars, routes = variables["hostvars"], params["routes"]
    if not params["results"]:  # the variables of a role without mail_delivery
        known = {name: hostvars[name] for name in params["hosts"]}

        def first(variable: str) -> Mapping[str, Any]:
            return next((one[variable] for one in known.values() if one.get(variable)), {})

        routes.setdefault("run", first("_mx_delivery_run"))
        routes.setdefault("limit", first("_mx_delivery_brake").get("would_refuse"))
        return [outcome_of(name, one, params["kind"], routes) for name, one in known.items()]

    run = (routes.get("run") or {}).get("id")

    def found(variable: str | None) -> dict[str, Mapping[str, Any]]:
        """Return the results of this run; there may be those of an earlier one in a playbook."""
        results = results_of(variables, params["hosts"], variable) if variable else {}
        return {name: one for name, one in results.items() if one.get("run_id", run) == run}

    results, compared = found(params["results"]), found(params["compared"])

    def read(name: str, held: str) -> HostResult:
        return HostResult.read(name, routes, results.get(name), compared.get(name), held=held)

    held = params["held"]
    if params["kind"] == "rollback" and not _lack_backup(params["hosts"], results):
        held = ""
    hosts = [read(name, held) for name in params["hosts"]]
    if params["kind"] == "enforce" and not held and (trouble := gate(hosts)):
        held = f"an earlier batch failed ({trouble})"
        hosts = [read(host.name, held) if host.failure == NOT_CHECKED else host for host in hosts]
    return hosts


def _lack_backup(names: Iterable[str], results: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether no host has the backup that was to be restored."""
    return all((results.get(name, {}).get("delivery") or {}).get("no_backup") for name in names)


def outcome_of(
    name: str, variables: Mapping[str, Any], kind: str, *earlier: Mapping[str, Any]
) -> HostResult:
    """Return what is known of a host after a run of this kind.

    ``earlier`` are results for all hosts that this one needs.
    """
    asked = variables.get("_mx_delivery_asked") or {}
    info = registered(variables, "_mx_delivery_info")
    family = family_of(asked, info)
    kept = _DELIVERY["rollback" if kind == "rollback" else "other", family == "transport"]
    return HostResult(
        name=name,
        domains=list(dict.fromkeys(map(parse_domain, (asked.get("domains") or "").splitlines()))),
        delivery=registered(variables, kept),
        tests=registered(variables, "_mx_delivery_tested"),
        family=family,
        needed=[*((asked,) if asked else ()), *earlier],
        exchange=info,
        compared=registered(variables, "_mx_delivery_planned"),
        queue=registered(variables, "_mx_delivery_queue"),
        backups=registered(variables, "_mx_delivery_backups"),
        held=str(variables.get("_mx_delivery_held") or ""),
        families=families_of(asked, family),
        suffixes=tuple(asked.get("search_list") or ()),
    )


def family_of(asked: Mapping[str, Any], seen: Mapping[str, Any] | None) -> str:
    """Return a host's family of Exchange: ``imc``, ``transport``, or nothing if it is not known.

    ``asked`` are the host's variables, ``seen`` the result of exchange_info, None without one. It
    is ``auto`` if neither says it.
    """
    said = str(asked.get("family") or "")
    if said != "auto" or seen is None:
        return said
    if seen.get("failed") or seen.get("unreachable"):
        return ""
    return "transport" if seen.get("family") == "transport" else "imc"


def families_of(asked: Mapping[str, Any], family: str) -> tuple[str, ...]:
    """Return the kinds of addresses that a host of this ``family`` can have."""
    return ("ipv4",) if family == "imc" else tuple(asked.get("families") or ("ipv4",))


def registered(variables: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """Return what a task registered, or None if its condition kept it from running."""
    result = variables.get(name)
    if not isinstance(result, Mapping) or "false_condition" in result:
        return None
    return result
