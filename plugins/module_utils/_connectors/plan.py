# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the connectors that are there and the pins that are wanted to the steps between them.

Pure: the same for an audit and for a real run. A plan for an organisation that is already right
has no steps.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from .connector import Connector, Settings, comment_for
from .current import carrier, taken_over

State = Literal["present", "absent", "exact"]
Existing = Literal["adopt", "refuse"]

#: The name of a directory object may have that many characters.
NAME_LIMIT = 64
DEFAULT_NAME = "postmaster.exchange {domain}"


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
    name_template: str = DEFAULT_NAME


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


Planner = Callable[[Sequence[Connector]], Plan]
"""Makes the plan from the connectors that are there; asked again whenever they were read."""


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
    return changes_to(_wanted_parameters(pin), connector)


def changes_to(wanted: Mapping[str, Any], connector: Connector) -> dict[str, Any]:
    """Return the parameters of a connector that are not as wanted.

    Exchange wants the smart hosts told anew in the command that ends routing by DNS.
    """
    present = present_parameters(connector)
    changed = {key: value for key, value in wanted.items() if not _same(value, present[key])}
    if changed.get("DNSRoutingEnabled") is False:
        changed["SmartHosts"] = wanted["SmartHosts"]
    return changed


def _name(template: str, domain: str, taken: Iterable[str]) -> str:
    """Return a connector name that nobody else in the organisation uses."""
    name = template.replace("{domain}", domain)
    if len(name) > NAME_LIMIT:
        name = f"{name[: NAME_LIMIT - 9]}~{hashlib.sha256(domain.encode()).hexdigest()[:8]}"
    used = {other.casefold() for other in taken}
    candidate, number = name, 2
    while candidate.casefold() in used:
        end = f" ({number})"
        candidate, number = f"{name[: NAME_LIMIT - len(end)]}{end}", number + 1
    return candidate


def set_step(connector: Connector, changes: Mapping[str, Any], domain: str) -> Step:
    """Return the step that changes a connector."""
    parameters = {"Identity": connector.identity, **changes}
    return Step("Set-SendConnector", parameters, domain, connector)


def remove_step(connector: Connector, domain: str) -> Step:
    """Return the step that takes a connector away."""
    parameters = {"Identity": connector.identity, "Confirm": False}
    return Step("Remove-SendConnector", parameters, domain, connector)


def _refusal(pin: Settings, connector: Connector, existing: Existing) -> Refusal | None:
    """Say why a connector of somebody else stands in the way of a pin, if it does."""
    if len(connector.address_spaces) > 1:
        reason = "serves other address spaces too, which a pin would take along"
    elif connector.scoped:
        reason = "is scoped to one Active Directory site"
    elif connector.logs_in:
        reason = "logs in at its smart hosts by a password, which could not be put back"
    elif existing == "refuse":
        reason = "was not made by this collection (existing: adopt takes it over)"
    else:
        return None
    return Refusal(pin.domain, connector.name, reason)


def _ours_by_domain(connectors: Sequence[Connector]) -> dict[str, list[Connector]]:
    """Group our pins by domain, oldest first, so that every run keeps the same one of a double.

    One that Active Directory renamed stands behind the one that kept its name.
    """
    found: dict[str, list[Connector]] = {}
    for connector in sorted(connectors, key=lambda c: (c.in_conflict, c.created, c.identity)):
        if connector.ours and connector.pinned_domain:
            found.setdefault(connector.pinned_domain, []).append(connector)
    return found


@dataclass(slots=True)
class _Draft:
    """Steps by their place in the order: make and mend first, take away last."""

    connectors: Sequence[Connector]
    desired: Desired
    made: list[Step] = field(default_factory=list)
    mended: list[Step] = field(default_factory=list)
    removed: list[Step] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def pin(self, pin: Settings, ours: Sequence[Connector]) -> None:
        """Plan one domain's pin."""
        others = [] if ours else self._others(pin.domain)
        for other in others:
            refusal = _refusal(pin, other, self.desired.existing)
            if refusal:
                self.refusals.append(refusal)
                return
        keep = next(iter((*ours, *others)), None)
        if keep is None:
            self.made.append(self._new(pin))
            return
        changes = differences(pin, keep)
        if changes:
            self.mended.append(set_step(keep, changes, pin.domain))
        self.removed.extend(remove_step(double, pin.domain) for double in ours[1:])

    def _others(self, domain: str) -> list[Connector]:
        """Return the connectors of somebody else for this very domain, the one in use first."""
        found = [c for c in self.connectors if not c.ours and domain in c.domains]
        return sorted(found, key=lambda c: (not c.enabled, c.cost_for(domain), c.name.casefold()))

    def _new(self, pin: Settings) -> Step:
        taken = (*(connector.name for connector in self.connectors), *self.names)
        name = _name(self.desired.name_template, pin.domain, taken)
        self.names.append(name)
        habits = taken_over(carrier(self.connectors, pin.domain))
        parameters = {"Name": name, **habits, **_wanted_parameters(pin)}
        return Step("New-SendConnector", parameters, pin.domain)


def make_plan(connectors: Sequence[Connector], desired: Desired) -> Plan:
    """Return the steps from the present connectors to the desired pins."""
    ours = _ours_by_domain(connectors)
    draft = _Draft(connectors, desired)
    going = set(desired.removed)
    if desired.state == "absent":
        going |= {pin.domain for pin in desired.pins}
    else:
        for pin in desired.pins:
            draft.pin(pin, ours.get(pin.domain, []))
    if desired.state == "exact":
        listed = {pin.domain for pin in desired.pins} | desired.kept
        going |= set(ours) - listed
    for domain in sorted(going):
        draft.removed.extend(remove_step(each, domain) for each in ours.get(domain, []))
    return Plan((*draft.made, *draft.mended, *draft.removed), tuple(draft.refusals))


def with_best_tier(pin: Settings, preferences: Sequence[int]) -> Settings:
    """Keep only the smart hosts of the best (lowest) MX preference.

    ``preferences`` stand beside ``pin.smart_hosts``, one each, in the same order.
    """
    best = min(preferences)
    pairs = zip(pin.smart_hosts, preferences, strict=True)
    return replace(pin, smart_hosts=tuple(host for host, value in pairs if value == best))
