# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first and the last task of the role: its variables, and what the exit status comes from."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.postmaster.exchange.plugins.action import (
    delivery_variables,
    delivery_verdict,
)
from ansible_collections.postmaster.exchange.plugins.modules import (
    delivery_variables as delivery_variables_page,
)
from ansible_collections.postmaster.exchange.plugins.modules import (
    delivery_verdict as delivery_verdict_page,
)


def run(kind: type[ActionBase], variables: dict[str, Any] | None = None, **args: Any) -> Any:
    """The result of a task of a plugin."""
    made = kind(
        SimpleNamespace(
            action="postmaster.exchange.probe", args=args, check_mode=True, async_val=0, diff=False
        ),
        SimpleNamespace(transport="winrm", _shell=SimpleNamespace(tmpdir=None)),
        SimpleNamespace(),
        SimpleNamespace(),
        SimpleNamespace(template=lambda value: value),
        shared_loader_obj=None,
    )
    return made.run(task_vars=variables)


@pytest.mark.parametrize(
    ("verdict", "state"),
    [("clean", ""), ("drift", "failed"), ("failed", "failed"), ("unjudged", "unreachable")],
)
def test_a_verdict_is_a_state_of_the_task(verdict: str, state: str) -> None:
    result = run(delivery_verdict.ActionModule, verdict=verdict, msg="a: why")
    assert {key for key in ("failed", "unreachable") if result.get(key)} == ({state} - {""})
    assert (result["changed"], result["verdict"], result["msg"]) == (False, verdict, "a: why")


def test_another_verdict_is_refused() -> None:
    with pytest.raises(AnsibleError, match="verdict must be one of"):
        run(delivery_verdict.ActionModule, verdict="perhaps")


GOOD = {
    "mx_delivery_domains": ["nestle.com", {"name": "aol.com"}],
    "mx_delivery_max_changes": 20,
    "mx_delivery_max_changed_hosts": "10%",
    "mx_delivery_serial": [1, "10%"],
    "ansible_host": "10.0.0.7",
}


@pytest.mark.parametrize("entry_point", ["main", "audit"])
def test_good_variables_pass(entry_point: str) -> None:
    result = run(delivery_variables.ActionModule, GOOD, entry_point=entry_point, family="imc")
    assert "failed" not in result
    assert result["changed"] is False
    assert (result["family"], result["domains"]) == ("imc", "nestle.com\naol.com")
    assert result["families"] == ["ipv4"]


@pytest.mark.parametrize(
    ("variables", "braked"),
    [
        ({}, False),
        ({"mx_delivery_serial": ""}, False),
        ({"mx_delivery_serial": [1]}, True),
        ({"mx_delivery_serial": [1], "mx_delivery_force": True}, True),
        ({"mx_delivery_max_changes": "5%"}, True),
        ({"mx_delivery_max_changed_hosts": 0}, True),
        ({"mx_delivery_max_changed_hosts": 3, "mx_delivery_force": True}, False),
    ],
)
def test_limits_and_batches_are_brakes(variables: dict[str, Any], *, braked: bool) -> None:
    given = {"mx_delivery_domains": ["nestle.com"], **variables}
    result = run(delivery_variables.ActionModule, given, entry_point="main")
    assert (result["braked"], result["family"]) == (braked, "auto")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"mx_delivery_domains": None}, "mx_delivery_domains"),
        ({"mx_delivery_domains": [{"domain": "a"}]}, "give a name, or a dictionary with the key"),
        ({"mx_delivery_state": "gone"}, "one of: present, exact, absent, got: gone"),
        ({"mx_delivery_max_changes": "much"}, "mx_delivery_max_changes must be a number"),
        ({"mx_delivery_max_changed_hosts": "-1"}, "mx_delivery_max_changed_hosts must be a number"),
        ({"mx_delivery_serial": "0"}, "'0' is not a size of a batch"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(wrong: dict[str, Any], said: str) -> None:
    result = run(delivery_variables.ActionModule, {**GOOD, **wrong}, entry_point="main")
    assert result["failed"]
    assert said in result["msg"]
    assert result["msg"].endswith("This host was not looked at.")
    assert set(result) == {"failed", "changed", "msg"}


def test_everything_that_is_wrong_is_said_at_once() -> None:
    variables = {**GOOD, "mx_delivery_state": "gone", "mx_delivery_tiers": "some"}
    message = run(delivery_variables.ActionModule, variables, entry_point="main")["msg"]
    assert "mx_delivery_state" in message
    assert "mx_delivery_tiers" in message


def test_the_pages_say_what_the_plugins_take() -> None:
    page = yaml.safe_load(delivery_verdict_page.DOCUMENTATION)["options"]
    assert {
        name: {key: value for key, value in option.items() if key != "description"}
        for name, option in page.items()
    } == delivery_verdict._SPEC
    assert list(yaml.safe_load(delivery_variables_page.DOCUMENTATION)["options"]) == [
        "entry_point",
        "family",
    ]
    for page_of in (delivery_verdict_page, delivery_variables_page):
        assert yaml.safe_load(page_of.EXAMPLES)
