# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts on a host that may have an Internet Mail Connector: its folders, and programs to work with.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from ntpath import basename

from .._remote.commands import echo_if_exists
from .._remote.exchange_facts import ExchangeFacts, Family
from .._remote.parse import decode
from .._remote.session import Section, Session
from .files import run_all
from .host import (
    MOST_SUFFIXES,
    SERVICE_NAME,
    VALUE_NAME,
    ImcHost,
    banner_build,
    build_number,
    build_warning,
)
from .layout import IMCCOPY_PLACES, beside
from .pickup import FOLDER as PICKUP

_TIMEOUT = 60.0

#: Programs that the collection runs, and administrators' tools of the Exchange CD (Q182522,
#: Q142261, Q195804).
TOOLS = ("reg", "sc", "find", "findstr", "typeperf", "imccopy", "imcsave", "restest")
#: The folder of imccopy in KB Q262126, where many hosts have it.

Sections = Mapping[str, Section]


def imc_facts(
    session: Session, host: ImcHost, *, basics: bool, banner: Callable[[], str] = str
) -> ExchangeFacts:
    """Return the facts of a host; for the ``basics`` no folder and no program is looked for.

    ``banner`` asks for the greeting of a service that runs.
    """
    sections = None if basics else _look_around(session, host)
    tools = {} if sections is None else read_tools(host, sections)
    if host.service is not None or host.release is not None:
        family = Family.IMC
    else:
        family = Family.OTHER if host.setup else Family.NONE
    pickup = None
    if sections is not None:
        pickup = _exists(sections, "pickup") and (host.release is None or host.release.has_pickup)
    service, own_build = None, ""
    if host.service is not None and host.service.runs:
        own_build = banner_build(banner())
    if host.service is not None:
        service = {
            "name": SERVICE_NAME,
            "state": host.service.words,
            "state_number": int(host.service.state),
            "start_type": host.service.start_words,
        }
    return ExchangeFacts(
        family=family,
        version=host.version,
        build=host.build,
        service_pack=host.release.service_pack if host.release else None,
        service_build=own_build or None,
        service=service,
        root_dir=host.root_dir or None,
        tracking={
            "folder": host.tracking_dir or None,
            "exists": None if sections is None else _exists(sections, "tracking"),
        },
        pickup=pickup,
        resolver=_resolver(host),
        tools=tools,
        warnings=tuple(_warnings(host, family, tools, sections, own_build)),
    )


def _look_around(session: Session, host: ImcHost) -> dict[str, Section]:
    names = " ".join(f"{name}.exe" for name in TOOLS)
    # With a dot, since a bare echo prints whether echo is on.
    commands = {"tools": f"for %I in ({names}) do @echo.%~$PATH:I"}
    for number, path in enumerate(_imccopy_places(host)):
        commands[f"imccopy{number}"] = echo_if_exists(host.reach(path))
    if host.root_dir:
        commands["root"] = echo_if_exists(host.reach(host.root_dir))
        commands["pickup"] = echo_if_exists(host.reach(host.root_dir, PICKUP))
    if host.tracking_dir:
        commands["tracking"] = echo_if_exists(host.reach(host.tracking_dir))
    return run_all(session, commands, timeout=_TIMEOUT)


def _imccopy_places(host: ImcHost) -> tuple[str, ...]:
    near = beside(host.root_dir)
    return (*IMCCOPY_PLACES, near) if near else IMCCOPY_PLACES


def read_tools(host: ImcHost, sections: Sections) -> dict[str, str | None]:
    """Return the path of each tool, or None.

    On another computer only imccopy matters, and PATH is that of the host in front of it.
    """
    tools: dict[str, str | None] = dict.fromkeys(TOOLS)
    for line in decode(sections["tools"].output).splitlines():
        path = line.strip()
        name = basename(path).lower().removesuffix(".exe")
        if "\\" in path and name in tools:
            tools[name] = path
    if host.computer:
        tools["imccopy"] = None
    for number, path in enumerate(_imccopy_places(host)):
        if tools["imccopy"] is None and sections[f"imccopy{number}"].output.strip():
            tools["imccopy"] = path
    return tools


def _exists(sections: Sections, name: str) -> bool:
    return name in sections and bool(sections[name].output.strip())


def _resolver(host: ImcHost) -> dict[str, object]:
    """Return what decides whether the connector appends names (KB Q150969)."""
    switch = host.switch
    return {
        # The service reads this spelling only, though the registry finds any.
        "search_list_disabled": (
            switch is not None and switch.name == VALUE_NAME and bool(switch.number)
        ),
        "stored_name": switch.name if switch else None,
        "stored_type": switch.type if switch else None,
        "stored_data": switch.data if switch else None,
        "domain": host.dns_domain or None,
        "search_list": list(host.search_list),
        "nameservers": list(host.nameservers),
    }


def _warnings(
    host: ImcHost,
    family: Family,
    tools: Mapping[str, str | None],
    sections: Sections | None,
    own_build: str,
) -> Iterator[str]:
    """Yield what keeps the collection from doing its work here."""
    other_build = f"The build {host.build} is not one of Exchange 4.0, 5.0 or 5.5."
    if host.odd_suffixes:
        yield host.odd_suffixes
    if family is Family.NONE:
        yield "Exchange 4.0, 5.0 or 5.5 is not installed on this host."
    elif family is Family.OTHER:
        yield other_build
    elif host.service is None:
        yield f"Exchange is installed without the Internet Mail Connector ({SERVICE_NAME})."
    else:
        if host.release is None:
            yield other_build
        build = build_number(own_build) or host.build
        if build != host.build:
            yield (
                f"The service is of build {own_build} by its SMTP banner, unlike the newest build"
                f" that Setup installed ({host.build or 'unknown'})."
            )
        if faults := build_warning(build):
            yield faults
        yield from _suffix_warnings(host)
        if sections is not None:
            yield from _missing(host, tools, sections)


def _suffix_warnings(host: ImcHost) -> Iterator[str]:
    """Yield what of TCP/IP keeps the service from starting."""
    if not host.dns_domain:
        yield (
            "TCP/IP has no domain on this host. The service does not start without one (events"
            " 4058 and 4067, Q154589)."
        )
    if len(host.search_list) > MOST_SUFFIXES and host.version != "4.0":
        yield (
            f"TCP/IP has {len(host.search_list)} suffixes to search. With more than"
            f" {MOST_SUFFIXES} the service crashes when it starts (Q185025)."
        )


def _missing(host: ImcHost, tools: Mapping[str, str | None], sections: Sections) -> Iterator[str]:
    """Yield what the service's folders and the host's tools lack."""
    if host.root_dir and not _exists(sections, "root"):
        yield f"The folder {host.root_dir} (RootDir) does not exist, or the account cannot read it."
    if tools["imccopy"] is None:
        yield (
            "imccopy was not found in its usual folders, so the collection cannot read or write the"
            " route table. Set the option imccopy to its path."
        )
    if tools["findstr"] is None:
        yield "findstr was not found, so test messages cannot be followed."
    if not _exists(sections, "tracking"):
        yield (
            "No tracking log was found. Enable message tracking on the connector; Standard Edition"
            " has it only with the Site Connector (Q164175)."
        )
