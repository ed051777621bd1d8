# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""End a host's run with the state that sets the exit status of ansible-playbook."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

_STATES = {"clean": None, "drift": "failed", "unjudged": "unreachable", "failed": "failed"}
_SPEC = {
    "verdict": {"type": "str", "required": True, "choices": list(_STATES)},
    "msg": {"type": "str", "default": ""},
}


class ActionModule(ActionBase):  # type: ignore[misc] # ansible-core is not typed
    """The action plugin of postmaster.exchange.delivery_verdict."""

    _requires_connection = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the verdict as the state of the task."""
        super().run(tmp, task_vars)
        _unused, given = self.validate_argument_spec(argument_spec=_SPEC)
        result = {"changed": False, "verdict": given["verdict"], "msg": given["msg"]}
        state = _STATES[given["verdict"]]
        return {**result, state: True} if state else result
