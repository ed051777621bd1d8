# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who works on a host, and whether it may still be alive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.lease import (
    Claim,
    is_of,
    new_claim,
    parse_claim,
    why_alive,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.commands import file_name
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 23, 11, 45, 7, 123456, tzinfo=UTC)
LASTS = timedelta(minutes=15)


def claim(busy: bool = False, now: datetime | None = NOW) -> Claim:
    made = new_claim("ctl1.hq.example", now, LASTS)
    return Claim(made.run, made.owner, made.since, made.until, busy)


@pytest.mark.parametrize("owner", ["ctl1.hq.example", "Ctl_1", "", "caf\xe9", "x" * 300, "-.-"])
@pytest.mark.parametrize("now", [NOW, None])
def test_a_name_is_read_back(owner: str, now: datetime | None) -> None:
    made = new_claim(owner, now, LASTS)
    assert file_name(made.name) == made.name
    assert parse_claim(f"{made.name}\r\n".encode()) == made
    assert is_of(made, owner)
    assert not is_of(made, "another")


def test_a_command_that_has_not_ended_is_seen() -> None:
    made = claim()
    found = parse_claim(f"{made.name.upper()}\r\nbusy\r\n".encode())
    assert found is not None
    assert found.busy
    assert (found.run, found.since, found.until) == (made.run, made.since, made.until)


@given(st.binary(max_size=300))
def test_anything_else_is_no_claim(listing: bytes) -> None:
    assert parse_claim(listing) is None


@pytest.mark.parametrize(
    ("later", "ended", "busy", "words"),
    [
        (LASTS + timedelta(seconds=1), None, False, ""),
        (LASTS + timedelta(seconds=1), None, True, ""),
        (LASTS + timedelta(seconds=1), False, False, ""),
        (timedelta(minutes=14), None, False, "nobody here"),
        (timedelta(minutes=14), True, False, ""),
        (timedelta(minutes=14), True, True, "last command"),
        (timedelta(minutes=14), False, False, "this very controller"),
        (timedelta(hours=-5), None, False, "nobody here"),
        (None, None, False, "nobody here"),
        (None, True, False, ""),
    ],
)
def test_who_may_be_alive(
    later: timedelta | None, ended: bool | None, busy: bool, words: str
) -> None:
    now = None if later is None else NOW + later
    why = why_alive(claim(busy), now, ended)
    assert why.startswith(words) if not words else words in why
    assert bool(why) == bool(words)


def test_without_a_clock_no_time_is_ever_up() -> None:
    assert "tells no time" in why_alive(claim(now=None), NOW + timedelta(days=900), None)
