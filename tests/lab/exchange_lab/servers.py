# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of a lab's organisation: their Windows with WinRM, their PowerShell, their Transport.

WinRM shows what Windows knows (Setup's registry key, the suffix search list); Exchange itself is
managed at the PowerShell endpoint of its web server.
"""

from __future__ import annotations

from pathlib import Path

from . import inventory
from .mail.dns_server import DnsServer
from .mail.imc import Surroundings
from .mail.imc_config import TCPIP_KEY
from .mail.imc_routing import NameService
from .org import connectors
from .org import lab as org_lab
from .org.accepted import AcceptedDomain
from .org.organisation import Organisation
from .org.queues import Queue
from .org.transport import TransportService, World
from .org.versions import VERSIONS, Family
from .scenario import ConnectorSpec, OrganisationSpec, Scenario, ServerSpec
from .windows.host import LabHost
from .windows.winrm_server import Settings, WinRMServer

_SETUP_KEY = r"HKLM\SOFTWARE\Microsoft\ExchangeServer\v{}\Setup"
_SETUP_VALUES = ("MsiProductMajor", "MsiProductMinor", "MsiBuildMajor", "MsiBuildMinor")
_DNS_SECONDS = 0.3


class Server:
    """One Exchange server, with handles to everything on it."""

    def __init__(
        self,
        spec: ServerSpec,
        host: LabHost,
        winrm: WinRMServer,
        organisation: org_lab.OrganisationLab,
    ) -> None:
        self.spec = spec
        self.host = host
        self.winrm = winrm.add(host)
        self._organisation = organisation

    @property
    def label(self) -> str:
        """The version as people say it."""
        return "SE" if self.spec.family is Family.SE else str(int(self.spec.family))

    @property
    def transport(self) -> TransportService:
        """Its Transport service."""
        return self._organisation.transport(self.spec.name)

    @property
    def queues(self) -> list[Queue]:
        """What waits there to leave the organisation."""
        return [queue for queue in self.transport.queues.all() if queue.hop.external]

    def has_sent_all(self) -> bool:
        """Whether nothing waits there."""
        return not self.queues

    @property
    def endpoint_requests(self) -> int:
        """The requests that its PowerShell endpoint has answered."""
        return self._organisation.requests(self.spec.name)

    def send_letters(self) -> None:
        """Send what its users have written."""
        for letter in self.spec.letters:
            content = f"Subject: {letter.subject}\r\n\r\nHello\r\n".encode()
            self.transport.submit(letter.sender, (letter.recipient,), content, "127.0.0.1")

    def facts(self) -> inventory.Machine:
        """Return what the inventory says about this host."""
        return inventory.Machine(
            self.spec.name,
            self.winrm.port,
            self.transport.port,
            endpoint_port=self._organisation.port(self.spec.name),
        )


def start_organisation(
    scenario: Scenario,
    spec: OrganisationSpec,
    outside: Surroundings,
    elsewhere: DnsServer | None = None,
) -> org_lab.OrganisationLab:
    """Start an organisation with its connectors, its Edges and its accepted domains.

    ``elsewhere`` is the name server behind the addresses that the organisation has as resolvers.
    """
    services = {"": NameService(outside.names.host, outside.names.port, _DNS_SECONDS)}
    if elsewhere:
        there = NameService(elsewhere.address, elsewhere.port, _DNS_SECONDS)
        services |= dict.fromkeys(spec.resolvers, there)
    lab = org_lab.OrganisationLab.build(
        {server.name: server.family for server in spec.servers},
        users={scenario.user: scenario.password},
        replication_delay=spec.replication_delay,
        world=World(outside.network, outside.loops, services, time_scale=spec.time_scale),
        settings=Settings(),
        edges=spec.edges,
    )
    organisation = lab.organisation
    organisation.lacking[scenario.user] = set(spec.lacking)
    if spec.only:
        organisation.only[scenario.user] = set(spec.only)
    organisation.edge_interval *= spec.time_scale
    organisation.accepted_domains += [
        AcceptedDomain(name, kind) for name, kind in spec.accepted.items()
    ]
    for connector in spec.connectors:
        _add_connector(organisation, spec, connector)
    return lab.start()


def _add_connector(
    organisation: Organisation, spec: OrganisationSpec, connector: ConnectorSpec
) -> None:
    servers = [server.name for server in spec.servers]
    settings: dict[str, object] = {
        **connectors.defaults(spec.servers[0].family, servers[0]),
        "Name": connector.name,
        "AddressSpaces": list(connector.spaces),
        "SmartHosts": list(connector.smart_hosts),
        "DNSRoutingEnabled": not connector.smart_hosts,
        "SourceTransportServers": servers,
        **connector.settings,
    }
    controller = organisation.directory.choose()
    organisation.directory.create(controller, settings, organisation.connector_dn(connector.name))
    organisation.directory.settle()


def windows_of(spec: ServerSpec, scenario: Scenario, root: Path) -> LabHost:
    """Return the Windows of a server, with what Setup and the network left in its registry."""
    users = {scenario.user: scenario.password}
    host = LabHost(spec.name, root, users=users, time_scale=scenario.time_scale)
    version = VERSIONS[spec.family]
    setup = _SETUP_KEY.format(14 if spec.family is Family.E2010 else 15)
    numbers = (version.major, version.minor, version.build, version.revision)
    for name, number in zip(_SETUP_VALUES, numbers, strict=True):
        host.registry.set(setup, name, "REG_DWORD", number)
    host.registry.set(TCPIP_KEY, "Hostname", "REG_SZ", spec.name)
    host.registry.set(TCPIP_KEY, "Domain", "REG_SZ", scenario.local_domain)
    host.registry.set(TCPIP_KEY, "SearchList", "REG_SZ", ",".join(scenario.search_list))
    return host
