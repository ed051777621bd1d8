# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""A management host: it has WinRM and reaches Exchange computers that have none (Windows NT 4.0).

``reg`` and ``sc`` reach another computer themselves. For programs that do not, sites use tools of
their own; here these are ``remote.exe \\HOST COMMAND``, Sysinternals' ``psexec.exe``, and
``rcmd.exe`` of the Windows NT Resource Kit.
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
PSEXEC = r"C:\tools\psexec.exe"
RCMD = r"C:\ntreskit\rcmd.exe"
_BANNER = (
    "\r\nPsExec v2.43 - Execute processes remotely\r\n"
    "Copyright (C) 2001-2023 Mark Russinovich\r\nSysinternals - www.sysinternals.com\r\n\r\n"
)
_FLAGS = re.compile(
    r"\s*((?:[-/](?:accepteula|nobanner|s|h|i)\s+)*)(\\\\.*)", re.DOTALL | re.IGNORECASE
)
_AFTER_HOST = re.compile(
    r"(\s*\\\\\S+\s+)(?:[-/](?:accepteula|nobanner|s|h|i)\s+)*(.+)", re.DOTALL | re.IGNORECASE
)
_ARGUMENTS = re.compile(r"\s*\\\\(\S+)\s+(.+)", re.DOTALL)
_USAGE_ERROR = 87  # ERROR_INVALID_PARAMETER


class Manager:
    """A Windows host without Exchange; ``host.connect`` lets it reach others."""

    def __init__(
        self, name: str, root: Path, winrm: WinRMServer, users: Mapping[str, str], scale: float
    ) -> None:
        self.host = LabHost(name, root, users=users, time_scale=scale)
        self.host.install(REMOTE, run_remotely)
        self.host.install(PSEXEC, psexec)
        self.host.install(RCMD, rcmd)
        # What was logged in here has to be good for the second hop.
        self.winrm = winrm.add(self.host, settings=Settings(delegates=True))

    def close(self) -> None:
        """Stop everything on this host."""
        self.winrm.stop()
        self.host.close()


def run_remotely(call: Invocation) -> int:
    """Run a command line on another machine; its output and exit code are ours."""
    return _run(call, call.raw, "remote \\\\computer command")


def psexec(call: Invocation) -> int:
    """Run it as PsExec does: what it says of itself goes to its standard error."""
    flags = _FLAGS.fullmatch(call.raw)
    words = _AFTER_HOST.sub(r"\1\2", flags[2]) if flags else call.raw
    if "nobanner" not in call.raw.casefold():
        call.err(_BANNER)
    code = _run(call, words, "psexec \\\\computer command")
    if found := _ARGUMENTS.fullmatch(words):
        program = found[2].split()[0].rpartition("\\")[2]
        call.err(f"{program} exited on {found[1]} with error code {code}.\r\n")
    return code


def rcmd(call: Invocation) -> int:
    """Run it as Rcmd does. That it tells no exit code of the command is the lab's assumption."""
    _run(call, call.raw, "rcmd \\\\computer command")
    return 0


def _run(call: Invocation, words: str, usage: str) -> int:
    arguments = _ARGUMENTS.fullmatch(words)
    if arguments is None:
        call.err(f"Usage: {usage}\r\n")
        return _USAGE_ERROR
    try:
        machine = call.shell.remote(arguments[1])
    except WinError as exc:
        call.err(f"{arguments[1]}: {call.shell.message(exc.code)}\r\n")
        return exc.code
    return machine.execute(arguments[2], machine.open_shell(call.shell.user), call.streams)
