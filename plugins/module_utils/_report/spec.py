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
from .states import STUCK

#: The formats of the report, each an option with the path of a file.
FORMATS = ("html", "json", "junit", "markdown", "csv", "prometheus")
_FILES: Mapping[str, Any] = {name: {"type": "path"} for name in (*FORMATS, "plan")}

ARGUMENT_SPEC: Mapping[str, Any] = {
    "hosts": {"type": "list", "elements": "str"},
    "results": {"type": "str", "required": True},
    "compared": {"type": "str"},
    "routes": {"type": "dict"},
    "kind": {
        "type": "str",
        "choices": ["audit", "enforce", "rollback", "diagnose", "check", "backups", "limits"],
        "default": "enforce",
    },
    "held": {"type": "str", "default": ""},
    "undone": {"type": "str", "default": ""},
    "fail_on": {
        "type": "list",
        "elements": "str",
        "choices": sorted((*GONE_STATUSES, *UNKNOWN_STATUSES, STUCK)),
        "default": [],
    },
    "search_list": {"type": "list", "elements": "str", "default": []},
    "max_changed_hosts": {"type": "str", "default": ""},
    "max_removed_domains": {"type": "str", "default": ""},
    "force": {"type": "bool", "default": False},
    "artefact": {"type": "bool", "default": False},
    "note": {"type": "str", "default": ""},
    **_FILES,
}
MERGED_SPEC: Mapping[str, Any] = {
    "hosts": {"type": "list", "elements": "str", "required": True},
    "folder": {"type": "path"},
    "max_changed_hosts": {"type": "str", "default": ""},
    **_FILES,
}
