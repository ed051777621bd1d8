# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts on a host with Exchange 2010 or later: its organisation, servers and their DNS settings.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .._base.context import Context
from .._base.errors import CommandTimeout, ExchangeError, HostUnreachable, InvalidInput, SessionLost
from .._remote.exchange_facts import ExchangeFacts, Family
from .._remote.session import CmdletError, CmdletSession
from .._remote.windows_resolver import Resolver, read_resolver
from .canonical import boolean
from .servers import (
    Build,
    Server,
    read_servers,
    read_transport_services,
    text_of,
    texts_of,
    this_server,
)


@dataclass(frozen=True, slots=True)
class Windows:
    """The facts of the registry: the newest installed build, and the suffixes appended to names."""

    build: Build
    resolver: Resolver


@dataclass(frozen=True, slots=True)
class _Organisation:
    """The output of cmdlets; ``settings`` are those of the Transport service, by server in lower
    case. ``problem`` is why all is missing, ``gap`` why the settings are.
    """

    servers: tuple[Server, ...] = ()
    settings: Mapping[str, Mapping[str, Any]] | None = None
    problem: str = ""
    gap: str = ""


def transport_facts(
    context: Context, *, computer: str = "", basics: bool = False, windows: Windows | None = None
) -> ExchangeFacts:
    """Return the facts of a host.

    ``windows`` is what the registry held if it was asked. Then cmdlets that cannot be run are a
    warning and no error: which Exchange it is has its answer already. For the ``basics`` no cmdlet
    is run then.
    """
    basics = basics and windows is not None
    organisation = (
        _Organisation() if basics else _read_organisation(context, tolerant=windows is not None)
    )
    here = this_server(organisation.servers, computer or context.host, context.address)
    resolver, gap = (windows.resolver, windows.resolver.odd) if windows else (None, "")
    if windows is None:
        try:
            resolver = read_resolver(context.need_session(), computer)
            gap = resolver.odd
        except (HostUnreachable, CommandTimeout, SessionLost, InvalidInput) as error:
            gap = f"The DNS suffixes of Windows could not be read (resolver). {error.message}"
    build = (here.build if here else None) or (windows.build if windows else None)
    settings = (organisation.settings or {}).get(here.name.casefold()) if here else None
    folder = text_of((settings or {}).get("MessageTrackingLogPath"))
    return ExchangeFacts(
        family=Family.TRANSPORT,
        version=build.version if build else None,
        build=str(build) if build else None,
        service_pack=build.service_pack if build else None,
        tracking={"folder": folder or None, "exists": None},
        resolver=resolver.to_dict() if resolver else None,
        organisation=next((one.organisation for one in organisation.servers), "") or None,
        server=here.name if here else None,
        servers=[_server(one, organisation.settings) for one in organisation.servers],
        warnings=tuple(_warnings(None if basics else organisation, here, build, gap)),
    )


def _read_organisation(context: Context, *, tolerant: bool) -> _Organisation:
    try:
        session = context.need_cmdlets()
        servers = read_servers(session)
    except ExchangeError as error:
        if not tolerant:
            raise
        return _Organisation(problem=str(error))
    try:
        return _Organisation(servers, _settings(session))
    except CmdletError as error:
        return _Organisation(servers, gap=str(error))


def _settings(session: CmdletSession) -> dict[str, Mapping[str, Any]]:
    found, _setter = read_transport_services(session.invoke)
    return {text_of(one.get("Name")).casefold(): one for one in found}


def _server(server: Server, settings: Mapping[str, Mapping[str, Any]] | None) -> dict[str, Any]:
    mine = (settings or {}).get(server.name.casefold())
    return {
        "name": server.name,
        "fqdn": server.fqdn,
        "version": server.version,
        "build": str(server.build) if server.build else None,
        "display_version": server.display_version,
        "edition": server.edition or None,
        "roles": server.roles or None,
        "site": server.site or None,
        "transport": server.transport,
        "tracking": _flag(mine, "MessageTrackingLogEnabled"),
        "external_dns": _dns(mine, "External"),
        "internal_dns": _dns(mine, "Internal"),
    }


def _dns(settings: Mapping[str, Any] | None, side: str) -> dict[str, Any] | None:
    """Return whom the Transport service asks for names; ``side`` is External or Internal."""
    if settings is None:
        return None
    return {
        "servers": list(texts_of(settings.get(f"{side}DNSServers"))),
        "adapter_enabled": _flag(settings, f"{side}DNSAdapterEnabled"),
        "adapter_guid": text_of(settings.get(f"{side}DNSAdapterGuid")) or None,
        "protocol": text_of(settings.get(f"{side}DNSProtocolOption")) or None,
    }


def _flag(settings: Mapping[str, Any] | None, name: str) -> bool | None:
    try:
        return boolean((settings or {})[name])
    except (KeyError, InvalidInput):
        return None


def _warnings(
    organisation: _Organisation | None, here: Server | None, build: Build | None, gap: str
) -> Iterator[str]:
    """Yield the missing facts, and the reasons why the collection cannot work here.

    ``organisation`` is None if it was not read.
    """
    if organisation is not None and organisation.problem:
        yield f"The organisation could not be read. {organisation.problem}"
    elif organisation is not None and here is None:
        listed = ", ".join(server.name for server in organisation.servers)
        yield (
            f"The host matches none of the organisation's servers: {listed}. Set target_computer to"
            " its name."
        )
    elif here is not None and not here.transport:
        yield f"{here.name} does not transport mail ({here.roles or 'roles unknown'})."
    if build is not None and build.version is None:
        yield f"The build {build} does not belong to Exchange 2010 to Subscription Edition."
    if organisation is not None and organisation.gap:
        yield f"The settings of the Transport service could not be read. {organisation.gap}"
    if gap:
        yield gap
    settings = (organisation.settings if organisation is not None else None) or {}
    for name, mine in settings.items():
        if _flag(mine, "MessageTrackingLogEnabled") is False:
            yield f"Message tracking is off on {name}: test messages cannot be followed there."
