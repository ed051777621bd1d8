# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/least-privilege.md: its rights suffice for the playbooks, and one less is an error."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.plan import (
    OTHER_SETTINGS,
    PIN_PARAMETERS,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.failures import (
    MANAGEMENT_ROLES,
)
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from exchange_lab.scenario_default import DEFAULT
from pages import DOCS

pytestmark = [pytest.mark.e2e, pytest.mark.full]

PAGE = (DOCS / "least-privilege.md").read_text("utf-8")
_CODE = re.compile(r"`([^`]+)`")
_ROW = re.compile(r"^\| (`[A-Z][a-z]+-\w+`[^|]*) \|([^|]*)\|$", re.MULTILINE)
_SETTINGS = PAGE[PAGE.index("The settings: ") : PAGE.index("An account in")]
SETTINGS = _CODE.findall(_SETTINGS)


def rights(table: str) -> set[str]:
    """Return the rights in the table with this heading, as the lab has them."""
    begin = PAGE.index(f"| {table} | parameters |")
    text = PAGE[begin : PAGE.index("\n\n", begin)]
    found = set()
    for cmdlets, parameters in _ROW.findall(text):
        names = [*_CODE.findall(parameters), *(SETTINGS if "settings below" in parameters else ())]
        for cmdlet in (name for name in _CODE.findall(cmdlets) if "-" in name):
            found |= {cmdlet, *(f"{cmdlet} -{name}" for name in names)}
    return found


LOOK = rights("look")
CHANGE = LOOK | rights("change")

Site = Callable[[set[str]], AbstractContextManager[Lab]]


@pytest.fixture
def site(tmp_path: Path, controller: Controller) -> Site:
    """Return what starts an organisation in which the account has these rights only."""
    assert DEFAULT.organisation is not None
    organisation = replace(DEFAULT.organisation, servers=DEFAULT.organisation.servers[:1])

    @contextmanager
    def start(allowed: set[str]):  # type: ignore[no-untyped-def]
        spec = replace(organisation, only=tuple(sorted(allowed)))
        scenario = replace(DEFAULT, hosts=(), managers=(), organisation=spec)
        with Lab(scenario, tmp_path / "lab") as lab:
            lab.write_inventory(controller.inventory)
            yield lab

    return start


def test_the_page_has_every_setting_of_a_connector() -> None:
    assert sorted(SETTINGS) == sorted({*PIN_PARAMETERS, *OTHER_SETTINGS})


def test_the_rights_to_look_suffice_to_look(site: Site, controller: Controller) -> None:
    with site(LOOK):
        check = controller.playbook("check")
        assert check.status == 0, check.output
        audit = controller.playbook("audit")
        assert audit.status == 2, audit.output
        assert "could not be" not in audit.output
        diagnose = controller.playbook("diagnose")
        assert diagnose.status == 0, diagnose.output
        assert "lack" not in diagnose.output


def test_the_rights_to_change_suffice_for_all(site: Site, controller: Controller) -> None:
    with site(CHANGE):
        for playbook, *options in (
            ("enforce",),
            ("audit",),
            ("rollback",),
            ("rollback", "-e", "mx_delivery_list=true"),
        ):
            run = controller.playbook(playbook, *options)
            assert run.status == 0, run.output


@pytest.mark.parametrize("right", ["Get-SendConnector", "New-SendConnector", "Get-ExchangeServer"])
def test_one_right_less_names_the_cmdlet_and_the_role(
    right: str, site: Site, controller: Controller
) -> None:
    with site({one for one in CHANGE if one.partition(" ")[0] != right}):
        run = controller.playbook("enforce")
    assert run.status == 2
    flat = " ".join(run.output.split())
    assert f"lack {right}. The role '{MANAGEMENT_ROLES[right]}' has it" in flat


def test_one_parameter_less_is_named_by_its_cmdlet(site: Site, controller: Controller) -> None:
    with site(CHANGE - {"New-SendConnector -Usage"}):
        run = controller.playbook("enforce")
    assert run.status == 2
    assert "lack this parameter of New-SendConnector." in " ".join(run.output.split())
