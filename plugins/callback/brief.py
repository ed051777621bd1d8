# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print a run over many hosts, on one screen if it succeeds."""

from __future__ import annotations

DOCUMENTATION = r"""
name: brief
type: stdout
short_description: Print changes, failures, and the report of a run over many hosts
version_added: 0.3.0
author:
  - The postmaster.exchange contributors (@postmaster-exchange)
description:
  - Prints what the callback P(ansible.builtin.default#callback) prints, except hosts that are ok or
    skipped.
  - Leaves out the hosts that end with a verdict of this collection's report, which lists them,
    hosts alike in one line.
  - The recap has totals, and those hosts that changed or failed, unless they are more than 20.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - Set C(stdout_callback = postmaster.exchange.brief) in C(ansible.cfg).
"""

from typing import Any

from ansible import constants
from ansible.plugins.callback.default import CallbackModule as Default

_VERDICT = "postmaster.exchange.delivery_verdict"
_HIDDEN = frozenset({"display_ok_hosts", "display_skipped_hosts"})
_MOST_HOSTS = 20
_TROUBLE = ("unreachable", "failures")
_COUNTERS = {
    "ok": "ok",
    "changed": "changed",
    "unreachable": "unreachable",
    "failures": "failed",
}


class CallbackModule(Default):  # type: ignore[misc] # ansible-core is not typed
    """The callback plugin of postmaster.exchange.brief."""

    CALLBACK_NAME = "postmaster.exchange.brief"

    def get_option(self, k: str, hostvars: Any = None) -> Any:
        """Return an option; hosts that are ok or skipped are never shown."""
        return False if k in _HIDDEN else super().get_option(k, hostvars)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Show a failure, unless the report has shown it."""
        if not _reported(result):
            super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Show that a host is not reached, unless the report has shown it."""
        if not _reported(result):
            super().v2_runner_on_unreachable(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Show the totals, and the hosts that changed or failed."""
        summaries = {host: stats.summarize(host) for host in sorted(stats.processed)}
        self._display.banner("PLAY RECAP")
        shown = {host: one for host, one in summaries.items() if _worth_showing(one)}
        if len(shown) > _MOST_HOSTS:  # the report has them, hosts alike in one line
            shown = {}
        width = max(map(len, shown), default=0)
        for host, one in shown.items():
            counters = " ".join(f"{name}={one[key]}" for key, name in _COUNTERS.items())
            trouble = any(one[key] for key in _TROUBLE)
            colour = constants.COLOR_ERROR if trouble else constants.COLOR_CHANGED
            self._display.display(f"{host:<{width}} : {counters}", color=colour)
        totals = ", ".join(
            f"{sum(bool(one[key]) for one in summaries.values())} {name}"
            for key, name in _COUNTERS.items()
            if key != "ok"
        )
        hosts = "1 host" if len(summaries) == 1 else f"{len(summaries)} hosts"
        self._display.display(f"{hosts}: {totals}")


def _reported(result: Any) -> bool:
    task = getattr(result, "task", None) or result._task
    return _VERDICT in {task.action, getattr(task, "resolved_action", None)}


def _worth_showing(summary: dict[str, int]) -> bool:
    return any(summary[key] for key in ("changed", *_TROUBLE))
