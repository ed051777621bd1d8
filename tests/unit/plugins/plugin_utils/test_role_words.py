# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator of the role reads the role's names, and nothing else is changed in a message."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.plugin_utils._role_words import (
    reworded,
    role_words,
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("4 changes exceed max_changes (3)", "4 changes exceed mx_delivery_max_changes (3)"),
        ("cmdlet_timeout must be 1", "mx_delivery_command_timeout must be 1"),
        ("run again with force: true", "run again with mx_delivery_force: true"),
        ("(-e mx_delivery_force=true)", "(-e mx_delivery_force=true)"),
        ("existing: adopt makes it ours", "mx_delivery_connector_existing: adopt makes it ours"),
        ("The option backup_dir is", "mx_delivery_backup_dir is"),
        ("Check endpoint.port and", "Check mx_delivery_endpoint.port and"),
        (r"C:\max_changes\backup_dir is full", r"C:\max_changes\backup_dir is full"),
        ("the port, the cost and the sender", "the port, the cost and the sender"),
    ],
)
def test_only_names_of_options_change(text: str, said: str) -> None:
    assert role_words(text) == said


def test_every_part_of_a_result_is_put_so() -> None:
    result = {
        "msg": "a: max_changes",
        "exchange": None,
        "delivery": {
            "warnings": ["max_routes"],
            "change_limit": {"text": "max_changes"},
            "routes": {"before": [{"raw": "max_changes"}]},
        },
        "queue": {"msg": "min_age is -1"},
    }
    assert reworded(result) == {
        "msg": "a: mx_delivery_max_changes",
        "exchange": None,
        "delivery": {
            "warnings": ["mx_delivery_max_routes"],
            "change_limit": {"text": "mx_delivery_max_changes"},
            "routes": {"before": [{"raw": "max_changes"}]},
        },
        "queue": {"msg": "mx_delivery_min_age is -1"},
    }
