# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Get-ExchangeServer, Get-TransportService, Get-TransportServer and Get-AcceptedDomain."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from . import binding, connectors, errors, values, wire
from .cmdlet import CONFIG_TASKS, Call, Cmdlet
from .versions import SINCE_2013, Family

if TYPE_CHECKING:
    from psrpcore.types import PSObject

    from .server import ExchangeServer

_IDENTITY = binding.Parameter("Identity", "ServerIdParameter", binding.to_string, position=1)
_STATUS = binding.Parameter("Status", "SwitchParameter", binding.to_switch)
_SERVER_TYPES = (
    "Microsoft.Exchange.Data.Directory.Management.ExchangeServer",
    *wire.PRESENTATION_OBJECT,
)
_TRANSPORT_TYPES = (
    "Microsoft.Exchange.Data.Directory.Management.TransportServer",
    *wire.PRESENTATION_OBJECT,
)
_DOMAIN_TYPES = (
    "Microsoft.Exchange.Data.Directory.SystemConfiguration.AcceptedDomain",
    *wire.CONFIG_OBJECT,
)


def _asked(call: Call, controller: str) -> list[ExchangeServer]:
    identity = call.bound.text("Identity")
    if identity is None:
        return list(call.organisation.servers)
    server = call.organisation.find_server(identity)
    if server is None:
        raise errors.object_not_found(identity, controller)
    return [server]


def get_exchange_server(call: Call) -> list[PSObject]:
    """The servers of the organisation."""
    controller = call.domain_controller()
    return [_exchange_server(call, server, controller) for server in _asked(call, controller)]


def _exchange_server(call: Call, server: ExchangeServer, controller: str) -> PSObject:
    family = server.version.family
    roles = "Mailbox, ClientAccess, HubTransport" if family < Family.E2013 else "Mailbox"
    site = f"{call.organisation.domain}/Configuration/Sites/{server.site}"
    properties: dict[str, object] = {
        "Name": server.name,
        "Domain": call.organisation.domain,
        "Edition": server.edition,
        "ExchangeLegacyDN": f"/o={call.organisation.name}/ou=Exchange Administrative Group "
        f"(FYDIBOHF23SPDLT)/cn=Configuration/cn=Servers/cn={server.name}",
        "Fqdn": server.fqdn,
        "IsHubTransportServer": server.is_transport,
        "IsClientAccessServer": True,
        "IsExchange2007OrLater": True,
        "IsEdgeServer": False,
        "IsMailboxServer": True,
        "IsE14OrLater": True,
        "IsE15OrLater": family >= Family.E2013,
        "ServerRole": roles,
        "AdminDisplayVersion": str(server.version),
        "Site": site,
        **connectors.directory_properties(server.created, server.created, controller, call.family),
        "Identity": server.name,
        "DistinguishedName": call.organisation.server_dn(server),
        "Guid": server.guid,
        "Id": server.name,
    }
    return wire.build(_SERVER_TYPES, server.name, properties)


def get_transport(call: Call) -> list[PSObject]:
    """The Transport service's settings of the servers that have one."""
    controller = call.domain_controller()
    servers = [server for server in _asked(call, controller) if server.is_transport]
    return [_transport(call, server, controller) for server in servers]


def _span(seconds: float) -> str:
    return values.print_span(timedelta(seconds=seconds))


def _transport(call: Call, server: ExchangeServer, controller: str) -> PSObject:
    settings = server.settings
    no_adapter = uuid.UUID(int=0)
    properties: dict[str, object] = {
        "Name": server.name,
        "ExternalDNSAdapterEnabled": settings.external_dns_adapter_enabled,
        "ExternalDNSAdapterGuid": no_adapter,
        "ExternalDNSProtocolOption": "Any",
        "ExternalDNSServers": wire.Multi(wire.IP_ADDRESS, settings.external_dns_servers),
        "ExternalIPAddress": None,
        "InternalDNSAdapterEnabled": settings.internal_dns_adapter_enabled,
        "InternalDNSAdapterGuid": no_adapter,
        "InternalDNSProtocolOption": "Any",
        "InternalDNSServers": wire.Multi(wire.IP_ADDRESS, settings.internal_dns_servers),
        "MaxOutboundConnections": "1000",
        "MaxPerDomainOutboundConnections": "40" if call.family >= Family.E2013 else "20",
        "MessageExpirationTimeout": _span(settings.expiration),
        "MessageTrackingLogEnabled": settings.tracking_enabled,
        "MessageTrackingLogMaxAge": "30.00:00:00",
        "MessageTrackingLogSubjectLoggingEnabled": True,
        "OutboundConnectionFailureRetryInterval": _span(settings.outbound_interval),
        "QueueMaxIdleTime": "00:03:00",
        "TransientFailureRetryCount": settings.transient_retries,
        "TransientFailureRetryInterval": _span(settings.transient_interval),
        **connectors.directory_properties(server.created, server.created, controller, call.family),
        "Identity": server.name,
        "DistinguishedName": call.organisation.server_dn(server),
        "Guid": server.guid,
        "Id": server.name,
    }
    return wire.build(_TRANSPORT_TYPES, server.name, properties)


def get_transport_server(call: Call) -> list[PSObject]:
    """The older name of Get-TransportService; it warns where the newer one exists."""
    if call.family >= Family.E2013:
        call.warnings.append(
            "The Get-TransportServer cmdlet will be removed in a future version of Exchange. Use "
            "the Get-TransportService cmdlet instead."
        )
    return get_transport(call)


def get_accepted_domain(call: Call) -> list[PSObject]:
    """The domains that the organisation receives mail for."""
    controller = call.domain_controller()
    created = call.organisation.servers[0].created
    shown = []
    for domain in call.organisation.accepted_domains:
        properties: dict[str, object] = {
            "DomainName": domain,
            "DomainType": "Authoritative",
            "Default": domain == call.organisation.accepted_domains[0],
            "Name": domain,
            "Identity": domain,
            **connectors.directory_properties(created, created, controller, call.family),
        }
        shown.append(wire.build(_DOMAIN_TYPES, domain, properties))
    return shown


CMDLETS = (
    Cmdlet(
        "Get-ExchangeServer",
        f"{CONFIG_TASKS}.GetExchangeServer",
        (_IDENTITY, _STATUS, connectors.DOMAIN_CONTROLLER),
        get_exchange_server,
    ),
    Cmdlet(
        "Get-TransportService",
        f"{CONFIG_TASKS}.GetTransportService",
        (_IDENTITY, connectors.DOMAIN_CONTROLLER),
        get_transport,
        families=SINCE_2013,
    ),
    Cmdlet(
        "Get-TransportServer",
        f"{CONFIG_TASKS}.GetTransportServer",
        (_IDENTITY, connectors.DOMAIN_CONTROLLER),
        get_transport_server,
        families=frozenset({Family.E2010, Family.E2013}),
    ),
    Cmdlet(
        "Get-AcceptedDomain",
        f"{CONFIG_TASKS}.GetAcceptedDomain",
        (
            binding.Parameter("Identity", "AcceptedDomainIdParameter", binding.to_string),
            connectors.DOMAIN_CONTROLLER,
        ),
        get_accepted_domain,
    ),
)
