# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests share that run real Ansible commands against the lab."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exchange_lab.controller import Controller, Run
from exchange_lab.lab import Lab
from exchange_lab.scenario_default import DEFAULT
from exchange_lab.warm import Server

sys.path.insert(0, str(Path(__file__).parent))

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session", autouse=True)
def warm() -> Iterator[None]:
    """Playbooks begin where the libraries are imported already."""
    Controller.warm = server = Server()
    yield
    Controller.warm = None
    server.close()


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    """An administrator's folder, with this checkout as the installed collection."""
    return Controller(tmp_path / "project", ROOT / ".build")


@pytest.fixture
def lab(tmp_path: Path, controller: Controller) -> Iterator[Lab]:
    """The lab's three old hosts, running, with their inventory in the administrator's folder."""
    with Lab(replace(DEFAULT, organisation=None), tmp_path / "lab") as running:
        running.write_inventory(controller.inventory)
        yield running


Play = Callable[..., tuple[Run, dict[str, Any]]]

_RESULTS = {"results": "{{ dict(names | zip(names | map('extract', vars))) }}"}
_KEEP = {
    "name": "Keep the results",
    "ansible.builtin.copy": {
        "dest": "{{ playbook_dir }}/{{ inventory_hostname }}.json",
        "content": "{{ results | to_json }}",
        "mode": "0600",
    },
    "check_mode": False,
    "delegate_to": "localhost",
}


@pytest.fixture
def play(controller: Controller) -> Play:
    """Runs tasks on a host of the inventory: ``play(host, *tasks, options=())``.

    A task is a pair of a name and a task; what it registers under its name is returned by it. A
    task that fails does not stop the others.
    """

    def run(
        host: str, *tasks: tuple[str, dict[str, Any]], options: tuple[str, ...] = ()
    ) -> tuple[Run, dict[str, Any]]:
        names = [name for name, _skipped in tasks]
        keep = {**_KEEP, "vars": {**_RESULTS, "names": names}}
        doing = [
            {"name": name, "register": name, "ignore_errors": True, **task} for name, task in tasks
        ]
        plays = [{"hosts": host, "gather_facts": False, "tasks": [*doing, keep]}]
        (controller.folder / "play.yml").write_text(json.dumps(plays))
        kept = controller.folder / f"{host}.json"
        kept.unlink(missing_ok=True)
        done = controller.playbook("play.yml", *options)
        return done, json.loads(kept.read_text()) if kept.exists() else {}

    return run
