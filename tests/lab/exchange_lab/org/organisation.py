# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The organisation: its servers, its directory, its users, its faults and counters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import connectors, edge
from .accepted import AcceptedDomain
from .directory import Directory
from .edge import EdgeSync, EdgeTransport
from .faults import Counters, Faults
from .server import ExchangeServer
from .transport import TransportService

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .transport import World
    from .versions import Family

_GROUP = "CN=Exchange Administrative Group (FYDIBOHF23SPDLT),CN=Administrative Groups"

#: Parameters that every cmdlet has, whatever roles say.
_COMMON = frozenset({"ErrorAction", "WarningAction"})


@dataclass(slots=True)
class Organisation:
    """Everything that the servers of one Exchange organisation share.

    ``view_only`` are users whose roles contain no cmdlet that changes anything: to them such a
    cmdlet does not exist ("Find the permissions required to run any Exchange cmdlet"). ``lacking``
    names what else a user's roles lack: ``Set-SendConnector``, or ``Set-SendConnector -TlsDomain``.
    ``only`` are all the rights that a user has, in the same form, where he is in it.
    ``secure_domains`` are those of mutual TLS (TLSSendDomainSecureList). ``edge_interval`` is the
    seconds between two rounds of EdgeSync.
    """

    servers: list[ExchangeServer]
    directory: Directory
    name: str = "First Organization"
    domain: str = "hq.example"
    users: dict[str, str] = field(default_factory=dict)
    view_only: set[str] = field(default_factory=set)
    lacking: dict[str, set[str]] = field(default_factory=dict)
    only: dict[str, set[str]] = field(default_factory=dict)
    accepted_domains: list[AcceptedDomain] = field(default_factory=list)
    secure_domains: set[str] = field(default_factory=set)
    edge_syncs: dict[str, EdgeSync] = field(default_factory=dict)
    edge_transports: dict[str, EdgeTransport] = field(default_factory=dict)
    edge_interval: float = edge.INTERVAL
    transports: dict[str, TransportService] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    counters: Counters = field(default_factory=Counters)

    @classmethod
    def build(
        cls,
        servers: Mapping[str, Family],
        *,
        domain: str = "hq.example",
        domain_controllers: Sequence[str] = ("dc1", "dc2"),
        replication_delay: float = 0.0,
        users: Mapping[str, str] | None = None,
        edges: Mapping[str, Family] | None = None,
    ) -> Organisation:
        """An organisation of servers given as name and generation; delays in seconds.

        ``edges`` are subscribed Edge Transport servers.
        """
        return cls(
            [
                *(ExchangeServer.of(name, domain, family) for name, family in servers.items()),
                *(
                    ExchangeServer.of(name, domain, family, is_edge=True)
                    for name, family in (edges or {}).items()
                ),
            ],
            Directory(
                [f"{name}.{domain}" for name in domain_controllers],
                replication_delay=replication_delay,
            ),
            domain=domain,
            users=dict(users or {}),
            accepted_domains=[AcceptedDomain(domain)],
        )

    @property
    def inside(self) -> list[ExchangeServer]:
        """The servers that have a PowerShell endpoint and an Active Directory: all but Edges."""
        return [server for server in self.servers if not server.is_edge]

    def may_run(self, user: str, cmdlet: str) -> bool:
        """Whether a user's roles contain a cmdlet."""
        if user in self.view_only and not cmdlet.startswith("Get-"):
            return False
        if user in self.only and cmdlet not in self.only[user]:
            return False
        return cmdlet not in self.lacking.get(user, ())

    def may_use(self, user: str, cmdlet: str, parameter: str) -> bool:
        """Whether a user's roles contain a parameter of a cmdlet."""
        right = f"{cmdlet} -{parameter}"
        if user in self.only and parameter not in _COMMON and right not in self.only[user]:
            return False
        return right not in self.lacking.get(user, ())

    def subscribe_edges(self) -> None:
        """Make the two connectors that an Edge Subscription makes, for each Edge."""
        for server in self.servers:
            if not server.is_edge:
                continue
            self.edge_syncs[server.name] = EdgeSync(self, server, self.edge_interval)
            for settings in subscription_connectors(server):
                name = str(settings["Name"])
                merged = {**connectors.defaults(server.version.family, server.name), **settings}
                controller = self.directory.choose()
                self.directory.create(controller, merged, self.connector_dn(name))
        self.directory.settle()

    def start_transport(self, world: World) -> None:
        """Start the Transport service of every server that has one."""
        for server in self.servers:
            if server.is_edge:
                service = EdgeTransport(self, server, world, self.transport_of)
                service.sync = self.edge_syncs[server.name]
                self.edge_transports[server.name] = service
            elif server.is_transport:
                self.transports[server.name] = TransportService(
                    self, server, world, self.transport_of
                )
        for running in (*self.transports.values(), *self.edge_transports.values()):
            running.start()

    def transport_of(self, name: str) -> TransportService | None:
        """The Transport service of a server, inside or at the edge."""
        return self.transports.get(name) or self.edge_transports.get(name)

    def close(self) -> None:
        """Stop all Transport services."""
        for service in (*self.transports.values(), *self.edge_transports.values()):
            service.close()
        self.transports.clear()
        self.edge_transports.clear()

    def find_server(self, identity: str) -> ExchangeServer | None:
        """The server with that name, full name, Guid or distinguished name."""
        for server in self.servers:
            if server.answers_to(identity):
                return server
            if self.server_dn(server).casefold() == identity.casefold():
                return server
        return None

    @property
    def configuration_dn(self) -> str:
        """The distinguished name of the organisation's container."""
        parts = ",".join(f"DC={label}" for label in self.domain.split("."))
        return f"CN={self.name},CN=Microsoft Exchange,CN=Services,CN=Configuration,{parts}"

    def server_dn(self, server: ExchangeServer) -> str:
        """The distinguished name of a server."""
        return f"CN={server.name},CN=Servers,{_GROUP},{self.configuration_dn}"

    def connector_dn(self, name: str) -> str:
        """The distinguished name of a Send connector."""
        routing = "CN=Connections,CN=Exchange Routing Group (DWBGZMFD01QNBJR),CN=Routing Groups"
        return f"CN={name},{routing},{_GROUP},{self.configuration_dn}"


def subscription_connectors(edge_server: ExchangeServer) -> tuple[dict[str, object], ...]:
    """The settings of the connectors of an Edge Subscription, as its documentation lists them."""
    return (
        {
            "Name": f"EdgeSync - Inbound to {edge_server.site}",
            "AddressSpaces": ["SMTP:--;1"],
            "SmartHosts": ["--"],
            "DNSRoutingEnabled": False,
            "SourceTransportServers": [edge_server.name],
        },
        {
            "Name": f"EdgeSync - {edge_server.site} to Internet",
            "AddressSpaces": ["SMTP:*;100"],
            "DomainSecureEnabled": True,
            "SourceTransportServers": [edge_server.name],
        },
    )
