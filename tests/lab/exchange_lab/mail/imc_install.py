# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes an Exchange server out of a lab host: registry, folders, services, tools, counters."""

from __future__ import annotations

from functools import partial

from ..windows.host import LabHost
from ..windows.services import RUNNING, Service
from .imc import SERVICE, Imc
from .imc_config import (
    ATTENDANT_KEY,
    DEFAULT_TRACKING_FOLDER,
    PARAMETERS_KEY,
    SETUP_KEY,
    TCPIP_KEY,
)
from .imccopy import Imccopy

HOME = r"C:\exchsrvr"
ROOT = HOME + r"\imcdata"
CONNECTOR_FILE = HOME + r"\connect\msexcimc\bin\msexcimc.exe"
IMCCOPY = r"C:\exchsrvr\bin\imccopy.exe"
_STORE, _ATTENDANT, _MTA = "MSExchangeIS", "MSExchangeSA", "MSExchangeMTA"
_START_SECONDS = 10.0


def install(
    imc: Imc, *, search_list: tuple[str, ...] = (), imccopy: str | None = IMCCOPY
) -> Imccopy:
    """Install Exchange with this connector on its host; nothing is started.

    ``search_list`` goes where TCP/IP keeps it. ``imccopy`` is where the tool lies; None, or a
    version it is not made for, leaves the host without it.
    """
    _write_registry(imc, search_list)
    _make_folders(imc.host)
    _add_services(imc)
    for name in imc.counters():
        imc.host.counters[f"\\{SERVICE}\\{name}"] = partial(_count, imc, name)
    tool = Imccopy(imc.connector)
    if imccopy is not None and imc.version.imccopy:
        imc.host.install(imccopy, tool)
    return tool


def start(host: LabHost) -> None:
    """Start the connector and wait for it; RuntimeError when it does not come up."""
    host.services.start(SERVICE)
    if host.services.wait(SERVICE, {RUNNING, 1}, _START_SECONDS) != RUNNING:
        raise RuntimeError(f"{host.name}: {SERVICE} did not start")


def _write_registry(imc: Imc, search_list: tuple[str, ...]) -> None:
    registry, site = imc.host.registry, imc.site
    registry.set(SETUP_KEY, "Services", "REG_SZ", HOME)
    registry.set(SETUP_KEY, "NewestBuild", "REG_DWORD", imc.version.build)
    registry.set(PARAMETERS_KEY, "RootDir", "REG_SZ", ROOT)
    registry.set(PARAMETERS_KEY, "SiteDN", "REG_SZ", f"/o={site.organisation}/ou={site.site}")
    registry.set(PARAMETERS_KEY + r"\Extension", "MaxHops", "REG_DWORD", 15)
    registry.set(ATTENDANT_KEY, "LogDirectory", "REG_SZ", DEFAULT_TRACKING_FOLDER)
    registry.set(TCPIP_KEY, "Hostname", "REG_SZ", site.server.lower())
    registry.set(TCPIP_KEY, "Domain", "REG_SZ", site.domain)
    registry.set(TCPIP_KEY, "SearchList", "REG_SZ", " ".join(search_list))


def _make_folders(host: LabHost) -> None:
    for folder in (r"\Out", r"\In", r"\Log"):
        host.fs.mkdir(ROOT + folder)
    host.fs.mkdir(DEFAULT_TRACKING_FOLDER)
    host.fs.mkdir(r"C:\TEMP")
    host.fs.mkdir(CONNECTOR_FILE.rpartition("\\")[0])
    host.fs.write_bytes(CONNECTOR_FILE, b"MZ\x90\x00")
    host.shares["tracking.log"] = DEFAULT_TRACKING_FOLDER


def _add_services(imc: Imc) -> None:
    services = imc.host.services
    services.add(
        Service(_ATTENDANT, state=RUNNING, display_name="Microsoft Exchange System Attendant")
    )
    services.add(
        Service(
            _STORE,
            state=RUNNING,
            display_name="Microsoft Exchange Information Store",
            depends_on=(_ATTENDANT,),
        )
    )
    services.add(
        Service(
            _MTA,
            state=RUNNING,
            display_name="Microsoft Exchange Message Transfer Agent",
            depends_on=(_ATTENDANT,),
        )
    )
    services.add(
        Service(
            SERVICE,
            display_name="Microsoft Exchange Internet Mail Service",
            binary=CONNECTOR_FILE,
            depends_on=(_STORE, _MTA),
            on_start=imc.on_start,
            on_stop=imc.on_stop,
        )
    )


def _count(imc: Imc, name: str) -> float:
    return float(imc.counters()[name])
