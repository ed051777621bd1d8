# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Exchange servers of an organisation, as ``Get-ExchangeServer`` shows them.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .._base.errors import ExchangeError, InvalidInput
from .._remote.session import Cmdlet, CmdletSession
from .._run.installation import Installation
from .canonical import boolean, server_name
from .versions import Build, parse_display_version

_ORGANISATION = re.compile(r"/o=([^/]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Server:
    """One server. ``transport`` says whether it sends and queues mail for the organisation."""

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

    def answers_to(self, name: str) -> bool:
        """Whether ``name``, short or fully qualified, in any case, means this server."""
        return bool(name) and name.casefold().rstrip(".") in (
            self.name.casefold(),
            self.fqdn.casefold(),
        )


def read_servers(session: CmdletSession) -> tuple[Server, ...]:
    """Return all servers, sorted by name. Raises ExchangeError where there is none."""
    found = [_server(session.host, one) for one in session.invoke(Cmdlet("Get-ExchangeServer"))]
    if not found:
        raise ExchangeError(
            f"{session.host}: Get-ExchangeServer shows no server at all.",
            hint="The account needs a role such as View-Only Organization Management.",
        )
    return tuple(sorted(found, key=lambda server: server.name.casefold()))


def transport_servers(session: CmdletSession, servers: Iterable[Server]) -> tuple[Server, ...]:
    """Return those that queue and send mail."""
    found = tuple(server for server in servers if server.transport)
    if not found:
        raise ExchangeError(f"{session.host}: no server of the organisation transports mail.")
    return found


def known_servers(known: Installation) -> tuple[Server, ...]:
    """Return the servers that transport mail, where they are known by their names."""
    return tuple(
        Server(name, name, None, "", "", "", "", transport=True, organisation="")
        for name in known.servers
    )


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
    # The first part of an address is no name.
    return "" if name.replace(".", "").isdigit() or ":" in name else server_name(name)


def _server(host: str, properties: Mapping[str, Any]) -> Server:
    try:
        name = str(properties["Name"])
        transport = boolean(properties["IsHubTransportServer"])
    except (KeyError, InvalidInput) as error:
        raise ExchangeError(
            f"{host}: Get-ExchangeServer shows a server that cannot be read ({error})."
        ) from error
    display = text_of(properties.get("AdminDisplayVersion"))
    organisation = _ORGANISATION.match(text_of(properties.get("ExchangeLegacyDN")))
    return Server(
        name=name,
        fqdn=text_of(properties.get("Fqdn")) or name,
        build=parse_display_version(display),
        display_version=display,
        edition=text_of(properties.get("Edition")),
        roles=text_of(properties.get("ServerRole")),
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


def time_of(value: object) -> datetime | None:
    """Return a property that is a time, in UTC; None where it is none, or has no zone.

    A time without a zone would be the server's own, which nobody here knows.
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
