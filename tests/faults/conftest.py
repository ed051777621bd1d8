# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let the sweep's files be imported, and show what it found."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import fault_cases

_CLAIMS = ("done", "untouched", "old", "new", "unknown", "killed")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many interruptions there were, by family and fault, and how they ended."""
    everything = [finding for finding in fault_cases.FOUND if finding.hit]
    if not everything:
        return
    terminalreporter.section("interrupted runs")
    terminalreporter.write_line(
        f"{'':<10}{'':<42}{'runs':>6}" + "".join(f"{claim:>11}" for claim in _CLAIMS) + "  wrong"
    )
    for family in ("imc", "transport"):
        found = [finding for finding in everything if finding.case.family == family]
        for fault, name in fault_cases.NAMES.items():
            some = [finding for finding in found if finding.case.fault == fault]
            if some:
                terminalreporter.write_line(_row(family, name, some))
        if found:
            terminalreporter.write_line(_row(family, "all", found))
    terminalreporter.write_line(
        f"{len(everything):,} interrupted runs; after each one a run that had to converge,"
        " and one that had to change nothing"
    )


def _row(family: str, name: str, some: list) -> str:  # type: ignore[type-arg]
    claims = Counter(finding.claim for finding in some)
    wrong = sum(bool(finding.problems) for finding in some)
    told = "".join(f"{claims[claim]:>11,}" for claim in _CLAIMS)
    return f"{family:<10}{name:<42}{len(some):>6,}{told}{wrong:>7}"
