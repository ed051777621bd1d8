# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An approved plan: what is compared, and that nothing is ever taken from it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    ExchangeError,
    InvalidInput,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run.approval import (
    Planned,
    parse_approved,
)

CHANGE = {"change": "1 route", "domains": ["a.de"], "before": [], "after": ["a.de;192.0.2.1;0"]}
OTHER = {**CHANGE, "domains": ["b.de"], "after": ["b.de;192.0.2.2;0"]}
PLAN = Planned.of({"value": 1, "table": "x"}, [CHANGE])
MADE = {"made": "2026-12-01T12:00:00Z"}


def test_what_is_as_it_was_approved_passes_in_any_form_that_json_has() -> None:
    approved = parse_approved({"approved_plan": {**MADE, **PLAN.to_dict()}})
    assert approved is not None
    approved.check(
        "mail55", Planned.of({"table": "x", "value": 1}, [dict(reversed(CHANGE.items()))])
    )
    approved.covers("mail55", [CHANGE])
    assert parse_approved({"approved_plan": None}) is None


@pytest.mark.parametrize(
    ("given", "plan", "why"),
    [
        ({}, PLAN, "it is not in the plan"),
        (PLAN.to_dict(), Planned.of({"value": 2}, [CHANGE]), "its settings changed after the plan"),
        (PLAN.to_dict(), Planned(PLAN.state, (OTHER,)), "not the one in the plan (b.de, a.de)"),
        (PLAN.to_dict(), Planned(PLAN.state, (CHANGE, OTHER)), "in the plan (b.de)"),
        ({**PLAN.to_dict(), "changes": []}, PLAN, "in the plan (a.de)"),
    ],
)
def test_what_differs_is_refused_by_name(given: dict[str, Any], plan: Planned, why: str) -> None:
    approved = parse_approved({"approved_plan": {**MADE, **given}})
    assert approved is not None
    with pytest.raises(ExchangeError) as caught:
        approved.check("mail55", plan)
    assert caught.value.message.startswith(
        "mail55: refused by the approved plan of 2026-12-01T12:00:00Z, because "
    )
    assert why in caught.value.message


def test_what_another_writer_makes_necessary_is_not_approved() -> None:
    approved = parse_approved({"approved_plan": {**MADE, **PLAN.to_dict()}})
    assert approved is not None
    with pytest.raises(ExchangeError, match="another writer changed its settings during the run"):
        approved.covers("mail55", [CHANGE, OTHER])


@pytest.mark.parametrize("given", [{"state": 5}, {"changes": {}}, {"changes": ["x"]}, {"made": []}])
def test_what_is_no_plan_is_an_invalid_option(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="approved_plan must have"):
        parse_approved({"approved_plan": given})
