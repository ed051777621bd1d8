# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters: "Find queues and messages in queues in the Exchange Management Shell"."""

from __future__ import annotations

import pytest
from exchange_lab.org.opath import BadFilterError, parse

ROW = {"NextHopDomain": "nestle.com", "MessageCount": 12, "Status": "Retry", "LastError": None}
NAMES = frozenset(ROW)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("NextHopDomain -eq 'nestle.com'", True),
        ('nexthopdomain -EQ "NESTLE.COM"', True),
        ("{MessageCount -gt 10}", True),
        ("MessageCount -gt 12", False),
        ("MessageCount -ge 12 -and MessageCount -le 12", True),
        ("MessageCount -lt 5 -or Status -eq 'Retry'", True),
        ("NextHopDomain -like 'nest*'", True),
        ("NextHopDomain -like 'n?stle.com'", False),
        ("NextHopDomain -notlike '*.org'", True),
        ("Status -ne 'Retry'", False),
        ("LastError -eq ''", True),
    ],
)
def test_a_filter_compares_properties(text: str, holds: bool) -> None:
    assert parse(text, NAMES)(ROW) is holds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NextHopDomain",
        "NextHopDomain -eq",
        "NoSuch -eq 'x'",
        "Status -eq 'Retry' Status -eq 'Ready'",
        "Status -eq 'Retry' -and",
        "Status -eq 'Retry",
    ],
)
def test_what_is_no_filter(text: str) -> None:
    with pytest.raises(BadFilterError):
        parse(text, NAMES)


@pytest.mark.parametrize("text", ["Status -gt 3", "Status -match 'R.*'"])
def test_what_cannot_be_compared(text: str) -> None:
    with pytest.raises(BadFilterError):
        parse(text, NAMES)(ROW)
