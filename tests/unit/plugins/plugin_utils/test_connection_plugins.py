# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's own connection plugins have the options that we read."""

from __future__ import annotations

from typing import Any

import ansible.plugins.connection.psrp
import yaml
from ansible_collections.postmaster.exchange.plugins.module_utils._remote import failures, inventory


def test_each_option_of_psrp_that_is_read_is_one_of_the_plugin() -> None:
    """Without the plugin, its variables are read by these names."""
    read: list[str] = []

    def get(option: str) -> Any:
        read.append(option)
        return {"configuration_name": failures.CONFIGURATION}.get(option)

    inventory.endpoint_from_psrp(get)
    described = yaml.safe_load(ansible.plugins.connection.psrp.DOCUMENTATION)["options"]
    documented = {
        option: {one["name"] for one in told.get("vars", ())} for option, told in described.items()
    }
    assert set(read) <= documented.keys()
    for option in read:
        variables = inventory._PSRP_VARIABLES.get(option, (f"ansible_psrp_{option}",))
        assert set(variables) <= documented[option], option
