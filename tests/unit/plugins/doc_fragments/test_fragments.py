# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation says of the options that modules share is what the argument spec takes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.postmaster.exchange.plugins.doc_fragments import (
    attributes,
    connection,
    endpoint,
    installation,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.options import (
    CONNECTION_SPEC,
    ENDPOINT_SPEC,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run.installation import (
    INSTALLATION_SPEC,
)

SPECS: dict[str, dict[str, Any]] = {**CONNECTION_SPEC, **ENDPOINT_SPEC, **INSTALLATION_SPEC}
DOCUMENTED: dict[str, Any] = {
    name: option
    for fragment in (connection, endpoint, installation)
    for name, option in yaml.safe_load(fragment.ModuleDocFragment.DOCUMENTATION)["options"].items()
}
SUBOPTIONS = [(name, suboption) for name, spec in SPECS.items() for suboption in spec["options"]]


@pytest.mark.parametrize("name", list(SPECS))
def test_the_same_suboptions_in_the_same_order(name: str) -> None:
    assert list(DOCUMENTED) == list(SPECS)
    assert DOCUMENTED[name]["type"] == SPECS[name]["type"]
    assert list(DOCUMENTED[name]["suboptions"]) == list(SPECS[name]["options"])


@pytest.mark.parametrize(("name", "suboption"), SUBOPTIONS)
def test_each_suboption_has_its_type_choices_and_description(name: str, suboption: str) -> None:
    documented = DOCUMENTED[name]["suboptions"][suboption]
    spec = SPECS[name]["options"][suboption]
    assert documented["type"] == spec["type"]
    assert documented.get("choices") == spec.get("choices")
    assert documented.get("default") == spec.get("default")
    assert all(isinstance(line, str) and line.endswith(".") for line in documented["description"])


def test_attributes_are_described() -> None:
    found = yaml.safe_load(attributes.ModuleDocFragment.DOCUMENTATION)["attributes"]
    assert {"action", "action_group", "async", "check_mode", "diff_mode", "platform"} == set(found)
    assert all(entry["description"] for entry in found.values())
