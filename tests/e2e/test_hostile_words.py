# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a hostile host says about itself is shown as it is: no template, no command, no control."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from exchange_lab.scenario_default import DEFAULT

pytestmark = pytest.mark.e2e

TCPIP = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"
SCENARIO = replace(DEFAULT, hosts=DEFAULT.hosts[1:2], organisation=None, domains=("nestle.com",))


def test_words_of_a_host_are_neither_templates_nor_commands(
    tmp_path: Path, controller: Controller
) -> None:
    canary = tmp_path / "canary"
    template = f"{{{{ lookup('ansible.builtin.pipe', 'touch {canary}') }}}}"
    with Lab(SCENARIO, tmp_path / "lab") as lab:
        lab.write_inventory(controller.inventory)
        registry, files = lab["mail55"].host.registry, lab["mail55"].host.fs
        registry.set(TCPIP, "Domain", "REG_SZ", template)
        registry.set(TCPIP, "SearchList", "REG_SZ", "{{x}} \x1b[2J & a..b")
        log = f"421 {template} \x1b[31m Unable to contact destination SMTP demon nestle.com\r\n"
        files.write_bytes(r"C:\exchsrvr\imcdata\Log\L0000099.LOG", log.encode())
        files.write_bytes(
            r"C:\exchsrvr\imcdata\Out\HOSTILE1",
            f"X-Receiver: a@nestle.com\r\nTo: {template}\r\n\r\n".encode(),
        )
        sender = ("-e", "mx_delivery_test_sender=postmaster@hq.example")
        runs = [controller.playbook(x, "-v", *sender) for x in ("diagnose", "audit", "enforce")]
    assert not canary.exists(), "a host's words were templated"
    diagnose, audit, enforce = (run.output for run in runs)
    assert runs[0].status == 0, diagnose
    assert "lookup('ansible.builtin.pipe'" in diagnose
    assert "\x1b" not in diagnose + audit + enforce
    # Its names help nobody to stop the work on it.
    assert runs[1].status == 2, audit
    assert "enforce would change" in audit
    assert runs[2].status == 0, enforce
