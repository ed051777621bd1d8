# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks as an operator runs them, against the lab's three old hosts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from exchange_lab.scenario_default import DEFAULT, DIRECT

pytestmark = pytest.mark.e2e

PARAMETERS = r"HKLM\SYSTEM\CurrentControlSet\Services\MSExchangeIMC\Parameters"
SWITCH = "DisableResolverSearchList"
#: At most so many WinRM requests for a host in the desired state, an NTLM login included.
MOST_REQUESTS = 8
UNTESTED = ("-e", "mx_delivery_test=none")


def files_of(folder: Path) -> list[str]:
    """Every file below a folder, but for those that come and go with the mail itself."""
    paths = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in paths if not {"imcdata", "tracking.log"} & {*path.split("/")})


def state_of(lab: Lab) -> dict[str, object]:
    """All that a playbook could change on the hosts: settings, table, service, files."""
    return {
        name: (
            machine.host.registry.export(PARAMETERS),
            machine.imc.connector.save(),
            machine.host.services.get("MSExchangeIMC").state,
            files_of(lab.folder / "hosts" / name),
        )
        for name, machine in lab.machines.items()
    }


def rows(lab: Lab, host: str) -> list[str]:
    """The rows of a host's route table, in lower case."""
    return [row.lower() for row in lab[host].imc.connector.rows]


def settled(lab: Lab) -> None:
    """Wait until every letter has left, or was put off once."""
    for machine in lab.machines.values():
        letters = len(machine.spec.letters)
        machine.imc.wait(
            lambda imc, letters=letters: (
                len(imc.delivered) + sum(bool(entry.reply) for entry in imc.queue) == letters
            )
        )


@pytest.mark.full
def test_the_whole_job(lab: Lab, controller: Controller) -> None:
    settled(lab)
    before = state_of(lab)

    audit = controller.playbook("audit")
    assert audit.status == 2, audit.output
    assert state_of(lab) == before
    assert "mail55: enforce would change the search list switch" in audit.output
    assert "mail55-ok: enforce" not in audit.output

    enforce = controller.playbook("enforce", "--diff")
    assert enforce.status == 0, enforce.output
    assert [enforce.recap(host)["changed"] for host in lab.machines] == [1, 1, 0]
    for host in lab.machines:
        stored = lab[host].host.registry.get(PARAMETERS, SWITCH)
        assert stored is not None
        assert (stored.name, stored.data) == (SWITCH, 1)
        assert "partner.corp;10.1.2.3;0" in rows(lab, host)
        assert "nestle.com;192.0.2.27;0" in rows(lab, host)
    assert "aol.com;198.51.100.200;0" not in rows(lab, "mail50")
    tested = {to for mail in lab.sinks.received for to in mail.recipients}
    assert {"postmaster@nestle.com", "postmaster@aol.com", "postmaster@sister.example"} <= tested
    lab["mail55"].imc.wait(lambda imc: not imc.queue)
    assert "buyer@nestle.com" in {to for mail in lab.sinks.received for to in mail.recipients}

    treated = state_of(lab)
    counted = {name: machine.requests for name, machine in lab.machines.items()}
    again = controller.playbook("enforce")
    assert (again.status, again.changed) == (0, 0), again.output
    assert state_of(lab) == treated
    for name, machine in lab.machines.items():  # all are behind one management host
        assert machine.requests - counted[name] <= MOST_REQUESTS * len(lab.machines)

    clean = controller.playbook("audit")
    assert clean.status == 0, clean.output


@pytest.mark.full
def test_rollback_puts_everything_back_and_once_more_changes_nothing(
    lab: Lab, controller: Controller
) -> None:
    tables = {host: rows(lab, host) for host in lab.machines}
    assert controller.playbook("enforce", "-e", "mx_delivery_test=none").status == 0
    pinned = {host: rows(lab, host) for host in lab.machines}

    preview = controller.playbook("rollback", "--check", "--diff", *UNTESTED)
    assert preview.status == 0, preview.output
    assert "-nestle.com" in preview.output
    assert {host: rows(lab, host) for host in lab.machines} == pinned

    back = controller.playbook("rollback", *UNTESTED)
    assert back.status == 0, back.output
    assert {host: rows(lab, host) for host in lab.machines} == tables
    assert lab["mail55"].host.registry.get(PARAMETERS, SWITCH) is None
    spelled = lab["mail50"].host.registry.get(PARAMETERS, SWITCH)
    assert spelled is not None
    assert spelled.name == "disableresolversearchlist"
    assert "mail55-ok has no such backup, and was left alone" in back.output

    again = controller.playbook("rollback", *UNTESTED)
    assert (again.status, again.changed) == (0, 0), again.output
    assert {host: rows(lab, host) for host in lab.machines} == tables

    forward = controller.playbook("enforce", "-e", "mx_delivery_test=none")
    assert forward.status == 0, forward.output
    assert {host: rows(lab, host) for host in lab.machines} == pinned


