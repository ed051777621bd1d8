# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many hosts: exit statuses, brakes, batches with a gate, and a report whatever happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exchange_lab.controller import Controller, Run
from exchange_lab.lab import Lab
from exchange_lab.mail.smtp_sink import Temper
from exchange_lab.scenario import (
    NESTLE_SINKS,
    SIMPLE_HOST,
    HostSpec,
    Letter,
    SinkSpec,
    simple,
)

pytestmark = pytest.mark.e2e

FAR = "198.51.100.9"
NESTLE_ROWS = [f"nestle.com;{sink.address};0" for sink in NESTLE_SINKS]
ROWS = [*NESTLE_ROWS, f"far.example;{FAR};0"]
HOSTS = tuple(
    replace(SIMPLE_HOST, name=name, address=f"203.0.113.{number}")
    for number, name in enumerate(("canary", "mail51", "mail52", "mail53"), start=50)
)


def fleet(*hosts: HostSpec, temper: Temper = Temper.ACCEPT) -> Lab:
    """A lab of several hosts with two domains, of which one is served by a single far server."""
    scenario = simple(*hosts)
    return Lab(
        replace(
            scenario,
            zones={**scenario.zones, "far.example": f"@ MX 10 mx\nmx A {FAR}\n"},
            sinks=(*scenario.sinks, SinkSpec(FAR, "mx.far.example", temper)),
            domains=("nestle.com", "far.example"),
        )
    )


@pytest.fixture
def lab(controller: Controller) -> Iterator[Lab]:
    """Four hosts of which none is treated."""
    with fleet(*HOSTS) as running:
        running.write_inventory(controller.inventory)
        yield running


def having(**variables: Any) -> tuple[str, str]:
    """Command-line options that set variables for all hosts."""
    return "-e", json.dumps({f"mx_delivery_{name}": value for name, value in variables.items()})


def say(controller: Controller, **variables: Any) -> None:
    """Set variables of all hosts in the inventory."""
    file = controller.inventory.parent / "group_vars" / "exchange.yml"
    with file.open("a", encoding="utf-8") as text:
        text.writelines(f"mx_delivery_{key}: {json.dumps(it)}\n" for key, it in variables.items())


def tables(lab: Lab) -> list[list[str]]:
    """The route table of each host."""
    return [list(machine.imc.connector.rows) for machine in lab.machines.values()]


def recaps(run: Run, lab: Lab, counter: str) -> list[int]:
    """A counter of each host."""
    return [run.recap(name)[counter] for name in lab.machines]


def flat(text: str) -> str:
    """Text without its line breaks, wherever the callback put them."""
    return " ".join(text.split())


def report_of(controller: Controller, folder: str = "out") -> dict[str, Any]:
    """The report that a run wrote as JSON."""
    told: dict[str, Any] = json.loads((controller.folder / folder / "report.json").read_text())
    return told


# -- exit statuses, and the report


def test_an_audit_tells_a_difference_from_what_it_could_not_judge(
    lab: Lab, controller: Controller
) -> None:
    drift = controller.playbook("audit")
    assert drift.status == 2, drift.output
    assert recaps(drift, lab, "failed") == [1, 1, 1, 1]
    assert drift.output.count("[ERROR]") <= 1  # of hosts that differ alike, where there are any
    assert controller.playbook("enforce", *having(test="none")).status == 0
    clean = controller.playbook("audit")
    assert (clean.status, clean.changed) == (0, 0), clean.output

    lab.dns.stop()
    unknown = controller.playbook("audit", *having(dns_timeout=0.2, dns_lifetime=0.5))
    assert unknown.status == 4, unknown.output
    assert recaps(unknown, lab, "unreachable") == [1, 1, 1, 1]
    assert "DNS lookup failed, nothing changed" in flat(unknown.output)
    accepted = having(dns_timeout=0.2, dns_lifetime=0.5, fail_on=[])
    assert controller.playbook("audit", *accepted).status == 0


