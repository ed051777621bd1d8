# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tasks of the role mx_delivery left in the variables of a host, as a report takes it.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..module_utils._pairs.names import parse_domain
from ..module_utils._report.outcome import HostOutcome

# The results by kind of run and of Exchange.
_ENFORCED = {
    ("rollback", False): "_mx_delivery_restored",
    ("rollback", True): "_mx_delivery_connectors_restored",
    ("other", False): "_mx_delivery_enforced",
    ("other", True): "_mx_delivery_connectors",
}


def outcome_of(
    name: str, variables: Mapping[str, Any], kind: str, *earlier: Mapping[str, Any]
) -> HostOutcome:
    """Return what is known of a host after a run of this kind.

    ``earlier`` are results for all hosts that this one needs.
    """
    asked = variables.get("_mx_delivery_asked") or {}
    info = registered(variables, "_mx_delivery_info")
    family = family_of(asked, info)
    kept = _ENFORCED["rollback" if kind == "rollback" else "other", family == "transport"]
    return HostOutcome(
        name=name,
        domains=list(dict.fromkeys(map(parse_domain, (asked.get("domains") or "").splitlines()))),
        enforced=registered(variables, kept),
        tested=registered(variables, "_mx_delivery_tested"),
        family=family,
        earlier=[*((asked,) if asked else ()), *earlier],
        info=info,
        planned=registered(variables, "_mx_delivery_planned"),
        queue=registered(variables, "_mx_delivery_queue"),
        held=str(variables.get("_mx_delivery_held") or ""),
        families=families_of(asked, family),
        suffixes=tuple(asked.get("search_list") or ()),
    )


def family_of(asked: Mapping[str, Any], seen: Mapping[str, Any] | None) -> str:
    """Return which kind of Exchange a host has: ``imc``, ``transport``, or nothing if not known.

    ``asked`` is what the host asks for, ``seen`` what a look at it found, None if nobody looked. It
    is ``auto`` where the inventory does not say it and nobody looked.
    """
    said = str(asked.get("family") or "")
    if seen is None:
        return said
    if seen.get("failed") or seen.get("unreachable"):
        return ""
    if said != "auto":
        return said
    return "transport" if seen.get("family") == "transport" else "imc"


def families_of(asked: Mapping[str, Any], family: str) -> tuple[str, ...]:
    """Return of which kinds the addresses are that a host of this ``family`` can have."""
    return ("ipv4",) if family == "imc" else tuple(asked.get("families") or ("ipv4",))


def registered(variables: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """Return what a task registered, or None where its condition kept it from running."""
    result = variables.get(name)
    if not isinstance(result, Mapping) or "false_condition" in result:
        return None
    return result
