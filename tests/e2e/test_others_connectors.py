# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks where an administrator has made a connector for exactly a listed domain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from exchange_lab.scenario import INTERNET, ConnectorSpec
from exchange_lab.scenario_default import DEFAULT

pytestmark = pytest.mark.e2e

THEIRS = ConnectorSpec("Partner", ("SMTP:nestle.com;1",), ("[192.0.2.25]",))


def smart_hosts(lab: Lab) -> dict[str, list[str]]:
    """The smart hosts of the connectors that have any, by name."""
    assert lab.organisation is not None
    directory = lab.organisation.organisation.directory
    directory.settle()
    records = directory.read(directory.domain_controllers[0])
    return {r.name: list(r.attributes["SmartHosts"]) for r in records if r.attributes["SmartHosts"]}


def test_a_hand_made_connector_concerns_its_domain_only(
    tmp_path: Path, controller: Controller
) -> None:
    assert DEFAULT.organisation is not None
    organisation = replace(DEFAULT.organisation, connectors=(INTERNET, THEIRS))
    scenario = replace(DEFAULT, hosts=(), organisation=organisation)
    with Lab(scenario, tmp_path / "lab") as lab:
        lab.write_inventory(controller.inventory)
        before = smart_hosts(lab)
        for playbook in ("audit", "enforce"):
            run = controller.playbook(playbook)
            assert run.status == 2, run.output
            said = " ".join(run.output.split())
            assert (
                "nestle.com: the connector 'Partner' was not made by this collection and has smart"
                " host 192.0.2.25 instead of 192.0.2.25, 192.0.2.26, 192.0.2.27;"
                " mx_delivery_connector_existing: adopt takes it over"
            ) in said
        pinned = smart_hosts(lab)
        assert pinned.pop("postmaster.exchange contoso.example") == [
            "[192.0.2.41]",
            "[192.0.2.42]",
        ]
        assert pinned == before
        audit = controller.playbook("audit")  # nothing else differs: still drift
        assert audit.status == 2, audit.output
        adopted = controller.playbook("enforce", "-e", "mx_delivery_connector_existing=adopt")
        assert adopted.status == 0, adopted.output
        assert len(smart_hosts(lab)["Partner"]) == 3
        assert controller.playbook("audit").status == 0
