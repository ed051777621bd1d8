# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the Send connectors that are there to those that are wanted, or that a backup holds. Pure.

The same for an audit and for a real run. An organisation that is up to date gives an empty plan.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from .._run.change_limit import Size
from .._run.family import Change, Plan, Refusal
from .connector import Connector, Connectors, Settings, comment_for, inherited_settings, is_ours

State = Literal["present", "absent", "exact", "restored"]
Existing = Literal["adopt", "refuse"]
Parameters = Mapping[str, Any]

#: The name of a directory object may have that many characters.
NAME_LIMIT = 64
DEFAULT_NAME = "postmaster.exchange {domain}"
NEW, SET, REMOVE = "New-SendConnector", "Set-SendConnector", "Remove-SendConnector"
#: Parameters of New-SendConnector besides those that a pin decides about, to make a connector anew.
OTHER_SETTINGS = (
    "CloudServicesMailEnabled",
    "ConnectionInactivityTimeOut",
    "ErrorPolicies",
    "ForceHELO",
    "Fqdn",
    "FrontendProxyEnabled",
    "IgnoreSTARTTLS",
    "MaxMessageSize",
    "SmtpMaxMessagesPerConnection",
    "SourceIPAddress",
    "TlsCertificateName",
    "UseExternalDNSServersEnabled",
)
#: Parameters that a pin decides about, as far as they are set.
PIN_PARAMETERS = (
    "AddressSpaces",
    "SmartHosts",
    "DNSRoutingEnabled",
    "SmartHostAuthMechanism",
    "Port",
    "Comment",
    "Enabled",
    "SourceTransportServers",
    "TlsAuthLevel",
    "TlsDomain",
    "RequireTLS",
    "ProtocolLoggingLevel",
)
# How a new connector is where its parameters do not say.
_DEFAULTS = {"RequireTLS": False, "ProtocolLoggingLevel": "None"}


@dataclass(frozen=True, slots=True)
class Desired:
    """What the administrator wants of the connectors.

    ``pins`` are the domains whose addresses are known, ``removed`` those whose pin must go.
    ``kept`` are domains that were asked for but stay as they are, each with its DNS status. A pin
    of ``short_lived`` ones stays where it shares a smart host with what is wanted.
    """

    pins: tuple[Settings, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()
    short_lived: frozenset[str] = frozenset()
    state: State = "present"
    existing: Existing = "refuse"
    name_template: str = DEFAULT_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Change):
    """One cmdlet with typed parameters; ``present`` is the connector it changes or removes."""

    cmdlet: str
    parameters: Parameters
    present: Connector | None = None

    @property
    def domain(self) -> str:
        """The domain whose connector it is, or the connector's name where it serves several."""
        return self.domains[0]

    @property
    def connector(self) -> str:
        """The name of the connector."""
        return self.present.name if self.present else str(self.parameters["Name"])

    @property
    def key(self) -> str:
        """What identifies the connector among others, also one that is to be made."""
        return self.present.identity if self.present else f"name:{self.parameters['Name']}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorPlan(Plan):
    """The steps in an order in which mail for a domain always has a route.

    ``later`` are all connectors as they are then, by ``Step.key`` or identity.
    """

    changes: tuple[Step, ...] = ()
    later: Mapping[str, Parameters] = field(default_factory=dict)


# -- a connector in the terms of its parameters


def wanted_parameters(pin: Settings) -> dict[str, Any]:
    """Return the parameters that New- or Set-SendConnector needs for a pin, in canonical forms."""
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
    return parameters | {name: value for name, value in optional.items() if value is not None}


def present_parameters(connector: Connector) -> dict[str, Any]:
    """Return what a connector is, in the terms of ``wanted_parameters``."""
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


def new_parameters(connector: Connector) -> dict[str, Any]:
    """Return the parameters that make a connector anew as it was; what is unset is left out."""
    settings = {name: connector.raw.get(name) for name in OTHER_SETTINGS}
    settings |= present_parameters(connector)
    return {
        "Name": connector.name,
        **{name: value for name, value in settings.items() if value not in (None, "", [])},
    }


def same(wanted: object, present: object) -> bool:
    """Whether two values of a parameter are alike; Exchange compares texts without case."""
    if isinstance(wanted, str) and isinstance(present, str):
        return wanted.casefold() == present.casefold()
    if isinstance(wanted, list) and isinstance(present, list):
        return len(wanted) == len(present) and all(map(same, wanted, present))
    return wanted == present


def changes_to(wanted: Parameters, connector: Connector) -> dict[str, Any]:
    """Return the parameters of a connector that are not as wanted; None is ``$null``."""
    return differing(wanted, present_parameters(connector))


