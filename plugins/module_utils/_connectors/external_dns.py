# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""External DNS: which name servers the Transport service asks for domains of others. Pure.

It is the second cure of KB972744 (learn.microsoft.com, "dns-query-failed"): the Transport service
of a server gets a list of name servers, which counts only while the DNS of its adapters is off, and
a setting of a Send connector makes it use the list. Unlike a pin it never goes out of date.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Literal

from .._base.errors import InvalidInput
from .._pairs.addresses import why_not_global
from .._run.family import Change, Part, Refusal
from .canonical import boolean, server_name
from .connector import Connector, texts

#: Parameters of Set-TransportService, and of Set-SendConnector.
SERVERS, ADAPTER = "ExternalDNSServers", "ExternalDNSAdapterEnabled"
USES = "UseExternalDNSServersEnabled"
SET_CONNECTOR = "Set-SendConnector"
OPTIONS = ("external_dns", "external_dns_connectors")

Kind = Literal["server", "connector"]
Values = Mapping[str, Any]
_PARAMETERS: Mapping[Kind, tuple[str, ...]] = {"server": (SERVERS, ADAPTER), "connector": (USES,)}
_MOST_LISTED = 5


@dataclass(frozen=True, slots=True)
class ExternalDns:
    """The required state: the name servers, and by name the Send connectors that use them.

    Without ``servers`` it is Exchange's default, in which the DNS of the adapters counts and no
    connector uses external DNS.
    """

    servers: tuple[str, ...] = ()
    connectors: tuple[str, ...] = ()


def parse_external_dns(params: Mapping[str, Any]) -> ExternalDns | None:
    """Check the options; None where external DNS is not managed. Raises InvalidInput."""
    given, connectors = (params[name] for name in OPTIONS)
    if given is None:
        if connectors is not None:
            raise InvalidInput(
                "external_dns_connectors needs external_dns.",
                hint="Give the name servers, or [] for Exchange's default.",
            )
        return None
    names = {name.strip().casefold(): name.strip() for name in connectors or ()}
    if not all(names):
        raise InvalidInput("external_dns_connectors has an empty name.")
    try:
        servers = tuple(dict.fromkeys(map(_name_server, given)))
    except ValueError as error:
        raise InvalidInput(
            f"external_dns: {error}.", hint="Give the IP addresses of name servers."
        ) from None
    return ExternalDns(servers, tuple(names.values()))


def _name_server(text: str) -> str:
    """Return the address of a name server in its canonical form, or raise ValueError.

    Private addresses are usual, and a host can be its own name server.
    """
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError(f"{text!a:.80} is not an IP address") from None
    if "%" in text:
        raise ValueError(f"{text!a:.80} has a zone, which Exchange rejects")
    reason, impossible = why_not_global(str(address))
    if impossible and not address.is_loopback:
        raise ValueError(f"{text!a:.80} cannot be a name server: {reason}")
    return str(address)


# -- what there is


@dataclass(frozen=True, slots=True)
class Services:
    """The Transport services of an organisation, and the cmdlet that changes one.

    ``objects`` are as the cmdlet shows them. ``edges`` are the Edge Transport servers by short
    name: their own settings count there, and those in the organisation do not reach them.
    """

    cmdlet: str
    objects: tuple[Mapping[str, Any], ...] = ()
    edges: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """What has a setting: a server by its short name, or a Send connector by its identity."""

    kind: Kind
    identity: str


@dataclass(frozen=True, slots=True)
class Present:
    """The setting of a place; ``values`` are None where they cannot be read."""

    name: str
    values: Values | None


def present(connectors: Iterable[Connector], services: Services) -> dict[Place, Present]:
    """Return all settings there are."""
    found = {
        Place("server", server_name(str(one["Name"]))): Present(str(one["Name"]), _of_server(one))
        for one in services.objects
        if one.get("Name")
    }
    for connector in connectors:
        place = Place("connector", connector.identity)
        found[place] = Present(connector.name, _of_connector(connector))
    return found


