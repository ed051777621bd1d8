# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of progress: where they go, and how many of them."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.plugin_utils import _progress
from ansible_collections.postmaster.exchange.plugins.plugin_utils._progress import (
    BURST,
    EVERY,
    Progress,
)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was shown on standard error."""
    lines: list[str] = []

    def display(text: str, *, stderr: bool) -> None:
        assert stderr
        lines.append(text)

    monkeypatch.setattr(_progress.display, "display", display)
    return lines


def test_a_host_cannot_move_the_cursor_or_colour_the_screen(shown: list[str]) -> None:
    Progress("mail5-a")("sent \x1b[31mto\nnestle.com\u202e")
    assert shown == ["mail5-a: sent  [31mto nestle.com "]


def test_lines_that_come_too_fast_are_counted(shown: list[str]) -> None:
    now = 100.0
    progress = Progress("mail5-a", lambda: now)
    for number in range(BURST + 7):
        progress(f"line {number}")
    assert len(shown) == BURST
    now += EVERY
    progress("later")
    progress("too soon after it")
    now += EVERY
    progress("last")
    assert shown[BURST:] == ["mail5-a: later (7 more before)", "mail5-a: last (1 more before)"]


def test_who_is_quiet_for_long_may_not_say_everything_at_once(shown: list[str]) -> None:
    now = 0.0
    progress = Progress("mail5-a", lambda: now)
    now += 1000 * EVERY
    for number in range(100):
        progress(f"line {number}")
    assert len(shown) == BURST
