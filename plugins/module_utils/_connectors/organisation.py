# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read an organisation's Send connectors, always at one domain controller.

Connectors live in Active Directory, which replicates a change from one domain controller to the
next in its own time. To see what was just written, ask the one it was written to.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._base.errors import ExchangeError
from .._remote.session import Cmdlet, CmdletError, CmdletSession
from .canonical import server_name, size_argument
from .connector import Connector, connector_from, texts
from .external_dns import Services
from .servers import AcceptedDomains, read_servers, read_transport_services, this_server

#: How often a read is tried that Active Directory refuses for the moment, and the pause between.
_TRIES = 3
_PAUSE = 1.0

_ORGANISATION = re.compile(
    r"CN=(?P<name>(?:[^,\\]|\\.)+),CN=Microsoft Exchange,CN=Services,CN=Configuration,"
    r"(?P<forest>DC=.+)\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Organisation:
    """An Exchange organisation: its name, and the Active Directory forest it is in."""

    name: str
    forest: str

    def __str__(self) -> str:
        return f"{self.name} ({self.forest})"

    @property
    def label(self) -> str:
        """The name of its folder of backups."""
        return f"{self.name} {self.forest}"

    @property
    def key(self) -> str:
        """What identifies it, the same from whichever server it was read."""
        return f"{self.name}@{self.forest}".casefold()


def organisation_in(distinguished_name: str) -> Organisation | None:
    """Return the organisation that an object belongs to, by the end of its distinguished name."""
    match = _ORGANISATION.search(distinguished_name)
    if not match:
        return None
    labels = re.findall(r"DC=([^,]+)", match["forest"], re.IGNORECASE)
    return Organisation(re.sub(r"\\(.)", r"\1", match["name"]), ".".join(labels).casefold())


def same_controller(one: str, other: str) -> bool:
    """True if two names are of one domain controller; a short name matches any domain."""
    first, second = one.casefold().split("."), other.casefold().split(".")
    return first[:1] == second[:1] if 1 in (len(first), len(second)) else first == second


@dataclass(frozen=True, slots=True)
class View:
    """An organisation's connectors as one domain controller shows them."""

    organisation: Organisation
    domain_controller: str
    connectors: tuple[Connector, ...]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The facts besides the connectors that decide about a change; read only to make one.

    ``own`` are the domains with mailboxes inside, see ``AcceptedDomains``. ``version`` is that of
    the server that runs the cmdlets, empty if it is not known. ``edges`` are the Edge Transport
    servers, by short name, and ``sites`` the Active Directory site of each other server.
    ``secured`` are the domains of mutual TLS (TLSSendDomainSecureList), or None if that is not
    known. ``warnings`` are about what could not be read.
    """

    own: frozenset[str] = frozenset()
    version: str = ""
    edges: frozenset[str] = frozenset()
    sites: Mapping[str, str] = field(default_factory=dict)
    secured: frozenset[str] | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reader:
    """Runs cmdlets at one host; ``timeout`` is in seconds, for each of them."""

    session: CmdletSession
    timeout: float = 120.0
    sleep: Callable[[float], None] = time.sleep

    def invoke(self, cmdlet: Cmdlet, domain_controller: str) -> Sequence[Mapping[str, Any]]:
        """Run a cmdlet at a domain controller; without one, at that of Exchange's choice."""
        parameters = dict(cmdlet.parameters)
        if "MaxMessageSize" in parameters:
            parameters["MaxMessageSize"] = size_argument(parameters["MaxMessageSize"])
        if domain_controller:
            parameters["DomainController"] = domain_controller
        return self.session.invoke(Cmdlet(cmdlet.name, parameters), timeout=self.timeout)

    def view(self, domain_controller: str) -> View:
        """Read the connectors, and from them the organisation and the domain controller.

        It costs one cmdlet, or three in an organisation without connectors.
        """
        objects = self._objects(domain_controller)
        servers = [] if objects else self._patiently("Get-ExchangeServer", domain_controller)
        if not objects and not servers:
            raise ExchangeError(
                f"{self.session.host}: Exchange shows neither a Send connector nor a server.",
                hint="Run Get-ExchangeServer with the same account.",
            )
        witness = (*objects, *servers)[0]
        organisation = organisation_in(str(witness.get("DistinguishedName") or ""))
        asked = domain_controller or str(witness.get("OriginatingServer") or "")
        if organisation is None or not asked:
            raise ExchangeError(
                f"{self.session.host}: Exchange shows neither its organisation nor the domain"
                " controller it uses.",
                hint="Set domain_controller; check Get-SendConnector | Format-List.",
            )
        return View(organisation, asked, self._connectors(objects))

    def connectors(self, domain_controller: str) -> tuple[Connector, ...]:
        """Return all Send connectors. A read that fails raises; it never returns an empty list."""
        return self._connectors(self._objects(domain_controller))

    def surroundings(self, connectors: Sequence[Connector]) -> Surroundings:
        """Read the accepted domains and the servers; what the account may not read is warned of."""
        host, warnings = self.session.host, []
        own, version, edges = set[str](), "", frozenset[str]()
        sites: dict[str, str] = {}
        try:
            own = AcceptedDomains(self.session).own()
        except CmdletError as error:  # a role without the cmdlet
            warnings.append(f"The own domains could not be read: {error.message}")
        try:
            servers = read_servers(self.session)
        except CmdletError as error:
            warnings.append(f"The Edge Transport servers could not be read: {error.message}")
        else:
            here = this_server([s for s in servers if not s.edge], host)
            version = (here and here.version) or ""
            edges = frozenset(server_name(s.name) for s in servers if s.edge)
            sites = {server_name(s.name): s.site for s in servers if s.site and not s.edge}
        secured = self._secured() if any(c.domain_secure for c in connectors) else None
        return Surroundings(frozenset(own), version, edges, sites, secured, tuple(warnings))

    def services(self, domain_controller: str) -> Services:
        """Read the Transport services, and which servers are Edge Transport servers."""

        def invoke(cmdlet: Cmdlet) -> Sequence[Mapping[str, Any]]:
            read = self._patiently
            return read(cmdlet.name, domain_controller) or read(cmdlet.name, domain_controller)

        objects, cmdlet = read_transport_services(invoke)
        edges = frozenset(server_name(s.name) for s in read_servers(self.session) if s.edge)
        return Services(cmdlet, tuple(objects), edges)

    def _secured(self) -> frozenset[str] | None:
        try:
            (config,) = self.session.invoke(Cmdlet("Get-TransportConfig"), timeout=self.timeout)
        except (CmdletError, ValueError):  # not allowed to this account
            return None
        return frozenset(x.casefold() for x in texts(config.get("TLSSendDomainSecureList")))

    def _objects(self, domain_controller: str) -> Sequence[Mapping[str, Any]]:
        """Return the objects of all Send connectors; "none at all" is believed the second time."""
        name = "Get-SendConnector"
        return self._patiently(name, domain_controller) or self._patiently(name, domain_controller)

    def _patiently(self, name: str, domain_controller: str) -> Sequence[Mapping[str, Any]]:
        """Run a cmdlet that reads, and again where Active Directory reports a transient error."""
        for number in range(1, _TRIES + 1):
            try:
                return self.invoke(Cmdlet(name), domain_controller)
            except CmdletError as error:
                if not error.transient or number == _TRIES:
                    raise
                self.sleep(_PAUSE * number)
        raise AssertionError("unreachable: the last try returns or raises")

    def _connectors(self, objects: Sequence[Mapping[str, Any]]) -> tuple[Connector, ...]:
        return tuple(connector_from(item, self.session.host) for item in objects)
