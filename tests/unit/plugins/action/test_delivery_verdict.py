# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last task of the role: what the exit status comes from."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.postmaster.exchange.plugins.action import delivery_verdict
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


def test_the_page_says_what_the_plugin_takes() -> None:
    page = yaml.safe_load(delivery_verdict_page.DOCUMENTATION)["options"]
    assert {
        name: {key: value for key, value in option.items() if key != "description"}
        for name, option in page.items()
    } == delivery_verdict._SPEC
    assert yaml.safe_load(delivery_verdict_page.EXAMPLES)
