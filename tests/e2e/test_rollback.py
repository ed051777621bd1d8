# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups listed and put back by the playbook rollback, on a 5.5 host and an organisation."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._run import backups
from exchange_lab.controller import Controller, Run
from exchange_lab.lab import Lab
from exchange_lab.scenario_default import DEFAULT

pytestmark = pytest.mark.e2e

SCENARIO = replace(
    DEFAULT,
    hosts=(replace(DEFAULT.hosts[1], letters=()), DEFAULT.hosts[2]),
    domains=("nestle.com", "aol.com"),
)
OLD = ("-l", "mail55")


@pytest.fixture
def lab(tmp_path: Path, controller: Controller) -> Iterator[Lab]:
    """An untreated 5.5 host and one in order, and an organisation of two servers."""
    with Lab(SCENARIO, tmp_path / "lab") as running:
        running.write_inventory(controller.inventory)
        yield running


def having(**variables: Any) -> tuple[str, str]:
    """Command-line options that set variables for all hosts."""
    return "-e", json.dumps({f"mx_delivery_{name}": value for name, value in variables.items()})


ORGANISATION = backups.folder_of(Path(), "First Organization hq.example").name


def enforced(controller: Controller, *options: str) -> Run:
    run = controller.playbook("enforce", *having(test="none"), *options)
    assert run.status == 0, run.output
    return run


def listed(controller: Controller, *options: str) -> Run:
    return controller.playbook("rollback", *having(list=True), *options)


def rows(lab: Lab) -> list[str]:
    return [row.lower() for row in lab["mail55"].imc.connector.rows]


def connectors(lab: Lab) -> list[str]:
    assert lab.organisation is not None
    directory = lab.organisation.organisation.directory
    return sorted(record.name for record in directory.read(directory.domain_controllers[0]))


def saved(controller: Controller, name: str) -> list[dict[str, Any]]:
    """What the backups of a host or an organisation say of themselves, the oldest first."""
    folder = controller.folder / "backups" / name
    return [
        {**json.loads((path / "backup.json").read_text()), "name": path.name}
        for path in sorted(folder.iterdir())
    ]


def flat(text: str) -> str:
    """Text without its line breaks, wherever the callback put them."""
    return " ".join(text.split())


def test_the_list_tells_time_run_and_difference(lab: Lab, controller: Controller) -> None:
    empty = listed(controller)
    assert empty.status == 0, empty.output
    assert f"mail55: no backup in {controller.folder}/backups/mail55" in flat(empty.output)
    enforced(controller)
    (of_host,) = saved(controller, "mail55")
    (of_organisation,) = saved(controller, ORGANISATION)
    run = of_host["run"]
    assert run
    assert of_organisation["run"] == run  # one run, whichever kinds of hosts it changed
    before = rows(lab), connectors(lab), sorted((controller.folder / "backups").rglob("*"))
    found = listed(controller)
    assert (found.status, found.changed) == (0, 0), found.output
    text = flat(found.output)
    assert (
        f"{of_host['name']} run {run}, before a change 7 routes (nestle.com, aol.com) and the"
        " search list switch" in text
    )
    assert (
        f"{of_organisation['name']} run {run}, before a change 2 connectors"
        " (contoso.example, nestle.com)" in text
    )
    assert text.count("First Organization (hq.example): 1 backup") == 1
    assert "mail55-ok: no backup" in text
    after = rows(lab), connectors(lab), sorted((controller.folder / "backups").rglob("*"))
    assert after == before
    detailed = listed(controller, "--diff", *OLD)
    assert f"+++ mail55: delivery routes, in {of_host['name']}" in detailed.output
    assert "-nestle.com    192.0.2.25" in detailed.output


def test_the_list_names_a_host_that_cannot_be_looked_at(lab: Lab, controller: Controller) -> None:
    enforced(controller, *OLD)
    file = controller.inventory.parent / "host_vars" / "mail55-ok.yml"
    file.parent.mkdir()
    file.write_text("ansible_password: wrong\n")
    found = listed(controller, "-l", "exchange_imc")
    assert found.status == 4, found.output
    assert "run " in found.output
    assert "mail55-ok: " in flat(found.output)
    assert found.recap("mail55-ok")["unreachable"] == 1


