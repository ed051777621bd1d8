# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show what was fuzzed, and how often, at the end of a run."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_UNIT = _HERE.parent / "unit" / "plugins" / "module_utils"
for _path in (_HERE, _UNIT / "imc", _UNIT / "delivery"):
    if str(_path) not in sys.path:
        sys.path.insert(0, str(_path))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the number of hostile values by target."""
    import fuzz_registry  # noqa: PLC0415 - the path to it is set above

    done = [target for target in fuzz_registry.TARGETS.values() if target.done]
    if not done:
        return
    terminalreporter.section("hostile values")
    for target in sorted(done, key=lambda one: (one.area, one.name)):
        terminalreporter.write_line(f"{target.area:<12} {target.name:<52} {target.done:>9,}")
    areas = Counter[str]()
    for target in done:
        areas[target.area] += target.done
    told = ", ".join(f"{area} {number:,}" for area, number in sorted(areas.items()))
    terminalreporter.write_line(f"{sum(areas.values()):,} hostile values: {told}")
