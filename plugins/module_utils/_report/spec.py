# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of postmaster.exchange.delivery_report and merged_report.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._run.routes import GONE_STATUSES, UNKNOWN_STATUSES
from .judgement import STUCK

_FILES: Mapping[str, Any] = {name: {"type": "path"} for name in ("html", "json", "junit")}

ARGUMENT_SPEC: Mapping[str, Any] = {
    "resolved": {"type": "dict"},
    "hosts": {"type": "list", "elements": "str", "required": True},
    "kind": {"type": "str", "choices": ["audit", "enforce", "rollback"], "default": "enforce"},
    "fail_on": {
        "type": "list",
        "elements": "str",
        "choices": sorted((*GONE_STATUSES, *UNKNOWN_STATUSES, STUCK)),
        "default": [],
    },
    "artefact": {"type": "bool", "default": False},
    **_FILES,
}
MERGED_SPEC: Mapping[str, Any] = {
    "hosts": {"type": "list", "elements": "str", "required": True},
    "folder": {"type": "path"},
    "max_changed_hosts": {"type": "str", "default": ""},
    **_FILES,
}
