# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send connectors: their properties, defaults, rules, and what Exchange echoes.

Source: "New-SendConnector" and "Set-SendConnector". Texts of the rules' errors are the lab's
assumption; that there is a rule is documented.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from . import binding, errors, wire
from .adobject import Shown
from .binding import Edit, Parameter
from .values import AddressSpace, quantified, smart_host
from .versions import (
    DEFAULT_SIZE_MB,
    OLDEST_OBJECT,
    ONLY_2010,
    SINCE_2013,
    SINCE_2016,
    Family,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psrpcore.types import PSObject

    from .cmdlet import Call
    from .directory import Record

TYPE = "Microsoft.Exchange.Data.Directory.SystemConfiguration.SmtpSendConnectorConfig"
_TYPES = (
    TYPE,
    "Microsoft.Exchange.Data.Directory.SystemConfiguration.MailGateway",
    "Microsoft.Exchange.Data.Directory.SystemConfiguration.SendConnector",
    "Microsoft.Exchange.Data.Directory.SystemConfiguration.ADLegacyVersionableObject",
    *wire.CONFIG_OBJECT,
)
AUTH_MECHANISMS = (
    "None",
    "BasicAuth",
    "BasicAuthRequireTLS",
    "ExchangeServer",
    "ExternalAuthoritative",
)
CONNECTOR_TYPES = ("Default", "OnPremises", "XPremises")
TLS_LEVELS = ("EncryptionOnly", "CertificateValidation", "DomainValidation")
_BASIC = ("BasicAuth", "BasicAuthRequireTLS")
_MULTI = ("AddressSpaces", "SmartHosts", "SourceTransportServers")


def _space(text: str) -> str:
    return str(AddressSpace.parse(text))


def _boolean(name: str, families: frozenset[Family] | None = None) -> Parameter:
    return Parameter(name, "System.Boolean", binding.to_boolean, families=families)


def _switch(name: str, aliases: tuple[str, ...] = ()) -> Parameter:
    return Parameter(name, "SwitchParameter", binding.to_switch, aliases=aliases)


def _list(name: str, item: Any, type_name: str) -> Parameter:
    return Parameter(name, type_name, binding.to_list(item))


DOMAIN_CONTROLLER = Parameter("DomainController", "Microsoft.Exchange.Data.Fqdn", binding.to_string)
CONFIRM = _switch("Confirm", ("cf",))
WHAT_IF = _switch("WhatIf", ("wi",))

# The parameters that New and Set share; each is also a property of the connector.
SETTINGS = (
    _list("SmartHosts", smart_host, "Microsoft.Exchange.Data.MultiValuedProperty`1[SmartHost]"),
    _list("SourceTransportServers", str, "Microsoft.Exchange.Data.MultiValuedProperty`1[ServerId]"),
    Parameter("Comment", "System.String", binding.to_string),
    Parameter(
        "ConnectionInactivityTimeOut",
        "Microsoft.Exchange.Data.EnhancedTimeSpan",
        binding.to_span(timedelta(seconds=1), timedelta(days=1)),
    ),
    _boolean("DNSRoutingEnabled"),
    _boolean("DomainSecureEnabled"),
    _boolean("Enabled"),
    Parameter(
        "ErrorPolicies",
        "Microsoft.Exchange.Data.ErrorPolicies",
        binding.to_enum(
            "Default",
            "DowngradeDnsFailures",
            "DowngradeCustomFailures",
            "UpgradeCustomFailures",
            "DowngradeAuthFailures",
        ),
    ),
    _boolean("ForceHELO"),
    Parameter("Fqdn", "Microsoft.Exchange.Data.Fqdn", binding.to_fqdn),
    _boolean("IgnoreSTARTTLS"),
    _boolean("IsScopedConnector"),
    Parameter("MaxMessageSize", "Microsoft.Exchange.Data.Unlimited`1", binding.to_size),
    Parameter("Port", "System.Int32", binding.to_int32(0, 65535)),
    Parameter(
        "ProtocolLoggingLevel",
        "Microsoft.Exchange.Data.ProtocolLoggingLevel",
        binding.to_enum("None", "Verbose"),
    ),
    _boolean("RequireOorg"),
    _boolean("RequireTLS"),
    Parameter(
        "SmartHostAuthMechanism",
        f"{TYPE}+AuthMechanisms",
        binding.to_enum(*AUTH_MECHANISMS),
    ),
    Parameter("SmtpMaxMessagesPerConnection", "System.Int32", binding.to_int32(0)),
    Parameter("SourceIPAddress", "System.Net.IPAddress", binding.to_ip),
    Parameter(
        "TlsAuthLevel",
        "System.Nullable`1[Microsoft.Exchange.Data.TlsAuthLevel]",
        binding.nullable(binding.to_enum(*TLS_LEVELS)),
    ),
    Parameter("TlsDomain", "SmtpDomainWithSubdomains", binding.to_string),
    _boolean("UseExternalDNSServersEnabled"),
    _boolean("CloudServicesMailEnabled", SINCE_2013),
    _boolean("FrontendProxyEnabled", SINCE_2013),
    Parameter("TlsCertificateName", "SmtpX509Identifier", binding.to_string, families=SINCE_2013),
    Parameter(
        "ConnectorType",
        "TenantConnectorType",
        binding.to_enum(*CONNECTOR_TYPES),
        families=SINCE_2016,
    ),
    _boolean("IsCoexistenceConnector", ONLY_2010),
    Parameter(
        "LinkedReceiveConnector",
        "ReceiveConnectorIdParameter",
        binding.to_string,
        families=ONLY_2010,
    ),
    Parameter("AuthenticationCredential", "PSCredential", binding.to_credential),
    DOMAIN_CONTROLLER,
    CONFIRM,
    WHAT_IF,
    _switch("Force"),
)

_SPACES = "Microsoft.Exchange.Data.MultiValuedProperty`1[AddressSpace]"
_USAGES = ("Custom", "Internal", "Internet", "Partner")

NEW_PARAMETERS = (
    Parameter("Name", "System.String", binding.to_string, mandatory=True, position=1),
    Parameter("AddressSpaces", _SPACES, binding.to_list(_space), mandatory=True),
    *SETTINGS,
    *(_switch(usage) for usage in _USAGES),
    Parameter("Usage", f"{TYPE}+UsageType", binding.to_enum(*_USAGES)),
)
SET_PARAMETERS = (
    Parameter("Identity", "SendConnectorIdParameter", binding.to_string, True, 1),
    Parameter("Name", "System.String", binding.to_string),
    Parameter("AddressSpaces", _SPACES, binding.to_list(_space)),
    *SETTINGS,
)

_PROPERTIES = frozenset(
    {parameter.name for parameter in SET_PARAMETERS}
    - {"Identity", "DomainController", "Confirm", "WhatIf", "Force"}
)


def defaults(family: Family, server: str) -> dict[str, Any]:
    """The settings of a connector of which only name and address spaces are given."""
    return {
        "SmartHosts": [],
        "SourceTransportServers": [server],
        "Comment": "",
        "ConnectionInactivityTimeOut": "00:10:00",
        "DNSRoutingEnabled": True,
        "DomainSecureEnabled": False,
        "Enabled": True,
        "ErrorPolicies": "Default",
        "ForceHELO": False,
        "Fqdn": None,
        "IgnoreSTARTTLS": False,
        "IsScopedConnector": False,
        "MaxMessageSize": quantified(DEFAULT_SIZE_MB[family] << 20),
        "Port": 25,
        "ProtocolLoggingLevel": "None",
        "RequireOorg": False,
        "RequireTLS": False,
        "SmartHostAuthMechanism": "None",
        "SmtpMaxMessagesPerConnection": 20,
        "SourceIPAddress": "0.0.0.0",
        "TlsAuthLevel": None,
        "TlsDomain": None,
        "UseExternalDNSServersEnabled": False,
        "CloudServicesMailEnabled": False,
        "FrontendProxyEnabled": False,
        "TlsCertificateName": None,
        "ConnectorType": "Default",
        "IsCoexistenceConnector": False,
        "LinkedReceiveConnector": None,
        "AuthenticationCredential": None,
    }


def given_settings(arguments: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that a call sets, with edits of lists applied to the current value."""
    settings = {name: value for name, value in arguments.items() if name in _PROPERTIES}
    for name in _MULTI:
        if isinstance(settings.get(name), Edit):
            settings[name] = settings[name].apply(current.get(name, []))
    if settings.get("Comment", "") is None:
        settings["Comment"] = ""
    return settings


def check(given: Mapping[str, Any], merged: Mapping[str, Any]) -> None:
    """The documented rules between settings; raises CmdletError."""
    _check_routing(given, merged)
    if not merged["AddressSpaces"]:
        raise errors.invalid_operation("The AddressSpaces parameter must not be empty.")
    if merged["SmartHostAuthMechanism"] in _BASIC and merged["AuthenticationCredential"] is None:
        raise errors.invalid_operation(
            "The AuthenticationCredential parameter is required when SmartHostAuthMechanism is "
            "BasicAuth or BasicAuthRequireTLS."
        )
    _check_tls(merged)
    if merged["DomainSecureEnabled"] and not merged["DNSRoutingEnabled"]:
        raise errors.invalid_operation(
            "DomainSecureEnabled requires DNSRoutingEnabled to be $true."
        )


def usage(arguments: Mapping[str, Any]) -> str:
    """Which permissions a new connector gets; without a word it is Custom."""
    switched = [name for name in _USAGES if arguments.get(name)]
    return str(arguments.get("Usage") or (switched[0] if switched else "Custom"))


def check_source_address(call: Call, given: Mapping[str, Any], merged: Mapping[str, Any]) -> None:
    """``SourceIPAddress`` is "valid only for Send connectors configured on an Edge server".

    What a Mailbox server does with it is not documented; that it refuses is the lab's assumption.
    """
    edges = {server.name for server in call.organisation.servers if server.is_edge}
    inside = set(merged["SourceTransportServers"]) - edges
    if "SourceIPAddress" in given and inside:
        raise errors.invalid_operation(
            "The SourceIPAddress parameter is valid only for Send connectors configured on an Edge "
            "Transport server."
        )


def _check_routing(given: Mapping[str, Any], merged: Mapping[str, Any]) -> None:
    if merged["SmartHosts"] and merged["DNSRoutingEnabled"]:
        raise errors.invalid_operation(
            "The DNSRoutingEnabled parameter must be set to $false if SmartHosts are specified."
        )
    if given.get("DNSRoutingEnabled") is False and not given.get("SmartHosts"):
        raise errors.invalid_operation(
            "The SmartHosts parameter must be specified in the same command when "
            "DNSRoutingEnabled is set to $false."
        )
    if not merged["DNSRoutingEnabled"] and not merged["SmartHosts"]:
        raise errors.invalid_operation("A connector without DNS routing needs smart hosts.")
    if merged["DNSRoutingEnabled"] and merged["SmartHostAuthMechanism"] != "None":
        raise errors.invalid_operation(
            "SmartHostAuthMechanism is valid only when DNSRoutingEnabled is $false."
        )
    spaces = [AddressSpace.parse(space) for space in merged["AddressSpaces"]]
    if merged["DNSRoutingEnabled"] and any(space.kind.upper() != "SMTP" for space in spaces):
        raise errors.invalid_operation("A non-SMTP address space requires a smart host.")


def _check_tls(merged: Mapping[str, Any]) -> None:
    if merged["RequireTLS"] and merged["IgnoreSTARTTLS"]:
        raise errors.invalid_operation("IgnoreSTARTTLS must be $false if RequireTLS is $true.")
    level = merged["TlsAuthLevel"]
    if level is not None and (merged["IgnoreSTARTTLS"] or not merged["RequireTLS"]):
        raise errors.invalid_operation(
            "TlsAuthLevel can't be specified if IgnoreSTARTTLS is $true or RequireTLS is $false."
        )
    if merged["TlsDomain"] is not None and level != "DomainValidation":
        raise errors.invalid_operation("TlsDomain is used only with TlsAuthLevel DomainValidation.")
    if level == "DomainValidation" and merged["SmartHosts"] and merged["TlsDomain"] is None:
        raise errors.invalid_operation(
            "TlsDomain is required with TlsAuthLevel DomainValidation on a smart host connector."
        )


def to_object(record: Record, distinguished_name: str, controller: str, family: Family) -> PSObject:
    """The connector as Get-SendConnector shows it, property for property."""
    have = record.attributes
    hosts = list(map(str, _items(have, "SmartHosts")))
    servers = list(map(str, _items(have, "SourceTransportServers")))
    shown = Shown(
        record.name,
        distinguished_name,
        record.guid,
        "ms-Exch-Routing-SMTP-Connector",
        ("top", "msExchConnector", "mailGateway", "msExchRoutingSMTPConnector"),
        OLDEST_OBJECT,
        record.created,
        record.changed,
        controller,
    )
    plain = {name: have[name] for name in _plain_properties(family)}
    properties: dict[str, object] = {
        **plain,
        "SmartHosts": wire.Multi(wire.SMART_HOST, hosts),
        "SmartHostsString": ",".join(hosts),
        "AddressSpaces": wire.Multi(
            wire.ADDRESS_SPACE, list(map(str, _items(have, "AddressSpaces")))
        ),
        "ConnectedDomains": wire.Multi(wire.CONNECTED_DOMAIN, []),
        "IsSmtpConnector": True,
        "SourceRoutingGroup": "Exchange Routing Group (DWBGZMFD01QNBJR)",
        "SourceTransportServers": wire.object_ids(servers),
        "HomeMTA": "Microsoft MTA",
        "HomeMtaServerId": servers[0] if servers else None,
        "Name": record.name,
        **shown.properties(),
    }
    if family >= Family.E2016:
        properties |= {"CertificateSubject": None, "Region": "NotSpecified"}
    return wire.build(_TYPES, record.name, properties)


def _items(have: Mapping[str, object], name: str) -> list[object]:
    items = have[name]
    return list(items) if isinstance(items, list) else []


def _plain_properties(family: Family) -> list[str]:
    """The parameters of this version that are properties with one value."""
    return [
        parameter.name
        for parameter in SETTINGS
        if parameter.name in _PROPERTIES and parameter.name not in _MULTI
        if parameter.families is None or family in parameter.families
    ]
