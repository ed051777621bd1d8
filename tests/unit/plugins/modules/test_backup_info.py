# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of backup_info matches its behaviour."""

from __future__ import annotations

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils._run.backup_info import (
    ARGUMENT_SPEC,
    parse_options,
)
from ansible_collections.postmaster.exchange.plugins.modules import backup_info

DOCUMENTATION = yaml.safe_load(backup_info.DOCUMENTATION)


def test_the_examples_are_valid_tasks() -> None:
    for task in yaml.safe_load(backup_info.EXAMPLES):
        if options := task.get("postmaster.exchange.backup_info", {}):
            checked = ArgumentSpecValidator(ARGUMENT_SPEC).validate(options)
            assert checked.error_messages == []
            assert parse_options(checked.validated_parameters)


def test_every_key_of_a_result_is_documented_with_a_sample() -> None:
    for name, key in yaml.safe_load(backup_info.RETURN).items():
        assert key["description"], name
        assert key["returned"], name
        assert "sample" in key or all("sample" in x for x in key["contains"].values()), name
