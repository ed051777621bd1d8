# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of mx_pairs_info matches the specification, and its examples work."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import Context
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs import model, rules
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.module import (
    ARGUMENT_SPEC,
    run,
)
from ansible_collections.postmaster.exchange.plugins.modules import mx_pairs_info
from exchange_lab.mail.dns_server import DnsServer

NAME = "postmaster.exchange.mx_pairs_info"
TASKS = [task for task in yaml.safe_load(mx_pairs_info.EXAMPLES) if NAME in task]
DOCUMENTATION = yaml.safe_load(mx_pairs_info.DOCUMENTATION)
RETURN = yaml.safe_load(mx_pairs_info.RETURN)


def _templated(value: Any) -> bool:
    return isinstance(value, str) and "{{" in value


@pytest.mark.parametrize("task", TASKS, ids=[task["name"] for task in TASKS])
def test_examples_have_valid_options(task: dict[str, Any]) -> None:
    given = {name: [] if _templated(value) else value for name, value in task[NAME].items()}
    assert ArgumentSpecValidator(ARGUMENT_SPEC).validate(given).error_messages == []


def test_the_page_and_the_specification_say_the_same() -> None:
    assert DOCUMENTATION["options"].keys() == ARGUMENT_SPEC.keys()
    for name, spec in ARGUMENT_SPEC.items():
        told = DOCUMENTATION["options"][name]
        for key in ("type", "elements", "default", "choices", "required"):
            assert told.get(key) == spec.get(key), f"{name}: {key}"


def test_every_key_of_a_result_is_documented() -> None:
    zone = "@ MX 10 mail\nmail 5 A 192.0.2.25"
    with DnsServer({"nestle.com": zone}) as server:
        options = {
            "domains": ["nestle.com", "gone.nestle.com", "refused.example", "a b"],
            "invalid_domains": "return",
            "nameservers": [f"{server.address}:{server.port}"],
            "allow_private": True,
            "evidence": True,
            "agreement": "all",
            "retries": 0,
        }
        params = ArgumentSpecValidator(ARGUMENT_SPEC).validate(options).validated_parameters
        result = run(params, Context(host="test"))
    del result["changed"], result["warnings"]  # those of every module
    _compare(result, RETURN)


def _compare(result: dict[str, Any], documented: dict[str, Any]) -> None:
    """Both have the same keys, all the way down."""
    assert result.keys() - documented.keys() == set()
    assert documented.keys() - result.keys() <= {"short_lived", "unconfirmed"}
    for name, value in result.items():
        contains = documented[name].get("contains")
        for one in value if isinstance(value, list) else [value]:
            if contains and one is not None:
                _compare(one, contains)


def test_every_warning_and_kind_is_documented() -> None:
    domain = RETURN["domains"]["contains"]
    told = " ".join(domain["warnings"]["description"])
    assert "mx_is_cname" in rules.WARNINGS
    for code in rules.WARNINGS:
        assert code == "own_host_without_address" or f"V({code})" in told
    kinds = " ".join(domain["failures"]["contains"]["kind"]["description"])
    for kind in model.AnswerKind:
        assert kind.definite or f"V({kind.value})" in kinds
