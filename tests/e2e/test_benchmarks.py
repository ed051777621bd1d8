# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmarks of a fleet, with a few hosts: they run, and what they count is what was done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def table_of(program: str, *arguments: str) -> list[list[str]]:
    """Run a benchmark; return the cells of its table, the head first."""
    done = subprocess.run(
        [sys.executable, _BENCHMARKS / program, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.rpartition("\n\n")[2].splitlines()
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines]


def test_the_fleet_is_measured() -> None:
    head, *rows = table_of(
        "fleet.py", "--hosts", "2", "--forks", "2", "--domains", "2", "--cases", "floor", "same"
    )
    assert head[:4] == ["what", "hosts", "forks", "requests/host"]
    assert [row[0] for row in rows] == ["a shell, opened and closed", "imc_delivery, nothing to do"]
    assert rows[0][1:4] == ["2", "2", "5.0"]
    # A command, its output, its end; output and exit code may come apart.
    assert 8.0 <= float(rows[1][3]) <= 9.0
    assert (rows[0][7], len(rows[1])) == ("1.00", len(head))


@pytest.mark.full
def test_growth_is_measured() -> None:
    head, *rows = table_of("growth.py", "--rows", "10", "--hosts", "2", "--domains", "3")
    assert head[0] == "what"
    assert [row[:4] for row in rows] == [
        ["one host", "10", "5", "none"],
        ["one host", "10", "5", "all"],
        ["report", "2", "3", "none"],
        ["report", "2", "3", "all"],
    ]


@pytest.mark.full
def test_what_an_organisation_costs_grows_with_its_pins() -> None:
    """The numbers of reads do not grow, and no step is made more than once and taken back once."""
    head, *rows = table_of("organisation.py", "--pins", "5", "10")
    reads, changes = head.index("reads"), head.index("changes")
    counted = {(row[0], row[1]): (row[reads], row[changes]) for row in rows}
    assert counted["enforce", "5"] == ("3", "5")
    assert counted["take back", "10"] == ("6", "19")
    assert {row[reads] for row in rows if row[0] == "rollback"} == {"3"}
    assert counted["rollback", "10"][1] == "10"


@pytest.mark.full
def test_what_is_asked_is_counted() -> None:
    head, *rows = table_of("asked.py", "--cases", "audit", "enforce")
    assert head[:2] == ["playbook", "host"]
    assert [row[:2] for row in rows] == [
        [case, host] for case in ("audit", "enforce") for host in ("mail55", "ex19-a")
    ]
    for row in rows:
        requests, lines, commands, cmdlets, again = map(int, row[2:])
        assert requests > 2 * (lines + cmdlets)
        assert commands >= lines
        assert again < commands + cmdlets


@pytest.mark.full
def test_a_host_that_fails_midway_leaves_no_shell_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(_BENCHMARKS))
    import fleet  # noqa: PLC0415 - a program, not a package
    import fleet_plays  # noqa: PLC0415

    case = fleet_plays.cases(2)["same"]
    with fleet.laboratory(2, 2) as lab:
        fleet.write_project(tmp_path, lab.facts, 2)
        lab("cut 1")
        done = subprocess.run(
            fleet.command_of("same", case, 2),
            cwd=tmp_path,
            env=fleet.environment(tmp_path),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        counts = lab("counts")
    assert done.returncode == 2, done.stdout  # one host of two
    assert "the WinRM session broke in the middle of a command" in done.stdout
    assert counts["opened_shells"] >= 2
    assert counts["open_shells"] == 0
