# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of imc_delivery matches its behaviour."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.spec import (
    parse_options,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run.imc_delivery import MODULE
from ansible_collections.postmaster.exchange.plugins.module_utils._run.module_runner import (
    argument_spec,
)
from ansible_collections.postmaster.exchange.plugins.modules import imc_delivery

DOCUMENTATION = yaml.safe_load(imc_delivery.DOCUMENTATION)
EXAMPLES: list[dict[str, Any]] = yaml.safe_load(imc_delivery.EXAMPLES)
RETURN = yaml.safe_load(imc_delivery.RETURN)
MINE = [task for task in EXAMPLES if "postmaster.exchange.imc_delivery" in task]
MX_ROUTES = [{"domain": "nestle.com", "status": "ok", "addresses": ["192.0.2.25"]}]


@pytest.mark.parametrize("task", MINE, ids=lambda task: task["name"])
def test_the_examples_are_valid_tasks(task: dict[str, Any]) -> None:
    options = task["postmaster.exchange.imc_delivery"]
    given = {k: MX_ROUTES if v == "{{ mx.routes }}" else v for k, v in options.items()}
    spec = argument_spec(MODULE)
    checked = ArgumentSpecValidator(spec).validate(given)
    assert checked.error_messages == []
    assert parse_options(checked.validated_parameters)


def test_every_key_of_a_result_is_documented_with_a_sample() -> None:
    for name, key in RETURN.items():
        assert key["description"], name
        assert key["returned"], name
        assert "sample" in key or all("sample" in x for x in key["contains"].values()), name
