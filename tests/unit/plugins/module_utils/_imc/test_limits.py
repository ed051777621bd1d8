# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""max_changes, force and run_id of imc_delivery, on a host in memory."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.routes import (
    Line,
    Row,
    moved,
)
from imc_fake_host import FakeHost, table
from imc_runs import DONE, DONE_ROWS, NESTLE, Runner

FOREIGN = ["partner.corp;10.1.2.3;0", "odd.example;relay.odd.example;7"]


def rows(*texts: str) -> list[Row]:
    return [Row(Line(f"+{text}")) for text in texts]


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ([], [], {}),
        (["a;1;0"], ["A;1;0"], {}),
        (["a;1;0"], [], {"a": 1}),
        ([], ["a;1;0", "a;2;0"], {"a": 2}),
        (["a;1;0"], ["a;2;0"], {"a": 1}),  # led elsewhere, which is one change
        (["a;1;0"], ["a;2;0", "a;3;0"], {"a": 2}),
        (["a;1;0", "a;2;0"], ["a;2;0"], {"a": 1}),
        (["a;1;0", "a;2;0", "a;3;0"], ["a;2;0", "a;1;0", "a;3;0"], {"a": 2}),  # another order
        (["a;1;0"], ["a;1;7"], {"a": 1}),
        (["a;1;0", "a;1;0"], ["a;1;0"], {"a": 1}),
        (["a;1;0", "b;1;0"], ["b;1;0", "a;1;0"], {}),  # where a domain stands does not matter
        (["a;1;0", "b;1;0"], ["b;1;0", "c;1;0"], {"a": 1, "c": 1}),
        (["broken"], ["broken "], {"broken": 1}),
    ],
)
def test_rows_that_change(before: list[str], after: list[str], changed: dict[str, int]) -> None:
    assert moved(rows(*before), rows(*after)) == changed


def test_a_change_that_is_too_large_is_refused_before_anything_is_written(run: Runner) -> None:
    host = FakeHost(routes=table(*FOREIGN))
    before = (host.value, host.routes, host.loaded, dict(host.files), set(host.folders))
    error = run.fail(host, max_changes="1", **DONE)
    assert error.message == (
        "mail5-a: 2 changes to 4 routes exceed max_changes (1). Affected:"
        " nestle.com. Nothing was changed."
    )
    assert error.details["changed"] is False
    assert error.details["change_limit"]["refused"]  # type: ignore[index]
    assert (host.value, host.routes, host.loaded, host.files, host.folders) == before
    assert run.backups() == []


@pytest.mark.parametrize("limit", ["2", "50%"])
def test_a_change_within_the_limit_is_made(limit: str, run: Runner) -> None:
    host = FakeHost(routes=table(*FOREIGN))
    result = run(host, max_changes=limit, **DONE)
    assert host.rows == [*FOREIGN, *DONE_ROWS]
    assert result["change_limit"]["changes"] == 2
    assert not result["would_refuse"]
    assert result["warnings"] == []


def test_force_lets_it_through_and_says_so(run: Runner) -> None:
    host = FakeHost()
    result = run(host, max_changes="1", force=True, **DONE)
    assert host.rows == DONE_ROWS
    assert (result["change_limit"]["exceeded"], result["change_limit"]["refused"]) == (True, False)
    assert any("Allowed by force" in text for text in result["warnings"])


def test_check_mode_warns_instead(run: Runner) -> None:
    result = run(FakeHost(), check=True, max_changes="49%", **DONE)
    assert result["changed"]
    assert result["would_refuse"]
    assert [text for text in result["warnings"] if "A real run would refuse this." in text]


def test_the_registry_value_is_no_route(run: Runner) -> None:
    result = run(FakeHost(), max_changes="0", resolver_search_list="disabled")
    assert result["changed"]
    assert result["change_limit"]["changes"] == 0


def test_an_emptied_table_counts_what_was_there(run: Runner) -> None:
    host = FakeHost(routes=table(*FOREIGN, *DONE_ROWS))
    error = run.fail(host, state="absent", routes=[{"domain": "nestle.com"}], max_changes="49%")
    assert "2 changes to 4 routes (50 %)" in error.message


def test_a_restore_keeps_to_a_limit_too(run: Runner) -> None:
    host = FakeHost(routes=table(*FOREIGN))
    run(host, **DONE)
    assert (
        "2 changes to 4 routes"
        in run.fail(host, state="restored", backup="backups", max_changes="0").message
    )


def test_no_limit_no_brake(run: Runner) -> None:
    result = run(FakeHost(), **DONE)
    assert result["change_limit"] is None
    assert result["run_id"] == ""


def test_the_run_is_written_into_the_backup(run: Runner) -> None:
    result = run(FakeHost(), run_id="2026-11-23T114500Z-4f1c", **DONE)
    assert result["run_id"] == "2026-11-23T114500Z-4f1c"
    (saved,) = run.backups()
    assert json.loads(saved.read_text())["run"] == "2026-11-23T114500Z-4f1c"


@pytest.mark.parametrize("name", ["../x", "a b", "-x", "x" * 65, "a\n", "$(id)", "ä"])
def test_a_name_that_a_run_cannot_have(name: str, run: Runner) -> None:
    host = FakeHost()
    options: dict[str, Any] = {"routes": [NESTLE], "run_id": name}
    assert isinstance(run.fail(host, **options), InvalidInput)
    assert host.lines == []
