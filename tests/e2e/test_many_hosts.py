# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run over more hosts than fit on a screen prints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from exchange_lab.scenario_default import DEFAULT

pytestmark = pytest.mark.e2e

READY = DEFAULT.hosts[2]
NAMES = [f"mail{number}" for number in range(60, 84)]
ANSWER = "Result: All 24 hosts are up to date."
SCREEN = 50  # lines


@pytest.fixture
def fleet(tmp_path: Path, controller: Controller) -> Iterator[Lab]:
    """24 hosts in the desired state, and an inventory; ansible.cfg says only where things are."""
    hosts = (
        replace(READY, name=name, address=f"203.0.113.{100 + number}")
        for number, name in enumerate(NAMES)
    )
    with Lab(replace(DEFAULT, hosts=tuple(hosts), organisation=None), tmp_path / "lab") as lab:
        lab.write_inventory(controller.inventory)
        file = controller.folder / "ansible.cfg"
        file.write_text(file.read_text().replace("callback_result_format = yaml\n", ""))
        yield lab


def test_the_answer_is_last_and_alike_errors_are_once(fleet: Lab, controller: Controller) -> None:
    fine = controller.playbook("audit")
    assert fine.status == 0, fine.output
    assert fine.output.rstrip().endswith(ANSWER)
    controller.more = {"ANSIBLE_STDOUT_CALLBACK": "postmaster.exchange.brief"}
    brief = controller.playbook("audit")
    assert brief.status == 0, brief.output
    assert len(brief.output.splitlines()) <= SCREEN
    assert brief.output.rstrip().endswith("24 hosts: 0 changed, 0 unreachable, 0 failed")
    assert "[mail" not in brief.output

    folder = controller.inventory.parent / "host_vars"
    folder.mkdir()
    for name in NAMES[:22]:
        (folder / f"{name}.yml").write_text("ansible_port: 9\n")
    (folder / f"{NAMES[22]}.yml").write_text("mx_delivery_domains: [a@nestle.com]\n")
    reason = "the connection was refused: nothing listens on this port"
    for callback in ("default", "postmaster.exchange.brief"):
        controller.more = {"ANSIBLE_STDOUT_CALLBACK": callback}
        trouble = controller.playbook("audit")
        assert trouble.status == 4, trouble.output
        said = " ".join(trouble.output.split())
        end = "Result: Of 24 hosts, 23 could not be checked, 1 is up to date."
        shown = said.count(reason)
        if callback == "default":
            assert said.endswith(end)
            assert (shown, said.count(end)) == (2, 2)  # in the report, and below the recap
            assert '"msg": "See the problems of this run' in trouble.output
        else:
            assert (shown, said.count(end)) == (1, 1)
            assert len(trouble.output.splitlines()) <= 2 * SCREEN
        assert "mail60, mail61, mail62, mail63, mail64 and 17 more: no WinRM session" in said
        assert f"{NAMES[22]}: mx_delivery_domains: 'a@nestle.com' is an e-mail address" in said
        assert "unknown version" not in said
