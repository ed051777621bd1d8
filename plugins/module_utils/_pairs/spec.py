# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specification of mx_pairs_info, shared by the module and its action.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from typing import Any

from .model import Status

FAMILIES = ("ipv4", "ipv6")
AGREEMENTS = ("first", "all")
FAILURES = tuple(status.value for status in Status if status is not Status.OK)

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "domains": {"type": "list", "elements": "str", "required": True},
    "nameservers": {"type": "list", "elements": "str"},
    "port": {"type": "int", "default": 53},
    "timeout": {"type": "float", "default": 2.0},
    "lifetime": {"type": "float", "default": 12.0},
    "retries": {"type": "int", "default": 2},
    "concurrency": {"type": "int", "default": 500},
    "max_rate": {"type": "float", "default": 0.0},
    "families": {"type": "list", "elements": "str", "choices": [*FAMILIES], "default": ["ipv4"]},
    "own_names": {"type": "list", "elements": "str", "default": []},
    "own_addresses": {"type": "list", "elements": "str", "default": []},
    "allow_private": {"type": "bool", "default": False},
    "search_list": {"type": "list", "elements": "str", "default": []},
    "agreement": {"type": "str", "choices": [*AGREEMENTS], "default": "first"},
    "max_pairs": {"type": "int", "default": 0},
    "evidence": {"type": "bool", "default": False},
    "fail_on": {"type": "list", "elements": "str", "choices": [*FAILURES], "default": []},
}
