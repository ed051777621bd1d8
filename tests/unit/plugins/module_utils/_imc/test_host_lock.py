# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lease names its run, and shows whether that run may still be alive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.host_lock import (
    Lease,
    is_of,
    new_lease,
    parse_lease,
    why_alive,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.commands import file_name
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 23, 11, 45, 7, 123456, tzinfo=UTC)
LASTS = timedelta(minutes=15)


def lease(busy: bool = False, now: datetime | None = NOW) -> Lease:
    made = new_lease("ctl1.hq.example", now, LASTS)
    return Lease(made.run, made.owner, made.since, made.until, busy)


@pytest.mark.parametrize("owner", ["ctl1.hq.example", "Ctl_1", "", "caf\xe9", "x" * 300, "-.-"])
@pytest.mark.parametrize("now", [NOW, None])
def test_a_name_is_read_back(owner: str, now: datetime | None) -> None:
    made = new_lease(owner, now, LASTS)
    assert file_name(made.name) == made.name
    assert parse_lease(f"{made.name}\r\n".encode()) == made
    assert is_of(made, owner)
    assert not is_of(made, "another")


def test_a_command_that_has_not_ended_is_seen() -> None:
    made = lease()
    found = parse_lease(f"{made.name.upper()}\r\nbusy\r\n".encode())
    assert found is not None
    assert found.busy
    assert (found.run, found.since, found.until) == (made.run, made.since, made.until)


@given(st.binary(max_size=300))
def test_anything_else_is_no_lease(listing: bytes) -> None:
    assert parse_lease(listing) is None


@pytest.mark.parametrize(
    ("later", "ended", "busy", "words"),
    [
        (LASTS + timedelta(seconds=1), None, False, ""),
        (LASTS + timedelta(seconds=1), None, True, ""),
        (LASTS + timedelta(seconds=1), False, False, ""),
        (timedelta(minutes=14), None, False, "from here"),
        (timedelta(minutes=14), True, False, ""),
        (timedelta(minutes=14), True, True, "last command"),
        (timedelta(minutes=14), False, False, "this controller"),
        (timedelta(hours=-5), None, False, "from here"),
        (None, None, False, "from here"),
        (None, True, False, ""),
    ],
)
def test_who_may_be_alive(
    later: timedelta | None, ended: bool | None, busy: bool, words: str
) -> None:
    now = None if later is None else NOW + later
    why = why_alive(lease(busy), now, ended)
    assert why.startswith(words) if not words else words in why
    assert bool(why) == bool(words)


def test_without_a_clock_no_time_is_ever_up() -> None:
    assert "sends no Date header" in why_alive(lease(now=None), NOW + timedelta(days=900), None)
