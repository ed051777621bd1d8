# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Send connector, as far as this collection reads and writes it.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .._base.errors import ExchangeError, InvalidInput
from .canonical import AddressSpace, address_space, boolean, server_name, smart_host

#: First words of the comment of a connector that belongs to this collection.
MARK = "postmaster.exchange"


def comment_for(domain: str) -> str:
    """Return the comment by which a connector of ours is known again."""
    return f"{MARK}: delivers {domain} to its MX addresses. Managed by Ansible; see Q169781."


@dataclass(frozen=True, slots=True)
class Settings:
    """What a pin decides about its connector; compared and written as one.

    ``smart_hosts`` and ``source_servers`` are equals for Exchange, so they are kept sorted.
    ``source_servers`` empty means: as it is (Exchange's own choice for a new connector).
    """

    domain: str
    smart_hosts: tuple[str, ...]
    cost: int = 1
    source_servers: tuple[str, ...] = ()
    port: int = 25
    tls_auth_level: str | None = None
    tls_domain: str | None = None
    require_tls: bool | None = None
    protocol_logging: str | None = None

    def sorted(self) -> Settings:
        """Return the settings with their smart hosts in order, each once."""
        return replace(self, smart_hosts=tuple(sorted(set(self.smart_hosts))))


@dataclass(frozen=True, slots=True)
class Connector:
    """A Send connector as ``Get-SendConnector`` shows it, in canonical forms."""

    identity: str
    name: str
    address_spaces: tuple[AddressSpace, ...]
    smart_hosts: tuple[str, ...]
    dns_routing: bool
    auth_mechanism: str
    enabled: bool
    comment: str
    port: int
    source_servers: tuple[str, ...]
    require_tls: bool
    tls_auth_level: str | None
    tls_domain: str | None
    protocol_logging: str
    scoped: bool
    created: str
    raw: Mapping[str, Any] = field(repr=False, compare=False, default_factory=dict)

    @property
    def ours(self) -> bool:
        """Tell whether the connector carries this collection's mark."""
        return self.comment.startswith(MARK)

    @property
    def domains(self) -> tuple[str, ...]:
        """SMTP address spaces of the connector, without their costs."""
        return tuple(space.address for space in self.address_spaces if space.kind == "SMTP")

    @property
    def logs_in(self) -> bool:
        """Whether it logs in at its smart hosts, by a password that nobody can read back."""
        return self.auth_mechanism.casefold().startswith("basicauth")

    @property
    def in_conflict(self) -> bool:
        """Whether Active Directory renamed it, since two were made of one name at two places."""
        return "CNF:" in self.name

    def covers(self, domain: str) -> int:
        """Return how specifically an address space fits a domain; less than 0 if none does.

        0 is ``*``; the more labels fit the better, and the domain itself beats ``*.domain``, which
        takes the domain as well as those below it (learn.microsoft.com, "Send connectors").
        """
        return max((_covers(space, domain) for space in self.address_spaces), default=-1)

    def cost_for(self, domain: str) -> int:
        """Return the cost of the address space that fits a domain best."""
        best = self.covers(domain)
        return min(s.cost for s in self.address_spaces if _covers(s, domain) == best)

    @property
    def pinned_domain(self) -> str | None:
        """The one domain a pin of ours is for, or ``None`` where somebody widened it."""
        return self.domains[0] if len(self.address_spaces) == 1 and self.domains else None


def _covers(space: AddressSpace, domain: str) -> int:
    if space.kind != "SMTP":
        return -1
    if space.address == "*":
        return 0
    if space.address.startswith("*."):
        base = space.address[2:]
        fits = domain == base or domain.endswith(f".{base}")
        return 2 * (base.count(".") + 1) if fits else -1
    return 2 * (domain.count(".") + 1) + 1 if space.address == domain else -1


def texts(value: object) -> tuple[str, ...]:
    """Return a multi-valued property as texts, in whatever form it came."""
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, Sequence):
        return tuple(str(item) for item in value)
    return (str(value),)


def _optional(value: object) -> str | None:
    text = "" if value is None else str(value).strip()
    return text or None


def connector_from(properties: Mapping[str, Any], host: str) -> Connector:
    """Read one object of ``Get-SendConnector``.

    Raises ExchangeError where a property that decides is missing or unreadable: half an answer is
    no answer, and never reads as *absent*.
    """
    try:
        return Connector(
            identity=str(properties.get("Guid") or properties["Identity"]),
            name=str(properties["Name"]),
            address_spaces=tuple(
                sorted(address_space(text) for text in texts(properties["AddressSpaces"]))
            ),
            smart_hosts=tuple(sorted({smart_host(x) for x in texts(properties["SmartHosts"])})),
            dns_routing=boolean(properties["DNSRoutingEnabled"]),
            auth_mechanism=str(properties["SmartHostAuthMechanism"]),
            enabled=boolean(properties["Enabled"]),
            comment=str(properties.get("Comment") or ""),
            port=int(properties.get("Port") or 25),
            source_servers=tuple(
                sorted({server_name(x) for x in texts(properties["SourceTransportServers"])})
            ),
            require_tls=boolean(properties.get("RequireTLS") or False),
            tls_auth_level=_optional(properties.get("TlsAuthLevel")),
            tls_domain=_optional(properties.get("TlsDomain")),
            protocol_logging=str(properties.get("ProtocolLoggingLevel") or "None"),
            scoped=boolean(properties.get("IsScopedConnector") or False),
            created=str(properties.get("WhenCreatedUTC") or properties.get("WhenCreated") or ""),
            raw=dict(properties),
        )
    except (KeyError, ValueError, TypeError, OverflowError, InvalidInput) as error:
        raise ExchangeError(
            f"{host}: a Send connector could not be read ({error}). Nothing was changed.",
            hint="Look at it with Get-SendConnector | Format-List, and report what it shows.",
        ) from error
