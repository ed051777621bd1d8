# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least that an action on a Windows host can do: log in, open a shell; Ansible closes it.

The least that one can do which asks the host anything is to run a command there, too.
"""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):  # type: ignore[misc] # ansible-core is not typed
    """An action with one option, the command line."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Open a shell, and run the command in it if there is one."""
        super().run(tmp, task_vars)
        self._connection._connect()
        command = self._task.args.get("command")
        if command is None:
            return {"changed": False}
        protocol, shell = self._connection.protocol, self._connection.shell_id
        started = protocol.run_command(shell, command)
        output, _errors, status = protocol.get_command_output(shell, started)
        protocol.cleanup_command(shell, started)
        return {"changed": False, "failed": status != 0, "stdout": output.decode()}
