# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What objects of real servers look like on the wire (PSRP at its default depth of 1).

The facts are those of dumps that Exchange 2016 and 2019 servers wrote, which Microsoft's
CSS-Exchange has among its test data; test_org_real.py holds them against these where they are.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass

_CONFIG = "Microsoft.Exchange.Data.Directory.SystemConfiguration"
_MANAGEMENT = "Microsoft.Exchange.Data.Directory.Management"
_TAIL = (
    "Microsoft.Exchange.Data.Directory.ADObject",
    "Microsoft.Exchange.Data.Directory.ADRawEntry",
    "Microsoft.Exchange.Data.ConfigurableObject",
    "System.Object",
)
_MULTI = "Microsoft.Exchange.Data.MultiValuedProperty`1"
_OF_STRINGS = (_MULTI, "System.String")


@dataclass(frozen=True, slots=True)
class Form:
    """Type names, and the properties by kind: ``B`` (Boolean), ``S`` (text), ``DT`` and so on.

    ``nullable`` are properties that are null or text; ``lists`` have the class of the list and that
    of its members; ``may_lack`` are properties that some real objects have.
    """

    types: tuple[str, ...]
    kinds: dict[str, str]
    nullable: str
    lists: dict[str, tuple[str, str]]
    may_lack: str = ""

    def names(self) -> set[str]:
        """All properties that every object has."""
        plain = {name for names in self.kinds.values() for name in names.split()}
        return plain | set(self.nullable.split()) | self.lists.keys()

    def kind(self, name: str) -> set[str]:
        """What a property may be on the wire."""
        if name in self.lists:
            return {"list of {}".format(" of ".join(self.lists[name]))}
        if name in self.nullable.split():
            return {"S", "B", "Nil", f"list of {' of '.join(_OF_STRINGS)}"}
        return {kind for kind, names in self.kinds.items() if name in names.split()}


_DIRECTORY_TEXTS = "DistinguishedName ExchangeVersion Id Identity Name ObjectCategory ObjectState"
_TIMES = "WhenChanged WhenCreated WhenChangedUTC WhenCreatedUTC"

SEND_CONNECTOR = Form(
    (
        f"{_CONFIG}.SmtpSendConnectorConfig",
        f"{_CONFIG}.MailGateway",
        f"{_CONFIG}.SendConnector",
        f"{_CONFIG}.ADLegacyVersionableObject",
        f"{_CONFIG}.ADConfigurationObject",
        *_TAIL,
    ),
    {
        "B": "CloudServicesMailEnabled DNSRoutingEnabled DomainSecureEnabled Enabled ForceHELO "
        "FrontendProxyEnabled IgnoreSTARTTLS IsScopedConnector IsSmtpConnector IsValid RequireOorg "
        "RequireTLS UseExternalDNSServersEnabled",
        "I32": "Port SmtpMaxMessagesPerConnection",
        "G": "Guid",
        "DT": _TIMES,
        "S": f"{_DIRECTORY_TEXTS} AdminDisplayName Comment ConnectionInactivityTimeOut "
        "ConnectorType ErrorPolicies HomeMTA HomeMtaServerId MaxMessageSize OrganizationId "
        "OriginatingServer ProtocolLoggingLevel Region SmartHostAuthMechanism SmartHostsString "
        "SourceIPAddress SourceRoutingGroup",
    },
    "AuthenticationCredential CertificateSubject Fqdn TlsAuthLevel TlsCertificateName TlsDomain",
    {
        "AddressSpaces": (_MULTI, "Microsoft.Exchange.Data.AddressSpace"),
        "ConnectedDomains": (_MULTI, "Microsoft.Exchange.Data.ConnectedDomain"),
        "ObjectClass": _OF_STRINGS,
        "SmartHosts": (_MULTI, "Microsoft.Exchange.Data.SmartHost"),
        "SourceTransportServers": (
            "Microsoft.Exchange.Data.Directory.ADMultiValuedProperty`1",
            "Microsoft.Exchange.Data.Directory.ADObjectId",
        ),
    },
)

