# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of the shared options matches the argument spec."""

from __future__ import annotations

from typing import Any

import yaml
from ansible_collections.postmaster.exchange.plugins.doc_fragments import (
    attributes,
    connection,
    endpoint,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.options import (
    CONNECTION_SPEC,
    ENDPOINT_SPEC,
)

SPECS: dict[str, dict[str, Any]] = {**CONNECTION_SPEC, **ENDPOINT_SPEC}
DOCUMENTED: dict[str, Any] = {
    name: option
    for fragment in (connection, endpoint)
    for name, option in yaml.safe_load(fragment.ModuleDocFragment.DOCUMENTATION)["options"].items()
}


def test_suboptions_are_in_the_order_of_the_table() -> None:
    """test_options.py of the modules checks the options themselves, fragments included."""
    assert list(DOCUMENTED) == list(SPECS)
    for name, spec in SPECS.items():
        assert list(DOCUMENTED[name].get("suboptions", {})) == list(spec.get("options", {}))


def test_attributes_are_described() -> None:
    found = yaml.safe_load(attributes.ModuleDocFragment.DOCUMENTATION)["attributes"]
    assert {"action", "async", "check_mode", "diff_mode", "platform"} == set(found)
    assert all(entry["description"] for entry in found.values())
