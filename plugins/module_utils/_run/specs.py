# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specifications of exchange_info, queue_info and delivery_test.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from typing import Any

from .installation import INSTALLATION_SPEC

METHODS = ("auto", "pickup", "smtp")

#: Which kind of Exchange a host is: 4.0 to 5.5, or 2010 and later.
FAMILIES = ("imc", "transport")

EXCHANGE_INFO_SPEC: dict[str, dict[str, Any]] = {
    "family": {"type": "str", "choices": ["auto", *FAMILIES], "default": "auto"},
    "gather": {"type": "str", "choices": ["all", "basics"], "default": "all"},
    "target_computer": {"type": "str"},
}

QUEUE_INFO_SPEC: dict[str, dict[str, Any]] = {
    "family": {"type": "str", "choices": [*FAMILIES], "default": "imc"},
    "all_servers": {"type": "bool", "default": False},
    "own_domains": {"type": "list", "elements": "str", "default": []},
    "min_age": {"type": "int", "default": 0},
    "max_files": {"type": "int", "default": 100, "aliases": ["max_messages"]},
    "max_bytes": {"type": "int", "default": 262_144},
    "max_logs": {"type": "int", "default": 20},
    "tracking_lines": {"type": "int", "default": 5_000},
    "counters": {"type": "bool", "default": True},
    "target_computer": {"type": "str"},
    **INSTALLATION_SPEC,
}

DELIVERY_TEST_SPEC: dict[str, dict[str, Any]] = {
    "family": {"type": "str", "choices": [*FAMILIES], "default": "imc"},
    "retry_queues": {"type": "bool", "default": False},
    "domains": {"type": "list", "elements": "raw", "required": True},
    "sender": {"type": "str"},
    "subject": {"type": "str", "default": "Delivery test"},
    "method": {"type": "str", "choices": [*METHODS], "default": "auto"},
    "smtp": {
        "type": "dict",
        "options": {
            "host": {"type": "str"},
            "port": {"type": "int", "default": 25},
            "starttls": {"type": "bool", "default": False},
            "user": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "cleartext_login": {"type": "bool", "default": False},
            "ca_cert": {"type": "path"},
            "validate": {"type": "bool", "default": True},
            "timeout": {"type": "int", "default": 30},
        },
        "required_together": [["user", "password"]],
    },
    "deadline": {"type": "int", "default": 300},
    "interval": {"type": "int", "default": 5},
    "fail_on_undelivered": {"type": "bool", "default": True},
    "target_computer": {"type": "str"},
    **INSTALLATION_SPEC,
}