def _of_server(properties: Mapping[str, Any]) -> Values | None:
    try:
        adapter, given = boolean(properties[ADAPTER]), properties[SERVERS]
        return {SERVERS: [str(ip_address(text.strip())) for text in texts(given)], ADAPTER: adapter}
    except (KeyError, ValueError, InvalidInput):
        return None


def _of_connector(connector: Connector) -> Values | None:
    try:
        return {USES: boolean(connector.raw[USES])}
    except (KeyError, InvalidInput):
        return None


def _alike(one: object, other: object) -> bool:
    """True if two values mean the same; the order in which Exchange lists addresses is unknown."""
    if isinstance(one, list) and isinstance(other, list):
        return set(one) == set(other)
    return one == other


def _differing(wanted: Values, now: Values) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if not _alike(value, now.get(name))}


# -- what is planned


@dataclass(frozen=True, slots=True)
class Setting:
    """The setting of one place before and afterwards."""

    place: Place
    name: str
    before: Values
    after: Values

    @property
    def changes(self) -> bool:
        """Whether anything differs."""
        return bool(_differing(self.after, self.before))

    def to_dict(self) -> dict[str, Any]:
        """Return it as a backup holds it."""
        return {
            "kind": self.place.kind,
            "identity": self.place.identity,
            "name": self.name,
            "before": dict(self.before),
            "after": dict(self.after),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsStep(Change):
    """One cmdlet that changes the setting of one place; ``changes`` are its parameters."""

    setting: Setting
    cmdlet: str
    changes: Values

    @property
    def doing(self) -> str:
        """The action of Exchange, as a line of progress shows it."""
        return f"Exchange changes the {self.text}"

    @property
    def domain(self) -> str:
        """The name of the place, where other steps have their domain."""
        return self.setting.name

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the cmdlet."""
        return {"Identity": _identity(self.setting), **self.changes}

    def reverse(self, now: Values) -> dict[str, Any]:
        """Return the parameters that take it back, as far as they still are as it left them."""
        before = self.setting.before
        still = {name for name, value in self.changes.items() if _alike(value, now.get(name))}
        back = _differing({name: before[name] for name in still}, now)
        return {"Identity": _identity(self.setting), **back} if back else {}

    def part(self, now: Values | None) -> Part:
        """Return whether the place is as before the step, as after it, or neither."""
        if now is None:
            return "unknown"
        before = {name: self.setting.before[name] for name in self.changes}
        if not _differing(before, now):
            return "old"
        return "unknown" if _differing(self.changes, now) else "new"


def _identity(setting: Setting) -> str:
    return setting.name if setting.place.kind == "server" else setting.place.identity


@dataclass(frozen=True, slots=True)
class DnsPlan:
    """The settings that a run is about, the steps that change some, and what is in their way."""

    settings: tuple[Setting, ...] = ()
    steps: tuple[DnsStep, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def kinds(self) -> list[str]:
        """The kinds of the places it changes, as a limit names them."""
        kinds = {setting.place.kind for setting in self.settings}
        return [f"{kind}s" for kind in ("connector", "server") if kind in kinds]


def make_dns_plan(
    connectors: Sequence[Connector],
    services: Services,
    wanted: ExternalDns,
    taken: frozenset[str] = frozenset(),
) -> DnsPlan:
    """Return the plan to the required state.

    The servers are those that send by the listed connectors, or all where none is listed, but for
    Edge Transport servers. ``taken`` are the identities of connectors that become a pin.
    """
    by_name = {connector.name.casefold(): connector for connector in connectors}
    listed, refusals = list[Connector](), list[Refusal]()
    for name in wanted.connectors:
        connector = by_name.get(name.casefold())
        if reason := _unfit(name, connector, services.edges, taken):
            refusals.append(Refusal(reason, hint="Correct external_dns_connectors."))
        elif connector:
            listed.append(connector)
    everything = present(connectors, services)
    servers = _servers(listed, everything, services.edges)
    if not (servers or refusals):
        refusals.append(Refusal("Exchange shows no Transport service with external DNS"))
    use, after = bool(wanted.servers), dict[Place, Values]()
    for place in servers:
        after[place] = {SERVERS: list(wanted.servers), ADAPTER: not use}
    for connector in listed:
        after[Place("connector", connector.identity)] = {USES: use}
    settings = list[Setting]()
    for place, values in after.items():
        now = everything.get(place)
        if now is None or now.values is None:
            name = now.name if now else place.identity
            reason = "cannot be read" if now else "is not among what Exchange shows"
            refusals.append(Refusal(f"the external DNS of {name} {reason}"))
        else:
            settings.append(Setting(place, now.name, now.values, values))
    return _planned(settings, services, refusals, _others(connectors, listed, settings))


def _unfit(
    name: str, connector: Connector | None, edges: frozenset[str], taken: frozenset[str]
) -> str:
    """Return why a listed connector cannot use external DNS, or nothing."""
    if connector is None:
        return f"{name!a:.80} is not a Send connector of this organisation"
    if connector.ours or connector.identity in taken:
        return f"{connector.name!r} is a pin, and Exchange does not use DNS to deliver through it"
    if theirs := sorted(edges.intersection(connector.source_servers)):
        return (
            f"{connector.name!r} sends by the Edge Transport server {', '.join(theirs)}, so the DNS"
            " must be set there"
        )
    if not connector.source_servers:
        return f"{connector.name!r} has no source server"
    return ""


def _servers(
    listed: Sequence[Connector], everything: Mapping[Place, Present], edges: frozenset[str]
) -> list[Place]:
    """Return the servers that get the setting, by name."""
    if listed:
        names = {name for connector in listed for name in connector.source_servers}
    else:
        names = {place.identity for place in everything if place.kind == "server"} - edges
    return [Place("server", name) for name in sorted(names)]


def _others(
    connectors: Sequence[Connector], listed: Sequence[Connector], settings: Sequence[Setting]
) -> Iterator[str]:
    """Warn of connectors that are not listed and use external DNS of servers that change."""
    changing = {s.place.identity for s in settings if s.place.kind == "server" and s.changes}
    theirs = [
        connector.name
        for connector in connectors
        if connector not in listed
        and changing.intersection(connector.source_servers)
        and (_of_connector(connector) or {}).get(USES)
    ]
    if theirs:
        more = f" and {len(theirs) - _MOST_LISTED} more" if len(theirs) > _MOST_LISTED else ""
        yield (
            f"Other connectors use the external DNS of these servers, too:"
            f" {', '.join(theirs[:_MOST_LISTED])}{more}."
        )


def _planned(
    settings: Sequence[Setting],
    services: Services,
    refusals: Iterable[Refusal] = (),
    warnings: Iterable[str] = (),
) -> DnsPlan:
    """Return the plan; a connector uses external DNS only while its servers have some."""

    def order(setting: Setting) -> int:
        if setting.place.kind == "server":
            return 1
        return 2 if setting.after[USES] else 0

    changing = sorted((setting for setting in settings if setting.changes), key=order)
    return DnsPlan(
        settings=tuple(settings),
        steps=tuple(_step(setting, services) for setting in changing),
        refusals=tuple(refusals),
        warnings=tuple(warnings),
    )


def _step(setting: Setting, services: Services) -> DnsStep:
    return DnsStep(
        text=f"external DNS of the {setting.place.kind} {setting.name}",
        counted=True,
        before=dict(setting.before),
        after=dict(setting.after),
        setting=setting,
        cmdlet=services.cmdlet if setting.place.kind == "server" else SET_CONNECTOR,
        changes=_differing(setting.after, setting.before),
    )


# -- back to a backup


@dataclass(slots=True)
class Former:
    """What a place had before the first run that changed it, and what these runs left there."""

    name: str
    before: Values
    left: list[Values] = field(default_factory=list)


def read_former(
    entries_of_backups: Iterable[object],
) -> dict[Place, Former]:
    """Return what backups hold of external DNS, the oldest first; they may be forged.

    Raises ValueError where an entry has another form than ``Setting.to_dict`` gives it.
    """
    former: dict[Place, Former] = {}
    for entries in entries_of_backups:
        if not isinstance(entries, list):
            raise ValueError("its external_dns is not a list")
        for entry in entries:
            setting = _saved(entry)
            known = former.setdefault(setting.place, Former(setting.name, setting.before))
            known.left.append(setting.after)
    return former


def _saved(entry: object) -> Setting:
    fields = entry if isinstance(entry, dict) else {}
    kind = next((kind for kind in _PARAMETERS if kind == fields.get("kind")), None)
    identity, name = fields.get("identity"), fields.get("name")
    if not (kind and identity and name and isinstance(identity, str) and isinstance(name, str)):
        raise ValueError("its external_dns has a malformed entry")
    before, after = (_saved_values(kind, fields.get(side)) for side in ("before", "after"))
    return Setting(Place(kind, identity), name, before, after)


def _saved_values(kind: Kind, values: object) -> Values:
    wrong = ValueError("its external_dns has a value that Exchange rejects")
    if not isinstance(values, dict) or values.keys() != set(_PARAMETERS[kind]):
        raise wrong
    servers = values.get(SERVERS, [])
    flags = [value for name, value in values.items() if name != SERVERS]
    if not isinstance(servers, list) or not all(isinstance(flag, bool) for flag in flags):
        raise wrong
    if not all(isinstance(text, str) for text in servers):
        raise wrong
    try:
        addresses = [str(ip_address(text)) for text in servers]
    except ValueError:
        raise wrong from None
    return {**values, SERVERS: addresses} if kind == "server" else values


def restoring_dns_plan(
    connectors: Sequence[Connector],
    services: Services,
    former: Mapping[Place, Former],
    taken: frozenset[str] = frozenset(),
) -> DnsPlan:
    """Return the plan back to a backup: what still is as a run left it gets its former values.

    ``taken`` are the identities of connectors that the rest of the plan changes.
    """
    everything = present(connectors, services)
    settings, kept = list[Setting](), list[str]()
    for place, was in former.items():
        if place.identity in taken:
            continue
        now = everything.get(place)
        if now is None or now.values is None:
            why = "it cannot be read" if now else "Exchange does not show it"
            kept.append(f"The external DNS of {was.name} cannot be put back: {why}.")
        elif not _differing(was.before, now.values):
            settings.append(Setting(place, now.name, now.values, now.values))
        elif any(not _differing(left, now.values) for left in was.left):
            settings.append(Setting(place, now.name, now.values, was.before))
        else:
            shown = ", ".join(lines(now.values))
            kept.append(
                f"The external DNS of {now.name} was changed since, and stays as it is ({shown})."
            )
    return _planned(settings, services, warnings=kept)


# -- how it is shown


def lines(values: Values) -> list[str]:
    """Return values as a diff shows them."""
    if USES in values:
        return [f"use external DNS {'yes' if values[USES] else 'no'}"]
    return [
        f"name servers {', '.join(values[SERVERS]) or 'none'}",
        f"DNS of the adapter {'yes' if values[ADAPTER] else 'no'}",
    ]


def to_result(settings: Iterable[Setting]) -> dict[str, Any]:
    """Return the settings as a result has them."""

    def shown(values: Values) -> Any:
        if USES in values:
            return values[USES]
        return {"servers": list(values[SERVERS]), "adapter_enabled": values[ADAPTER]}

    result: dict[str, list[dict[str, Any]]] = {"servers": [], "connectors": []}
    for one in settings:
        entry = {"name": one.name, "before": shown(one.before), "after": shown(one.after)}
        result[f"{one.place.kind}s"].append(entry)
    return result
