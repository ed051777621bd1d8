# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run cut into slices, as AWX does it: ansible-runner, several at the same time, one report.

Each job has a folder, an inventory and a cache of its own, as in a container of its own. What one
hands on to the next is what AWX takes: the artefacts of its last event.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._report.slices import unpacked
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from exchange_lab.scenario_default import DEFAULT
from secret_search import Leak, Search

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs" / "report-schema.json").read_text())
SERVERS = {"ex19-a", "exse-b"}
PINS = {"contoso.example", "nestle.com"}


@dataclass(slots=True)
class Job:
    """A job that ended: its exit status, what it printed, what it handed on, and its folder."""

    folder: Path
    process: subprocess.Popen[bytes]
    artefacts: dict[str, Any] = field(default_factory=dict)

    @property
    def output(self) -> str:
        return (self.folder / "artifacts" / "job" / "stdout").read_text()

    @property
    def events(self) -> list[dict[str, Any]]:
        files = (self.folder / "artifacts" / "job" / "job_events").glob("*.json")
        return [json.loads(file.read_text()) for file in sorted(files, key=_number)]

    def wait(self) -> int:
        """Return the exit status; afterwards the artefacts are there, as AWX would keep them."""
        self.process.wait(120)
        last = self.events[-1]["event_data"]
        self.artefacts = last.get("artifact_data", {})
        return int((self.folder / "artifacts" / "job" / "rc").read_text())


def _number(file: Path) -> int:
    return int(file.name.partition("-")[0])


@dataclass(slots=True)
class Forge:
    """What starts jobs: the inventory of all hosts, cut as AWX cuts it."""

    controller: Controller
    folder: Path
    started: int = 0

    def start(
        self, playbook: str, part: tuple[int, int] = (1, 1), options: str = "", **variables: Any
    ) -> Job:
        """Start a playbook on the n-th of so many slices; variables come with their whole names."""
        self.started += 1
        folder = self.folder / f"job{self.started}"
        for name in ("env", "inventory", "project", "home"):
            (folder / name).mkdir(parents=True)
        shutil.copy(self.controller.folder / "ansible.cfg", folder / "project")
        script = folder / "inventory" / "hosts"
        text = json.dumps(self._inventory(*part))
        script.write_text(f"#!/usr/bin/env python3\nprint({text!r})\n")
        script.chmod(0o700)
        given = {"awx_job_id": 100 + self.started, "awx_user_name": "eve", **variables}
        (folder / "env" / "extravars").write_text(json.dumps(given))
        home = folder / "home"
        environment = {
            **self.controller.environment(),
            "ANSIBLE_CONFIG": str(folder / "project" / "ansible.cfg"),
            "ANSIBLE_HOME": str(home / ".ansible"),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "HOME": str(home),
        }
        command = ["ansible-runner", "run", str(folder), "--ident", "job"]
        command += ["-p", f"postmaster.exchange.{playbook}"]
        command += [f"--cmdline={options}"] if options else []
        with (folder / "printed").open("wb") as printed:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed
            )
        return Job(folder, process)

    def _inventory(self, number: int, count: int) -> dict[str, Any]:
        """The inventory of a slice: every n-th host by name, in its groups."""
        listed = self.controller.run(["ansible-inventory", "-i", "inventory", "--list"])
        whole: dict[str, Any] = json.loads(listed.output)
        variables = whole.pop("_meta")["hostvars"]
        mine = sorted(variables)[number - 1 :: count]
        groups = {
            name: {**group, "hosts": [host for host in group.get("hosts", ()) if host in mine]}
            for name, group in whole.items()
        }
        return {**groups, "_meta": {"hostvars": {host: variables[host] for host in mine}}}


@pytest.fixture
def lab(tmp_path: Path, controller: Controller) -> Iterator[Lab]:
    """Three old hosts, and an organisation of two, which are in different slices."""
    with Lab(DEFAULT, tmp_path / "lab") as running:
        running.write_inventory(controller.inventory)
        yield running


