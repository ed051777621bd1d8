# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of mail_delivery matches its behaviour."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils._run import mail_delivery_spec
from ansible_collections.postmaster.exchange.plugins.module_utils._run.mail_delivery import MODULE
from ansible_collections.postmaster.exchange.plugins.module_utils._run.module_runner import (
    argument_spec,
)
from ansible_collections.postmaster.exchange.plugins.modules import mail_delivery

NAME = "postmaster.exchange.mail_delivery"
SPEC = mail_delivery_spec.ARGUMENT_SPEC
MINE = [task for task in yaml.safe_load(mail_delivery.EXAMPLES) if NAME in task]
VALUES = {
    "{{ mx.routes }}": [{"domain": "nestle.com", "status": "ok", "addresses": ["192.0.2.25"]}],
    "{{ mx.domains }}": [{"domain": "nestle.com", "status": "ok"}],
}


@pytest.mark.parametrize("task", MINE, ids=lambda task: str(task["name"]))
def test_the_examples_are_valid_tasks(task: dict[str, Any]) -> None:
    given = {k: VALUES[v] if str(v) in VALUES else v for k, v in task[NAME].items()}
    spec = argument_spec(MODULE)
    checked = ArgumentSpecValidator(spec).validate(given)
    assert checked.error_messages == []
    mail_delivery_spec.check(checked.validated_parameters)


def test_every_key_of_a_result_is_documented_with_a_sample() -> None:
    for name, key in yaml.safe_load(mail_delivery.RETURN).items():
        assert {"description", "returned", "type", "sample"} <= set(key), name
