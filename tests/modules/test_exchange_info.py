# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_info: in process, as a real module, behind another host."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from exchange_lab.lab import Lab
from exchange_lab.mail.imc_model import V40
from exchange_lab.scenario import SIMPLE_HOST, simple
from worker import Play

ELSEWHERE = {
    "ansible_connection": "elsewhere",
    "ansible_python_interpreter": sys.executable,
}
OLD = replace(SIMPLE_HOST, name="mail4old", version=V40, imccopy=None, behind="mgmt1")


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Lab]:
    """A 5.5 host, and a 4.0 host without WinRM behind a management host without Exchange."""
    scenario = replace(simple(SIMPLE_HOST, OLD), managers=("mgmt1",))
    with Lab(scenario, folder=tmp_path / "lab") as lab:
        yield lab


def info(**options: Any) -> dict[str, Any]:
    return {"postmaster.exchange.exchange_info": options}


def connection(lab: Lab, name: str) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": lab[name].winrm.port,
        "scheme": "http",
        "user": lab.scenario.user,
        "password": lab.scenario.password,
    }


def facts(result: dict[str, Any]) -> dict[str, Any]:
    """What a result says about the host, without what differs by the way it came."""
    volatile = {"invocation", "deprecations", "warnings", "clock_difference"}
    return {key: value for key, value in result.items() if key not in volatile}


def test_in_process_and_as_a_real_module_it_says_the_same(hosts: Lab, play: Play) -> None:
    before = hosts["mail55"].requests
    results = play(
        hosts,
        "mail55",
        ("here", info()),
        ("there", {**info(connection=connection(hosts, "mail55")), "vars": ELSEWHERE}),
    )

    assert not results["there"]["failed"], results
    assert results["here"]["version"] == "5.5"
    assert results["here"]["tools"]["imccopy"] == r"C:\exchsrvr\bin\imccopy.exe"
    assert facts(results["here"]) == facts(results["there"])
    # Each time a login, two commands and the end: 4 + 2 x 3 + 1 with NTLM.
    assert hosts["mail55"].requests - before == 22
    assert hosts.scenario.password not in str(results)


def test_the_clock_of_a_host_is_compared_with_ours(hosts: Lab, play: Play) -> None:
    hosts["mail55"].host.clock = lambda: datetime.now(UTC) + timedelta(hours=1)
    results = play(hosts, "mail55", ("info", info()))
    assert abs(results["info"]["clock_difference"] - 3600) <= 2


def test_q257618_the_banner_has_the_build_of_the_service(hosts: Lab, play: Play) -> None:
    key = r"HKLM\SOFTWARE\Microsoft\Exchange\Setup"
    hosts["mail55"].host.registry.set(key, "NewestBuild", "REG_DWORD", 2654)
    port = "{{ mx_delivery_test_smtp_port }}"
    results = play(
        hosts,
        "mail55",
        ("asked", info(smtp_port=port)),
        ("not", info()),
        ("silent", info(smtp_port=1)),
    )
    assert results["asked"]["service_build"] == "5.5.2653.13"
    assert (
        "The service is of build 5.5.2653.13 by its SMTP banner" in results["asked"]["warnings"][0]
    )
    assert results["not"]["service_build"] is results["silent"]["service_build"] is None


def test_a_host_without_exchange_and_the_one_behind_it(hosts: Lab, play: Play) -> None:
    results = play(
        hosts,
        "mail4old",
        ("manager", info()),
        ("behind", info(target_computer="mail4old")),
        ("nobody", info(target_computer="nosuch")),
    )

    assert (results["manager"]["family"], results["manager"]["failed"]) == ("none", False)
    assert results["manager"]["exchange_installed"] is False
    assert (results["behind"]["family"], results["behind"]["version"]) == ("imc", "4.0")
    assert any("imccopy was not found" in note for note in results["behind"]["warnings"])
    assert results["nobody"]["failed"] is True
    assert "MSExchangeIMC" in results["nobody"]["msg"]


def test_a_host_that_cannot_be_reached_is_unreachable(hosts: Lab, play: Play) -> None:
    wrong = {"ansible_password": "wrong"}
    result = play(hosts, "mail55", ("info", info()), variables=wrong)["info"]

    assert result["unreachable"] is True