EXCHANGE_SERVER = Form(
    (f"{_MANAGEMENT}.ExchangeServer", f"{_MANAGEMENT}.ADPresentationObject", *_TAIL),
    {
        "B": "DataCollectionEnabled IsClientAccessServer IsE14OrLater IsE15OrLater IsEdgeServer "
        "IsExchange2007OrLater IsExchangeTrialEdition IsExpiredExchangeTrialEdition "
        "IsFrontendTransportServer IsHubTransportServer IsMailboxServer IsProvisionedServer "
        "IsUnifiedMessagingServer IsValid MitigationsEnabled",
        "I32": "ExchangeLegacyServerRole",
        "G": "Guid",
        "DT": _TIMES,
        "S": f"{_DIRECTORY_TEXTS} AdminDisplayVersion CurrentConfigDomainController DataPath "
        "Domain Edition ExchangeLegacyDN Fqdn MonitoringGroup OrganizationId OrganizationalUnit "
        "OriginatingServer ProductID RemainingTrialPeriod ServerRole Site "
        "StaticConfigDomainController",
    },
    "CustomerFeedbackEnabled ErrorReportingEnabled InternetWebProxy InternetWebProxyBypassList "
    "MailboxProvisioningAttributes MitigationsApplied MitigationsBlocked",
    {
        "CurrentDomainControllers": _OF_STRINGS,
        "CurrentGlobalCatalogs": _OF_STRINGS,
        "NetworkAddress": (
            "Microsoft.Exchange.Data.NetworkAddressCollection",
            "Microsoft.Exchange.Data.NetworkAddress",
        ),
        "ObjectClass": _OF_STRINGS,
        "StaticDomainControllers": _OF_STRINGS,
        "StaticExcludedDomainControllers": _OF_STRINGS,
        "StaticGlobalCatalogs": _OF_STRINGS,
    },
    may_lack="MitigationsAppliedTime",
)

ACCEPTED_DOMAIN = Form(
    (f"{_CONFIG}.AcceptedDomain", f"{_CONFIG}.ADConfigurationObject", *_TAIL),
    {
        "B": "AddressBookEnabled Default EmailOnly EnableNego2Authentication ExternallyManaged "
        "InitialDomain IsCoexistenceDomain IsDefaultFederatedDomain IsValid MatchSubDomains "
        "OutboundOnly PendingCompletion PendingFederatedAccountNamespace PendingFederatedDomain "
        "PendingRemoval PerimeterDuplicateDetected",
        "G": "Guid",
        "DT": _TIMES,
        "S": f"{_DIRECTORY_TEXTS} AdminDisplayName DomainName DomainType OrganizationId "
        "OriginatingServer",
    },
    "AuthenticationType CatchAllRecipientID FederatedOrganizationLink LiveIdInstanceType "
    "MailFlowPartner",
    {"ObjectClass": _OF_STRINGS},
)

QUEUE_OF_2013 = (
    "RunspaceId",
    "DeliveryType",
    "NextHopDomain",
    "TlsDomain",
    "NextHopConnector",
    "Status",
    "MessageCount",
    "LastError",
    "RetryCount",
    "LastRetryTime",
    "NextRetryTime",
    "FirstRetryTime",
    "DeferredMessageCount",
    "LockedMessageCount",
    "MessageCountsPerPriority",
    "DeferredMessageCountsPerPriority",
    "RiskLevel",
    "OutboundIPPool",
    "NextHopCategory",
    "IncomingRate",
    "OutgoingRate",
    "Velocity",
    "OverrideSource",
    "QueueIdentity",
    "PriorityDescriptions",
    "Identity",
    "IsValid",
    "ObjectState",
)
"""The fields of a real queue; RunspaceId is what the client adds."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An object as it was read: its type names, and the kind of each property."""

    types: tuple[str, ...]
    kinds: dict[str, str]
    nested: tuple[str, ...]

    @classmethod
    def read(cls, element: ET.Element) -> Seen:
        """Read an object of the wire."""
        names = _TypeNames()
        types = names.of(element)
        kinds, nested = {}, []
        for item in element.find("Props") or ():
            name = item.get("N", "")
            kinds[name] = item.tag
            if item.tag == "Obj":
                members = item.find("LST")
                kinds[name] = f"list of {_class_and_member(names.of(item)[0])}"
                if members is None or any(member.tag != "S" for member in members):
                    nested.append(name)
        return cls(types, kinds, tuple(nested))


class _TypeNames:
    """Type names, which the wire writes once and refers to from then on."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, ...]] = {}

    def of(self, element: ET.Element) -> tuple[str, ...]:
        reference = element.find("TNRef")
        if reference is not None:
            return self._known[reference.get("RefId", "")]
        names = element.find("TN")
        if names is None:
            return ("",)
        found = tuple(name.text or "" for name in names)
        self._known[names.get("RefId", "")] = found
        return found


def _class_and_member(name: str) -> str:
    outer, bracket, inner = name.partition("[[")
    if not bracket:
        member = "Microsoft.Exchange.Data.NetworkAddress" if "NetworkAddress" in name else ""
        return f"{name} of {member}"
    return f"{outer} of {inner.partition(',')[0]}"
