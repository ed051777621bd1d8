# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers, builds and accepted domains of Exchange 2010 to Subscription Edition, by cmdlets.

Boundaries are those of Microsoft's list "Exchange Server build numbers and release dates":
Subscription Edition continues the numbers of Exchange 2019, beginning with 15.2.2562.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from .._base.errors import ExchangeError, InvalidInput
from .._mail.addresses import mail_domain
from .._remote.parse import RegistryValue, find_value
from .._remote.session import Cmdlet, CmdletError, CmdletSession
from .canonical import boolean, server_name

#: What reads and changes the settings of Transport services in Exchange 2013 and later, and their
#: names in 2010 (which warn in later versions).
_SERVICE_CMDLETS = (
    ("Get-TransportService", "Set-TransportService"),
    ("Get-TransportServer", "Set-TransportServer"),
)
_UNKNOWN_CMDLET = "CommandNotFoundException"

#: What Setup of Exchange 2010 (v14) and of all later versions (v15) writes about itself.
SETUP_KEYS = (
    r"HKLM\SOFTWARE\Microsoft\ExchangeServer\v15\Setup",
    r"HKLM\SOFTWARE\Microsoft\ExchangeServer\v14\Setup",
)
_SETUP_VALUES = ("MsiProductMajor", "MsiProductMinor", "MsiBuildMajor", "MsiBuildMinor")

_PRODUCTS = {(15, 0): "2013", (15, 1): "2016"}
_EXCHANGE_2010 = 14
_SERVICE_PACKS = ("RTM", "SP1", "SP2", "SP3")
_SHARED = (15, 2)  # 2019, and Subscription Edition from this build on
_FIRST_SE_BUILD = 2562

_DISPLAY = re.compile(
    r"\s*(?:Version\s+)?(\d{1,5})\.(\d{1,5})\s*(?:\(Build\s+|\.)(\d{1,6})\.(\d{1,6})\)?\s*",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, order=True)
class Build:
    """A build number, in four parts."""

    major: int
    minor: int
    build: int
    revision: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.build}.{self.revision}"

    @property
    def version(self) -> str | None:
        """``2010``, ``2013``, ``2016``, ``2019`` or ``SE``; None for a build of none of them."""
        if self.major == _EXCHANGE_2010 and self.minor < len(_SERVICE_PACKS):
            return "2010"
        if (self.major, self.minor) == _SHARED:
            return "SE" if self.build >= _FIRST_SE_BUILD else "2019"
        return _PRODUCTS.get((self.major, self.minor))

    @property
    def service_pack(self) -> str | None:
        """The service pack of Exchange 2010, from its minor number; None for others."""
        return _SERVICE_PACKS[self.minor] if self.version == "2010" else None

    @property
    def logs_external(self) -> bool:
        """True if the tracking log marks mail that leaves the organisation (SENDEXTERNAL)."""
        return self.major > _EXCHANGE_2010


def parse_display_version(text: str) -> Build | None:
    """Return the build in ``Version 15.1 (Build 2507.6)`` (AdminDisplayVersion), or None.

    The property is a structure that PowerShell remoting hands over as this text, or as
    ``15.1.2507.6``.
    """
    match = _DISPLAY.fullmatch(text)
    return Build(*(int(part) for part in match.groups())) if match else None


def installed_build(values: Mapping[str, RegistryValue]) -> Build | None:
    """Return the build from the values of one of ``SETUP_KEYS``, or None."""
    numbers = [
        value.number if (value := find_value(values, name)) else None for name in _SETUP_VALUES
    ]
    known = [number for number in numbers if number is not None]
    return Build(*known) if len(known) == len(_SETUP_VALUES) else None


