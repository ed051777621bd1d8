# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run mail_delivery in the worker process, over the connection that the inventory describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..module_utils._base import python_version  # noqa: F401  # pylint: disable=unused-import
from ..module_utils._run.mail_delivery import MODULE
from ..plugin_utils._action import EngineAction
from ..plugin_utils._progress import show
from ..plugin_utils._role_words import reworded

#: Modes without a report of the whole run; what they print shows no warnings.
_LISTED = frozenset({"diagnose", "check", "history"})


class ActionModule(EngineAction):
    """The action plugin of postmaster.exchange.mail_delivery."""

    module = MODULE

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the task, with the options in ``settings`` as if they stood beside it.

        They are those that the role made. So the messages name the role's variables, and the report
        shows a failure once for all hosts alike: here it is only the ``outcome``.
        """
        settings = self._task.args.get("settings")
        self._host = str((task_vars or {}).get("inventory_hostname") or "")
        if isinstance(settings, Mapping):
            given = {name: one for name, one in self._task.args.items() if name != "settings"}
            self._task.args = {**settings, **given}
        result: dict[str, Any] = super().run(tmp, task_vars)
        return self._for_report(reworded(result)) if isinstance(settings, Mapping) else result

    def _for_report(self, result: dict[str, Any]) -> dict[str, Any]:
        """Return the result as the report of a run reads it."""
        mode = self._task.args.get("mode")
        outcome = next((key for key in ("unreachable", "failed") if result.get(key)), "")
        if not outcome:
            if mode not in _LISTED:  # the report has them
                result.pop("warnings", None)
            return result
        if mode not in _LISTED:
            what = "could not be reached" if outcome == "unreachable" else "failed"
            show(f"{self._host}: {what}; the report has the reason")
        return {key: value for key, value in result.items() if key != outcome} | {
            "outcome": outcome
        }
