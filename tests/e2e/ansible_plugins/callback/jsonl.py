# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the result of every task as a line of JSON to standard output, and nothing else there."""

from __future__ import annotations

import json
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: jsonl
type: stdout
short_description: results as lines of JSON
description: Writes results.
author: the lab
"""


class CallbackModule(CallbackBase):
    """A callback for programs, as ansible.posix.jsonl is one."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "jsonl"

    def v2_runner_on_ok(self, result: Any) -> None:
        """Write a result."""
        found = getattr(result, "result", None) or result._result
        self._display.display(json.dumps(found, default=str))

    v2_runner_on_skipped = v2_runner_on_unreachable = v2_runner_on_ok

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Write a failure."""
        self.v2_runner_on_ok(result)
