# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backups of a host of Exchange 4.0 to 5.5, listed and compared with now."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    ExchangeError,
    InvalidInput,
)
from imc_fake_host import NAME, FakeHost, table
from imc_runs import DONE, DONE_ROWS, Runner

List = Callable[..., dict[str, Any]]
FOREIGN = ["partner.corp;10.1.2.3;0"]
AOL = {"domain": "aol.com", "addresses": ["198.51.100.9"]}


def test_each_tells_run_time_and_what_putting_it_back_would_change(
    run: Runner, backups: List
) -> None:
    host = FakeHost(routes=table(*FOREIGN))
    run(host, run_id="change-1", **DONE)
    run(host, run_id="change-2", routes=[AOL])
    before = host.value, host.routes, dict(host.files)
    asked = len(host.lines)
    found = backups(host)
    assert (host.value, host.routes, host.files) == before
    assert len(host.lines) == asked + 1
    assert (found["changed"], found["family"], found["of"]) == (False, "imc", "mail5-a")
    assert found["count"] == 2
    newest, oldest = found["backups"]
    assert (newest["run"], oldest["run"]) == ("change-2", "change-1")
    assert newest["name"] > oldest["name"]
    assert oldest["taken"].startswith("2026-11-23T11:45:")
    assert newest["summary"] == "1 route (aol.com)"
    assert oldest["summary"] == "3 routes (nestle.com, aol.com) and the search list switch"
    assert (oldest["changes"], oldest["domains"]) == (3, ["nestle.com", "aol.com"])
    assert all(one["usable"] and not one["same"] for one in found["backups"])
    assert "diff" not in newest


def test_the_difference_is_what_a_restore_does(run: Runner, backups: List) -> None:
    host = FakeHost(routes=table(*FOREIGN))
    run(host, **DONE)
    (saved,) = backups(host, diff=True)["backups"]
    foretold = run(host, check=True, state="restored", backup=saved["path"])["diff"]
    assert [(b["before"], b["after"]) for b in saved["diff"]] == [
        (b["before"], b["after"]) for b in foretold
    ]
    assert saved["diff"][1]["before_header"] == "mail5-a: delivery routes, now"
    assert saved["diff"][1]["after_header"] == f"mail5-a: delivery routes, in {saved['name']}"
    run(host, state="restored", backup=saved["path"])
    newest, oldest = backups(host)["backups"]
    assert (oldest["same"], oldest["summary"]) == (True, "as it is now")
    assert newest["changes"] == len(DONE_ROWS)


def test_the_registry_value_alone(run: Runner, backups: List) -> None:
    host = FakeHost(imccopy_at="nowhere")
    run(host, resolver_search_list="disabled")
    (saved,) = backups(host)["backups"]
    assert saved["summary"] == "the search list switch"
    host.value = None
    assert backups(host)["backups"][0]["same"]


def test_a_table_that_differs_in_order_only_is_not_the_same(run: Runner, backups: List) -> None:
    rows = ["a.example;192.0.2.1;0", "b.example;192.0.2.1;0"]
    host = FakeHost(routes=table(*rows))
    run(host, routes=[AOL])
    host.routes = table(*reversed(rows))
    (saved,) = backups(host)["backups"]
    assert saved["summary"] == "what the table holds besides routes, or their order"


def test_without_imccopy_a_table_cannot_be_put_back(run: Runner, backups: List) -> None:
    host = FakeHost()
    run(host, **DONE)
    bare = FakeHost(imccopy_at="nowhere", value=(NAME, "REG_DWORD", "0x1"))
    (saved,) = backups(bare)["backups"]
    assert not saved["usable"]
    assert saved["summary"] == (
        "cannot be put back: imccopy, which writes the route table, was not found"
    )


@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [
        ({"registry_key": "x"}, "its registry_key is 'x'"),
        ({"format": 9}, "backup.json is not of the format this version writes"),
        ({"routes_sha256": "0"}, "routes.txt is not the saved file (its SHA-256 differs)"),
    ],
)
def test_one_that_cannot_be_used_says_why(
    spoiled: dict[str, Any], reason: str, run: Runner, backups: List
) -> None:
    host = FakeHost()
    run(host, **DONE)
    (file,) = run.backups()
    file.write_text(json.dumps({**json.loads(file.read_text()), **spoiled}))
    (saved,) = backups(host)["backups"]
    assert (saved["usable"], saved["same"]) == (False, False)
    assert saved["problem"].startswith(reason)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "[" * 60_000, '{"run": 5, "taken": {}, "before": "x"}', "\xff"],
)
def test_what_a_backup_says_of_itself_is_not_trusted(text: str, run: Runner, backups: List) -> None:
    host = FakeHost()
    run(host, run_id="x", **DONE)
    (file,) = run.backups()
    file.write_text(text, encoding="latin-1")
    (saved,) = backups(host)["backups"]
    assert (saved["run"], saved["taken"], saved["before"]) == ("", "", "")
    assert not saved["usable"]


def test_the_newest_few(run: Runner, backups: List) -> None:
    host = FakeHost()
    for number in range(4):
        run(host, routes=[{**AOL, "addresses": [f"192.0.2.{number + 1}"]}])
    assert len(backups(host)["backups"]) == 4
    few = backups(host, limit=2)
    assert (few["count"], len(few["backups"])) == (4, 2)
    assert few["backups"] == backups(host, limit=0)["backups"][:2]


def test_no_backup(backups: List) -> None:
    found = backups(FakeHost())
    assert (found["count"], found["backups"]) == (0, [])
    assert found["folder"].endswith("backups/mail5-a")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"limit": -1}, "limit must be 0 or more"),
        ({"command_timeout": 0}, "command_timeout must be 1 or more"),
        ({"backup_dir": "a\0b"}, "not a path"),
        ({"registry_key": "x & del"}, "not usable"),
        ({"domain_controller": "dc & x"}, "not usable"),
    ],
)
def test_options_are_checked_first(options: dict[str, Any], reason: str, backups: List) -> None:
    host = FakeHost()
    with pytest.raises(InvalidInput, match=reason):
        backups(host, **options)
    assert host.lines == []


def test_a_host_without_the_service(backups: List) -> None:
    host = FakeHost(installed=False)
    with pytest.raises(ExchangeError, match="MSExchangeIMC"):
        backups(host)
    assert backups(host, missing_service="skip")["skipped"]
