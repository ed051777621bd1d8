# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan looks like to a person: diff, warnings, and the result of the task. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._run.change_limit import Size
from .connector import MARK, Connector
from .current import rivals
from .gather import View
from .plan import Plan, present_parameters
from .spec import Options

_Parameters = Mapping[str, Any]

# What a diff shows of a connector, and in which order.
_SHOWN = (
    ("AddressSpaces", "address space"),
    ("SmartHosts", "smart host"),
    ("DNSRoutingEnabled", "DNS routing"),
    ("SmartHostAuthMechanism", "authentication"),
    ("Port", "port"),
    ("Enabled", "enabled"),
    ("SourceTransportServers", "source server"),
    ("RequireTLS", "require TLS"),
    ("TlsAuthLevel", "TLS level"),
    ("TlsDomain", "TLS domain"),
    ("ProtocolLoggingLevel", "protocol logging"),
    ("Fqdn", "HELO name"),
    ("FrontendProxyEnabled", "front-end proxy"),
    ("MaxMessageSize", "size limit"),
    ("SourceIPAddress", "source address"),
    ("Comment", "comment"),
)
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
# How a new connector is where the plan does not say; all that a diff would show of it is there.
_DEFAULTS = {"RequireTLS": False, "ProtocolLoggingLevel": "None"}


def after(connectors: Sequence[Connector], plan: Plan) -> dict[str, _Parameters]:
    """Return what all connectors will be, by identity, or by name for new ones."""
    result: dict[str, _Parameters] = {c.identity: _parameters(c) for c in connectors}
    for step in plan.steps:
        given = {k: v for k, v in step.parameters.items() if k not in {"Identity", "Confirm"}}
        if step.before is None:
            result[f"name:{given['Name']}"] = {**_DEFAULTS, **given}
        elif step.cmdlet == "Remove-SendConnector":
            result.pop(step.before.identity, None)
        else:
            result[step.before.identity] = {**result[step.before.identity], **given}
    return result


def _parameters(connector: Connector) -> _Parameters:
    return {"Name": connector.name, **present_parameters(connector)}


def size(view: View, plan: Plan) -> Size:
    """Return how large a change is: steps, of our connectors before or afterwards."""
    later = after(view.connectors, plan).values()
    total = max(sum(c.ours for c in view.connectors), sum(map(_has_mark, later)))
    domains = dict.fromkeys(step.domain for step in plan.steps)
    return Size("connectors", len(plan.steps), total, tuple(domains))


def _has_mark(connector: _Parameters) -> bool:
    return str(connector.get("Comment") or "").startswith(MARK)


def diff(view: View, plan: Plan) -> list[dict[str, str]]:
    """Return one block for each domain whose connectors change; the shape Ansible prints."""
    later = after(view.connectors, plan)
    blocks = []
    for domain in dict.fromkeys(step.domain for step in plan.steps):
        steps = [step for step in plan.steps if step.domain == domain]
        before = [_parameters(step.before) for step in steps if step.before]
        keys = (s.before.identity if s.before else f"name:{s.parameters['Name']}" for s in steps)
        header = f"{view.organisation.name}: Send connector for {domain}"
        blocks.append(
            {
                "before_header": header,
                "after_header": header,
                "before": _text(before),
                "after": _text([later[key] for key in keys if key in later]),
            }
        )
    return blocks


def _text(connectors: Sequence[_Parameters]) -> str:
    lines = (line for connector in connectors for line in _lines(connector))
    return "".join(f"{_one_line(line)}\n" for line in lines)


def _lines(connector: _Parameters) -> Iterator[str]:
    """Return a connector as lines; values that are unset or say nothing are passed over."""
    yield f"{connector['Name']}"
    for key, label in _SHOWN:
        value = connector.get(key)
        if value is None or value == "":
            continue
        for one in value if isinstance(value, list) else [value]:
            shown = {True: "yes", False: "no"}[one] if isinstance(one, bool) else one
            yield f"  {label:<17} {shown}"


def _one_line(line: str) -> str:
    """Return text in which nothing can begin another line of the diff, or move a cursor."""
    return "".join(c if c.isprintable() else " " for c in line)


def warnings(view: View, plan: Plan, options: Options) -> list[str]:
    """Return what the administrator should know, in the same words at whichever host."""
    return [
        *_kept_warnings(view, options),
        *_rival_warnings(view, plan, options),
    ]


def _kept_warnings(view: View, options: Options) -> Iterator[str]:
    pinned = {c.pinned_domain for c in view.connectors if c.ours}
    for route in options.kept:
        stays = "its connector stays as it is" if route.domain in pinned else "it gets no connector"
        yield f"{route.domain}: {route.status.replace('_', ' ')}; {stays}."


def _rival_warnings(view: View, plan: Plan, options: Options) -> Iterator[str]:
    """Warn where another connector may take the mail of a pinned domain; a new pin has none."""
    gone = {s.before.identity for s in plan.steps if s.before and s.cmdlet.startswith("Remove")}
    staying = [c for c in view.connectors if c.identity not in gone]
    wanted = {pin.domain for pin in options.desired.pins} if options.desired else set()
    for pin in staying:
        if pin.ours and pin.pinned_domain in wanted:
            domain = pin.pinned_domain or ""
            for other in rivals(staying, pin, domain):
                yield (
                    f"{domain}: the connector {other.name!r} has the same address space at the same"
                    f" or a lower cost, so Exchange may use it instead of {pin.name!r}."
                )


def result(view: View, plan: Plan, options: Options, *, check_mode: bool = False) -> dict[str, Any]:
    """Return the result of a plan that was, or would be, carried out completely."""
    how_large = size(view, plan)
    before = {c.identity: _parameters(c) for c in view.connectors}
    later = after(view.connectors, plan)
    concerned = {step.before.identity for step in plan.steps if step.before}
    return {
        "changed": plan.changes,
        "rolled_back": False,
        "backup": None,
        "organisation": {"name": view.organisation.name, "forest": view.organisation.forest},
        "domain_controller": view.domain_controller,
        "connectors": {
            "before": _entries(before, concerned),
            "after": _entries(later, concerned),
        },
        "steps": steps(plan),
        "refused": refused(plan),
        "change_limit": options.change_limit.to_dict(how_large),
        "would_refuse": check_mode and options.change_limit.refuses(how_large),
        "run_id": options.run_id,
        "warnings": [
            *warnings(view, plan, options),
            *options.change_limit.warnings(how_large, check_mode=check_mode),
        ],
        "diff": diff(view, plan),
    }


def _entries(connectors: Mapping[str, _Parameters], concerned: set[str]) -> list[dict[str, Any]]:
    """Return our connectors, and those that are touched, by name."""
    return sorted(
        (
            {"name": values["Name"], **{key: values.get(name) for name, key in _KEYS.items()}}
            for identity, values in connectors.items()
            if identity in concerned or _has_mark(values)
        ),
        key=lambda entry: str(entry["name"]).casefold(),
    )


def steps(plan: Plan) -> list[dict[str, str]]:
    """Return the steps of a plan: which cmdlet, on which connector, for which domain."""
    return [
        {
            "cmdlet": step.cmdlet,
            "connector": step.before.name if step.before else str(step.parameters["Name"]),
            "domain": step.domain,
        }
        for step in plan.steps
    ]


def refused(plan: Plan) -> list[dict[str, str]]:
    """Return the pins that cannot be made."""
    return [
        {"domain": each.domain, "connector": each.connector, "reason": each.reason}
        for each in plan.refusals
    ]
