# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the delivery modules need to know about a host with an Internet Mail Connector.

One command line asks for all of it that is not known yet; nothing is changed. The host may be
another computer than the one that runs the commands: then registry, service and files are reached
over the network.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .._base.errors import InvalidInput
from .._remote.commands import computer_name, windows_path
from .._remote.parse import RegistryValue, find_value
from .._remote.session import Batch, Section, Session
from .._run.installation import NOTHING, Installation
from .gather import MissingService, parameters, read_service, told_values
from .layout import (
    ATTENDANT_KEY,
    PARAMETERS_KEY,
    SERVICE_KEY,
    SETUP_KEY,
    Layout,
    Values,
    folder,
    tracking_folder,
)
from .setting import VALUE_NAME
from .state import Service
from .suffixes import is_suffix, names_in, odd_note, suffixes
from .versions import Release, release_of

NETWORK_KEY = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"

#: The TCP/IP domain as set by hand, else as DHCP gave it.
_DOMAIN_VALUES = ("Domain", "DhcpDomain")
_TIMEOUT = 60.0

#: What a host can be asked for, by the names of the sections: the service, its key (start type),
#: its parameters (folder, switch), Exchange's build, the tracking log's folder, and TCP/IP.
EVERYTHING = ("service", "control", "parameters", "setup", "attendant", "network")


@dataclass(frozen=True, slots=True)
class ImcHost:
    """A host at one moment. Folders are as the host itself names them; empty where unknown.

    ``service`` is None where there is no connector. ``setup`` says whether Exchange's Setup left
    its traces; ``build`` is its NewestBuild. ``computer`` is empty for the host of the session.
    ``switch`` is the value DisableResolverSearchList as stored, ``dns_domain`` and ``search_list``
    are what TCP/IP has for the resolver, and ``odd_suffixes`` is a note about what is none of it.
    """

    name: str
    computer: str
    service: Service | None
    setup: bool
    build: int | None
    root_dir: str
    tracking_dir: str
    switch: RegistryValue | None
    dns_domain: str
    search_list: tuple[str, ...]
    odd_suffixes: str = ""

    @property
    def release(self) -> Release | None:
        return release_of(self.build)

    @property
    def version(self) -> str | None:
        """``4.0``, ``5.0``, ``5.5``, or None for a build of none of them."""
        return self.release.version if self.release else None

    def reach(self, folder: str, *names: str) -> str:
        r"""Return the path of a file on this host as the session reaches it.

        On another computer that is the administrative share of the drive, ``\\HOST\C$``.
        """
        path = windows_path("\\".join([folder.rstrip("\\"), *names]))
        if self.computer and not path.startswith("\\\\"):
            return windows_path(f"\\\\{self.computer}\\{path[0]}$\\{path[3:]}")
        return path

    def reach_file(self, folder: str, *names: str) -> str | None:
        """Return ``reach`` for names that a host listed; None if no command line carries them."""
        try:
            return self.reach(folder, *names)
        except InvalidInput:
            return None


def not_known(known: Installation) -> list[str]:
    """Return what has to be asked before a host's mail can be looked at or sent."""
    asked = {
        "service": known.service is None,
        "parameters": not known.root_dir,
        "setup": known.build is None,
        "attendant": not known.tracking_folder,
    }
    return [name for name, missing in asked.items() if missing]


def facts_batch(layout: Layout, names: Iterable[str] = EVERYTHING) -> Batch:
    """Return the batch whose sections ``read_facts`` understands."""
    keys = {
        "control": SERVICE_KEY,
        "parameters": PARAMETERS_KEY,
        "setup": SETUP_KEY,
        "attendant": ATTENDANT_KEY,
        "network": NETWORK_KEY,
    }
    batch = Batch()
    for name in names:
        batch.add(name, layout.query(keys[name]) if name in keys else layout.service("query"))
    return batch


def layout_of(computer: str) -> Layout:
    """Return how a host is reached, or a computer behind it."""
    return Layout(computer=computer_name(computer) if computer else "")


def gather_host(
    session: Session, computer: str = "", *, known: Installation | None = None
) -> ImcHost:
    """Look at a host once: for all there is, or for what is not ``known`` of it.

    Raises ExchangeError where it does not answer as a Windows host would, or keeps its registry
    to itself.
    """
    layout = layout_of(computer)
    names = EVERYTHING if known is None else not_known(known)
    sections = facts_batch(layout, names).run(session, timeout=_TIMEOUT)
    return read_facts(session.host, layout, sections, known or NOTHING)


def read_facts(
    name: str, layout: Layout, sections: Mapping[str, Section], known: Installation = NOTHING
) -> ImcHost:
    """Understand the sections of ``facts_batch``; what was not asked is as far as it is known."""
    service, imc = _service(name, layout, sections, known)
    setup = _values(sections, "setup", SETUP_KEY)
    attendant = _values(sections, "attendant", ATTENDANT_KEY)
    network = _values(sections, "network", NETWORK_KEY)
    root_dir = known.root_dir or folder(name, imc, "RootDir")
    build = find_value(setup, "NewestBuild")
    domain = next(filter(None, (_text(network, x) for x in _DOMAIN_VALUES)), known.domain)
    listed = names_in(_text(network, "SearchList"))
    return ImcHost(
        name=name,
        computer=layout.computer,
        service=service,
        setup=bool(setup),
        build=build.number if build else known.build,
        root_dir=root_dir,
        tracking_dir=known.tracking_folder or tracking_folder(name, attendant, root_dir),
        switch=find_value(imc, VALUE_NAME),
        dns_domain=domain if is_suffix(domain) else "",
        search_list=suffixes(listed),
        odd_suffixes=odd_note((domain, *listed)),
    )


def _service(
    name: str, layout: Layout, sections: Mapping[str, Section], known: Installation
) -> tuple[Service | None, Values]:
    """Return the service and the values of its parameters, as far as they were asked for."""
    service = None if known.service is None else Service(known.service, None)
    try:
        if "service" in sections:
            service = read_service(name, layout, sections)
        imc = parameters(name, layout, sections) if "parameters" in sections else {}
    except MissingService:
        return None, {}  # an answer like any other; who needs the service says so
    return service, imc


def _values(sections: Mapping[str, Section], name: str, key: str) -> Values:
    return told_values(sections[name], key) if name in sections else {}


def _text(values: Values, name: str) -> str:
    value = find_value(values, name)
    return value.data.strip() if value else ""