def test_an_audit_of_no_host_can_fail(controller: Controller) -> None:
    """To Ansible a group that is not there is no failure; the page of the nightly audit cares."""
    controller.inventory.parent.mkdir()
    controller.inventory.write_text("exchange_servers: {hosts: {mail: }}\n", encoding="utf-8")
    assert controller.playbook("audit").status == 0
    controller.more = {"ANSIBLE_HOST_PATTERN_MISMATCH": "error"}
    strict = controller.playbook("audit")
    assert strict.status == 1, strict.output
    assert "exchange" in strict.output


@pytest.mark.parametrize("playbook", ["enforce", pytest.param("audit", marks=pytest.mark.full)])
def test_a_report_comes_if_no_host_can_be_reached(
    lab: Lab, controller: Controller, playbook: str
) -> None:
    for machine in lab.machines.values():
        machine.winrm.stop()
    run = controller.playbook(playbook, *having(report_dir="out"))
    assert run.status == 4, run.output
    assert recaps(run, lab, "unreachable") == [1, 1, 1, 1]
    assert report_of(controller)["answer"]["verdict"] == "unjudged"
    assert sorted(path.name for path in (controller.folder / "out").iterdir()) == [
        "junit.xml",
        "report.html",
        "report.json",
    ]


@pytest.mark.parametrize(
    ("playbook", "status"), [("enforce", 2), pytest.param("audit", 4, marks=pytest.mark.full)]
)
def test_a_host_with_a_wrong_variable_is_named_and_the_others_go_on(
    lab: Lab, controller: Controller, playbook: str, status: int
) -> None:
    folder = controller.inventory.parent / "host_vars"
    folder.mkdir()
    (folder / "mail51.yml").write_text("mx_delivery_state: gone\nmx_delivery_max_changes: many\n")
    (folder / "mail52.yml").write_text("mx_delivery_domains: [{domain: nestle.com}]\n")
    run = controller.playbook(playbook, *having(report_dir="out", test="none"))
    assert run.status == status, run.output
    for said in (
        "value of mx_delivery_state must be one of: present, exact, absent. This host",
        "give a name, or a dictionary with the key",
    ):
        assert said in flat(run.output)
    assert "argument_spec_data" not in run.output
    outcome = {host["name"]: host["verdict"] for host in report_of(controller)["hosts"]}
    assert [outcome["mail51"], outcome["mail52"]] == [{2: "failed", 4: "unjudged"}[status]] * 2
    assert [lab[name].requests for name in ("mail51", "mail52")] == [0, 0]
    if playbook == "enforce":
        assert tables(lab) == [ROWS, [], [], ROWS]


def test_a_report_that_cannot_be_written_fails_the_run_after_the_verdicts(
    lab: Lab, controller: Controller
) -> None:
    (controller.folder / "out").mkdir()
    (controller.folder / "out" / "report.html").symlink_to("elsewhere")
    run = controller.playbook("audit", *having(report_dir="out"))
    assert run.status == 4, run.output
    assert recaps(run, lab, "unreachable") == [1, 0, 0, 0]
    assert recaps(run, lab, "failed") == [0, 1, 1, 1]


def test_standard_output_is_what_the_callback_writes(lab: Lab, controller: Controller) -> None:
    controller.more = {
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "ansible_plugins" / "callback"),
        "ANSIBLE_STDOUT_CALLBACK": "jsonl",
        "ANSIBLE_FORCE_COLOR": "1",
    }
    command = "ansible-playbook -i inventory postmaster.exchange.enforce -e mx_delivery_serial=1"
    run = controller.run(f"{command} 2> errors.txt")
    assert run.status == 0, run.output
    results = [json.loads(line) for line in run.output.splitlines()]
    assert any("lines" in result for result in results)
    progress = (controller.folder / "errors.txt").read_text()
    assert "canary: the service restarts" in progress
    assert "mail51: nestle.com: delivered after" in progress


# -- what waits


