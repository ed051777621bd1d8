# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specification of mx_lock, shared by the module and its action.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from typing import Any

from .._pairs.spec import ARGUMENT_SPEC as PAIRS_SPEC

#: Options of mx_pairs that shape pairs, and so have to be those of the lock.
CONDITIONS = (
    "agreement",
    "allow_private",
    "families",
    "max_pairs",
    "own_addresses",
    "own_names",
)

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str"},
    "state": {"type": "str", "choices": ["read", "written"], "default": "read"},
    "resolved": {"type": "dict"},
    "domains": {"type": "list", "elements": "str"},
    "prune": {"type": "bool", "default": True},
    "stale": {"type": "str", "choices": ["ignore", "warn", "fail"], "default": "warn"},
    "grace": {"type": "int", "default": 86400},
    **{name: PAIRS_SPEC[name] for name in CONDITIONS},
}
CONSTRAINTS: dict[str, Any] = {"required_if": [("state", "written", ("resolved",))]}
