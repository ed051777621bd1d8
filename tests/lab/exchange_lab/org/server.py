# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Exchange server of the organisation: its version, its names, its Transport settings."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .versions import VERSIONS, Family

if TYPE_CHECKING:
    from .versions import ExchangeVersion


@dataclass(slots=True)
class TransportSettings:
    """What Get-TransportService shows and the routing uses. Intervals are in (real) seconds.

    Defaults: "Set-TransportService".
    """

    external_dns_servers: list[str] = field(default_factory=list)
    external_dns_adapter_enabled: bool = True
    external_dns_adapter: uuid.UUID = field(default_factory=lambda: uuid.UUID(int=0))
    external_dns_protocol: str = "Any"
    internal_dns_servers: list[str] = field(default_factory=list)
    internal_dns_adapter_enabled: bool = True
    tracking_enabled: bool = True
    glitch_retries: int = 4
    glitch_interval: float = 60.0
    transient_retries: int = 6
    transient_interval: float = 300.0
    outbound_interval: float = 600.0
    expiration: float = 2 * 86_400.0


@dataclass(slots=True)
class ExchangeServer:
    """A Mailbox (or, in 2010, Hub Transport) server, or a subscribed Edge Transport server."""

    name: str
    domain: str
    version: ExchangeVersion
    edition: str = "Standard"
    site: str = "Default-First-Site-Name"
    is_transport: bool = True
    is_edge: bool = False
    settings: TransportSettings = field(default_factory=TransportSettings)
    guid: uuid.UUID = field(default_factory=uuid.uuid4)
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    changed: datetime = field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def of(cls, name: str, domain: str, family: Family, *, is_edge: bool = False) -> ExchangeServer:
        """A server of that generation, in its last build."""
        return cls(name, domain, VERSIONS[family], is_edge=is_edge)

    @property
    def fqdn(self) -> str:
        """The full name."""
        return f"{self.name}.{self.domain}"

    def answers_to(self, identity: str) -> bool:
        """Whether an identity (name, full name, Guid) means this server."""
        return identity.casefold() in (
            self.name.casefold(),
            self.fqdn.casefold(),
            str(self.guid),
        )
