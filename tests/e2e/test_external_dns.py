# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""External DNS through the role: audit, enforce, nothing to do, rollback."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from exchange_lab.scenario_default import DEFAULT

pytestmark = pytest.mark.e2e

RESOLVER = "203.0.113.53"
assert DEFAULT.organisation is not None
SCENARIO = replace(DEFAULT, hosts=(), organisation=replace(DEFAULT.organisation, time_scale=0.02))


def having(**variables: Any) -> tuple[str, str]:
    """Command-line options that set variables for all hosts."""
    return "-e", json.dumps({f"mx_delivery_{name}": value for name, value in variables.items()})


WANTED = having(domains=[], external_dns=[RESOLVER], external_dns_connectors=["Internet"])


def external_dns(lab: Lab) -> list[object]:
    """External DNS of the servers, and whether the connector Internet uses it."""
    assert lab.organisation is not None
    organisation = lab.organisation.organisation
    organisation.directory.settle()
    (internet,) = organisation.directory.read(organisation.directory.domain_controllers[0])
    settings = [server.settings for server in organisation.servers]
    return [
        *((one.external_dns_servers, one.external_dns_adapter_enabled) for one in settings),
        internet.attributes["UseExternalDNSServersEnabled"],
    ]


def flat(text: str) -> str:
    """Text without its line breaks, wherever the callback put them."""
    return " ".join(text.split())


def test_the_second_cure(tmp_path: Path, controller: Controller) -> None:
    """A letter to contoso.example waits, whose name servers ignore AAAA (KB972744)."""
    with Lab(SCENARIO, tmp_path / "lab") as lab:
        lab.write_inventory(controller.inventory)
        before = external_dns(lab)
        report = tmp_path / "report"

        wrong = controller.playbook("enforce", *having(domains=[], external_dns=["resolver"]))
        assert wrong.status != 0
        assert "mx_delivery_external_dns: 'resolver' is not an IP address" in flat(wrong.output)

        audit = controller.playbook("audit", *WANTED)
        assert audit.status == 2, audit.output
        assert "+  name servers 203.0.113.53" in audit.output
        pending = "enforce would change the external DNS of ex19-a, exse-b, Internet"
        assert f"ex19-a, exse-b: {pending}" in flat(audit.output)
        assert external_dns(lab) == before

        enforce = controller.playbook("enforce", *WANTED, *having(report_dir=str(report)))
        assert enforce.status == 0, enforce.output
        assert "server ex19-a those of the adapter -> 203.0.113.53 changed" in flat(enforce.output)
        assert external_dns(lab) == [([RESOLVER], False), ([RESOLVER], False), True]
        lab.sinks.wait(lambda mails: any("buyer@contoso.example" in m.recipients for m in mails))
        (organisation,) = json.loads((report / "report.json").read_text())["organisations"]
        assert [one["changed"] for one in organisation["external_dns"]] == [True] * 3

        again = controller.playbook("enforce", *WANTED)
        assert (again.status, again.changed) == (0, 0), again.output

        back = controller.playbook("rollback")
        assert back.status == 0, back.output
        assert "server exse-b 203.0.113.53 -> those of the adapter changed" in flat(back.output)
        assert external_dns(lab) == before
