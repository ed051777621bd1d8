# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation says of the connection is what the argument spec takes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.postmaster.exchange.plugins.doc_fragments import attributes, connection
from ansible_collections.postmaster.exchange.plugins.module_utils.remote.options import (
    CONNECTION_SPEC,
)

DOCUMENTED: dict[str, Any] = yaml.safe_load(connection.ModuleDocFragment.DOCUMENTATION)["options"]


def test_the_same_suboptions_in_the_same_order() -> None:
    spec = CONNECTION_SPEC["connection"]
    assert list(DOCUMENTED) == list(CONNECTION_SPEC)
    assert DOCUMENTED["connection"]["type"] == spec["type"]
    assert list(DOCUMENTED["connection"]["suboptions"]) == list(spec["options"])


@pytest.mark.parametrize("name", list(CONNECTION_SPEC["connection"]["options"]))
def test_each_suboption_has_its_type_choices_and_description(name: str) -> None:
    documented = DOCUMENTED["connection"]["suboptions"][name]
    spec = CONNECTION_SPEC["connection"]["options"][name]
    assert documented["type"] == spec["type"]
    assert documented.get("choices") == spec.get("choices")
    assert documented.get("default") == spec.get("default")
    assert all(isinstance(line, str) and line.endswith(".") for line in documented["description"])


def test_attributes_are_described() -> None:
    found = yaml.safe_load(attributes.ModuleDocFragment.DOCUMENTATION)["attributes"]
    assert {"action", "action_group", "async", "check_mode", "diff_mode", "platform"} == set(found)
    assert all(entry["description"] for entry in found.values())
