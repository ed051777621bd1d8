# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the delivery modules need to know about a host with an Internet Mail Connector.

One command line asks for all of it; nothing is changed. The host may be another computer than the
one that runs the commands: then registry, service and files are reached over the network.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ntpath import dirname

from ..errors import ExchangeError, InvalidInput
from ..imc.gather import MissingService, parameters, read_service
from ..imc.layout import PARAMETERS_KEY, SERVICE_KEY, SETUP_KEY, Layout
from ..imc.setting import VALUE_NAME
from ..imc.state import Service
from ..remote.batch import Batch, Section
from ..remote.commands import computer_name, windows_path
from ..remote.parse import RegistryValue, find_value, parse_reg_query, values_of
from ..remote.session import Session
from .imc_versions import Release, release_of
from .suffixes import is_suffix, names_in, odd_note, suffixes

ATTENDANT_KEY = r"HKLM\SYSTEM\CurrentControlSet\Services\MSExchangeSA\Parameters"

NETWORK_KEY = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"

#: The articles write the name both ways (KB Q169770).
_TRACKING_VALUES = ("LogDirectory", "Log Directory")
#: The TCP/IP domain as set by hand, else as DHCP gave it.
_DOMAIN_VALUES = ("Domain", "DhcpDomain")

Values = Mapping[str, RegistryValue]


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


def facts_batch(layout: Layout) -> Batch:
    """Return the batch whose sections ``read_facts`` understands."""
    batch = Batch()
    batch.add("service", layout.service("query"))
    batch.add("control", layout.query(SERVICE_KEY))
    batch.add("parameters", layout.query(PARAMETERS_KEY))
    batch.add("setup", layout.query(SETUP_KEY))
    batch.add("attendant", layout.query(ATTENDANT_KEY))
    batch.add("network", layout.query(NETWORK_KEY))
    return batch


def gather_host(session: Session, computer: str = "", *, timeout: float = 60.0) -> ImcHost:
    """Look at a host once.

    Raises ExchangeError where it does not answer as a Windows host would, or keeps its registry
    to itself.
    """
    layout = Layout(computer=computer_name(computer) if computer else "")
    sections = facts_batch(layout).run(session, timeout=timeout)
    return read_facts(session.host, layout, sections)


def read_facts(name: str, layout: Layout, sections: Mapping[str, Section]) -> ImcHost:
    """Understand the sections of ``facts_batch``."""
    service, imc = None, dict[str, RegistryValue]()
    try:
        service = read_service(name, layout, sections)
        imc = parameters(name, layout, sections)
    except MissingService:
        pass  # an answer like any other; who needs the service says so
    setup = _values(sections["setup"], SETUP_KEY)
    attendant = _values(sections["attendant"], ATTENDANT_KEY)
    network = _values(sections["network"], NETWORK_KEY)
    root_dir = _folder(name, imc, "RootDir")
    tracking = next(filter(None, (_folder(name, attendant, x) for x in _TRACKING_VALUES)), "")
    build = find_value(setup, "NewestBuild")
    domain = next(filter(None, (_text(network, x) for x in _DOMAIN_VALUES)), "")
    listed = names_in(_text(network, "SearchList"))
    return ImcHost(
        name=name,
        computer=layout.computer,
        service=service,
        setup=bool(setup),
        build=build.number if build else None,
        root_dir=root_dir,
        tracking_dir=tracking or _default_tracking_dir(root_dir),
        switch=find_value(imc, VALUE_NAME),
        dns_domain=domain if is_suffix(domain) else "",
        search_list=suffixes(listed),
        odd_suffixes=odd_note((domain, *listed)),
    )


def _values(section: Section, key: str) -> Values:
    return values_of(parse_reg_query(section.output), key) if section.ok else {}


def _text(values: Values, name: str) -> str:
    value = find_value(values, name)
    return value.data.strip() if value else ""


def _folder(where: str, values: Values, name: str) -> str:
    value = find_value(values, name)
    if value is None or not value.data.strip():
        return ""
    try:
        return windows_path(value.data.strip())
    except InvalidInput as error:
        raise ExchangeError(
            f"{where}: the registry value {name} holds no folder this can work with. "
            f"{error.message}"
        ) from None


def _default_tracking_dir(root_dir: str) -> str:
    r"""Return ``exchsrvr\tracking.log``, which lies beside the connector's folder by default."""
    home = dirname(root_dir)
    return f"{home}\\tracking.log" if home.rstrip("\\:")[1:] else ""
