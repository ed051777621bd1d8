# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan of Send connectors looks like to a person: its diff and its part of the result. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .external_dns import Setting, lines, to_result
from .organisation import View
from .plan import SHOWN, ConnectorPlan, Parameters, Step, is_pin, present_parameters

_KEYS = {
    "AddressSpaces": "address_spaces",
    "SmartHosts": "smart_hosts",
    "DNSRoutingEnabled": "dns_routing",
    "SmartHostAuthMechanism": "authentication",
    "Port": "port",
    "Enabled": "enabled",
    "SourceTransportServers": "source_servers",
    "RequireTLS": "require_tls",
    "TlsAuthLevel": "tls_auth_level",
    "TlsDomain": "tls_domain",
    "ProtocolLoggingLevel": "protocol_logging",
    "Comment": "comment",
}


def result(view: View, plan: ConnectorPlan, steps: Sequence[Step]) -> dict[str, Any]:
    """Return the connectors' part of a result; ``steps`` are those that were, or would be, done."""
    touched = {step.key for step in plan.steps}
    before = {c.identity: {"Name": c.name, **present_parameters(c)} for c in view.connectors}
    return {
        "organisation": {"name": view.organisation.name, "forest": view.organisation.forest},
        "domain_controller": view.domain_controller,
        "connectors": {
            "before": _entries(before, touched),
            "after": _entries(plan.later, touched),
        },
        "steps": [
            {"cmdlet": step.cmdlet, "connector": step.connector, "domain": step.domain}
            for step in steps
        ],
        "external_dns": None if plan.external_dns is None else to_result(plan.external_dns),
        "refused": [each.to_dict() for each in plan.refused],
        "diff": diff(view, plan),
    }


def _entries(connectors: Mapping[str, Parameters], touched: set[str]) -> list[dict[str, Any]]:
    """Return our connectors, and those that are touched, by name."""
    entries = [
        {"name": values["Name"], **{key: values.get(name) for name, key in _KEYS.items()}}
        for key_of, values in connectors.items()
        if key_of in touched or is_pin(values)
    ]
    return sorted(entries, key=lambda entry: str(entry["name"]).casefold())


def diff(view: View, plan: ConnectorPlan) -> list[dict[str, str]]:
    """Return one block for each domain with changed connectors, as Ansible prints them."""
    by_domain: dict[str, list[Step]] = {}
    for step in plan.steps:
        by_domain.setdefault(step.domain, []).append(step)
    blocks = []
    for domain, steps in by_domain.items():
        present = [step.present for step in steps if step.present]
        header = f"{view.organisation.name}: Send connector for {domain}"
        before = [{"Name": c.name, **present_parameters(c)} for c in present]
        after = [
            {**plan.later[step.key], "origin": step.origin, "inherited": step.inherited}
            for step in steps
            if step.key in plan.later
        ]
        blocks.append(
            {
                "before_header": header,
                "after_header": header,
                "before": _text(before),
                "after": _text(after),
            }
        )
    settings = (setting for setting in plan.external_dns or () if setting.changes)
    return [*blocks, *(_dns_block(view, setting) for setting in settings)]


def _dns_block(view: View, setting: Setting) -> dict[str, str]:
    """Return the difference of the external DNS of a server or a connector."""
    header = f"{view.organisation.name}: external DNS of the {setting.place.kind} {setting.name}"
    sides = {"before": setting.before, "after": setting.after}
    return {
        **{f"{side}_header": header for side in sides},
        **{
            side: "".join(f"{_printable(line)}\n" for line in [setting.name, *_indented(values)])
            for side, values in sides.items()
        },
    }


def _indented(values: Parameters) -> list[str]:
    return [f"  {line}" for line in lines(values)]


def _text(connectors: Sequence[Parameters]) -> str:
    """Return connectors as lines, in which nothing can begin another line, or move a cursor."""
    shown = (line for connector in connectors for line in _lines(connector))
    return "".join(f"{_printable(line)}\n" for line in shown)


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else " " for c in line)


def _lines(connector: Parameters) -> Iterator[str]:
    yield f"{connector['Name']}"
    for key, label in SHOWN:
        value = connector.get(key)
        if value is None or value == "":
            continue
        origin = f" (from {connector['origin']!r})" if key in connector.get("inherited", ()) else ""
        for item in value if isinstance(value, list) else [value]:
            shown = {True: "yes", False: "no"}[item] if isinstance(item, bool) else item
            yield f"  {label:<17} {shown}{origin}"
