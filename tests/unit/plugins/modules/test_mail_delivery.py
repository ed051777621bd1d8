# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation of mail_delivery says is so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.doc_fragments import change
from ansible_collections.postmaster.exchange.plugins.module_utils._run import mail_delivery_spec
from ansible_collections.postmaster.exchange.plugins.module_utils._run.module_runner import (
    full_spec,
)
from ansible_collections.postmaster.exchange.plugins.modules import mail_delivery

NAME = "postmaster.exchange.mail_delivery"
SPEC = mail_delivery_spec.ARGUMENT_SPEC
MINE = [task for task in yaml.safe_load(mail_delivery.EXAMPLES) if NAME in task]
VALUES = {
    "{{ mx.routes }}": [{"domain": "nestle.com", "status": "ok", "addresses": ["192.0.2.25"]}],
    "{{ mx.domains }}": [{"domain": "nestle.com", "status": "ok"}],
}


def options() -> dict[str, Any]:
    """The options of the page, those of its fragment included."""
    own: dict[str, Any] = yaml.safe_load(mail_delivery.DOCUMENTATION)["options"]
    return own | yaml.safe_load(change.ModuleDocFragment.DOCUMENTATION)["options"]


def agree(documented: Mapping[str, Any], spec: Mapping[str, Any], where: str = "") -> None:
    assert set(documented) == set(spec), where
    for name, option in spec.items():
        for key in ("type", "default", "choices", "elements"):
            assert documented[name].get(key) == option.get(key), (where, name, key)
        if "options" in option:
            agree(documented[name]["suboptions"], option["options"], name)


def test_every_option_is_documented_with_its_default_and_choices() -> None:
    agree(options(), SPEC)


@pytest.mark.parametrize("task", MINE, ids=lambda task: str(task["name"]))
def test_the_examples_are_valid_tasks(task: dict[str, Any]) -> None:
    given = {k: VALUES[v] if str(v) in VALUES else v for k, v in task[NAME].items()}
    spec = full_spec(SPEC, needs_session=True, needs_endpoint=True)
    checked = ArgumentSpecValidator(spec).validate(given)
    assert checked.error_messages == []
    mail_delivery_spec.check(checked.validated_parameters)


def test_every_key_of_a_result_is_documented_with_a_sample() -> None:
    for name, key in yaml.safe_load(mail_delivery.RETURN).items():
        assert {"description", "returned", "type", "sample"} <= set(key), name
