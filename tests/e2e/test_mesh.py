# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run on another node, as AWX's mesh starts it: ``ansible-runner transmit | worker | process``.

The worker unpacks the job into a temporary folder and removes it at the end. What has to outlive
the job (backups, reports) is therefore outside that folder.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from exchange_lab.scenario_default import DEFAULT

pytestmark = [pytest.mark.e2e, pytest.mark.full]

RUNNER = [sys.executable, "-m", "ansible_runner"]
PINS = {"nestle.com", "contoso.example"}


@dataclass(slots=True)
class Mesh:
    """What transmits jobs to a node; ``kept`` is a folder of that node which outlives jobs."""

    controller: Controller
    folder: Path
    kept: Path
    started: int = 0

    def job(self, playbook: str, variables: dict[str, Any]) -> tuple[Path, bytes]:
        """Return the folder of a job, and what is transmitted of it."""
        self.started += 1
        folder = self.folder / f"job{self.started}"
        for name in ("env", "inventory", "project"):
            (folder / name).mkdir(parents=True)
        shutil.copy(self.controller.folder / "ansible.cfg", folder / "project")
        shutil.copytree(self.controller.inventory.parent, folder / "inventory", dirs_exist_ok=True)
        (folder / "env" / "extravars").write_text(json.dumps(variables))
        command = [*RUNNER, "transmit", str(folder), "--ident", "job"]
        command += ["-p", f"postmaster.exchange.{playbook}"]
        sent = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        return folder, sent.stdout

    def _environment(self) -> dict[str, str]:
        environment = self.controller.environment()
        del environment["ANSIBLE_CONFIG"], environment["PWD"]
        home = self.folder / "node"
        return {**environment, "HOME": str(home), "TMPDIR": str(self.temporary)}

    @property
    def temporary(self) -> Path:
        """Where the node unpacks jobs."""
        place = self.folder / "tmp"
        place.mkdir(parents=True, exist_ok=True)
        return place

    def worker(self, sent: bytes) -> subprocess.Popen[bytes]:
        """Start a worker on what was transmitted."""
        file = self.folder / f"sent{self.started}"
        file.write_bytes(sent)
        with file.open("rb") as stream:
            return subprocess.Popen(
                [*RUNNER, "worker"],
                stdin=stream,
                stdout=subprocess.PIPE,
                env=self._environment(),
                cwd=self.folder,
                start_new_session=True,
            )

    def run(self, playbook: str, **variables: Any) -> tuple[int, str]:
        """Run a playbook on the node; returns its exit status and what it printed."""
        folder, sent = self.job(playbook, variables)
        returned = self.worker(sent).communicate(timeout=180)[0]
        subprocess.run(
            [*RUNNER, "process", str(folder), "--ident", "job"],
            input=returned,
            check=False,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )
        artifacts = folder / "artifacts" / "job"
        return int((artifacts / "rc").read_text()), (artifacts / "stdout").read_text()


@pytest.fixture
def lab(tmp_path: Path, controller: Controller) -> Iterator[Lab]:
    with Lab(DEFAULT, tmp_path / "lab") as running:
        running.write_inventory(controller.inventory)
        yield running


@pytest.fixture
def mesh(lab: Lab, controller: Controller, tmp_path: Path) -> Mesh:
    return Mesh(controller, tmp_path / "mesh", tmp_path / "kept")


def pins(lab: Lab) -> set[str]:
    """The domains with a Send connector of ours, as Exchange has them."""
    assert lab.organisation is not None
    directory = lab.organisation.organisation.directory
    found = directory.read(directory.domain_controllers[0])
    return {record.name.removeprefix("postmaster.exchange ") for record in found} & PINS


def test_a_job_on_another_node_leaves_what_has_to_last_and_nothing_else(
    mesh: Mesh, lab: Lab
) -> None:
    kept = {"mx_delivery_backup_dir": str(mesh.kept / "backups")}
    report = mesh.kept / "report.json"
    status, output = mesh.run("enforce", **kept, mx_delivery_report_json=str(report))
    assert status == 0, output
    assert pins(lab) == PINS
    assert json.loads(report.read_text())["answer"]["verdict"] == "clean"
    assert len(list((mesh.kept / "backups").rglob("backup.json"))) == 3

    assert mesh.run("audit", **kept)[0] == 0
    status, output = mesh.run("rollback", **kept)
    assert status == 0, output
    assert pins(lab) == set()
    assert list(mesh.temporary.iterdir()) == []


def test_backups_in_the_folder_of_the_job_are_refused_before_any_host_is_asked(
    mesh: Mesh, lab: Lab
) -> None:
    status, output = mesh.run("enforce", mx_delivery_backup_dir="backups")
    assert status == 2
    assert "it is in the folder of a job, which is deleted after the job" in " ".join(
        output.split()
    )
    assert sum(lab.winrm.requests_by_host.values()) == 0
    assert pins(lab) == set()


def test_nothing_is_lost_when_the_node_goes_away(mesh: Mesh, lab: Lab) -> None:
    kept = {"mx_delivery_backup_dir": str(mesh.kept / "backups")}
    _folder, sent = mesh.job("enforce", kept)
    worker = mesh.worker(sent)
    while not list(mesh.kept.rglob("backup.json")):
        assert worker.poll() is None
        time.sleep(0.01)
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    # The processes of hosts have sessions of their own: they finish, and test, without the node.
    for _attempt in range(10):
        status, output = mesh.run("enforce", **kept)
        if status == 0:
            break
        assert "tests it now" in " ".join(output.split()), output
    assert status == 0, output
    assert pins(lab) == PINS
    assert mesh.run("audit", **kept)[0] == 0
