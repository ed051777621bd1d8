# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repeat the answer of a run over many hosts below Ansible's recap, where a terminal shows it.

Ansible loads this file with the playbooks beside it; it has no effect on others.
"""

from __future__ import annotations

DOCUMENTATION = r"""
name: mx_delivery_closing
type: notification
short_description: Repeat the answer of a run over many hosts below Ansible's recap
version_added: 0.3.0
author:
  - The postmaster.exchange contributors
description:
  - Prints the lines that postmaster.exchange.delivery_report returned as C(closing).
requirements:
  - Ansible loads it with the playbooks of postmaster.exchange.
"""

from typing import Any

from ansible import constants
from ansible.plugins.callback import CallbackBase

_REPORTS = frozenset({"postmaster.exchange.delivery_report", "postmaster.exchange.merged_report"})
_COLOURS = {"clean": "COLOR_OK", "drift": "COLOR_CHANGED", "failed": "COLOR_ERROR"}
#: Callbacks whose output a program reads, and the one whose recap is short.
_OTHERS = frozenset({"json", "jsonl", "brief"})


class CallbackModule(CallbackBase):  # type: ignore[misc] # ansible-core is not typed
    """The callback plugin of the playbooks."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "mx_delivery_closing"

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[tuple[str, str]] = []

    def v2_runner_on_ok(self, result: Any) -> None:
        """Keep the lines of a report."""
        task = getattr(result, "task", None) or result._task
        if task.action in _REPORTS or getattr(task, "resolved_action", None) in _REPORTS:
            data = getattr(result, "result", None) or result._result
            self._lines = [(str(text), str(tone)) for text, tone in data.get("closing") or ()]

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: ARG002 - Ansible's name
        """Keep the lines of a report that could not be written."""
        self.v2_runner_on_ok(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:  # noqa: ARG002 - Ansible's name
        """Show the lines."""
        if constants.DEFAULT_STDOUT_CALLBACK.rpartition(".")[2] in _OTHERS:
            return
        for text, tone in self._lines:
            colour = _COLOURS.get(tone)
            self._display.display(text, color=colour and getattr(constants, colour))
