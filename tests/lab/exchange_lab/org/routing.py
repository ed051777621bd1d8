# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Send connector carries a message: pure functions on what the directory says.

The order of the criteria is that of "Mail routing" (routing to external recipients): enabled, large
enough, the most specific address space, the lowest cost, a source server of one's own, the lowest
name. A connector that loses is no fallback for delivery failures of the one that wins.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .values import AddressSpace, size_in_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .directory import Record

_TO_SOURCES, _TO_EDGE = "SmtpRelayToConnectorSourceServers", "SmtpRelayWithinAdSiteToEdge"
BY_CONNECTOR = frozenset({_TO_SOURCES, _TO_EDGE})
"""Delivery types whose next hop is a connector, and leads to its source servers."""
USAGE = "Usage"
"""The attribute that stands for the permissions that New-SendConnector -Usage gives."""
NO_CONNECTOR = uuid.UUID(int=0)


@dataclass(frozen=True, slots=True)
class Connector:
    """A Send connector as the routing sees it; ``max_bytes`` is None without a limit."""

    guid: uuid.UUID
    name: str
    spaces: tuple[AddressSpace, ...]
    smart_hosts: tuple[str, ...]
    sources: tuple[str, ...]
    enabled: bool
    port: int
    require_tls: bool
    ignore_starttls: bool
    force_helo: bool
    fqdn: str | None
    max_bytes: int | None
    external_dns: bool
    scoped: bool = False
    front_end: bool = False
    usage: str = "Internet"
    tls_level: str | None = None
    tls_domain: str | None = None
    domain_secure: bool = False

    @classmethod
    def of(cls, record: Record) -> Connector:
        """Read it from the directory."""
        have = record.attributes
        return cls(
            guid=record.guid,
            name=record.name,
            spaces=tuple(AddressSpace.read(text) for text in _texts(have["AddressSpaces"])),
            smart_hosts=_texts(have["SmartHosts"]),
            sources=_texts(have["SourceTransportServers"]),
            enabled=bool(have["Enabled"]),
            port=int(str(have["Port"])),
            require_tls=bool(have["RequireTLS"]),
            ignore_starttls=bool(have["IgnoreSTARTTLS"]),
            force_helo=bool(have["ForceHELO"]),
            fqdn=_text(have["Fqdn"]),
            max_bytes=size_in_bytes(str(have["MaxMessageSize"])),
            external_dns=bool(have["UseExternalDNSServersEnabled"]),
            scoped=bool(have["IsScopedConnector"]),
            front_end=bool(have["FrontendProxyEnabled"]),
            usage=str(have.get(USAGE, "Internet")),
            tls_level=_text(have["TlsAuthLevel"]),
            tls_domain=_text(have["TlsDomain"]),
            domain_secure=bool(have["DomainSecureEnabled"]),
        )

    @property
    def smart_hosts_string(self) -> str:
        """The smart hosts as one string, which is also the name of their queue."""
        return ",".join(self.smart_hosts)


def _text(value: object) -> str | None:
    return str(value) if value else None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A connector that covers a domain, with how well it does."""

    connector: Connector
    specificity: int
    cost: int

    def rank(self, server: str) -> tuple[int, int, bool, str]:
        """Smaller is better, seen from that server."""
        remote = server not in self.connector.sources
        return (-self.specificity, self.cost, remote, self.connector.name.casefold())


def choose(
    domain: str,
    size: int,
    connectors: Iterable[Connector],
    server: str,
    near: Iterable[str] = (),
) -> Connector | None:
    """The connector that carries a message of that size (bytes) to that domain, or None.

    ``near`` are the servers of this one's site: a scoped connector is for the site of its sources.
    """
    site = {server, *near}
    candidates = [
        candidate
        for connector in connectors
        if connector.enabled and connector.sources
        if not connector.scoped or site & set(connector.sources)
        if connector.max_bytes is None or size <= connector.max_bytes
        if (candidate := _best_space(domain, connector)) is not None
    ]
    if not candidates:
        return None
    return min(candidates, key=lambda candidate: candidate.rank(server)).connector


def _best_space(domain: str, connector: Connector) -> Candidate | None:
    covering = [
        Candidate(connector, specificity, space.cost)
        for space in connector.spaces
        if (specificity := space.specificity(domain)) >= 0
    ]
    return min(covering, key=lambda c: (-c.specificity, c.cost)) if covering else None


@dataclass(frozen=True, slots=True)
class NextHop:
    """The NextHopSolutionKey of a queue ("Queues and messages in queues")."""

    delivery_type: str
    domain: str
    connector: uuid.UUID = NO_CONNECTOR

    @property
    def external(self) -> bool:
        """Whether mail leaves the organisation here."""
        return self.delivery_type in ("DnsConnectorDelivery", "SmartHostConnectorDelivery")


UNREACHABLE = NextHop("Unreachable", "Unreachable Domain")
SUBMISSION = NextHop("Undefined", "Submission")


def next_hop(
    domain: str,
    connector: Connector | None,
    server: str,
    *,
    modern: bool,
    edges: frozenset[str] = frozenset(),
) -> NextHop:
    """The queue for mail to that domain; ``modern`` is Exchange 2013 and later."""
    if connector is None:
        return UNREACHABLE
    if server not in connector.sources:
        if edges.issuperset(connector.sources):
            return NextHop(_TO_EDGE, connector.name.lower(), connector.guid)
        if modern:
            return NextHop(_TO_SOURCES, connector.name, connector.guid)
        return NextHop("SmtpRelayWithinAdSite", connector.sources[0])
    if connector.smart_hosts:
        return NextHop("SmartHostConnectorDelivery", connector.smart_hosts_string, connector.guid)
    return NextHop("DnsConnectorDelivery", domain, connector.guid)


def retry_pause(attempts: int, intervals: Sequence[tuple[int, float]], last: float) -> float:
    """Seconds until the next try after that many failures; ``intervals`` are (count, seconds)."""
    for count, seconds in intervals:
        if attempts <= count:
            return seconds
        attempts -= count
    return last
