# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of a host, and the paths of its files."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    ExchangeError,
    InvalidInput,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.exchange_info import (
    imc_facts,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.host import (
    ATTENDANT_KEY,
    PARAMETERS_KEY,
    SETUP_KEY,
    gather_host,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.windows_resolver import (
    NETWORK_KEY,
)
from delivery_fakes import ROOT, DirectSession, imc_host
from exchange_lab.windows.host import LabHost
from exchange_lab.windows.services import RUNNING, Service


@pytest.fixture
def exchange(machine: LabHost) -> LabHost:
    """A host with the registry of Exchange 5.0 and a running connector."""
    machine.services.add(Service("MSExchangeIMC", state=RUNNING))
    machine.registry.set(PARAMETERS_KEY, "RootDir", "REG_SZ", ROOT)
    machine.registry.set(SETUP_KEY, "NewestBuild", "REG_DWORD", 1460)
    machine.registry.set(NETWORK_KEY, "Domain", "REG_SZ", "hq.example")
    machine.registry.set(NETWORK_KEY, "SearchList", "REG_SZ", "hq.example,example corp.example")
    return machine


def test_one_command_tells_all(exchange: LabHost, session: DirectSession) -> None:
    host = gather_host(session)

    assert len(session.lines) == 1
    assert (host.version, host.build, host.root_dir) == ("5.0", 1460, ROOT)
    assert host.service is not None
    assert host.service.words == "running"
    assert host.dns_domain == "hq.example"
    assert host.search_list == ("hq.example", "example", "corp.example")


def test_the_tracking_folder_lies_beside_rootdir_by_default(
    exchange: LabHost, session: DirectSession
) -> None:
    assert gather_host(session).tracking_dir == r"C:\exchsrvr\tracking.log"


@pytest.mark.parametrize("name", ["LogDirectory", "Log Directory"])
def test_the_attendant_tells_another_tracking_folder_by_either_name(
    name: str, exchange: LabHost, session: DirectSession
) -> None:
    exchange.registry.set(ATTENDANT_KEY, name, "REG_SZ", r"D:\logs\tracking")

    assert gather_host(session).tracking_dir == r"D:\logs\tracking"


def test_dhcp_may_have_told_the_domain(exchange: LabHost, session: DirectSession) -> None:
    exchange.registry.set(NETWORK_KEY, "Domain", "REG_SZ", "")
    exchange.registry.set(NETWORK_KEY, "DhcpDomain", "REG_SZ", "lan.example")

    assert gather_host(session).dns_domain == "lan.example"


@pytest.mark.parametrize("path", [r"C:\x & del *", "imcdata", r"%TEMP%\x", 'C:\\a"b', r"C:\..\x"])
def test_a_folder_that_no_command_line_carries_is_refused(
    path: str, exchange: LabHost, session: DirectSession
) -> None:
    exchange.registry.set(PARAMETERS_KEY, "RootDir", "REG_SZ", path)
    with pytest.raises(ExchangeError, match="RootDir"):
        gather_host(session)


def test_a_host_without_the_service_is_an_answer(machine: LabHost, session: DirectSession) -> None:
    host = gather_host(session)

    assert host.service is None
    assert not host.setup
    assert host.version is None
    assert (host.root_dir, host.tracking_dir) == ("", "")


def test_a_service_without_its_registry_is_an_error_not_an_absence(
    machine: LabHost, session: DirectSession
) -> None:
    machine.services.add(Service("MSExchangeIMC", state=RUNNING))
    with pytest.raises(ExchangeError, match="cannot be read"):
        gather_host(session)


def test_another_computer_is_asked_over_the_network(exchange: LabHost, tmp_path: Path) -> None:
    manager = LabHost("mgmt1", tmp_path / "mgmt1", time_scale=0.01)
    manager.connect(exchange)
    host = gather_host(DirectSession(manager), "MAIL55")

    assert host.build == 1460
    assert host.reach(host.root_dir, "Out") == r"\\MAIL55\C$\exchsrvr\imcdata\Out"


def test_a_computer_that_cannot_be_reached_is_an_error_not_an_absence(
    session: DirectSession,
) -> None:
    with pytest.raises(ExchangeError, match="MSExchangeIMC"):
        gather_host(session, "NOWHERE")


@pytest.mark.parametrize("name", ["A & B", "..", "x\\..\\y", "a%b", "con", "trailing."])
def test_a_file_name_that_no_command_line_carries_is_passed_over(name: str) -> None:
    assert imc_host().reach_files((ROOT, "Out"), [name]) == {}
    with pytest.raises(InvalidInput):
        imc_host().reach(ROOT, "Out", name)


def test_a_share_is_reached_as_it_is() -> None:
    assert imc_host(computer="MAIL55").reach(r"\\STORE\logs\x", "y") == r"\\STORE\logs\x\y"


@pytest.mark.parametrize(("build", "number", "warned"), [(1960, 7, 1), (1960, 6, 0), (996, 7, 0)])
def test_a_build_that_more_than_six_suffixes_crash_is_warned_of(
    exchange: LabHost, session: DirectSession, build: int, number: int, warned: int
) -> None:
    names = " ".join(f"s{each}.example" for each in range(number))
    exchange.registry.set(NETWORK_KEY, "SearchList", "REG_SZ", names)
    exchange.registry.set(SETUP_KEY, "NewestBuild", "REG_DWORD", build)
    warnings = imc_facts(session, gather_host(session), basics=True).warnings
    assert sum("Q185025" in text for text in warnings) == warned
    assert any("Exchange 5.5 SP4 ends them" in text for text in warnings) == (build == 1960)


def test_q154589_a_host_without_a_tcpip_domain_is_warned_of(
    exchange: LabHost, session: DirectSession
) -> None:
    def warned() -> bool:
        warnings = imc_facts(session, gather_host(session), basics=True).warnings
        return any("Q154589" in text for text in warnings)

    assert not warned()
    for name in ("Domain", "DhcpDomain"):
        exchange.registry.set(NETWORK_KEY, name, "REG_SZ", "")
    assert warned()
