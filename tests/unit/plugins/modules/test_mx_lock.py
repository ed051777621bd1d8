# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of mx_lock and mx_lock_info, held to what the code takes and returns."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import Context
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError
from ansible_collections.postmaster.exchange.plugins.module_utils._lock.module import (
    READ_SPEC,
    WRITE_SPEC,
    read_lock,
    write_lock,
)
from ansible_collections.postmaster.exchange.plugins.modules import mx_lock, mx_lock_info

Spec = dict[str, dict[str, Any]]
MODULES = pytest.mark.parametrize(
    ("page", "spec"), [(mx_lock, WRITE_SPEC), (mx_lock_info, READ_SPEC)]
)


def complete(spec: Spec, **options: Any) -> dict[str, Any]:
    validated = ArgumentSpecValidator(spec).validate(options)
    assert validated.error_messages == []
    return dict(validated.validated_parameters)


@MODULES
def test_the_page_and_the_specification_say_the_same(page: ModuleType, spec: Spec) -> None:
    options = yaml.safe_load(page.DOCUMENTATION)["options"]
    assert options.keys() == spec.keys()
    for name, told in options.items():
        for key in ("type", "elements", "default", "choices", "required"):
            assert told.get(key) == spec[name].get(key), f"{name}: {key}"


@MODULES
def test_examples_have_valid_options(page: ModuleType, spec: Spec) -> None:
    name = f"postmaster.exchange.{page.__name__.rpartition('.')[2]}"
    tasks = [task[name] for task in yaml.safe_load(page.EXAMPLES) if name in task]
    assert tasks
    for task in tasks:
        complete(spec, **{**task, **({"resolved": {}} if "resolved" in task else {})})


def test_every_key_of_a_result_is_documented(tmp_path: Path) -> None:
    context = Context("localhost", basedir=tmp_path)
    entry = {"domain": "nestle.com", "status": "null_mx", "pairs": [], "ttl": 0, "warnings": []}
    resolved = {"domains": [entry]}
    found = write_lock(complete(WRITE_SPEC, path="lock.yml", resolved=resolved), context)
    assert found.keys() - {"changed", "diff", "warnings"} == documented(mx_lock)
    found = read_lock(complete(READ_SPEC, path="lock.yml"), context)
    assert found.keys() - {"changed", "warnings"} == documented(mx_lock_info) - {"stale_domains"}
    pages = yaml.safe_load(mx_lock_info.RETURN)
    assert found["lock"].keys() == pages["lock"]["contains"].keys()
    with pytest.raises(ExchangeError) as caught:
        read_lock(complete(READ_SPEC, path="none.yml"), context)
    assert "none.yml does not exist" in caught.value.message


def documented(page: ModuleType) -> set[str]:
    return set(yaml.safe_load(page.RETURN))
