# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first task of the role: variables of all hosts, checked once, and a failure of one host."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible_collections.postmaster.exchange.plugins.action import delivery_routes
from ansible_collections.postmaster.exchange.plugins.modules import delivery_routes as page

DOMAINS = ["nestle.com"]


class Templar:
    """Templates by a table, as ansible-core would."""

    def __init__(self, variables: dict[str, Any] | None = None) -> None:
        self.variables = variables or {}

    def copy_with_new_env(self, available_variables: dict[str, Any]) -> Templar:
        return Templar(available_variables)

    def template(self, value: Any) -> Any:
        return [self.variables["own"]] if value == "{{ own }}" else value


def run(
    hostvars: dict[str, dict[str, Any]], *, strategy: str = "linear", entry_point: str = "rollback"
) -> dict[str, Any]:
    """The result of the task, which resolves nothing."""
    made = delivery_routes.ActionModule(
        SimpleNamespace(
            action="postmaster.exchange.delivery_routes",
            args={"entry_point": entry_point},
            check_mode=False,
            async_val=0,
            diff=False,
            _parent=SimpleNamespace(_play=SimpleNamespace(strategy=strategy)),
        ),
        SimpleNamespace(transport="local", _shell=SimpleNamespace(tmpdir=None)),
        SimpleNamespace(),
        SimpleNamespace(),
        Templar(),
        shared_loader_obj=None,
    )
    result: dict[str, Any] = made.run(
        task_vars={"hostvars": hostvars, "ansible_play_batch": list(hostvars)}
    )
    return result


@pytest.mark.parametrize("strategy", ["free", "host_pinned", "my.own.strategy"])
def test_under_another_strategy_than_linear_nothing_is_done(strategy: str) -> None:
    result = run({"a": {"mx_delivery_domains": DOMAINS}}, strategy=strategy)
    assert result["failed"]
    assert f"The strategy is {strategy}" in result["msg"]
    assert (result["hosts"], list(result["failures"])) == ({}, ["a"])


@pytest.mark.parametrize("strategy", ["linear", "ansible.builtin.linear", "debug"])
def test_linear_ones_will_do(strategy: str) -> None:
    assert "failed" not in run({"a": {"mx_delivery_domains": DOMAINS}}, strategy=strategy)


def test_a_wrong_variable_is_the_failure_of_its_host() -> None:
    result = run(
        {
            "a": {"mx_delivery_domains": DOMAINS},
            "b": {"mx_delivery_domains": ["sales@partner.example"]},
            "c": {"mx_delivery_family": "old", "mx_delivery_test": "some"},
        }
    )
    assert "failed" not in result
    assert list(result["hosts"]) == ["a"]
    assert "'sales@partner.example' is an e-mail address" in result["failures"]["b"]
    for name in ("mx_delivery_family", "mx_delivery_test"):
        assert name in result["failures"]["c"]
    assert result["failures"]["c"].endswith("This host was not contacted.")
    assert result["names"] == ["a", "b", "c"]


def test_hosts_alike_share_one_entry() -> None:
    alike = {"mx_delivery_domains": DOMAINS}
    own = {"mx_delivery_domains": "{{ own }}"}
    result = run({"a": alike, "b": dict(alike), "c": {**own, "own": "aol.com"}})
    assert result["hosts"] == {"a": 0, "b": 0, "c": 1}
    assert [one["domains"] for one in result["settings"]] == [["nestle.com"], ["aol.com"]]


def test_a_host_that_is_no_writer_may_not_change_its_organisation() -> None:
    variables = {"mx_delivery_writers": ["a"]}
    result = run({"a": variables, "b": variables})
    assert [one["options"]["may_change"] for one in result["settings"]] == [True, False]


def test_the_page_says_what_the_plugin_takes() -> None:
    options = yaml.safe_load(page.DOCUMENTATION)["options"]
    assert {
        name: {key: value for key, value in option.items() if key != "description"}
        for name, option in options.items()
    } == delivery_routes._SPEC
    assert yaml.safe_load(page.EXAMPLES)
    for name, key in yaml.safe_load(page.RETURN).items():
        assert {"description", "returned", "type", "sample"} <= {*key, "sample"}, name