def differing(wanted: Parameters, present: Parameters) -> dict[str, Any]:
    """Return the wanted parameters that are not so at present.

    Exchange needs the smart hosts again in the command that ends routing by DNS.
    """
    changed = {name: value for name, value in wanted.items() if not same(value, present[name])}
    if changed.get("DNSRoutingEnabled") is False:
        changed["SmartHosts"] = wanted.get("SmartHosts", present["SmartHosts"])
    return changed


# -- steps


def new_step(parameters: Parameters, domain: str) -> Step:
    """Return the step that makes a connector."""
    return _step(NEW, domain, parameters, None, parameters.get("SmartHosts"))


def set_step(connector: Connector, changes: Parameters, domain: str) -> Step:
    """Return the step that changes a connector."""
    hosts = changes.get("SmartHosts", list(connector.smart_hosts))
    return _step(SET, domain, {"Identity": connector.identity, **changes}, connector, hosts)


def remove_step(connector: Connector, domain: str) -> Step:
    """Return the step that removes a connector."""
    parameters = {"Identity": connector.identity, "Confirm": False}
    return _step(REMOVE, domain, parameters, connector, None)


def _step(
    cmdlet: str, domain: str, parameters: Parameters, present: Connector | None, after: Any
) -> Step:
    return Step(
        text=f"{cmdlet} for {domain}",
        domains=(domain,),
        before=list(present.smart_hosts) if present else None,
        after=after,
        cmdlet=cmdlet,
        parameters=parameters,
        present=present,
    )


def _finished(
    connectors: Sequence[Connector],
    steps: tuple[Step, ...],
    refusals: Iterable[Refusal],
    kept: Mapping[str, str],
    wanted: Iterable[str],
) -> ConnectorPlan:
    """Return the plan of some steps, with what they lead to; ``wanted`` are the pinned domains."""
    later: dict[str, Parameters] = {
        c.identity: {"Name": c.name, **present_parameters(c)} for c in connectors
    }
    for step in steps:
        given = {k: v for k, v in step.parameters.items() if k not in {"Identity", "Confirm"}}
        if step.cmdlet == REMOVE:
            later.pop(step.key, None)
        else:
            later[step.key] = {**later.get(step.key, _DEFAULTS), **given}
    ours = sum(c.ours for c in connectors), sum(map(is_pin, later.values()))
    domains = tuple(dict.fromkeys(step.domain for step in steps))
    removed = {step.key for step in steps if step.cmdlet == REMOVE}
    return ConnectorPlan(
        changes=steps,
        kept=kept,
        refusals=tuple(refusals),
        warnings=(
            *(f"{domain}: {reason}." for domain, reason in kept.items()),
            *_competing_warnings(connectors, removed, wanted),
        ),
        size=Size("connectors", len(steps), max(ours), domains),
        later=later,
    )


def is_pin(parameters: Parameters) -> bool:
    """Whether a connector with these parameters is a pin of ours."""
    spaces = parameters.get("AddressSpaces") or ()
    domains = [space.partition(":")[2].rpartition(";")[0] for space in spaces]
    return is_ours(str(parameters.get("Comment") or ""), domains)


def _competing_warnings(
    connectors: Sequence[Connector], removed: set[str], wanted: Iterable[str]
) -> Iterator[str]:
    """Warn where another connector may get the mail of a pinned domain; a new pin has none."""
    staying = Connectors(tuple(c for c in connectors if c.identity not in removed))
    for domain in wanted:
        for pin in staying.of(domain):
            if pin.ours and pin.pinned_domain == domain:
                for other in staying.competing(pin, domain):
                    yield (
                        f"{domain}: the connector {other.name!r} has the same address space at the"
                        f" same or a lower cost, so Exchange may use it instead of {pin.name!r}."
                    )


# -- to what is wanted