def test_rollback_to_a_backup_by_its_name(lab: Lab, controller: Controller) -> None:
    untouched = rows(lab, "mail55")
    assert controller.playbook("enforce", "-e", "mx_delivery_test=none").status == 0
    (stamp,) = (path.name for path in (controller.folder / "backups" / "mail55").iterdir())
    assert controller.playbook("rollback", "-l", "mail55", *UNTESTED).status == 0
    named = ("-l", "mail55", "-e", f"mx_delivery_backup={stamp}")
    again = controller.playbook("rollback", *named)
    assert (again.status, again.changed) == (0, 0), again.output
    assert f"mail55 is already as in {controller.folder}/backups/mail55/{stamp}" in again.output
    assert rows(lab, "mail55") == untouched


def test_rollback_without_any_backup_says_where_it_looked(lab: Lab, controller: Controller) -> None:
    run = controller.playbook("rollback")
    assert run.status == 2
    assert f"No backup was found in {controller.folder}/backups." in " ".join(run.output.split())


def test_a_check_run_of_enforce_changes_and_sends_nothing(lab: Lab, controller: Controller) -> None:
    settled(lab)
    before, sent = state_of(lab), lab.sinks.received
    run = controller.playbook("enforce", "--check", "--diff")
    assert run.status == 0, run.output
    assert [run.recap(host)["changed"] for host in lab.machines] == [1, 1, 0]
    assert "+nestle.com" in run.output
    assert "3 would send" in run.output
    assert state_of(lab) == before
    assert lab.sinks.received == sent


def test_diagnose_explains_the_fault_and_changes_nothing(lab: Lab, controller: Controller) -> None:
    settled(lab)
    before = state_of(lab)
    run = controller.playbook("diagnose")
    assert (run.status, run.changed) == (0, 0), run.output
    for said in (
        "499 No routing hosts are reachable for nestle.com.",
        "nestle.com.hq.example has an answer (MX 10 mail.hq.example)",
        "stored as disableresolversearchlist, a spelling that Exchange ignores",
        "Switch the search list off and pin the domain to 192.0.2.25, 192.0.2.26, 192.0.2.27.",
        "Switch the search list off on mail50, mail55.",
        "Add to mx_delivery_domains: aol.com, nestle.com.",
    ):
        assert said in " ".join(run.output.split())
    assert state_of(lab) == before

    assert controller.playbook("enforce").status == 0
    after = controller.playbook("diagnose")
    assert "No further action available in this collection." in after.output


def test_an_audit_tells_which_names_lead_astray_where_they_get_a_suffix(
    lab: Lab, controller: Controller
) -> None:
    """On mail55-ok the service is told to append nothing."""
    for option in ('{"mx_delivery_search_list": ["hq.example"]}', "mx_delivery_family=auto"):
        audit = controller.playbook("audit", "-e", option, "-e", "mx_delivery_look_at_queues=false")
        assert audit.status == 2, audit.output
        _before, notices = " ".join(audit.output.split()).split(" Notices ", 1)
        assert (
            "mail50, mail55 append hq.example to names, and DNS has answers for"
            " nestle.com.hq.example, " in notices
        )


@pytest.mark.parametrize(
    "playbook",
    [
        "enforce",
        pytest.param("audit", marks=pytest.mark.full),
        pytest.param("diagnose", marks=pytest.mark.full),
    ],
)
def test_a_host_that_cannot_be_reached_does_not_stop_the_others(
    tmp_path: Path, controller: Controller, playbook: str
) -> None:
    hosts = (
        DIRECT.hosts[0],
        *DEFAULT.hosts[1:],
    )  # the first one has a way of its own, which breaks
    with Lab(replace(DEFAULT, hosts=hosts, organisation=None), tmp_path / "lab") as lab:
        lab.write_inventory(controller.inventory)
        lab["mail50"].winrm.stop()
        run = controller.playbook(playbook)
        assert run.status == 4, run.output
        assert run.recap("mail50")["unreachable"] == 1
        assert run.recap("mail55")["ok"] >= 1
        assert "mail55-ok" in run.output[run.output.index("Report]") :]
        if playbook == "enforce":
            assert "nestle.com;192.0.2.25;0" in rows(lab, "mail55")


def test_a_host_that_fails_is_reported_and_does_not_stop_the_others(
    lab: Lab, controller: Controller
) -> None:
    untouched = rows(lab, "mail50")
    lab["mail50"].imccopy.faults.fail_restore = True
    run = controller.playbook("enforce")
    assert run.status == 2, run.output
    report = run.output[run.output.index("3 hosts") :]
    assert "mail50     failed" in report
    assert "Action required\n  mail50: " in report
    assert rows(lab, "mail50") == untouched
    assert "nestle.com;192.0.2.25;0" in rows(lab, "mail55")


def test_a_wrong_password_is_one_clear_sentence(lab: Lab, controller: Controller) -> None:
    run = controller.playbook("audit", "-e", "ansible_password=wrong", "-l", "mail55")
    assert run.status == 4
    assert "refused the login" in run.output or "login" in run.output
    assert "Traceback" not in run.output


def test_the_report_is_text_whatever_the_format_of_results(
    lab: Lab, controller: Controller
) -> None:
    controller.more = {"ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    run = controller.playbook("audit")
    assert "\n3 hosts\n  host " in run.output
