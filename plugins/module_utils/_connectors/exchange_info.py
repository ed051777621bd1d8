# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_info for Exchange 2010 and later: the organisation, its servers, and who resolves names.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._base.context import Context
from .._base.errors import CommandTimeout, ExchangeError, HostUnreachable, InvalidInput, SessionLost
from .._imc.layout import Layout
from .._imc.windows_resolver import Resolver, read_resolver
from .._remote.commands import computer_name
from .._remote.session import Cmdlet, CmdletError, CmdletSession
from .._run.installation import NOTHING, Installation, usable
from .canonical import boolean
from .servers import Server, read_servers, text_of, texts_of, this_server
from .versions import Build

#: The cmdlet of Exchange 2013 and later, and its name in 2010 (that warns in 2013).
_SETTINGS_CMDLETS = ("Get-TransportService", "Get-TransportServer")
_UNKNOWN_CMDLET = "CommandNotFoundException"


@dataclass(frozen=True, slots=True)
class Organisation:
    """What cmdlets told; ``settings`` are those of the Transport service, by server in lower case.

    ``problem`` is why there is nothing, ``gap`` why there are no settings.
    """

    servers: tuple[Server, ...] = ()
    settings: Mapping[str, Mapping[str, Any]] | None = None
    problem: str = ""
    gap: str = ""


@dataclass(frozen=True, slots=True)
class Windows:
    """What the registry told: the newest build installed, and what is appended to names."""

    build: Build
    resolver: Resolver


def run(
    params: Mapping[str, Any], context: Context, windows: Windows | None = None
) -> dict[str, Any]:
    """Return the task result.

    ``windows`` is what the registry told if it was asked. Then cmdlets that cannot be run are
    a note and no error: which Exchange it is has its answer already. Where only the basics are
    asked for, no cmdlet is run then.
    """
    computer = params.get("target_computer") or ""
    basics = params.get("gather") == "basics" and windows is not None
    if basics:
        organisation = Organisation()
    else:
        organisation = _organisation(context, tolerant=windows is not None)
    here = this_server(organisation.servers, computer or context.host, context.address)
    resolver, blind = (windows.resolver, "") if windows else _resolver(context, computer)
    build = (here.build if here else None) or (windows.build if windows else None)
    settings = (organisation.settings or {}).get(here.name.casefold()) if here else None
    gaps = f"What Windows appends to names was not seen (resolver). {blind}" if blind else ""
    if resolver:
        gaps = resolver.odd
    return {
        "changed": False,
        "family": "transport",
        "exchange_installed": True,
        "version": build.version if build else None,
        "build": str(build) if build else None,
        "service_pack": build.service_pack if build else None,
        "service": None,
        "root_dir": None,
        "tracking": _tracking(settings),
        "pickup": None,
        "resolver": resolver.as_dict() if resolver else None,
        "tools": {},
        "installation": _installation(organisation, here).as_dict(),
        "organisation": next((one.organisation for one in organisation.servers), "") or None,
        "server": here.name if here else None,
        "servers": [_server(one, organisation.settings) for one in organisation.servers],
        "notes": list(_notes(None if basics else organisation, here, build, gaps)),
    }


def _installation(organisation: Organisation, here: Server | None) -> Installation:
    """Return what the next task need not ask again, if all names of servers can be handed on."""
    names = [usable(one.name, computer_name) for one in organisation.servers if one.transport]
    if not all(names):
        return NOTHING
    return Installation(
        version=(here.version if here else None) or "",
        server=usable(here.name, computer_name) if here else "",
        servers=tuple(names),
    )


def _organisation(context: Context, *, tolerant: bool) -> Organisation:
    try:
        session = context.need_cmdlets()
        servers = read_servers(session)
    except ExchangeError as error:
        if not tolerant:
            raise
        return Organisation(problem=str(error))
    try:
        settings = _settings(session)
    except CmdletError as error:
        return Organisation(servers, gap=str(error))
    return Organisation(servers, settings)


def _settings(session: CmdletSession) -> dict[str, Mapping[str, Any]]:
    newer, older = (Cmdlet(name) for name in _SETTINGS_CMDLETS)
    try:
        found = session.invoke(newer)
    except CmdletError as error:
        if _UNKNOWN_CMDLET not in error.error_id:
            raise
        found = session.invoke(older)
    return {text_of(one.get("Name")).casefold(): one for one in found}


def _resolver(context: Context, computer: str) -> tuple[Resolver | None, str]:
    """Return what Windows appends to names, or why that could not be seen."""
    try:
        layout = Layout(computer=computer_name(computer) if computer else "")
        return read_resolver(context.need_session(), layout), ""
    except (HostUnreachable, CommandTimeout, SessionLost, InvalidInput) as error:
        return None, error.message


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


def _tracking(settings: Mapping[str, Any] | None) -> dict[str, Any]:
    folder = text_of((settings or {}).get("MessageTrackingLogPath"))
    return {
        "folder": folder or None,
        "exists": None,
    }


def _flag(settings: Mapping[str, Any] | None, name: str) -> bool | None:
    try:
        return boolean((settings or {})[name])
    except (KeyError, InvalidInput):
        return None


def _notes(
    organisation: Organisation | None, here: Server | None, build: Build | None, gaps: str
) -> Iterator[str]:
    """Say what is not known, and what keeps the collection from doing its work here.

    ``organisation`` is None where it was not asked.
    """
    if organisation is not None:
        yield from _notes_on_server(organisation, here)
    if build is not None and build.version is None:
        yield f"The build {build} is none of Exchange 2010 to Subscription Edition."
    if organisation is not None and organisation.gap:
        yield f"The settings of the Transport service were not seen. {organisation.gap}"
    if gaps:
        yield gaps
    settings = (organisation.settings if organisation is not None else None) or {}
    for name, mine in settings.items():
        if _flag(mine, "MessageTrackingLogEnabled") is False:
            yield f"Message tracking is off on {name}: test messages cannot be followed there."


def _notes_on_server(organisation: Organisation, here: Server | None) -> Iterator[str]:
    if organisation.problem:
        yield f"The organisation was not seen. {organisation.problem}"
    elif here is None:
        yield (
            f"Which server this is, is not known: the organisation has"
            f" {_listed(organisation.servers)} (target_computer names it)."
        )
    elif not here.transport:
        yield f"{here.name} does not transport mail ({here.roles or 'no role is known'})."


def _listed(servers: Sequence[Server]) -> str:
    return ", ".join(server.name for server in servers)
