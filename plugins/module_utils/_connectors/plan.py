# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan from the present Send connectors to the required ones, or to those of a backup. Pure.

The same for an audit and for a real run. An organisation that is up to date gives an empty plan.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from .._base.errors import InvalidInput
from .._run.change_limit import Size
from .._run.family import PINNED_DOMAINS, Change, Plan, Refusal
from .canonical import size
from .connector import (
    NO_RUN,
    Connector,
    Connectors,
    Settings,
    comment_for,
    inherited_settings,
    is_ours,
    noted,
)
from .external_dns import DnsPlan, DnsStep, ExternalDns, Setting
from .organisation import Surroundings
from .servers import is_own

State = Literal["present", "absent", "exact", "restored"]
Existing = Literal["adopt", "refuse"]
Parameters = Mapping[str, Any]

#: The name of a directory object may have that many characters.
NAME_LIMIT = 64
DEFAULT_NAME = "postmaster.exchange {domain}"
NEW, SET, REMOVE = "New-SendConnector", "Set-SendConnector", "Remove-SendConnector"
#: The other writable parameters of Set-SendConnector, but for credentials.
OTHER_SETTINGS = (
    "CloudServicesMailEnabled",
    "ConnectionInactivityTimeOut",
    "ConnectorType",
    "DomainSecureEnabled",
    "ErrorPolicies",
    "ForceHELO",
    "Fqdn",
    "FrontendProxyEnabled",
    "IgnoreSTARTTLS",
    "IsCoexistenceConnector",
    "IsScopedConnector",
    "LinkedReceiveConnector",
    "MaxMessageSize",
    "RequireOorg",
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
#: Parameters by the versions that lack them, as New-SendConnector is documented.
_LATER = frozenset({"CloudServicesMailEnabled", "FrontendProxyEnabled", "TlsCertificateName"})
_ONLY_2010 = frozenset({"IsCoexistenceConnector", "LinkedReceiveConnector"})
LACKING = {
    "2010": _LATER | {"ConnectorType"},
    "2013": _ONLY_2010 | {"ConnectorType"},
    "2016": _ONLY_2010,
    "2019": _ONLY_2010,
    "SE": _ONLY_2010,
}
#: What a diff shows of a connector, and in which order.
SHOWN = (
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
    ("TlsCertificateName", "own certificate"),
    ("IgnoreSTARTTLS", "ignore STARTTLS"),
    ("ForceHELO", "force HELO"),
    ("ErrorPolicies", "error policies"),
    ("ConnectionInactivityTimeOut", "idle time"),
    ("SmtpMaxMessagesPerConnection", "messages at once"),
    ("RequireOorg", "require OORG"),
    ("ConnectorType", "connector type"),
    ("IsScopedConnector", "scoped"),
    ("DomainSecureEnabled", "domain security"),
    ("Usage", "usage"),
    ("Comment", "comment"),
)
_MUTUAL_TLS = "demands mutual TLS (DomainSecureEnabled), which needs routing by DNS"
# What connectors of several sites differ in by their nature.
_BY_SITE = {"IsScopedConnector", "SourceIPAddress", "SourceTransportServers"}
_UNSET_ADDRESSES = ("0.0.0.0", "::")  # valid on Edge servers only, and a default elsewhere
# Values of a new connector that its parameters omit.
_DEFAULTS = {"RequireTLS": False, "ProtocolLoggingLevel": "None"}


@dataclass(frozen=True, slots=True)
class Desired:
    """The required state of the connectors.

    ``pins`` are the domains with known addresses, ``removed`` those that lose their pin, and
    ``missing`` those of them that do not exist in DNS. ``nonexistent`` are all domains that do not
    exist in DNS. ``kept`` are listed domains that stay unchanged, each with its DNS status. A pin
    of ``short_lived`` ones stays while it shares a smart host with the required ones. Those of
    ``bypass_relay`` may be pinned past a relay, and with ``lower_tls`` a pin may end required TLS.
    ``external_dns`` is None if it is not managed. ``run`` is the mark of the run, see
    ``run_mark``, and ``note`` the reason for the run.
    """

    pins: tuple[Settings, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    nonexistent: frozenset[str] = frozenset()
    short_lived: frozenset[str] = frozenset()
    state: State = "present"
    existing: Existing = "refuse"
    name_template: str = DEFAULT_NAME
    bypass_relay: frozenset[str] = frozenset()
    lower_tls: bool = False
    external_dns: ExternalDns | None = None
    run: str = NO_RUN
    note: str = ""


_VERBS = {NEW: "creates", SET: "changes", REMOVE: "removes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Change):
    """One cmdlet with typed parameters; ``present`` is the connector it changes or removes.

    ``inherited`` are the parameters that a new pin takes over from the connector ``origin``.
    """

    cmdlet: str
    parameters: Parameters
    present: Connector | None = None
    origin: str = ""
    inherited: frozenset[str] = frozenset()

    @property
    def doing(self) -> str:
        """The action of Exchange, as a line of progress shows it."""
        return f"Exchange {_VERBS[self.cmdlet]} the Send connector for {self.domain}"

    @property
    def domain(self) -> str:
        """The domain of the connector, or the connector's name if it serves several."""
        return self.domains[0]

    @property
    def connector(self) -> str:
        """The name of the connector."""
        return self.present.name if self.present else str(self.parameters["Name"])

    @property
    def key(self) -> str:
        """The key of the connector among others, also of one that is not made yet."""
        return self.present.identity if self.present else f"name:{self.parameters['Name']}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorPlan(Plan):
    """The steps in an order in which mail for a domain always has a route.

    ``later`` are all connectors as they are then, by ``Step.key`` or identity. ``refused`` are the
    domains that get no pin, while the others do. ``external_dns`` are the settings of external DNS
    that the plan is about, None where it is about none.
    """

    changes: tuple[Step | DnsStep, ...] = ()
    later: Mapping[str, Parameters] = field(default_factory=dict)
    external_dns: tuple[Setting, ...] | None = None

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that make, change or remove a connector."""
        return tuple(change for change in self.changes if isinstance(change, Step))

    @property
    def taken(self) -> frozenset[str]:
        """The identities of the connectors that these steps change or remove."""
        return frozenset(step.present.identity for step in self.steps if step.present)

    def with_external_dns(self, dns: DnsPlan) -> ConnectorPlan:
        """Return the plan with that of external DNS, which comes ahead of the first removal."""
        kept = tuple(step for step in self.steps if step.cmdlet != REMOVE)
        removed = tuple(step for step in self.steps if step.cmdlet == REMOVE)
        nouns = [*([self.size.noun] if self.size.total else []), *dns.kinds]
        size = Size(
            " and ".join(dict.fromkeys(nouns)) or self.size.noun,
            self.size.changed + len(dns.steps),
            self.size.total + len(dns.settings),
            tuple(dict.fromkeys((*self.size.domains, *(step.domain for step in dns.steps)))),
        )
        return replace(
            self,
            changes=(*kept, *dns.steps, *removed),
            refusals=(*self.refusals, *dns.refusals),
            warnings=(*self.warnings, *dns.warnings),
            size=size,
            external_dns=dns.settings,
        )


# -- a connector in the terms of its parameters


def wanted_parameters(pin: Settings, comment: str) -> dict[str, Any]:
    """Return the parameters that New- or Set-SendConnector needs for a pin, in canonical forms."""
    parameters: dict[str, Any] = {
        "AddressSpaces": [f"SMTP:{pin.domain};{pin.cost}"],
        "SmartHosts": list(pin.smart_hosts),
        "DNSRoutingEnabled": False,
        "SmartHostAuthMechanism": "None",
        "Port": pin.port,
        "Comment": comment,
        "Enabled": True,
    }
    optional = {
        "SourceTransportServers": list(pin.source_servers) or None,
        "TlsAuthLevel": pin.tls_auth_level,
        "TlsDomain": pin.tls_domain,
        "RequireTLS": pin.require_tls,
        "ProtocolLoggingLevel": pin.protocol_logging,
    }
    parameters |= {name: value for name, value in optional.items() if value is not None}
    if pin.require_tls is False:  # a level is only valid with required TLS
        parameters |= {"TlsAuthLevel": None, "TlsDomain": None}
    return parameters


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


def all_parameters(connector: Connector) -> dict[str, Any]:
    """Return every writable parameter of a connector, as far as its server's version shows it."""
    raw = connector.raw
    return {name: raw[name] for name in OTHER_SETTINGS if name in raw} | present_parameters(
        connector
    )


def new_parameters(connector: Connector, version: str = "") -> dict[str, Any]:
    """Return the parameters that make a connector anew as it was; what is unset is left out.

    It carries mail to the internet, as all pins do. ``version`` is that of the server to run it at.
    """
    settings = {"Usage": "Internet"} | all_parameters(connector)
    if settings.get("SourceIPAddress") in _UNSET_ADDRESSES:
        del settings["SourceIPAddress"]
    return {
        "Name": connector.name,
        **{
            name: value
            for name, value in settings.items()
            if value not in (None, "", []) and name not in LACKING.get(version, ())
        },
    }


def same(wanted: object, present: object) -> bool:
    """True if two values of a parameter are alike; Exchange compares texts without case."""
    if isinstance(wanted, str) and isinstance(present, str):
        return wanted.casefold() == present.casefold()
    if isinstance(wanted, list) and isinstance(present, list):
        return len(wanted) == len(present) and all(map(same, wanted, present))
    return wanted == present


def changes_to(wanted: Parameters, connector: Connector) -> dict[str, Any]:
    """Return the required values of a connector's parameters that differ; None is ``$null``."""
    return differing(wanted, all_parameters(connector))


def back_to(old: Connector, now: Connector, version: str = "") -> dict[str, Any]:
    """Return the parameters that restore a connector, as far as it shows them."""
    present, lacking = all_parameters(now), LACKING.get(version, ())
    saved = all_parameters(old).items()
    return differing({n: v for n, v in saved if n in present and n not in lacking}, present)


def _alike(name: str, wanted: object, present: object) -> bool:
    """True if two values of a parameter mean the same."""
    if name not in OTHER_SETTINGS:
        return same(wanted, present)
    if name == "MaxMessageSize":
        try:
            return size(wanted) == size(present)
        except InvalidInput:
            pass
    return same("" if wanted is None else str(wanted), "" if present is None else str(present))


def differing(wanted: Parameters, present: Parameters) -> dict[str, Any]:
    """Return the required parameters with another value at present.

    Exchange needs the smart hosts again in the command that ends routing by DNS.
    """
    changed = {n: value for n, value in wanted.items() if not _alike(n, value, present[n])}
    if changed.get("DNSRoutingEnabled") is False:
        changed["SmartHosts"] = wanted.get("SmartHosts", present["SmartHosts"])
    return changed


# -- steps


def new_step(
    parameters: Parameters, domain: str, origin: str = "", inherited: Iterable[str] = ()
) -> Step:
    """Return the step that makes a connector."""
    step = _step(NEW, domain, parameters, None, parameters.get("SmartHosts"))
    return replace(step, origin=origin, inherited=frozenset(inherited))


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
    """Return the plan of some steps with its outcome; ``wanted`` are the pinned domains."""
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
    """True if a connector with these parameters is a pin of ours."""
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


# -- to the required state


def make_plan(
    connectors: Sequence[Connector], desired: Desired, around: Surroundings | None = None
) -> ConnectorPlan:
    """Return the plan from the present connectors to the desired pins.

    ``around`` is needed once there is something to change.
    """
    around = around or Surroundings()
    index, ours = Connectors(tuple(connectors)), _ours_by_domain(connectors)
    names = Counter(connector.name.casefold() for connector in connectors)
    made, mended, removed = list[Step](), list[Step](), list[Step]()
    left_out = list[Refusal]()
    going, changed = set(desired.removed), _changed_pins(connectors)
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
        carriers = () if mine else index.carriers(pin.domain, around.sites)
        unfit = _unreadable(index, pin.domain) or _changed_pin(changed, pin.domain)
        unfit = unfit or _unfit(pin, mine, carriers, desired, around)
        if unfit := unfit or refused:
            left_out.append(unfit)
        elif keep := next(iter((*mine, *others)), None):
            mended.extend(_mended(pin, keep, desired))
            removed.extend(remove_step(double, pin.domain) for double in mine[1:])
        else:
            name = _free_name(desired.name_template, pin.domain, names)
            current = next(iter(carriers), None)
            made.append(_new_pin(name, pin, current, around.version, desired))
    if desired.state == "exact":
        going |= {*ours, *changed} - {pin.domain for pin in desired.pins} - set(desired.kept)
    removed.extend(_removals(changed, going, ours, left_out))
    twins = [(domain, c) for domain, some in ours.items() for c in some[1:] if c.in_conflict]
    planned = {step.key for step in removed}
    removed.extend(remove_step(c, domain) for domain, c in twins if c.identity not in planned)
    wanted = () if desired.state == "absent" else tuple(pin.domain for pin in desired.pins)
    steps, kept = (*made, *mended, *removed), _kept(desired, ours)
    plan = _finished(connectors, steps, (), kept, wanted)
    notes = (
        *around.warnings,
        *(f"{each.text}." for each in left_out),
        *(
            f"{domain}: the connector {c.name!r} is a twin: it was made at another domain"
            " controller before that had received the first one."
            for domain, c in twins
        ),
    )
    missing = tuple(sorted(desired.missing & ours.keys()))
    return replace(
        plan,
        refused=tuple(left_out),
        warnings=(*plan.warnings, *notes),
        missing=Size(PINNED_DOMAINS, len(missing), len(ours), missing),
        unpinned=tuple(sorted(name for name in desired.nonexistent if not index.of(name))),
    )


def _kept(desired: Desired, ours: Mapping[str, Sequence[Connector]]) -> dict[str, str]:
    """Return the domains that stay as they are, each with the reason."""
    return {
        domain: f"{status.replace('_', ' ')}; "
        + ("its connector stays as it is" if domain in ours else "no connector created")
        for domain, status in desired.kept.items()
    }


def _removals(
    changed: Mapping[str, Connector],
    going: Collection[str],
    ours: Mapping[str, Sequence[Connector]],
    left_out: list[Refusal],
) -> Iterator[Step]:
    """Yield the steps that remove the pins of domains; what must stay is left out."""
    for domain in sorted(going):
        if refusal := _changed_pin(changed, domain):
            left_out.append(refusal)
        for each in ours.get(domain, []):
            yield from _removed(each, left_out)


def _removed(connector: Connector, left_out: list[Refusal]) -> list[Step]:
    """Return the step that removes a pin; one that could not be put back is left out."""
    domain = connector.pinned_domain or connector.name
    for name, value in connector.unread.items():
        reason = f"has {name} {value!r:.80}, which cannot be read"
        left_out.append(Refusal(reason, domain, connector.name))
        return []
    return [remove_step(connector, domain)]


def _mended(pin: Settings, connector: Connector, desired: Desired) -> list[Step]:
    """Return the step that makes a connector the required pin, if one is needed.

    The note of the run is written with another change only, or each run would change all pins.
    """
    comment = connector.comment if connector.ours else comment_for(pin.domain, desired.run)
    comment = noted(comment, note=pin.note)
    changes = changes_to(wanted_parameters(pin, comment), connector)
    if changes and desired.note:
        changes["Comment"] = noted(comment, change=desired.note)
    return [set_step(connector, changes, pin.domain)] if changes else []


def _new_pin(
    name: str, pin: Settings, current: Connector | None, version: str, desired: Desired
) -> Step:
    """Return the step that makes a pin with what protects and identifies the mail today."""
    inherited = inherited_settings(current)
    comment = comment_for(pin.domain, desired.run)
    wanted = wanted_parameters(pin, noted(comment, note=pin.note, change=desired.note))
    level = wanted.get("TlsAuthLevel", inherited.get("TlsAuthLevel"))
    if level != "DomainValidation" or pin.require_tls is False:
        inherited.pop("TlsDomain", None)
    if pin.require_tls:
        inherited.pop("IgnoreSTARTTLS", None)
    if pin.source_servers:  # whoever names them decides for all sites
        inherited.pop("SourceIPAddress", None)
        inherited.pop("IsScopedConnector", None)
    inherited = {
        key: value
        for key, value in inherited.items()
        if key not in wanted and key not in LACKING.get(version, ())
    }
    given = {key: value for key, value in wanted.items() if value is not None}
    parameters = {"Name": name, "Usage": "Internet", **inherited, **given}
    return new_step(parameters, pin.domain, current.name if current else "", inherited)


def _changed_pins(connectors: Iterable[Connector]) -> dict[str, Connector]:
    """Return the pins that have other address spaces now, by their original domains."""
    found: dict[str, Connector] = {}
    for connector in connectors:
        if domain := connector.changed_pin:
            found.setdefault(domain, connector)
    return found


def _changed_pin(changed: Mapping[str, Connector], domain: str) -> Refusal | None:
    """Return the refusal of a domain with a changed pin, see ``_changed_pins``.

    To mend or remove it would take those along, and to make another one would double it.
    """
    connector = changed.get(domain)
    if connector is None:
        return None
    serves = ", ".join(str(space) for space in connector.address_spaces) or "nothing"
    reason = f"was made as its pin, serves {serves} now, and stays as it is"
    hint = "Give it its address space back, or remove it or its comment."
    return Refusal(reason, domain, connector.name, hint)


def _unreadable(index: Connectors, domain: str) -> Refusal | None:
    """Return the refusal of a domain that depends on an unreadable value, or None."""
    if unread := index.unread(domain):
        return Refusal(f"has {unread[1]}, which cannot be read", domain, unread[0].name)
    return None


def _unfit(
    pin: Settings,
    mine: Sequence[Connector],
    carriers: Sequence[Connector],
    desired: Desired,
    around: Surroundings,
) -> Refusal | None:
    """Return why this domain alone must not be pinned as required, or None.

    ``carriers`` are the connectors that carry its mail today.
    """
    domain = pin.domain
    for current in mine[:1] or carriers:
        lowered = current.require_tls and pin.require_tls is False
        if lowered and not desired.lower_tls:
            reason = "requires TLS, which require_tls: false would end; that needs force: true"
            return Refusal(reason, domain, current.name)
    if not mine and is_own(domain, around.own):
        return Refusal(
            "an authoritative accepted domain, which keeps its mail inside",
            domain,
        )
    if mine or any(domain in connector.domains for connector in carriers):
        return None
    secured = around.secured is None or domain in around.secured
    bypasses = domain in desired.bypass_relay
    for current in carriers:
        if reason := _not_inherited(pin, current, bypasses=bypasses, secured=secured):
            return Refusal(reason, domain, current.name)
    return _several_carriers(pin, carriers)


def _several_carriers(pin: Settings, carriers: Sequence[Connector]) -> Refusal | None:
    """Return why one pin cannot replace the connectors of several sites, or None."""
    for other in carriers[1:]:
        first = carriers[0]
        if not pin.source_servers:
            reason = (
                f"carries its mail for one Active Directory site only, beside {first.name!r}; a pin"
                " for all sites needs source_servers"
            )
            return Refusal(reason, pin.domain, other.name)
        one, two = inherited_settings(first), inherited_settings(other)
        names = {name for name in {*one, *two} - _BY_SITE if one.get(name) != two.get(name)}
        if names:
            reason = (
                f"carries its mail for one Active Directory site only, and differs from"
                f" {first.name!r} in {', '.join(sorted(names))}, which one pin cannot both keep"
            )
            return Refusal(reason, pin.domain, other.name)
    return None


def _not_inherited(pin: Settings, current: Connector, *, bypasses: bool, secured: bool) -> str:
    """Return what a new pin would lose of the connector that carries the domain, or nothing.

    ``secured`` is whether the organisation may demand mutual TLS of this domain.
    """
    if not current.dns_routing and not bypasses:
        relay = ", ".join(current.smart_hosts) or "its smart hosts"
        return f"sends its mail to the relay {relay}, which a pin would bypass (bypass_relay)"
    if current.domain_secure and secured:
        return _MUTUAL_TLS
    needs_names = current.tls_auth_level == "DomainValidation" and not current.tls_domain
    if needs_names and not pin.tls_auth_level and pin.require_tls is not False:
        return "checks the name in the certificate; a pin needs tls_auth_level and tls_domain"
    return ""


def _ours_by_domain(connectors: Sequence[Connector]) -> dict[str, list[Connector]]:
    """Group our pins by domain, oldest first, so that every run keeps the same one of a double.

    One that Active Directory renamed comes after the one that kept its name.
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
    """Return why a connector that is not ours conflicts with a pin, or None."""
    if len(connector.address_spaces) > 1:
        reason = "serves other address spaces too, which a pin would take along"
    elif connector.changed_pin:
        reason = f"was made as the pin of {connector.changed_pin}"
    elif connector.scoped:
        reason = "is scoped to one Active Directory site"
    elif connector.hybrid:
        reason = "belongs to the hybrid configuration (CloudServicesMailEnabled)"
    elif connector.domain_secure:
        reason = _MUTUAL_TLS
    elif connector.logs_in:
        reason = "logs in at its smart hosts with a password, which no rollback could restore"
    elif existing == "refuse":
        return _not_ours(pin, connector)
    else:
        return None
    return Refusal(reason, pin.domain, connector.name)


def _not_ours(pin: Settings, connector: Connector) -> Refusal:
    """Return the refusal of a connector that could be adopted, with what a pin would change."""
    wanted, present = wanted_parameters(pin, connector.comment), all_parameters(connector)
    changes = changes_to(wanted, connector)
    differences = tuple(
        f"{label} {_shown(present[name])} instead of {_shown(changes[name])}"
        for name, label in SHOWN
        if name in changes and name != "Comment" and not same(changes[name], present[name])
    )
    how = f"has {', '.join(differences)}" if differences else "leads where a pin would"
    reason = f"was not made by this collection and {how}; existing: adopt takes it over"
    return Refusal(reason, pin.domain, connector.name, differences=differences)


def _shown(value: object) -> str:
    """Return a value of a parameter for a sentence."""
    if isinstance(value, list):
        return ", ".join(str(item).strip("[]") for item in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value in (None, "") else str(value)


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

    ``preferences`` has one entry for each of ``pin.smart_hosts``, in the same order.
    """
    best = min(preferences)
    pairs = zip(pin.smart_hosts, preferences, strict=True)
    return replace(pin, smart_hosts=tuple(host for host, value in pairs if value == best))


# -- back to a backup


def restore_plan(
    connectors: Sequence[Connector],
    saved: Sequence[Connector],
    version: str = "",
    made_since: Collection[str] | None = None,
) -> ConnectorPlan:
    """Return the plan back to a backup: its connectors as they were, and no others of ours.

    A connector is found by its identity, or by its name where it was made anew since. ``version``
    is that of the server that runs the cmdlets. With ``made_since`` only pins of these runs are
    removed, and warnings name others, and pins that have other address spaces now.
    """
    by_identity = {connector.identity: connector for connector in connectors}
    by_name = {connector.name.casefold(): connector for connector in connectors}
    made, mended, refusals, claimed = [], [], [], set()
    left_out: list[Refusal] = []
    warnings: list[str] = []
    for old in saved:
        label = old.pinned_domain or old.name
        now = by_identity.get(old.identity) or by_name.get(old.name.casefold())
        if now is None:
            made.append(new_step(new_parameters(old, version), label))
        elif now.identity != old.identity and not now.ours:
            refusals.append(Refusal("has the name of one that was ours", label, now.name))
        else:
            claimed.add(now.identity)
            changes = back_to(old, now, version)
            if changes and now.changed_pin and not old.changed_pin:
                left_out += filter(None, [_changed_pin({now.changed_pin: now}, now.changed_pin)])
            elif changes:
                mended.append(set_step(now, changes, label))
    removed = []
    for connector in connectors:
        if connector.identity in claimed or not connector.made_by or connector.unread:
            continue
        if connector.changed_pin:
            pins = {connector.changed_pin: connector}
            left_out += filter(None, [_changed_pin(pins, connector.changed_pin)])
        elif made_since is not None and connector.made_by not in made_since:
            warnings.append(
                f"{connector.pinned_domain}: the connector {connector.name!r} stays, since no"
                " backup here is of the run that made it."
            )
        else:
            removed.append(remove_step(connector, connector.pinned_domain or connector.name))
    plan = _finished(connectors, (*made, *mended, *removed), refusals, {}, ())
    warnings += [f"{each.text}." for each in left_out]
    return replace(plan, refused=tuple(left_out), warnings=(*plan.warnings, *warnings))