def test_an_audit_tells_what_is_stuck_and_fails_for_it_only_if_asked(
    controller: Controller,
) -> None:
    letter = Letter("sales@hq.example", "buyer@far.example", "Offer")
    host = replace(HOSTS[0], switch=("DisableResolverSearchList", 1), letters=(letter,))
    with fleet(replace(host, rows=tuple(ROWS)), temper=Temper.REFUSE) as lab:
        lab.write_inventory(controller.inventory)
        lab["canary"].imc.wait(lambda imc: any(entry.reply for entry in imc.queue))
        told = controller.playbook("audit", *having(report_dir="out"))
        assert told.status == 0, told.output
        assert report_of(controller)["answer"]["counts"]["stuck"] == 1
        failed = controller.playbook("audit", *having(fail_on=["stuck"]))
        assert failed.status == 4, failed.output
        assert "mail to far.example is delayed in the queue" in flat(failed.output)
        without = having(fail_on=["stuck"], look_at_queues=False, report_dir="out")
        assert controller.playbook("audit", *without).status == 0
        assert report_of(controller)["answer"]["counts"]["stuck"] == 0


# -- brakes


def test_more_hosts_than_allowed_means_that_none_changes(lab: Lab, controller: Controller) -> None:
    first = controller.playbook("enforce", "-l", "canary", *having(test="none"))
    assert first.status == 0, first.output
    say(controller, test="none", max_changed_hosts="50%")
    text = (
        "3 of 4 hosts would change (75 %); mx_delivery_max_changed_hosts allows 50%:"
        " mail51, mail52, mail53"
    )
    refused = controller.playbook("enforce", *having(report_dir="out"))
    assert refused.status == 2, refused.output
    assert refused.changed == 0
    assert f"{text}. To allow it, set mx_delivery_force=true or raise the limit" in flat(
        refused.output
    )
    assert tables(lab) == [ROWS, [], [], []]
    assert [host["state"] for host in report_of(controller)["hosts"]] == ["refused"] * 4

    preview = controller.playbook("enforce", "--check")
    assert (preview.status, preview.changed) == (0, 3), preview.output
    assert text in flat(preview.output)
    audit = controller.playbook("audit")
    assert audit.status == 2, audit.output
    assert text in flat(audit.output)

    forced = controller.playbook("enforce", *having(force=True))
    assert (forced.status, forced.changed) == (0, 3), forced.output
    assert tables(lab) == [ROWS] * 4


def test_a_host_that_would_change_too_much_stops_all_before_the_first_change(
    lab: Lab, controller: Controller
) -> None:
    assert controller.playbook("enforce", "-l", "canary", *having(test="none")).status == 0
    say(controller, test="none", max_changes=3)
    refused = controller.playbook("enforce")
    assert refused.status == 2, refused.output
    assert "mail51: 4 changes to 4 routes exceed mx_delivery_max_changes (3)" in flat(
        refused.output
    )
    assert (refused.changed, tables(lab)) == (0, [ROWS, [], [], []])
    smaller = controller.playbook("enforce", *having(domains=["nestle.com"]))
    assert (smaller.status, smaller.changed) == (0, 3), smaller.output


# -- batches


def test_the_next_batch_waits_for_the_test_messages_of_the_one_before(
    controller: Controller,
) -> None:
    with fleet(*HOSTS, temper=Temper.REJECT) as lab:
        lab.write_inventory(controller.inventory)
        say(controller, serial=[1, "100%"])
        stopped = controller.playbook("enforce", *having(report_dir="out"))
        assert stopped.status == 2, stopped.output
        assert tables(lab) == [ROWS, [], [], []]
        held = [
            host["name"] for host in report_of(controller)["hosts"] if host["state"] == "refused"
        ]
        assert held == ["mail51", "mail52", "mail53"]
        reason = "an earlier batch failed (canary: test message to far.example"
        assert reason in flat(stopped.output)

        # The canary has its routes by now; it is tested all the same for what the others would get.
        again = controller.playbook("enforce")
        assert again.status == 2, again.output
        assert (again.changed, tables(lab)) == (0, [ROWS, [], [], []])

        lab.sinks[FAR].temper = Temper.ACCEPT
        asked = lab.dns.count("nestle.com", "MX")
        passed = controller.playbook("enforce")
        assert passed.status == 0, passed.output
        assert tables(lab) == [ROWS] * 4
        assert lab.dns.count("nestle.com", "MX") == asked + 1
        after = controller.playbook("enforce")
        assert (after.status, after.changed) == (0, 0), after.output
        assert "4 delivered" not in after.output


