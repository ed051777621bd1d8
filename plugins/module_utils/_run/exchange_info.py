# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of exchange_info: which Exchange a host runs, and what can be done about its mail.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from .._base.context import Context, EngineModule
from .._connectors import exchange_info as transport_info
from .._connectors.exchange_info import Windows
from .._connectors.versions import SETUP_KEYS, Build, installed_build
from .._imc.files import batches
from .._imc.host import EVERYTHING, ImcHost, facts_batch, gather_host, layout_of, read_facts
from .._imc.pickup import FOLDER as PICKUP
from .._imc.setting import VALUE_NAME
from .._imc.state import SERVICE_NAME
from .._imc.tools import imccopy_commands, read_tools, tool_commands
from .._imc.windows_resolver import add_resolver, resolver_from
from .._remote.commands import echo_if_exists
from .._remote.parse import parse_reg_query, values_of
from .._remote.psrp import connect
from .._remote.session import Section, Session
from .installation import Installation
from .specs import EXCHANGE_INFO_SPEC

_TIMEOUT = 60.0


class Family(StrEnum):
    """Which part of the collection serves a host."""

    IMC = "imc"
    TRANSPORT = "transport"
    NONE = "none"
    OTHER = "other"


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the task result; a host without Exchange is an answer, not a failure."""
    if params.get("family") == Family.TRANSPORT:
        return transport_info.run(params, context)
    session = context.need_session()
    computer = params.get("target_computer") or ""
    if params.get("family") == Family.IMC:
        host = gather_host(session, computer)
    else:
        host, windows = _which(session, computer)
        if windows is not None:
            return transport_info.run(params, context, windows)
    return _imc(host, None if params.get("gather") == "basics" else _look_around(session, host))


def _which(session: Session, computer: str) -> tuple[ImcHost, Windows | None]:
    """Look at a host, for either kind: also what Setup of Exchange 2010 and later leaves there."""
    layout = layout_of(computer)
    batch = facts_batch(layout, (name for name in EVERYTHING if name != "network"))
    add_resolver(batch, layout)
    names = {f"setup{number}": key for number, key in enumerate(SETUP_KEYS)}
    for name, key in names.items():
        batch.add(name, layout.query(key))
    sections = batch.run(session, timeout=_TIMEOUT)
    builds = (_installed(sections[name], key) for name, key in names.items())
    build = next(filter(None, builds), None)
    windows = Windows(build, resolver_from(sections)) if build else None
    return read_facts(session.host, layout, sections), windows


def _installed(section: Section, key: str) -> Build | None:
    if not section.ok:
        return None
    return installed_build(values_of(parse_reg_query(section.output), key))


def _imc(host: ImcHost, sections: Mapping[str, Section] | None) -> dict[str, Any]:
    """Return what a host told; ``sections`` None where folders and tools were not looked for."""
    tools = {} if sections is None else read_tools(host, sections)
    family = _family(host)
    pickup = None
    if sections is not None:
        pickup = _exists(sections, "pickup") and (host.release is None or host.release.has_pickup)
    return {
        "changed": False,
        "family": str(family),
        "exchange_installed": family is not Family.NONE,
        "version": host.version,
        "build": host.build,
        "service_pack": host.release.service_pack if host.release else None,
        "service": _service(host),
        "root_dir": host.root_dir or None,
        "tracking": {
            "folder": host.tracking_dir or None,
            "exists": None if sections is None else _exists(sections, "tracking"),
        },
        "pickup": pickup,
        "resolver": _resolver(host),
        "tools": tools,
        "installation": _installation(host, pickup).as_dict(),
        "organisation": None,
        "server": None,
        "servers": [],
        "notes": list(_notes(host, family, tools, sections)),
    }


def _installation(host: ImcHost, pickup: bool | None) -> Installation:
    return Installation(
        service=host.service.state if host.service else None,
        build=host.build,
        root_dir=host.root_dir,
        tracking_folder=host.tracking_dir,
        pickup=pickup if host.root_dir else None,
        domain=host.dns_domain,
    )


def _look_around(session: Session, host: ImcHost) -> dict[str, Section]:
    commands = tool_commands() | imccopy_commands(host)
    if host.root_dir:
        commands["root"] = echo_if_exists(host.reach(host.root_dir))
        commands["pickup"] = echo_if_exists(host.reach(host.root_dir, PICKUP))
    if host.tracking_dir:
        commands["tracking"] = echo_if_exists(host.reach(host.tracking_dir))
    sections: dict[str, Section] = {}
    for batch in batches(commands):
        sections |= batch.run(session, timeout=_TIMEOUT)
    return sections


def _exists(sections: Mapping[str, Section], name: str) -> bool:
    return name in sections and bool(sections[name].output.strip())


def _family(host: ImcHost) -> Family:
    if host.service is not None or host.release is not None:
        return Family.IMC
    return Family.OTHER if host.setup else Family.NONE


def _service(host: ImcHost) -> dict[str, Any] | None:
    if host.service is None:
        return None
    return {
        "name": SERVICE_NAME,
        "state": host.service.words,
        "state_number": int(host.service.state),
        "start_type": host.service.start_words,
    }


def _resolver(host: ImcHost) -> dict[str, Any]:
    """Return what decides whether the connector appends names (KB Q150969)."""
    switch = host.switch
    return {
        # The service knows this spelling only, though the registry finds any.
        "search_list_disabled": (
            switch is not None and switch.name == VALUE_NAME and bool(switch.number)
        ),
        "stored_name": switch.name if switch else None,
        "stored_type": switch.type if switch else None,
        "stored_data": switch.data if switch else None,
        "domain": host.dns_domain or None,
        "search_list": list(host.search_list),
    }


def _notes(
    host: ImcHost,
    family: Family,
    tools: Mapping[str, str | None],
    sections: Mapping[str, Section] | None,
) -> Iterator[str]:
    """Say what keeps the collection from doing its work here."""
    if host.odd_suffixes:
        yield host.odd_suffixes
    if family is Family.NONE:
        yield "There is no Exchange 4.0, 5.0 or 5.5 on this host."
        return
    if family is Family.OTHER:
        yield f"The build {host.build} is not one of Exchange 4.0, 5.0 or 5.5."
        return
    if host.service is None:
        yield f"Exchange is installed without the Internet Mail Connector ({SERVICE_NAME})."
        return
    if host.release is None:
        yield f"The build {host.build} is not one of Exchange 4.0, 5.0 or 5.5."
    if sections is not None:
        yield from _notes_on_service(host, tools, sections)


def _notes_on_service(
    host: ImcHost, tools: Mapping[str, str | None], sections: Mapping[str, Section]
) -> Iterator[str]:
    """Say what the service's folders and the host's tools lack."""
    if host.root_dir and not _exists(sections, "root"):
        yield f"The folder {host.root_dir} (RootDir) is not there, or cannot be seen."
    if tools["imccopy"] is None:
        yield (
            "There is no imccopy where it is usually looked for: the route table can be read and"
            " written only by hand, unless the option imccopy names it."
        )
    if tools["findstr"] is None:
        yield "There is no findstr: test messages cannot be followed."
    if not _exists(sections, "tracking"):
        yield "There is no tracking log: enable message tracking on the connector."


MODULE = EngineModule(EXCHANGE_INFO_SPEC, run, connects=connect)