def make_plan(connectors: Sequence[Connector], desired: Desired) -> ConnectorPlan:
    """Return the plan from the present connectors to the desired pins."""
    index, ours = Connectors(tuple(connectors)), _ours_by_domain(connectors)
    names = Counter(connector.name.casefold() for connector in connectors)
    made, mended, removed, refusals = list[Step](), list[Step](), list[Step](), list[Refusal]()
    going = set(desired.removed)
    for pin in desired.pins:
        if desired.state == "absent":
            going.add(pin.domain)
            continue
        mine = ours.get(pin.domain, [])
        if mine and pin.domain in desired.short_lived:
            hosts = mine[0].smart_hosts
            if not set(hosts).isdisjoint(pin.smart_hosts):
                pin = replace(pin, smart_hosts=hosts)  # noqa: PLW2901 - as it is pinned
        others = [] if mine else _others(index, pin.domain)
        refused = next((r for o in others if (r := _refusal(pin, o, desired.existing))), None)
        if refused:
            refusals.append(refused)
        elif keep := next(iter((*mine, *others)), None):
            if changes := changes_to(wanted_parameters(pin), keep):
                mended.append(set_step(keep, changes, pin.domain))
            removed.extend(remove_step(double, pin.domain) for double in mine[1:])
        else:
            name = _free_name(desired.name_template, pin.domain, names)
            inherited = inherited_settings(index.current(pin.domain))
            made.append(new_step({"Name": name, **inherited, **wanted_parameters(pin)}, pin.domain))
    if desired.state == "exact":
        going |= set(ours) - {pin.domain for pin in desired.pins} - set(desired.kept)
    for domain in sorted(going):
        removed.extend(remove_step(each, domain) for each in ours.get(domain, []))
    kept = {
        domain: f"{status.replace('_', ' ')}; "
        + ("its connector stays as it is" if domain in ours else "no connector created")
        for domain, status in desired.kept.items()
    }
    wanted = () if desired.state == "absent" else tuple(pin.domain for pin in desired.pins)
    return _finished(connectors, (*made, *mended, *removed), refusals, kept, wanted)


def _ours_by_domain(connectors: Sequence[Connector]) -> dict[str, list[Connector]]:
    """Group our pins by domain, oldest first, so that every run keeps the same one of a double.

    One that Active Directory renamed stands behind the one that kept its name.
    """
    pins: dict[str, list[Connector]] = {}
    for connector in sorted(connectors, key=lambda c: (c.in_conflict, c.created, c.identity)):
        if connector.ours and connector.pinned_domain:
            pins.setdefault(connector.pinned_domain, []).append(connector)
    return pins


def _others(index: Connectors, domain: str) -> list[Connector]:
    """Return the connectors not ours for this very domain, the one in use first."""
    others = [connector for connector in index.of(domain) if not connector.ours]
    return sorted(others, key=lambda c: (not c.enabled, c.cost_for(domain), c.name.casefold()))


def _refusal(pin: Settings, connector: Connector, existing: Existing) -> Refusal | None:
    """Return why a connector that is not ours stands in the way of a pin, or None."""
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
    return Refusal(reason, pin.domain, connector.name)


def _free_name(template: str, domain: str, names: Counter[str]) -> str:
    """Return a connector name that is not among ``names``, and add it there."""
    name = template.replace("{domain}", domain)
    if len(name) > NAME_LIMIT:
        name = f"{name[: NAME_LIMIT - 9]}~{hashlib.sha256(domain.encode()).hexdigest()[:8]}"
    candidate, number = name, 2
    while candidate.casefold() in names:
        end = f" ({number})"
        candidate, number = f"{name[: NAME_LIMIT - len(end)]}{end}", number + 1
    names[candidate.casefold()] += 1
    return candidate


def with_best_tier(pin: Settings, preferences: Sequence[int]) -> Settings:
    """Keep only the smart hosts of the best (lowest) MX preference.

    ``preferences`` stand beside ``pin.smart_hosts``, one each, in the same order.
    """
    best = min(preferences)
    pairs = zip(pin.smart_hosts, preferences, strict=True)
    return replace(pin, smart_hosts=tuple(host for host, value in pairs if value == best))


# -- back to a backup


def restore_plan(connectors: Sequence[Connector], saved: Sequence[Connector]) -> ConnectorPlan:
    """Return the plan back to a backup: its connectors as they were, and no others of ours.

    A connector is found by its identity, or by its name where it was made anew since.
    """
    by_identity = {connector.identity: connector for connector in connectors}
    by_name = {connector.name.casefold(): connector for connector in connectors}
    made, mended, refusals, claimed = [], [], [], set()
    for old in saved:
        label = old.pinned_domain or old.name
        now = by_identity.get(old.identity) or by_name.get(old.name.casefold())
        if now is None:
            made.append(new_step(new_parameters(old), label))
        elif now.identity != old.identity and not now.ours:
            refusals.append(Refusal("has the name of one that was ours", label, now.name))
        else:
            claimed.add(now.identity)
            if changes := changes_to(present_parameters(old), now):
                mended.append(set_step(now, changes, label))
    removed = [
        remove_step(connector, connector.pinned_domain or connector.name)
        for connector in connectors
        if connector.ours and connector.identity not in claimed
    ]
    return _finished(connectors, (*made, *mended, *removed), refusals, {}, ())
