# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show what was fuzzed, and how often, at the end of a run."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fuzz_registry import Target

_KEY = "hostile values"
_HERE = Path(__file__).parent
_FAKES = _HERE.parent / "unit" / "fakes"
for _path in (_HERE, _FAKES):
    if str(_path) not in sys.path:
        sys.path.insert(0, str(_path))


@pytest.fixture
def counted(request: pytest.FixtureRequest) -> Callable[[Target], None]:
    """Let the summary know of a target that was fuzzed, from whichever process ran it."""

    def count(target: Target) -> None:
        request.node.user_properties.append((_KEY, (target.area, target.name, target.done)))

    return count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the number of hostile values by target."""
    done = sorted(
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for key, value in getattr(report, "user_properties", ())
        if key == _KEY and report.when == "call"
    )
    if not done:
        return
    terminalreporter.section("hostile values")
    areas = Counter[str]()
    for area, name, number in done:
        terminalreporter.write_line(f"{area:<12} {name:<52} {number:>9,}")
        areas[area] += number
    told = ", ".join(f"{area} {number:,}" for area, number in sorted(areas.items()))
    terminalreporter.write_line(f"{sum(areas.values()):,} hostile values: {told}")
