# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C in the middle of a change, and a job that is told to end: what is open is closed."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from exchange_lab.scenario import SIMPLE_HOST, simple

pytestmark = pytest.mark.e2e

FOREIGN = "PARTNER.CORP;10.1.2.3;0"
ROWS = (FOREIGN, "nestle.com;192.0.2.25;0")
NESTLE = {"domain": "nestle.com", "addresses": ["192.0.2.25"]}
OPTIONS = {"resolver_search_list": "disabled", "routes": [NESTLE]}
TASK = {"name": "pin", "postmaster.exchange.imc_delivery": OPTIONS}
PLAY = [{"hosts": "exchange", "gather_facts": False, "tasks": [TASK]}]


@pytest.fixture
def lab(tmp_path: Path, controller: Controller) -> Iterator[Lab]:
    host = dataclasses.replace(SIMPLE_HOST, rows=(FOREIGN,))
    with Lab(simple(host), folder=tmp_path / "lab") as running:
        running.write_inventory(controller.inventory)
        (controller.folder / "play.yml").write_text(json.dumps(PLAY))
        yield running


def stop_in_the_middle(lab: Lab, controller: Controller, number: int) -> None:
    """Run the play, and send it a signal while it waits for the registry value to be set."""
    (machine,) = lab.machines.values()
    reached = threading.Event()

    def hear(line: str) -> None:
        if "reg add" in line:
            machine.winrm.faults.at("Receive", "hang", seconds=60)
            reached.set()

    machine.host.on_command = hear
    with subprocess.Popen(
        ["ansible-playbook", "-i", "inventory", "play.yml"],
        cwd=controller.folder,
        env=controller.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as running:
        assert reached.wait(120)
        time.sleep(0.2)  # until the answer is being waited for
        running.send_signal(number)
        running.wait(60)
    machine.host.on_command = lambda _line: None
    machine.winrm.faults.clear()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_stays_open(number: int, lab: Lab, controller: Controller) -> None:
    (machine,) = lab.machines.values()
    stop_in_the_middle(lab, controller, number)
    # Ansible itself does not wait for its workers.
    deadline = time.monotonic() + 60
    while (lab.winrm.open_shells or _found(lab, "lease")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert lab.winrm.open_shells == 0
    assert not _found(lab, "lease")
    assert _found(lab, "journal.txt")
    assert machine.imc.connector.rows == ROWS

    again = controller.playbook("play.yml")
    assert "An earlier run broke off" in again.output
    assert again.status == 0
    assert not _found(lab, "journal.txt")
    assert controller.playbook("play.yml").changed == 0


def _found(lab: Lab, name: str) -> bool:
    (machine,) = lab.machines.values()
    return any(path.name == name for path in machine.host.fs.root.rglob("*"))
