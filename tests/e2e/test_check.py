# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""First contact: the playbook check shows each host, and each failure with its remedy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from exchange_lab.controller import Controller, Run
from exchange_lab.lab import Lab
from exchange_lab.scenario_default import DEFAULT, DIRECT

pytestmark = pytest.mark.e2e


def flat(run: Run) -> str:
    return " ".join(run.output[run.output.index("Report]") :].split())


def with_variables(inventory: Path, **hosts: dict[str, Any]) -> None:
    """Give hosts of an inventory variables of their own."""
    for name, variables in hosts.items():
        file = inventory.parent / "host_vars" / f"{name}.yml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump(variables), encoding="utf-8")


def test_hosts_of_both_families_are_ready(tmp_path: Path, controller: Controller) -> None:
    """Behind a management host too, without domains, in check mode, and with --limit."""
    with Lab(replace(DEFAULT, domains=()), tmp_path / "lab") as lab:
        lab.write_inventory(controller.inventory)
        run = controller.playbook("check", "--check", "--limit", "mail55,ex19-a")
    assert run.status == 0, run.output
    assert run.changed == 0
    text = flat(run)
    for said in (
        "mail55: Exchange 5.5 SP4, build 2653; MSExchangeIMC is running (start: auto)",
        "clock on the management host: as on this controller",
        "appended to names: hq.example",
        "account may read registry, service, route table",
        "tools reg, sc, find, findstr, typeperf, imccopy; not there: imcsave, restest",
        "ex19-a: Exchange 2019, build 15.2.1118.7; organisation First Organization",
        "account may run Get-ExchangeServer, Get-AcceptedDomain, Get-SendConnector,",
        "Not checked: the rights to change",
        "Both hosts are ready for an audit.",
    ):
        assert said in text, run.output


def test_each_failure_comes_with_its_remedy(tmp_path: Path, controller: Controller) -> None:
    hosts = tuple(
        replace(host, imccopy=None) if host.name == "mail50" else host for host in DIRECT.hosts
    )
    assert DIRECT.organisation is not None
    organisation = replace(DIRECT.organisation, lacking=("Get-Queue",))
    scenario = replace(DIRECT, hosts=hosts, organisation=organisation)
    with Lab(scenario, tmp_path / "lab") as lab:
        lab.write_inventory(controller.inventory)
        late = timedelta(minutes=7, seconds=30)
        lab["mail50"].host.clock = lambda: datetime.now(UTC) - late
        with_variables(
            controller.inventory,
            **{
                "mail55": {"ansible_port": 1},
                "mail55-ok": {"ansible_password": "wrong", "ansible_winrm_password": "wrong"},
            },
        )
        run = controller.playbook("check")
        dark = controller.playbook("check", "-l", "ex19-a", "-e", "mx_delivery_dns_port=1")
    text = flat(run)
    for said in (
        "mail55: no WinRM session as exadmin at 127.0.0.1 port 1: the connection was refused:",
        "Check the port, and that the WinRM service runs (winrm quickconfig).",
        "the login was refused: wrong user or password",
        "Check user, password and transport",
        "mail50: its clock is 7 min",
        "Set the clocks, for instance by NTP.",
        "mail50: imccopy was not found",
        "copy imccopy.exe from the CD",
        "mx_delivery_missing_imccopy: warn",
        "ex19-a, exse-b: ",
        "lack Get-Queue. The role 'Transport Queues' has it",
    ):
        assert said in text, run.output
    assert run.status == 4
    assert dark.status == 2
    assert "controller: DNS: 127.0.0.1:1 does not answer (" in flat(dark), dark.output
    assert "or set mx_delivery_nameservers." in flat(dark)
