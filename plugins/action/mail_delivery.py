# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run mail_delivery in the worker process, over the connection that the inventory describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..module_utils._run.mail_delivery import MODULE
from ..plugin_utils._action import EngineAction
from ..plugin_utils._role_words import reworded


class ActionModule(EngineAction):
    """The action plugin of postmaster.exchange.mail_delivery."""

    module = MODULE

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the task, with the options in ``settings`` as if they stood beside it.

        They are those that the role made, so the messages name the role's variables.
        """
        settings = self._task.args.get("settings")
        if isinstance(settings, Mapping):
            given = {name: one for name, one in self._task.args.items() if name != "settings"}
            self._task.args = {**settings, **given}
        result: dict[str, Any] = super().run(tmp, task_vars)
        return reworded(result) if isinstance(settings, Mapping) else result
