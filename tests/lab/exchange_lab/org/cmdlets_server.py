# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Get-ExchangeServer, and Get- and Set-TransportService (in 2010: TransportServer)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from . import binding, connectors, errors, values, wire
from .adobject import Shown
from .cmdlet import CONFIG_TASKS, Call, Cmdlet
from .versions import OLDEST_OBJECT, SINCE_2013, Family

if TYPE_CHECKING:
    from psrpcore.types import PSObject

    from .server import ExchangeServer

_IDENTITY = binding.Parameter("Identity", "ServerIdParameter", binding.to_string, position=1)
_STATUS = binding.Parameter("Status", "SwitchParameter", binding.to_switch)
_SERVER_TYPES = (
    "Microsoft.Exchange.Data.Directory.Management.ExchangeServer",
    *wire.PRESENTATION_OBJECT,
)
_CONFIG_TYPES = (
    "Microsoft.Exchange.Data.Directory.SystemConfiguration.TransportConfigContainer",
    *wire.CONFIG_OBJECT,
)
_SMTP_DOMAIN = wire.ADDRESS_SPACE.replace("AddressSpace", "SmtpDomain", 1)
_TRANSPORT_TYPES = (
    "Microsoft.Exchange.Data.Directory.Management.TransportServer",
    *wire.PRESENTATION_OBJECT,
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
    family, organisation = server.version.family, call.organisation
    shown = Shown(
        server.name,
        organisation.server_dn(server),
        server.guid,
        "ms-Exch-Exchange-Server",
        ("top", "server", "msExchExchangeServer"),
        OLDEST_OBJECT,
        server.created,
        server.changed,
        controller,
    )
    inside = not server.is_edge
    # The domain controllers in use are read from the server, which takes -Status.
    current = organisation.directory.domain_controllers if call.bound.get("Status") else []
    properties: dict[str, object] = {
        "Name": server.name,
        "DataPath": rf"C:\Program Files\Microsoft\Exchange Server\V{_FOLDER[family]}\Mailbox",
        "Domain": organisation.domain,
        "Edition": server.edition,
        "ExchangeLegacyDN": f"/o={organisation.name}/ou=Exchange Administrative Group "
        f"(FYDIBOHF23SPDLT)/cn=Configuration/cn=Servers/cn={server.name}",
        "ExchangeLegacyServerRole": 0,
        "Fqdn": server.fqdn,
        "CustomerFeedbackEnabled": None,
        "InternetWebProxy": None,
        "IsHubTransportServer": inside and server.is_transport,
        "IsClientAccessServer": inside,
        "IsExchange2007OrLater": True,
        "IsEdgeServer": server.is_edge,
        "IsMailboxServer": inside,
        "IsE14OrLater": True,
        "IsE15OrLater": family >= Family.E2013,
        "IsProvisionedServer": False,
        "IsUnifiedMessagingServer": inside and family <= Family.E2016,
        "NetworkAddress": wire.network_addresses(_network_addresses(server)),
        "OrganizationalUnit": f"{organisation.domain}/{server.name}",
        "AdminDisplayVersion": str(server.version),
        "Site": f"{organisation.domain}/Configuration/Sites/{server.site}",
        "ServerRole": _role(server),
        "ErrorReportingEnabled": None,
        "StaticDomainControllers": wire.Multi(wire.STRING, []),
        "StaticGlobalCatalogs": wire.Multi(wire.STRING, []),
        "StaticConfigDomainController": "",
        "StaticExcludedDomainControllers": wire.Multi(wire.STRING, []),
        "MonitoringGroup": "",
        "CurrentDomainControllers": wire.Multi(wire.STRING, current),
        "CurrentGlobalCatalogs": wire.Multi(wire.STRING, current),
        "CurrentConfigDomainController": current[0] if current else "",
        "ProductID": "",
        "IsExchangeTrialEdition": False,
        "IsExpiredExchangeTrialEdition": False,
        "RemainingTrialPeriod": "00:00:00",
        **(_OF_2013 if family >= Family.E2013 else {}),
        **(_OF_2016 if family >= Family.E2016 else {}),
        **shown.properties(display_name=False),
    }
    return wire.build(_SERVER_TYPES, server.name, properties)


_FOLDER = {family: 14 if family is Family.E2010 else 15 for family in Family}
# What came with which version is the lab's assumption; 2016 and 2019 have all of it.
_OF_2013: dict[str, object] = {
    "InternetWebProxyBypassList": None,
    "IsFrontendTransportServer": True,
    "MailboxProvisioningAttributes": None,
}
_OF_2016: dict[str, object] = {
    "DataCollectionEnabled": False,
    "MitigationsApplied": None,
    "MitigationsBlocked": None,
    "MitigationsEnabled": True,
}


def _role(server: ExchangeServer) -> str:
    if server.is_edge:
        return "Edge"
    old = server.version.family < Family.E2013
    return "Mailbox, ClientAccess, HubTransport" if old else "Mailbox"


def _network_addresses(server: ExchangeServer) -> list[str]:
    kinds = ("ncacn_vns_spp", "netbios", "ncacn_np", "ncacn_spx", "ncacn_ip_tcp", "ncalrpc")
    return [f"{kind}:{server.fqdn if kind == 'ncacn_ip_tcp' else server.name}" for kind in kinds]


def get_transport(call: Call) -> list[PSObject]:
    """The Transport service's settings of the servers that have one."""
    controller = call.domain_controller()
    servers = [server for server in _asked(call, controller) if server.is_transport]
    return [_transport(call, server, controller) for server in servers]


def _span(seconds: float) -> str:
    return values.print_span(timedelta(seconds=seconds))


def _transport(call: Call, server: ExchangeServer, controller: str) -> PSObject:
    settings = server.settings
    shown = Shown(
        server.name,
        call.organisation.server_dn(server),
        server.guid,
        "ms-Exch-Exchange-Server",
        ("top", "server", "msExchExchangeServer"),
        OLDEST_OBJECT,
        server.created,
        server.changed,
        controller,
    )
    properties: dict[str, object] = {
        "Name": server.name,
        "ExternalDNSAdapterEnabled": settings.external_dns_adapter_enabled,
        "ExternalDNSAdapterGuid": settings.external_dns_adapter,
        "ExternalDNSProtocolOption": settings.external_dns_protocol,
        "ExternalDNSServers": wire.Multi(wire.IP_ADDRESS, settings.external_dns_servers),
        "ExternalIPAddress": None,
        "InternalDNSAdapterEnabled": settings.internal_dns_adapter_enabled,
        "InternalDNSAdapterGuid": uuid.UUID(int=0),
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
        **shown.properties(),
    }
    return wire.build(_TRANSPORT_TYPES, server.name, properties)


def _warn_of_the_old_name(call: Call, verb: str) -> None:
    if call.family >= Family.E2013:
        call.warnings.append(
            f"The {verb}-TransportServer cmdlet will be removed in a future version of Exchange. "
            f"Use the {verb}-TransportService cmdlet instead."
        )


def get_transport_server(call: Call) -> list[PSObject]:
    """The older name of Get-TransportService; it warns where the newer one exists."""
    _warn_of_the_old_name(call, "Get")
    return get_transport(call)


def get_transport_config(call: Call) -> list[PSObject]:
    """The organisation's transport settings, as far as anything here reads them."""
    call.domain_controller()
    secured = sorted(call.organisation.secure_domains)
    properties: dict[str, object] = {
        "Name": "Transport Settings",
        "TLSSendDomainSecureList": wire.Multi(_SMTP_DOMAIN, secured),
    }
    return [wire.build(_CONFIG_TYPES, "Transport Settings", properties)]


_DNS_SETTINGS = {
    "ExternalDNSServers": "external_dns_servers",
    "ExternalDNSAdapterEnabled": "external_dns_adapter_enabled",
    "ExternalDNSAdapterGuid": "external_dns_adapter",
    "ExternalDNSProtocolOption": "external_dns_protocol",
    "InternalDNSServers": "internal_dns_servers",
    "InternalDNSAdapterEnabled": "internal_dns_adapter_enabled",
}


def set_transport(call: Call) -> list[PSObject]:
    """Change the DNS settings of a Transport service; it shows nothing."""
    call.confirm("Modifying Transport service", default=False)
    controller = call.domain_controller()
    (server,) = _asked(call, controller)
    settings, changed = server.settings, {}
    for name, attribute in _DNS_SETTINGS.items():
        if name not in call.bound:
            continue
        value, current = call.bound.get(name), getattr(settings, attribute)
        if isinstance(value, binding.Edit):
            value = value.apply(current)
        if value != current:
            changed[attribute] = value
    if not changed:
        call.warnings.append(
            "The command completed successfully but no settings of "
            f"'{server.name}' have been modified."
        )
    elif not call.bound.get("WhatIf"):
        for attribute, value in changed.items():
            setattr(settings, attribute, value)
        server.changed = datetime.now(UTC)
    return []


def set_transport_server(call: Call) -> list[PSObject]:
    """The older name of Set-TransportService; it warns where the newer one exists."""
    _warn_of_the_old_name(call, "Set")
    return set_transport(call)


def _addresses(name: str) -> binding.Parameter:
    type_name = "Microsoft.Exchange.Data.MultiValuedProperty`1[IPAddress]"
    return binding.Parameter(name, type_name, binding.to_list(_address))


def _address(text: str) -> str:
    return str(binding.to_ip(text))


_SET_PARAMETERS = (
    binding.Parameter("Identity", "ServerIdParameter", binding.to_string, True, 1),
    connectors.DOMAIN_CONTROLLER,
    connectors.CONFIRM,
    connectors.WHAT_IF,
    _addresses("ExternalDNSServers"),
    binding.Parameter("ExternalDNSAdapterEnabled", "System.Boolean", binding.to_boolean),
    binding.Parameter("ExternalDNSAdapterGuid", "System.Guid", binding.to_guid),
    binding.Parameter(
        "ExternalDNSProtocolOption",
        "ProtocolOption",
        binding.to_enum("Any", "UseUdpOnly", "UseTcpOnly"),
    ),
    _addresses("InternalDNSServers"),
    binding.Parameter("InternalDNSAdapterEnabled", "System.Boolean", binding.to_boolean),
)

CMDLETS = (
    Cmdlet(
        "Get-ExchangeServer",
        f"{CONFIG_TASKS}.GetExchangeServer",
        (_IDENTITY, _STATUS, connectors.DOMAIN_CONTROLLER),
        get_exchange_server,
    ),
    Cmdlet(
        "Get-TransportConfig",
        f"{CONFIG_TASKS}.GetTransportConfig",
        (connectors.DOMAIN_CONTROLLER,),
        get_transport_config,
    ),
    Cmdlet(
        "Get-TransportService",
        f"{CONFIG_TASKS}.GetTransportService",
        (_IDENTITY, connectors.DOMAIN_CONTROLLER),
        get_transport,
        families=SINCE_2013,
    ),
    Cmdlet(
        "Set-TransportService",
        f"{CONFIG_TASKS}.SetTransportService",
        _SET_PARAMETERS,
        set_transport,
        families=SINCE_2013,
    ),
    # Documented for every version.
    Cmdlet(
        "Get-TransportServer",
        f"{CONFIG_TASKS}.GetTransportServer",
        (_IDENTITY, connectors.DOMAIN_CONTROLLER),
        get_transport_server,
    ),
    Cmdlet(
        "Set-TransportServer",
        f"{CONFIG_TASKS}.SetTransportServer",
        _SET_PARAMETERS,
        set_transport_server,
    ),
)
