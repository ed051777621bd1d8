# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the result of every task as a line of JSON to the file that KEEP_FILE names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: keep
type: aggregate
short_description: keep results
description: Keeps results.
author: the lab
"""


class CallbackModule(CallbackBase):
    """Keeps what tasks returned, as it is, for a test to look at."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "keep"

    def v2_runner_on_ok(self, result: Any) -> None:
        """Keep a success."""
        self._keep(result)

    v2_runner_on_skipped = v2_runner_on_unreachable = v2_runner_on_ok

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Keep a failure."""
        self._keep(result, failed=True)

    @staticmethod
    def _keep(result: Any, **more: bool) -> None:
        host = getattr(result, "host", None) or result._host
        found = getattr(result, "result", None) or result._result
        with Path(os.environ["KEEP_FILE"]).open("a") as file:
            file.write(json.dumps([host.get_name(), {**found, **more}], default=str) + "\n")
