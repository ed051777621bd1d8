# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as a file: one form, no surprises, and the slices of a run as one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._report.host_result import (
    HostResult,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.plan_file import (
    approved,
    as_text,
    build,
    check_age,
    merge,
    parse,
)

SCHEMA = json.loads((Path(__file__).parents[5] / "docs" / "plan-schema.json").read_text("utf-8"))
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
STATE = "sha256:" + 64 * "0"
CHANGE = {"change": "1 route", "domains": ["a.de"], "before": [], "after": ["a.de;192.0.2.1;0"]}
PLANNED = {"state": STATE, "changes": [CHANGE]}
HQ = {"organisation": {"name": "First", "forest": "hq.example"}}


def plan_of(**results: dict[str, Any]) -> dict[str, Any]:
    """A plan of hosts with these results of their delivery."""
    hosts = [
        HostResult(name, (), result, family="transport" if "organisation" in result else "imc")
        for name, result in results.items()
    ]
    return dict(
        build(hosts, made="2026-12-01T12:00:00Z", run="r1", collection="c", note="CHG\u202e")
    )


WHOLE = plan_of(
    mail55={"planned": PLANNED},
    a={"planned": PLANNED, **HQ},
    b={"planned": PLANNED, **HQ},
    other={"planned": {**PLANNED, "changes": []}, **HQ},
    down={"unreachable": True, "msg": "down: no answer."},
)


def test_a_plan_has_each_change_once_and_says_who_is_not_in_it() -> None:
    jsonschema.validate(WHOLE, SCHEMA)
    assert WHOLE["hosts"]["mail55"]["changes"] == [CHANGE]
    assert [host["same_as"] for host in WHOLE["hosts"].values()] == [None, None, "a", None]
    assert WHOLE["not_planned"] == {"down": "no answer."}
    text = as_text(WHOLE)
    assert text.isascii()
    assert parse(text, "plan") == WHOLE
    wanted = {"made": WHOLE["made"], **PLANNED}
    assert approved(WHOLE, ["b", "down", "new"]) == {
        "b": wanted,
        "down": {"made": WHOLE["made"]},
        "new": {"made": WHOLE["made"]},
    }


def _with(**more: Any) -> str:
    return as_text({**WHOLE, **more})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (as_text(WHOLE).replace('"version": 1', '"version": 1,\n  "version": 1'), "occurs twice"),
        (as_text(WHOLE).replace("\n", "\r\n"), "not in the form in which an audit writes it"),
        (json.dumps(WHOLE), "not in the form in which an audit writes it"),
        (as_text(WHOLE).replace("\\u202e", "\u202e"), "not in the form"),
        (_with(version=2), "a plan of version 2"),
        (_with(format="x"), "is not a plan"),
        ("[1]", "is not a plan"),
        (_with(more=1), "'more' is missing or not known"),
        (_with(made="today"), "does not match format"),
        (_with(note=7), "note is not a text"),
        (_with(hosts={"a": {}}), "the host 'a' has other keys"),
        (_with(hosts=["a"]), "cannot be used"),
        (_with(hosts={"a": {**WHOLE["hosts"]["b"], "same_as": "a"}}), "not the same as another"),
        (_with(hosts={"a": {**WHOLE["hosts"]["a"], "changes": "all"}}), "no state or no changes"),
        (as_text(WHOLE).replace('"version": 1', '"version": NaN'), "NaN is not a number"),
        (100_000 * "[", "cannot be used"),
        ("{", "cannot be used"),
    ],
)
def test_what_is_not_a_plan_as_it_was_written_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=r"plan\.json") as caught:
        parse(text, "The plan plan.json")
    assert why in caught.value.message


@pytest.mark.parametrize(
    ("age", "max_age", "why"),
    [
        (timedelta(hours=2), 3600, "has expired: it was made at 2026-12-01T12:00:00Z"),
        (timedelta(hours=-1), 3600, "in the future"),
    ],
)
def test_a_plan_expires(age: timedelta, max_age: int, why: str) -> None:
    check_age(WHOLE, NOW + timedelta(minutes=59), 3600, "The plan")
    check_age(WHOLE, NOW + timedelta(days=999), 0, "The plan")
    with pytest.raises(InvalidInput) as caught:
        check_age(WHOLE, NOW + age, max_age, "The plan")
    assert why in caught.value.message


def test_slices_become_one_plan() -> None:
    first = {**plan_of(a={"planned": PLANNED, **HQ}), "made": "2026-12-01T11:00:00Z"}
    second = plan_of(mail55={"planned": PLANNED}, down={"failed": True, "msg": "no"})
    whole = merge({"1": first, "2": second}, ["a", "mail55", "down", "lost"])
    jsonschema.validate(whole, SCHEMA)
    assert (set(whole["hosts"]), whole["made"]) == ({"a", "mail55"}, "2026-12-01T11:00:00Z")
    assert whole["not_planned"] == {"down": "no", "lost": "no slice reported on this host"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda plan: {**plan, "run": "r2"}, "of different runs: run is 'r1' and 'r2'"),
        (lambda plan: plan, "Two plans have the host 'a'"),
    ],
)
def test_slices_that_do_not_fit_are_refused(change: Callable[[Any], Any], why: str) -> None:
    one = plan_of(a={"planned": PLANNED})
    with pytest.raises(InvalidInput) as caught:
        merge({"1": one, "2": change(one)}, [])
    assert why in caught.value.message
