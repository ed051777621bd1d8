# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command shell that Ansible's connection plugin ``winrm`` keeps, lent to a session.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..module_utils._base.errors import HostUnreachable
from ..module_utils._remote.guard import guard
from ..module_utils._remote.winrs import delete_shell


@dataclass
class ConnectionShell:
    """A ``ShellSource`` over a connection plugin, which logs in and opens the shell itself.

    The shell is closed by Ansible at the end of the task, so that the items of a loop share it.
    """

    connection: Any

    def open(self) -> tuple[Any, str]:
        """Connect if need be. Raises what the connection plugin raises."""
        self.connection._connect()
        protocol, shell = self.connection.protocol, self.connection.shell_id
        if not shell:
            raise HostUnreachable("Ansible's winrm connection opened no shell.")
        guard(protocol.transport).requests = 0
        return protocol, shell

    def close(self) -> None:
        """Leave the shell to Ansible."""

    def abandon(self) -> None:
        """Delete a broken shell, and make the plugin forget it: it connects anew or closes nothing.

        The plugin's ``reset()`` would leave the shell on the host, where their number is limited.
        """
        protocol, shell = self.connection.protocol, self.connection.shell_id
        self.connection.protocol = self.connection.shell_id = None
        if protocol and shell:
            delete_shell(protocol, shell)
