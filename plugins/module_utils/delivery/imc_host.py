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
from ..imc.layout import PARAMETERS_KEY, SERVICE_KEY, SETUP_KEY
from ..imc.setting import VALUE_NAME
from ..imc.state import SERVICE_NAME, Service, ServiceState
from ..remote.batch import Batch, Section
from ..remote.commands import computer_name, reg_query, sc, windows_path
from ..remote.parse import (
    RegistryValue,
    excerpt,
    find_value,
    parse_reg_query,
    parse_sc_state,
    values_of,
)
from ..remote.session import Session
from .imc_versions import Release, release_of

ATTENDANT_KEY = r"HKLM\SYSTEM\CurrentControlSet\Services\MSExchangeSA\Parameters"

#: ERROR_SERVICE_DOES_NOT_EXIST, which ``sc`` ends with.
_NO_SUCH_SERVICE = 1060
#: The articles write the name both ways (KB Q169770).
_TRACKING_VALUES = ("LogDirectory", "Log Directory")

Values = Mapping[str, RegistryValue]


@dataclass(frozen=True, slots=True)
class ImcHost:
    """A host at one moment. Folders are as the host itself names them; empty where unknown.

    ``service`` is None where there is no connector. ``setup`` says whether Exchange's Setup left
    its traces; ``build`` is its NewestBuild. ``computer`` is empty for the host of the session.
    """

    name: str
    computer: str
    service: Service | None
    setup: bool
    build: int | None
    root_dir: str
    tracking_dir: str
    search_list: RegistryValue | None

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


def facts_batch(computer: str) -> Batch:
    """Return the batch whose sections ``read_facts`` understands."""
    batch = Batch()
    other = computer or None
    batch.add("service", sc("query", SERVICE_NAME, computer=other))
    for name, key in (
        ("start", SERVICE_KEY),
        ("parameters", PARAMETERS_KEY),
        ("attendant", ATTENDANT_KEY),
        ("setup", SETUP_KEY),
    ):
        batch.add(name, reg_query(key, computer=other))
    return batch


def gather_host(session: Session, computer: str = "", *, timeout: float = 60.0) -> ImcHost:
    """Look at a host once.

    Raises ExchangeError where it does not answer as a Windows host would, or keeps its registry
    to itself.
    """
    if computer:
        computer = computer_name(computer)
    sections = facts_batch(computer).run(session, timeout=timeout)
    return read_facts(session.host, computer, sections)


def read_facts(name: str, computer: str, sections: Mapping[str, Section]) -> ImcHost:
    """Understand the sections of ``facts_batch``."""
    where = f"{name} (for {computer})" if computer else name
    service = _service(where, sections)
    parameters = _values(sections["parameters"], PARAMETERS_KEY)
    attendant = _values(sections["attendant"], ATTENDANT_KEY)
    setup = _values(sections["setup"], SETUP_KEY)
    if service is not None and not parameters:
        raise ExchangeError(
            f"{where}: the registry key {PARAMETERS_KEY} cannot be read: "
            f"{excerpt(sections['parameters'].output)}",
            hint="Give the user of the connection the right to read it. Nothing was changed.",
        )
    root_dir = _folder(where, parameters, "RootDir")
    tracking = next(filter(None, (_folder(where, attendant, x) for x in _TRACKING_VALUES)), "")
    build = find_value(setup, "NewestBuild")
    return ImcHost(
        name=name,
        computer=computer,
        service=service,
        setup=bool(setup),
        build=build.number if build else None,
        root_dir=root_dir,
        tracking_dir=tracking or _default_tracking_dir(root_dir),
        search_list=find_value(parameters, VALUE_NAME),
    )


def _service(where: str, sections: Mapping[str, Section]) -> Service | None:
    section = sections["service"]
    if section.exit_code == _NO_SUCH_SERVICE:
        return None
    state = parse_sc_state(section.output) if section.ok else None
    if state is None:
        raise ExchangeError(
            f"{where}: the state of the service {SERVICE_NAME} cannot be read "
            f"(sc ended with {section.exit_code}: {excerpt(section.output)}).",
            hint="Check that the host is up and that the user may ask for its services.",
        )
    start = find_value(_values(sections["start"], SERVICE_KEY), "Start")
    return Service(ServiceState(state), start.number if start else None)


def _values(section: Section, key: str) -> Values:
    return values_of(parse_reg_query(section.output), key) if section.ok else {}


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
