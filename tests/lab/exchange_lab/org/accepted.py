# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accepted domains ("Accepted domains in Exchange Server"), and Get-AcceptedDomain."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from . import binding, connectors, errors, wire
from .adobject import Shown
from .cmdlet import CONFIG_TASKS, Call, Cmdlet
from .versions import DOMAIN_OBJECT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psrpcore.types import PSObject

AUTHORITATIVE, INTERNAL_RELAY, EXTERNAL_RELAY = "Authoritative", "InternalRelay", "ExternalRelay"
_TYPES = (
    "Microsoft.Exchange.Data.Directory.SystemConfiguration.AcceptedDomain",
    *wire.CONFIG_OBJECT,
)
_SWITCHES_OFF = (
    "EmailOnly",
    "ExternallyManaged",
    "PendingRemoval",
    "PendingCompletion",
    "OutboundOnly",
    "PendingFederatedAccountNamespace",
    "PendingFederatedDomain",
    "IsCoexistenceDomain",
    "PerimeterDuplicateDetected",
    "IsDefaultFederatedDomain",
    "EnableNego2Authentication",
    "InitialDomain",
)
_EMPTY = (
    "CatchAllRecipientID",
    "AuthenticationType",
    "LiveIdInstanceType",
    "FederatedOrganizationLink",
    "MailFlowPartner",
)


@dataclass(frozen=True, slots=True)
class AcceptedDomain:
    """``domain`` may be ``*.contoso.local`` or ``*``; mail for relay domains is sent on."""

    domain: str
    kind: str = AUTHORITATIVE
    name: str = ""
    guid: uuid.UUID = field(default_factory=uuid.uuid4)
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def title(self) -> str:
        """The name of the object, which is the domain unless it was given another one."""
        return self.name or self.domain

    def rank(self, domain: str) -> int:
        """How well it covers a domain; -1 where it does not."""
        mine, wanted = self.domain.casefold(), domain.casefold().rstrip(".")
        if mine == "*":
            return 0
        base = mine.removeprefix("*.")
        if wanted == base:
            return 2 * len(base) + 1
        return 2 * len(base) if mine != base and wanted.endswith(f".{base}") else -1


def stays(domain: str, accepted: Sequence[AcceptedDomain]) -> bool:
    """Whether mail for a domain is delivered inside: the entry that covers it best decides."""
    covering = [(one.rank(domain), one) for one in accepted if one.rank(domain) >= 0]
    return bool(covering) and max(covering, key=lambda pair: pair[0])[1].kind == AUTHORITATIVE


def get(call: Call) -> list[PSObject]:
    """The domains that the organisation receives mail for."""
    controller = call.domain_controller()
    accepted, identity = call.organisation.accepted_domains, call.bound.text("Identity")
    if identity is not None:
        names = {identity.casefold()}
        accepted = [one for one in accepted if {one.title.casefold(), str(one.guid)} & names]
        if not accepted:
            raise errors.object_not_found(identity, controller)
    return [_shown(call, one, controller) for one in accepted]


def _shown(call: Call, one: AcceptedDomain, controller: str) -> PSObject:
    organisation = call.organisation
    place = f"CN=Accepted Domains,CN=Transport Settings,{organisation.configuration_dn}"
    shown = Shown(
        one.title,
        f"CN={one.title},{place}",
        one.guid,
        "ms-Exch-Accepted-Domain",
        ("top", "msExchAcceptedDomain"),
        DOMAIN_OBJECT[call.family],
        one.created,
        one.created,
        controller,
    )
    properties: dict[str, object] = {
        "DomainName": one.domain,
        "DomainType": one.kind,
        "MatchSubDomains": False,
        "AddressBookEnabled": one.kind == AUTHORITATIVE,
        "Default": one is organisation.accepted_domains[0],
        **dict.fromkeys(_SWITCHES_OFF, False),
        **dict.fromkeys(_EMPTY),
        "Name": one.title,
        **shown.properties(),
    }
    return wire.build(_TYPES, one.title, properties)


CMDLETS = (
    Cmdlet(
        "Get-AcceptedDomain",
        f"{CONFIG_TASKS}.GetAcceptedDomain",
        (
            binding.Parameter(
                "Identity", "AcceptedDomainIdParameter", binding.to_string, position=1
            ),
            connectors.DOMAIN_CONTROLLER,
        ),
        get,
    ),
)
