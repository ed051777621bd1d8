# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the connectors that are there and the pins that are wanted to the steps between them.

Pure: the same for an audit and for a real run. A plan for an organisation that is already right
has no steps.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from .connector import Connector, Settings, comment_for

State = Literal["present", "absent", "exact"]
Existing = Literal["adopt", "refuse"]


@dataclass(frozen=True, slots=True)
class Desired:
    """What the administrator wants of the connectors.

    ``pins`` are the domains whose addresses are known. ``kept`` are domains that were asked for
    but whose pin must stay as it is (their answer is not known, or they are gone and stay by
    option). ``removed`` are domains whose pin must go.
    """

    pins: tuple[Settings, ...]
    kept: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    state: State = "present"
    existing: Existing = "refuse"
    name_template: str = "postmaster.exchange {domain}"


@dataclass(frozen=True, slots=True)
class Step:
    """One change: a cmdlet with typed parameters, and what it is for.

    ``before`` is the connector it changes or removes; ``None`` for a new one.
    """

    cmdlet: str
    parameters: Mapping[str, Any]
    domain: str
    before: Connector | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A pin that is not made, and why."""

    domain: str
    connector: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in the order in which mail for a domain always has a route."""

    steps: tuple[Step, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    @property
    def changes(self) -> bool:
        """Tell whether there is anything to do."""
        return bool(self.steps)


def _wanted_parameters(pin: Settings) -> dict[str, Any]:
    """Return what New- or Set-SendConnector must be told for a pin, in canonical forms."""
    parameters: dict[str, Any] = {
        "AddressSpaces": [f"SMTP:{pin.domain};{pin.cost}"],
        "SmartHosts": list(pin.smart_hosts),
        "DNSRoutingEnabled": False,
        "SmartHostAuthMechanism": "None",
        "Port": pin.port,
        "Comment": comment_for(pin.domain),
        "Enabled": True,
    }
    optional = {
        "SourceTransportServers": list(pin.source_servers) or None,
        "TlsAuthLevel": pin.tls_auth_level,
        "TlsDomain": pin.tls_domain,
        "RequireTLS": pin.require_tls,
        "ProtocolLoggingLevel": pin.protocol_logging,
    }
    parameters.update({key: value for key, value in optional.items() if value is not None})
    return parameters


def present_parameters(connector: Connector) -> dict[str, Any]:
    """Return what a connector is, in the terms of ``_wanted_parameters``."""
    return {
        "AddressSpaces": [str(space) for space in connector.address_spaces],
        "SmartHosts": list(connector.smart_hosts),
        "DNSRoutingEnabled": connector.dns_routing,
        "SmartHostAuthMechanism": connector.auth_mechanism,
        "Port": connector.port,
        "Comment": connector.comment,
        "Enabled": connector.enabled,
        "SourceTransportServers": list(connector.source_servers),
        "TlsAuthLevel": connector.tls_auth_level,
        "TlsDomain": connector.tls_domain,
        "RequireTLS": connector.require_tls,
        "ProtocolLoggingLevel": connector.protocol_logging,
    }


def _same(wanted: object, present: object) -> bool:
    if isinstance(wanted, str) and isinstance(present, str):
        return wanted.casefold() == present.casefold()
    return wanted == present


def differences(pin: Settings, connector: Connector) -> dict[str, Any]:
    """Return the parameters of a connector that are not as the pin wants them."""
    present = present_parameters(connector)
    wanted = _wanted_parameters(pin)
    return {key: value for key, value in wanted.items() if not _same(value, present[key])}


def _name(template: str, domain: str, taken: Iterable[str]) -> str:
    """Return a connector name that nobody else in the organisation uses."""
    name = template.replace("{domain}", domain)
    used = {other.casefold() for other in taken}
    candidate, number = name, 2
    while candidate.casefold() in used:
        candidate, number = f"{name} ({number})", number + 1
    return candidate


def _set(pin: Settings, connector: Connector) -> Step | None:
    changes = differences(pin, connector)
    if not changes:
        return None
    parameters = {"Identity": connector.identity, **changes}
    return Step("Set-SendConnector", parameters, pin.domain, connector)


def _remove(connector: Connector, domain: str) -> Step:
    parameters = {"Identity": connector.identity, "Confirm": False}
    return Step("Remove-SendConnector", parameters, domain, connector)


def _refusal(pin: Settings, connector: Connector, existing: Existing) -> Refusal | None:
    """Say why a connector of somebody else stands in the way of a pin, if it does."""
    if len(connector.address_spaces) > 1:
        reason = "serves other address spaces too, which a pin would take along"
    elif connector.scoped:
        reason = "is scoped to one Active Directory site"
    elif existing == "refuse":
        reason = "was not made by this collection (existing: adopt takes it over)"
    else:
        return None
    return Refusal(pin.domain, connector.name, reason)


def _ours_by_domain(connectors: Sequence[Connector]) -> dict[str, list[Connector]]:
    """Group our pins by domain, oldest first, so that every run keeps the same one of a double."""
    found: dict[str, list[Connector]] = {}
    for connector in sorted(connectors, key=lambda c: (c.created, c.identity)):
        if connector.ours and connector.pinned_domain:
            found.setdefault(connector.pinned_domain, []).append(connector)
    return found


@dataclass(slots=True)
class _Draft:
    """Steps by their place in the order: make and mend first, take away last."""

    made: list[Step]
    mended: list[Step]
    removed: list[Step]
    refusals: list[Refusal]
    names: list[str]


def _pin(
    draft: _Draft,
    pin: Settings,
    ours: Sequence[Connector],
    others: Sequence[Connector],
    desired: Desired,
) -> None:
    """Plan one domain's pin."""
    if not ours:
        for other in others:
            refusal = _refusal(pin, other, desired.existing)
            if refusal:
                draft.refusals.append(refusal)
                return
    keep = next(iter((*ours, *others)), None)
    if keep is None:
        name = _name(desired.name_template, pin.domain, draft.names)
        draft.names.append(name)
        draft.made.append(
            Step("New-SendConnector", {"Name": name, **_wanted_parameters(pin)}, pin.domain)
        )
        return
    step = _set(pin, keep)
    if step:
        draft.mended.append(step)
    draft.removed.extend(_remove(double, pin.domain) for double in ours[1:])


def make_plan(connectors: Sequence[Connector], desired: Desired) -> Plan:
    """Return the steps from the present connectors to the desired pins."""
    ours = _ours_by_domain(connectors)
    draft = _Draft([], [], [], [], [connector.name for connector in connectors])
    going = set(desired.removed)
    if desired.state == "absent":
        going |= {pin.domain for pin in desired.pins}
    else:
        for pin in desired.pins:
            others = [c for c in connectors if not c.ours and pin.domain in c.domains]
            _pin(draft, pin, ours.get(pin.domain, []), others, desired)
    if desired.state == "exact":
        listed = {pin.domain for pin in desired.pins} | desired.kept
        going |= set(ours) - listed
    for domain in sorted(going):
        draft.removed.extend(_remove(connector, domain) for connector in ours.get(domain, []))
    return Plan((*draft.made, *draft.mended, *draft.removed), tuple(draft.refusals))


def after(connectors: Sequence[Connector], plan: Plan) -> dict[str, dict[str, Any]]:
    """Return what the plan's connectors will be, by domain; for the diff, and for its laws."""
    result: dict[str, dict[str, Any]] = {}
    gone = {
        step.before.identity
        for step in plan.steps
        if step.before and step.cmdlet == "Remove-SendConnector"
    }
    for connector in connectors:
        if connector.ours and connector.pinned_domain and connector.identity not in gone:
            result[connector.pinned_domain] = {
                "Name": connector.name,
                **present_parameters(connector),
            }
    for step in plan.steps:
        if step.cmdlet == "New-SendConnector":
            result[step.domain] = dict(step.parameters)
        elif step.cmdlet == "Set-SendConnector" and step.before:
            base = {"Name": step.before.name, **present_parameters(step.before)}
            changes = {k: v for k, v in step.parameters.items() if k != "Identity"}
            result[step.domain] = {**base, **changes}
    return result


def with_best_tier(pin: Settings, preferences: Sequence[int]) -> Settings:
    """Keep only the smart hosts of the best (lowest) MX preference.

    ``preferences`` stand beside ``pin.smart_hosts``, one each, in the same order.
    """
    best = min(preferences)
    pairs = zip(pin.smart_hosts, preferences, strict=True)
    return replace(pin, smart_hosts=tuple(host for host, value in pairs if value == best))
