# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine gets from whoever runs it: an action plugin, a module, or a test.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from .._remote.session import CmdletSession, Session
from .errors import ExchangeError


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _silent(_message: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Context:
    """Where and how an engine runs.

    ``host`` is the name the administrator uses for the host (the inventory's), ``address`` the name
    or address it is reached by, empty where none is known. ``no_session`` is why there is no
    session, where the engine may do without. ``cmdlets`` makes a session with Exchange's
    PowerShell, or returns the one it made. ``basedir`` is the folder against which relative
    controller paths count (the playbook's), ``now`` the clock (UTC).
    """

    host: str
    session: Session | None = None
    no_session: ExchangeError | None = None
    cmdlets: Callable[[], CmdletSession] | None = None
    address: str = ""
    check_mode: bool = False
    diff: bool = False
    basedir: Path = field(default_factory=Path.cwd)
    progress: Callable[[str], None] = _silent
    now: Callable[[], datetime] = _utc_now

    def need_session(self) -> Session:
        """Return the session; engines that work on a host call this once, at their start.

        Raises InvalidInput where the options do not say how to open one.
        """
        if self.no_session is not None:
            raise self.no_session
        if self.session is None:
            raise RuntimeError("this engine works on a host and was started without a session")
        return self.session

    def need_cmdlets(self) -> CmdletSession:
        """Return the session with Exchange's PowerShell; nothing is sent before its first cmdlet.

        Raises InvalidInput where the options do not say how to reach it.
        """
        if self.cmdlets is None:
            raise RuntimeError("this engine runs cmdlets and was started without an endpoint")
        return self.cmdlets()