def test_a_run_is_put_back_by_its_name(lab: Lab, controller: Controller) -> None:
    untouched = rows(lab), connectors(lab)
    enforced(controller)
    (of_host,) = saved(controller, "mail55")
    enforced(controller, *OLD, *having(domains=["nestle.com"], state="exact", exact_confirm=True))
    assert rows(lab)[0].startswith("nestle.com")
    options = having(backup=of_host["run"])
    preview = controller.playbook("rollback", "--check", "--diff", *options)
    assert preview.status == 0, preview.output
    for host in ("mail55", "ex19-a", "exse-b"):
        assert f"{host} would be as in" in flat(preview.output)
    back = controller.playbook("rollback", *options)
    assert back.status == 0, back.output
    assert (rows(lab), connectors(lab)) == untouched
    assert "mail55-ok has no such backup, and was left alone" in flat(back.output)
    *_older, last = saved(controller, "mail55")
    assert last["run"] not in {"", of_host["run"]}  # the rollback has a name, too
    forward = controller.playbook("rollback", *OLD, *having(backup=last["run"]))
    assert forward.status == 0, forward.output
    assert rows(lab)[0].startswith("nestle.com")


def test_what_is_named_has_to_be_there(lab: Lab, controller: Controller) -> None:
    enforced(controller, *OLD)
    typed = controller.playbook("rollback", *having(backup="chnage-1"))
    assert typed.status == 2, typed.output
    assert "none of these hosts has a backup of run chnage-1" in flat(typed.output)
    other = controller.playbook("rollback", *OLD, *having(backup="2020-01-01T000000Z"))
    assert other.status == 2, other.output
    assert "no backup of this host was found in" in flat(other.output)
    shutil.rmtree(controller.folder / "backups")
    none = controller.playbook("rollback", *OLD)
    assert none.status == 2, none.output
    assert f"No backup was found in {controller.folder}/backups." in flat(none.output)


def test_without_a_name_the_last_run_is_undone_and_nothing_else(
    lab: Lab, controller: Controller
) -> None:
    """Limits hold it, no message is sent, and where nothing of it can be undone it fails."""
    enforced(controller, *OLD)
    first = rows(lab)
    enforced(controller, "-l", "exchange_transport")
    (of_organisation,) = saved(controller, ORGANISATION)
    run = of_organisation["run"]
    others = controller.playbook("rollback", *OLD)
    assert others.status == 2, others.output
    assert f"the last run, {run}, changed First Organization hq.example, and none" in flat(
        others.output
    )
    held = controller.playbook("rollback", *having(max_changes=1))
    assert held.status == 2, held.output
    assert "exceed mx_delivery_max_changes (1)" in flat(held.output)
    assert len(connectors(lab)) > 1
    back = controller.playbook("rollback")
    assert back.status == 0, back.output
    assert f"The last run is {run}, begun on" in back.output
    assert "mail55 has no such backup, and was left alone." in back.output
    assert rows(lab) == first
    assert "delivered" not in back.output
    again = controller.playbook("rollback")
    assert (again.status, again.changed) == (0, 0), again.output
    assert "is already as in" in flat(again.output)


def test_test_messages_follow_what_is_pinned_again(lab: Lab, controller: Controller) -> None:
    """A domain without a pin may have had no way out: it gets no message that stays behind."""
    enforced(controller, *OLD)
    back = controller.playbook("rollback", *OLD, *having(rollback_test="changed", test_deadline=3))
    assert back.status == 0, back.output
    assert rows(lab) == ["partner.corp;10.1.2.3;0"]
    assert "queued" not in back.output
    *_older, last = saved(controller, "mail55")
    again = having(backup=last["run"], rollback_test="changed")
    forward = controller.playbook("rollback", *OLD, *again)
    assert forward.status == 0, forward.output
    assert "2 delivered" in flat(forward.output)


def test_a_failure_and_an_unreachable_host_are_in_the_report(
    lab: Lab, controller: Controller
) -> None:
    enforced(controller)
    file = controller.inventory.parent / "host_vars" / "mail55.yml"
    file.parent.mkdir()
    file.write_text("ansible_password: wrong\n")
    (damaged,) = (controller.folder / "backups" / ORGANISATION).iterdir()
    (damaged / "backup.json").write_text("{")
    run = controller.playbook("rollback")
    assert run.status == 4, run.output
    told = flat(run.output[run.output.index("Action required") :])
    assert "mail55: " in told
    assert f"ex19-a, exse-b: First Organization hq.example: the backup in {damaged}" in told
    assert "cannot be read, and may be that of" in told
    assert run.recap("mail55")["unreachable"] == 1
    assert run.recap("ex19-a")["failed"] == 1
    assert run.recap("mail55-ok")["failed"] == 0
