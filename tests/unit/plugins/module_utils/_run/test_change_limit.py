# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits to how much a run may change."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._run.change_limit import (
    ChangeLimit,
    Size,
    parse_change_limit,
)


def limit_of(limit: str | None, *, force: bool = False) -> ChangeLimit:
    return parse_change_limit({"max_changes": limit, "force": force})


def size(changed: int, total: int, *domains: str) -> Size:
    return Size("routes", changed, total, domains)


@pytest.mark.parametrize(
    ("limit", "changed", "total", "refused"),
    [
        (None, 1000, 1000, False),
        ("", 1000, 1000, False),
        (" ", 1000, 1000, False),
        ("0", 0, 40, False),
        ("0", 1, 40, True),
        ("20", 20, 40, False),
        (" 20 ", 21, 40, True),
        ("25%", 10, 40, False),
        ("25 %", 11, 40, True),
        ("0%", 0, 0, False),
        ("0%", 1, 1000, True),
        ("33%", 1, 3, False),
        ("25%", 1, 1, False),
        ("33%", 2, 3, True),
        ("34%", 1, 3, False),
        ("100%", 40, 40, False),
        ("100%", 80, 40, True),
        ("200%", 80, 40, False),
    ],
)
def test_limits(limit: str | None, changed: int, total: int, refused: bool) -> None:
    assert limit_of(limit).refuses(size(changed, total)) is refused
    assert not limit_of(limit, force=True).refuses(size(changed, total))


@pytest.mark.parametrize(
    "limit", ["-1", "x", "2.5%", "20%%", "%", "1e3", "1234567", "20 routes", "\u0664", "{{ x }}"]
)
def test_what_is_no_limit_is_refused(limit: str) -> None:
    with pytest.raises(InvalidInput, match="must be a number or a percentage"):
        limit_of(limit)


def test_a_refusal_tells_numbers_domains_and_what_to_do() -> None:
    many = size(12, 40, *(f"d{number}.example" for number in range(9)))
    error = limit_of("25%").refusal("mail5-a", many)
    assert error.message == (
        "mail5-a: 12 changes to 40 routes (30 %) exceed max_changes (25%)."
        " Affected: d0.example, d1.example, d2.example, d3.example, d4.example and 4 more."
    )
    assert "force: true" in error.hint
    assert error.details["change_limit"] == {
        "limit": "25%",
        "changes": 12,
        "of": 40,
        "domains": [f"d{number}.example" for number in range(5)],
        "domain_count": 9,
        "exceeded": True,
        "refused": True,
        "text": error.message.removeprefix("mail5-a: ").removesuffix("."),
    }


def test_nothing_is_told_of_a_limit_that_is_not_set() -> None:
    assert limit_of(None).to_dict(size(12, 40)) is None


def test_a_change_within_the_limit_is_told_without_a_text() -> None:
    found = limit_of("20").to_dict(size(3, 40, "nestle.com"))
    assert found is not None
    assert (found["exceeded"], found["refused"], found["text"]) == (False, False, "")


def test_warnings_come_from_runs_that_only_look_or_are_forced() -> None:
    large = size(12, 40, "nestle.com")
    assert limit_of("20").warnings(large, check_mode=True) == []
    (looks,) = limit_of("2").warnings(large, check_mode=True)
    assert looks.endswith("A real run would refuse this.")
    assert limit_of("2").warnings(large, check_mode=False) == []
    for check_mode in (True, False):
        (forced,) = limit_of("2", force=True).warnings(large, check_mode=check_mode)
        assert forced.endswith("Allowed by force: true.")
