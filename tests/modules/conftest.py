# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests share that run tasks against the lab in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exchange_lab.lab import Lab

sys.path.insert(0, str(Path(__file__).parent))

from worker import Play, Result, Worker


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that no other test shares."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture
def worker_of(tmp_path: Path) -> Callable[[Lab], Worker]:
    """Makes the worker of a lab."""

    def made(lab: Lab) -> Worker:
        folder = tmp_path / "project"
        return Worker(folder, lab.write_inventory(folder / "inventory" / "hosts.yml"))

    return made


@pytest.fixture
def play(worker_of: Callable[[Lab], Worker]) -> Play:
    """Runs tasks on a host of a lab: ``play(lab, host, *tasks, **options)``.

    A task is a pair of a name and a task; its result has that name in what is returned, and in the
    templates of later tasks. A task that fails does not stop the others.
    """

    workers: dict[Lab, Worker] = {}

    def run(lab: Lab, host: str, *tasks: tuple[str, dict[str, Any]], **options: Any) -> Any:
        worker = workers.get(lab) or workers.setdefault(lab, worker_of(lab))
        variables = dict(options.pop("variables", {}))
        results: dict[str, Result] = {}
        for name, task in tasks:
            given = {**variables, **results}
            results[name] = worker.run(host, task, variables=given, **options)
        return results

    return run
