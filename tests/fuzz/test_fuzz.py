# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever comes from outside ends in a result or an error of our own: every target, fuzzed.

``FUZZ_SECONDS`` in the environment makes each target draw new values for so long (``make fuzz``).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable

import fuzz_all
import pytest
from fuzz_cmd_oracle import only_ours
from fuzz_registry import Flood, Hang, Target, bounded, calmly

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))


@pytest.mark.parametrize(
    "share",
    [
        pytest.param(8, id="briefly"),
        pytest.param(1, id="at length", marks=pytest.mark.full),
    ],
)
@pytest.mark.parametrize("name", sorted(fuzz_all.TARGETS))
def test_no_hostile_value_breaks(name: str, share: int, counted: Callable[[Target], None]) -> None:
    target = fuzz_all.TARGETS[name]
    try:
        target.run(SECONDS, share)
    finally:
        counted(target)


# -- the checks themselves can fail


def test_a_traceback_is_noticed() -> None:
    def clumsy(value: bytes) -> None:
        calmly(int, value)

    target = Target("clumsy", "self-test", fuzz_all.mutated([b"12"]), clumsy, 200, guided=False)
    with pytest.raises(ValueError, match="invalid literal"):
        target.run()


def test_a_hang_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzz_registry.CPU_SECONDS", 0.2)
    with pytest.raises(Hang), bounded():
        for _number in itertools.count():
            pass


def test_a_flood_of_memory_is_noticed() -> None:
    with pytest.raises(Flood), bounded():
        b"x" * (512 * 1024 * 1024)


@pytest.mark.parametrize(
    "line",
    [
        'reg query "HKLM\\X"&calc',
        'reg query "HKLM\\X" | calc',
        'reg query "HKLM\\X" & reg query "%COMSPEC%"',
        'type "x.txt" >C:\\boot.ini',
        'del "C:\\boot.ini"',
        'type "a" <b',
        'echo x&&type "a"',
        "(calc)",
        'for %I in ("x") do @calc %I',
        'if exist "x" calc',
        'type "!COMSPEC!"',
        'type "x\ncalc"',
        "call calc",
    ],
)
def test_an_injected_command_is_noticed(line: str) -> None:
    with pytest.raises(AssertionError):
        only_ours(line)
