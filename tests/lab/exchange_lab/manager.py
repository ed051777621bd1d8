# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""A management host: it has WinRM and reaches Exchange computers that have none (Windows NT 4.0).

``reg`` and ``sc`` reach another computer themselves. For programs that do not, sites use tools of
their own; here it is ``remote.exe \\HOST COMMAND``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from .windows.errors import WinError
from .windows.host import LabHost
from .windows.process import Invocation
from .windows.winrm_server import Settings, WinRMServer

REMOTE = r"C:\tools\remote.exe"
_ARGUMENTS = re.compile(r"\s*\\\\(\S+)\s+(.+)", re.DOTALL)
_USAGE_ERROR = 87  # ERROR_INVALID_PARAMETER


class Manager:
    """A Windows host without Exchange; ``host.connect`` lets it reach others."""

    def __init__(
        self, name: str, root: Path, winrm: WinRMServer, users: Mapping[str, str], scale: float
    ) -> None:
        self.host = LabHost(name, root, users=users, time_scale=scale)
        self.host.install(REMOTE, run_remotely)
        # What was logged in here has to be good for the second hop.
        self.winrm = winrm.add(self.host, settings=Settings(delegates=True))

    def close(self) -> None:
        """Stop everything on this host."""
        self.winrm.stop()
        self.host.close()


def run_remotely(call: Invocation) -> int:
    """Run a command line on another machine; its output and exit code are ours."""
    arguments = _ARGUMENTS.fullmatch(call.raw)
    if arguments is None:
        call.err("Usage: remote \\\\computer command\r\n")
        return _USAGE_ERROR
    try:
        machine = call.shell.remote(arguments[1])
    except WinError as exc:
        call.err(f"{arguments[1]}: {call.shell.message(exc.code)}\r\n")
        return exc.code
    return machine.execute(arguments[2], machine.open_shell(call.shell.user), call.streams)
