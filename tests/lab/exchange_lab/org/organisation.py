# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The organisation: its servers, its directory, its users, its faults and counters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .directory import Directory
from .faults import Counters, Faults
from .server import ExchangeServer
from .transport import TransportService

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .transport import World
    from .versions import Family

_GROUP = "CN=Exchange Administrative Group (FYDIBOHF23SPDLT),CN=Administrative Groups"


@dataclass(slots=True)
class Organisation:
    """Everything that the servers of one Exchange organisation share.

    ``view_only`` are users whose roles contain no cmdlet that changes anything: to them such a
    cmdlet does not exist ("Find the permissions required to run any Exchange cmdlet").
    """

    servers: list[ExchangeServer]
    directory: Directory
    name: str = "First Organization"
    domain: str = "hq.example"
    users: dict[str, str] = field(default_factory=dict)
    view_only: set[str] = field(default_factory=set)
    accepted_domains: list[str] = field(default_factory=list)
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
    ) -> Organisation:
        """An organisation of servers given as name and generation; delays in seconds."""
        return cls(
            [ExchangeServer.of(name, domain, family) for name, family in servers.items()],
            Directory(
                [f"{name}.{domain}" for name in domain_controllers],
                replication_delay=replication_delay,
            ),
            domain=domain,
            users=dict(users or {}),
            accepted_domains=[domain],
        )

    def start_transport(self, world: World) -> None:
        """Start the Transport service of every server that has one."""
        for server in self.servers:
            if server.is_transport:
                self.transports[server.name] = TransportService(
                    self, server, world, self.transports.get
                )
        for service in self.transports.values():
            service.start()

    def close(self) -> None:
        """Stop all Transport services."""
        for service in self.transports.values():
            service.close()
        self.transports.clear()

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
