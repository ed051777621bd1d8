# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The note of a transaction at work."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.state import (
    Journal,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.commands import (
    is_safe_line,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("running", [True, False])
def test_it_is_read_back_as_written(running: bool) -> None:
    journal = Journal("2026-11-23T114500Z-ab12", running)
    assert all(map(is_safe_line, journal.lines()))
    assert Journal.parse("".join(f"{x}\r\n" for x in journal.lines()).encode()) == journal


@pytest.mark.parametrize("cut", range(0, 90, 6))
def test_one_that_is_not_whole_tells_of_a_run_that_changed_nothing(cut: int) -> None:
    text = "\r\n".join(Journal("2026-11-23T114500Z-ab12", True).lines()).encode()
    found = Journal.parse(text[: min(cut, len(text) - 1)])
    assert found == Journal("", was_running=False)


@given(st.binary(max_size=200))
def test_anything_else_is_no_note(content: bytes) -> None:
    assert Journal.parse(content) == Journal("", was_running=False)
