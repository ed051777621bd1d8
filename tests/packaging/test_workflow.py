# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public forge tests what the collection says it supports, and runs our own commands."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from antsibull_nox.ansible import get_ansible_core_info
from antsibull_nox.utils import Version

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import oldest  # noqa: E402 - the path comes first

PYTHONS = ("3.11", "3.12", "3.13", "3.14")


@pytest.fixture(name="jobs")
def _jobs() -> dict[str, Any]:
    return yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]


def steps(jobs: dict[str, Any], key: str) -> Iterator[str]:
    """Yield what stands under a key in the steps of all jobs."""
    for job in jobs.values():
        yield from (step[key] for step in job["steps"] if key in step)


def minor(text: str) -> int:
    return int(text.split(".")[1])


def supported(ansible: str) -> set[str]:
    """Return which of our Pythons a release of ansible-core runs on."""
    runs_on = get_ansible_core_info(Version.parse(ansible)).controller_python_versions
    return {str(python) for python in runs_on} & set(PYTHONS)


def test_the_matrix_has_every_pair_of_versions_that_go_together(jobs: dict[str, Any]) -> None:
    cells = [(c["ansible"], c["python"]) for c in jobs["versions"]["strategy"]["matrix"]["include"]]
    meta = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["requires_ansible"]
    oldest = re.fullmatch(r">=(2\.\d+)\.0", meta)[1]
    newest = max((ansible for ansible, _python in cells), key=minor)
    assert sorted(cells) == sorted(
        (f"2.{number}", python)
        for number in range(minor(oldest), minor(newest) + 1)
        for python in supported(f"2.{number}")
    )


def test_the_next_ansible_core_is_tried_without_stopping_a_change(jobs: dict[str, Any]) -> None:
    job = jobs["prerelease"]
    assert job["continue-on-error"] is True
    assert any("--pre --upgrade ansible-core" in line for line in steps({"it": job}, "run"))


def test_the_oldest_versions_are_exactly_the_minimum() -> None:
    stated = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    pinned = oldest.oldest(stated)
    assert "dnspython == 2.6.1" in pinned
    assert len(pinned) == len(re.findall(r"^[a-z]", stated, re.MULTILINE))


def test_each_action_is_pinned_to_a_commit(jobs: dict[str, Any]) -> None:
    used = list(steps(jobs, "uses"))
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)] == []


def test_what_runs_there_exists_here(jobs: dict[str, Any]) -> None:
    lines = list(steps(jobs, "run"))
    sessions = set(
        re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(), re.MULTILINE)
    )
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    files = {f for line in lines for f in re.findall(r"-r (\S+)", line)}
    called = {s for line in lines if line.startswith("nox -s") for s in line.split()[2:]}
    made = {line.split()[1] for line in lines if line.startswith("make ")}
    assert {"sanity", "units", "integration"} <= called <= sessions
    assert {"demo", "test"} <= made <= targets
    assert all((ROOT / file).exists() for file in files)