_ORGANISATION = re.compile(r"/o=([^/]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Server:
    """One server. ``transport`` is true if it sends and queues mail for the organisation."""

    name: str
    fqdn: str
    build: Build | None
    display_version: str
    edition: str
    roles: str
    site: str
    transport: bool
    organisation: str

    @property
    def version(self) -> str | None:
        return self.build.version if self.build else None

    @property
    def edge(self) -> bool:
        """Whether it is an Edge Transport server, outside of the domain."""
        return "edge" in self.roles.casefold()

    def answers_to(self, name: str) -> bool:
        """Whether ``name``, short or fully qualified, in any case, means this server."""
        return bool(name) and name.casefold().rstrip(".") in (
            self.name.casefold(),
            self.fqdn.casefold(),
        )


def read_servers(session: CmdletSession) -> tuple[Server, ...]:
    """Return all servers, sorted by name. Raises ExchangeError if none is found."""
    found = [_server(session.host, one) for one in session.invoke(Cmdlet("Get-ExchangeServer"))]
    if not found:
        raise ExchangeError(
            f"{session.host}: Get-ExchangeServer returned no servers.",
            hint="The account needs a role such as View-Only Organization Management.",
        )
    return tuple(sorted(found, key=lambda server: server.name.casefold()))


def transport_servers(session: CmdletSession, servers: Iterable[Server]) -> tuple[Server, ...]:
    """Return those that queue and send mail."""
    found = tuple(server for server in servers if server.transport)
    if not found:
        raise ExchangeError(f"{session.host}: no server of the organisation transports mail.")
    return found


Invoke = Callable[[Cmdlet], Sequence[Mapping[str, Any]]]


def read_transport_services(invoke: Invoke) -> tuple[Sequence[Mapping[str, Any]], str]:
    """Return the settings of all Transport services, and the cmdlet that changes those of one."""
    newer, older = _SERVICE_CMDLETS
    try:
        return invoke(Cmdlet(newer[0])), newer[1]
    except CmdletError as error:
        if _UNKNOWN_CMDLET not in error.error_id:
            raise
    return invoke(Cmdlet(older[0])), older[1]


@dataclass(frozen=True, slots=True)
class KnownServers:
    """The result of an earlier look: the servers that transport mail, and the host among them.

    ``edges`` are the Edge Transport servers.
    """

    names: tuple[str, ...] = ()
    here: str = ""
    version: str = ""
    edges: tuple[str, ...] = ()

    @property
    def servers(self) -> tuple[Server, ...]:
        """The servers, known by no more than their names."""
        return tuple(
            Server(name, name, None, "", "", "", "", transport=True, organisation="")
            for name in self.names
        )


#: No server is known: the organisation has to be asked.
NO_SERVERS = KnownServers()


def this_server(servers: Sequence[Server], *names: str) -> Server | None:
    """Return the server that one of the names of a host means, or None.

    A name that is short on one side only is compared by its short form, if that means one server.
    """
    for name in names:
        exact = [server for server in servers if server.answers_to(name)]
        short = [server for server in servers if name and server_name(server.name) == _short(name)]
        found = exact or short
        if len(found) == 1:
            return found[0]
    return servers[0] if len(servers) == 1 else None


def _short(name: str) -> str:
    # The first part of an IP address is not a name.
    return "" if name.replace(".", "").isdigit() or ":" in name else server_name(name)


def _server(host: str, properties: Mapping[str, Any]) -> Server:
    roles = text_of(properties.get("ServerRole"))
    try:
        name = str(properties["Name"])
    except KeyError as error:
        raise ExchangeError(f"{host}: Get-ExchangeServer shows a server without a name.") from error
    try:
        transport = boolean(properties["IsHubTransportServer"])
    except (KeyError, InvalidInput):
        transport = "hub" in roles.casefold() or "mailbox" in roles.casefold()
    display = text_of(properties.get("AdminDisplayVersion"))
    organisation = _ORGANISATION.match(text_of(properties.get("ExchangeLegacyDN")))
    return Server(
        name=name,
        fqdn=text_of(properties.get("Fqdn")) or name,
        build=parse_display_version(display),
        display_version=display,
        edition=text_of(properties.get("Edition")),
        roles=roles,
        site=text_of(properties.get("Site")).rpartition("/")[2],
        transport=transport,
        organisation=organisation[1] if organisation else "",
    )


def text_of(value: object) -> str:
    """Return a property as one line of text; nothing for a property that is not set."""
    return "" if value is None else " ".join(str(value).split())


def texts_of(value: object) -> tuple[str, ...]:
    """Return a property of several values as texts, also where a single one came alone."""
    if value is None:
        return ()
    if isinstance(value, (list, tuple)):
        return tuple(text_of(item) for item in value if text_of(item))
    return tuple(part.strip() for part in text_of(value).split(",") if part.strip())


def statuses_of(event: Mapping[str, Any]) -> list[object]:
    """Return the statuses of recipients; one has commas of its own, so that none is split."""
    value = event.get("RecipientStatus")
    return list(value) if isinstance(value, (list, tuple)) else [value]


def time_of(value: object) -> datetime | None:
    """Return a property that is a time, in UTC; None for other values, and without a zone.

    A time without a zone would be in the server's own, which is unknown here.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        return None
    try:
        return value.astimezone(UTC)
    except OverflowError:  # in UTC it would lie before the year 1, or after 9999
        return None


class AcceptedDomains:
    """Reads the accepted domains on first use; its methods raise CmdletError if that fails.

    ``named`` are further ones from the options.
    """

    def __init__(self, session: CmdletSession, named: Iterable[str] = ()) -> None:
        self._session = session
        self.named = frozenset(named)

    @cached_property
    def _objects(self) -> Sequence[Mapping[str, Any]]:
        return self._session.invoke(Cmdlet("Get-AcceptedDomain"))

    def own(self) -> set[str]:
        """Return the domains with mailboxes in the organisation, ``.x`` for ``*.x``.

        Mail for the relay types leaves by a Send connector ("Accepted domains", DomainType).
        """
        own = set(self.named)
        for one in self._objects:
            if "relay" not in text_of(one.get("DomainType")).casefold():
                name = text_of(one.get("DomainName"))
                domain = mail_domain(name.removeprefix("*."))
                own |= {domain} if domain else set()
                own |= {f".{domain}"} if domain and name.startswith("*.") else set()
        return own

    def default(self) -> str | None:
        """Return the default domain, or None without one."""
        for one in self._objects:
            domain = mail_domain(text_of(one.get("DomainName")))
            if domain and text_of(one.get("Default")).casefold().lstrip("$") == "true":
                return domain
        return None


def is_own(domain: str, own: Collection[str]) -> bool:
    """Whether ``AcceptedDomains.own`` has the domain, or takes all subdomains of a parent."""
    return domain in own or any(domain.endswith(name) for name in own if name.startswith("."))