@pytest.fixture
def forge(lab: Lab, controller: Controller, tmp_path: Path) -> Forge:
    return Forge(controller, tmp_path / "jobs")


def finished(*jobs: Job) -> dict[str, Any]:
    """Wait for jobs that have to succeed, and return what they hand on together."""
    handed: dict[str, Any] = {}
    for job in jobs:
        assert job.wait() == 0, job.output
        handed |= job.artefacts
    return handed


def document(job: Job, name: str = "report.json") -> dict[str, Any]:
    """A report that a job wrote, which is as its schema says."""
    found: dict[str, Any] = json.loads((job.folder / "project" / name).read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(found)
    return found


def outcomes(report: Mapping[str, Any]) -> dict[str, str]:
    return {host["name"]: host["state"] for host in report["hosts"]}


def changes(lab: Lab) -> dict[str, int]:
    """How often each cmdlet that changes a connector was run in the organisation."""
    assert lab.organisation is not None
    counters = lab.organisation.organisation.counters
    return {verb: counters.cmdlets(f"{verb}-SendConnector") for verb in ("New", "Set", "Remove")}


def leaks(lab: Lab, *jobs: Job) -> list[Leak]:
    """Passwords in what jobs leave behind: events, standard output, and what they hand on."""
    search = Search({"password": lab.scenario.password})
    found = [leak for job in jobs for leak in search.folder(job.folder / "artifacts")]
    for job in jobs:
        for name, text in job.artefacts.items():
            found += search.text(name, json.dumps(unpacked(name, text)).encode())
    return found


def overlap(jobs: Sequence[Job]) -> bool:
    """Whether the jobs worked at the same moment."""
    spans = [(job.events[0]["created"], job.events[-1]["created"]) for job in jobs]
    return max(start for start, _end in spans) < min(end for _start, end in spans)


@pytest.mark.full
def test_a_workflow_of_slices_is_one_run(lab: Lab, forge: Forge) -> None:
    shared = finished(forge.start("resolve", mx_delivery_share="all"))
    assert shared["mx_delivery_run"] == "awx-101"
    assert shared["mx_delivery_writers"] == ["ex19-a"]
    backups = forge.folder / "backups"
    shared |= {"mx_delivery_share": "all", "mx_delivery_backup_dir": str(backups)}

    slices = [forge.start("enforce", (number, 2), **shared) for number in (1, 2)]
    reports = finished(*slices)
    assert overlap(slices)
    assert len(reports) == 2
    assert changes(lab) == {"New": len(PINS), "Set": 0, "Remove": 0}

    whole = {"mx_delivery_report_json": "report.json", **shared}
    merge = forge.start("merge", **whole, **reports)
    finished(merge)
    report = document(merge)
    assert outcomes(report) == {
        "mail50": "changed",
        "mail55": "changed",
        "mail55-ok": "up_to_date",
        "ex19-a": "changed",
        "exse-b": "up_to_date",
    }
    assert [set(one["hosts"]) for one in report["run"]["slices"]] == [
        {"ex19-a", "mail50", "mail55-ok"},
        {"exse-b", "mail55"},
    ]
    assert report["run"]["id"] == "awx-101"
    assert report["run"]["dns"]["questions"] == 0  # the pairs are those that were resolved once
    assert report["run"]["lock"]["path"] == "mx_pairs.lock.yml of awx-101"
    assert report["answer"]["tests"] == {"delivered": 8}
    assert {one["by"] for one in report["organisations"][0]["connectors"]} == {"ex19-a"}

    audits = [forge.start("audit", (number, 2), **shared) for number in (1, 2)]
    found = finished(*audits)
    finished(forge.start("merge", **whole, **found))
    runs = [json.loads(file.read_text())["run"] for file in backups.rglob("*.json")]
    assert runs == ["awx-101"] * 3

    assert leaks(lab, *slices, merge, *audits) == []


@pytest.mark.full
@pytest.mark.full
def test_a_plan_of_slices_is_approved_and_enforced(lab: Lab, forge: Forge) -> None:
    """It goes from job to job as artefacts, and a host that was not planned is not changed."""
    shared = {"mx_delivery_share": "all", "mx_delivery_run": "change-7"}
    audits = [
        forge.start("audit", (n, 2), **shared, mx_delivery_plan_out="plan.json") for n in (1, 2)
    ]
    handed: dict[str, Any] = {}
    for job in audits:
        assert job.wait() == 2, job.output
        handed |= job.artefacts
    assert len([name for name in handed if name.startswith("mx_delivery_plan_")]) == 2
    assert leaks(lab, *audits) == []
    merge = forge.start("merge", **shared, **handed, mx_delivery_plan_out="plan.json")
    assert merge.wait() == 2, merge.output
    plan = json.loads((merge.folder / "project" / "plan.json").read_text())
    jsonschema.validate(plan, json.loads((ROOT / "docs" / "plan-schema.json").read_text()))
    assert set(plan["hosts"]) == {"mail50", "mail55", "mail55-ok", *SERVERS}
    content: dict[str, Any] = {
        "mx_delivery_plan_content": merge.artefacts["mx_delivery_plan_content"]
    }
    assert "{" not in content["mx_delivery_plan_content"]
    backups = str(forge.folder / "backups")
    content |= {"mx_delivery_writers": ["ex19-a"], "mx_delivery_backup_dir": backups}
    finished(*(forge.start("enforce", (n, 2), **shared, **content) for n in (1, 2)))
    assert changes(lab) == {"New": len(PINS), "Set": 0, "Remove": 0}


def test_what_a_slice_leaves_to_another_is_told_when_all_have_reported(
    lab: Lab, forge: Forge, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    common = {
        "mx_delivery_share": "run",
        "mx_delivery_lock": str(shared / "mx_pairs.lock.yml"),
        "mx_delivery_backup_dir": str(shared / "backups"),
        "mx_delivery_hosts": "exchange_transport",
    }
    handed = finished(forge.start("resolve", **common))
    assert set(handed) == {"mx_delivery_run", "mx_delivery_valid_until", "mx_delivery_writers"}
    common |= handed
    own = {"mx_delivery_report_json": f"{shared}/reports/{{{{ awx_job_id }}}}.json"}

    where = {"mx_delivery_report_json": f"{shared}/looks/{{{{ awx_job_id }}}}.json"}
    finished(*(forge.start("enforce", (n, 2), "--check", **common, **where) for n in (1, 2)))
    gate = {**common, "mx_delivery_merge_from": str(shared / "looks"), "mx_delivery_gate": True}
    stopped = forge.start("merge", **gate, mx_delivery_max_changed_hosts="0%")
    assert stopped.wait() == 2, stopped.output
    said = " ".join(stopped.output.split())
    assert "1 of 1 hosts and organisations would change (100 %); " in said
    finished(forge.start("merge", **gate))

    second = forge.start("enforce", (2, 2), **common, **own)
    finished(second)
    assert sum(changes(lab).values()) == 0
    assert "The only host would change." in second.output

    merge = {"mx_delivery_merge_from": str(shared / "reports"), **common}
    early = forge.start("merge", **merge, mx_delivery_report_json="report.json")
    assert early.wait() == 4, early.output
    assert outcomes(document(early)) == {"ex19-a": "unknown", "exse-b": "failed"}
    assert "ex19-a: no slice reported on this host" in early.output

    finished(forge.start("enforce", (1, 2), **common, **own))
    assert changes(lab)["New"] == len(PINS)
    done = forge.start("merge", **merge, mx_delivery_report_json="report.json")
    finished(done)
    assert outcomes(document(done)) == {"ex19-a": "changed", "exse-b": "up_to_date"}

    finished(forge.start("enforce", (2, 2), **common, **own))  # once more, in a new report
    twice = forge.start("merge", **merge)
    assert twice.wait() == 2, twice.output
    assert "exse-b is in" in twice.output