def test_a_run_is_not_green_before_a_test_message_proved_the_changes_of_earlier_ones(
    controller: Controller,
) -> None:
    with fleet(HOSTS[0], temper=Temper.REJECT) as lab:
        lab.write_inventory(controller.inventory)
        assert controller.playbook("enforce").status == 2
        audit = controller.playbook("audit", *having(report_dir="out"))
        assert audit.status == 2, audit.output
        assert "hosts x domains: 1 changed, not proved, 1 up to date" in flat(audit.output)
        (host,) = report_of(controller)["hosts"]
        assert (host["state"], host["verdict"]) == ("not_proved", "drift")
        assert [one["verdict"] for one in host["unproved"]] == ["returned"]
        again = controller.playbook("enforce")
        assert (again.status, again.changed) == (2, 0), again.output
        lab.sinks[FAR].temper = Temper.ACCEPT
        assert controller.playbook("enforce").status == 0
        assert controller.playbook("audit").status == 0


def test_a_domain_that_does_not_exist_and_was_never_pinned_fails_the_run(
    controller: Controller,
) -> None:
    with fleet(HOSTS[0]) as lab:
        lab.write_inventory(controller.inventory)
        typo = having(domains=["nestle.com", "nestel.example"], test="none")
        for playbook, status in (("enforce", 2), ("audit", 4)):
            run = controller.playbook(playbook, *typo)
            assert run.status == status, run.output
            said = "nestel.example: does not exist, and no host has a pin of it (check the spelling"
            assert said in flat(run.output)


def test_a_host_that_fails_stops_the_batches_after_its_own(
    lab: Lab, controller: Controller
) -> None:
    lab["mail51"].imccopy.faults.fail_restore = True
    run = controller.playbook("enforce", "-e", "mx_delivery_serial=1,1,100%", *having(test="none"))
    assert run.status == 2, run.output
    assert tables(lab) == [ROWS, [], [], []]
    assert "an earlier batch failed (mail51: " in flat(run.output)
    assert recaps(run, lab, "failed") == [0, 1, 1, 1]


def test_what_is_no_size_of_a_batch_is_told(lab: Lab, controller: Controller) -> None:
    run = controller.playbook("enforce", *having(serial=[1, "half"]))
    assert run.status == 2
    assert "is not a batch size" in flat(run.output)
    assert [machine.requests for machine in lab.machines.values()] == [0, 0, 0, 0]


def test_two_runs_in_one_playbook_do_not_mix(lab: Lab, controller: Controller) -> None:
    """The second run must not see the queues, plans or gates that the first one left."""
    plays = [
        {
            "name": name,
            "ansible.builtin.import_playbook": f"postmaster.exchange.{name}",
            "vars": {"mx_delivery_report_dir": name, "mx_delivery_test": "none"},
        }
        for name in ("enforce", "audit")
    ]
    (controller.folder / "site.yml").write_text(json.dumps(plays))
    run = controller.playbook("site.yml")
    assert run.status == 0, run.output
    first, second = report_of(controller, "enforce"), report_of(controller, "audit")
    assert [first["run"]["kind"], second["run"]["kind"]] == ["enforce", "audit"]
    assert first["run"]["id"] != second["run"]["id"]
    assert [host["state"] for host in first["hosts"]] == ["changed"] * 4
    assert [host["state"] for host in second["hosts"]] == ["up_to_date"] * 4


def test_backups_name_the_run_that_made_them(lab: Lab, controller: Controller) -> None:
    run = controller.playbook("enforce", "-l", "canary", *having(test="none", report_dir="out"))
    assert run.status == 0, run.output
    (backup,) = (controller.folder / "backups" / "canary").glob("*/backup.json")
    assert json.loads(backup.read_text())["run"] == report_of(controller)["run"]["id"]
