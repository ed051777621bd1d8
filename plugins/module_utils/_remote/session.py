# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command session on a Windows host, as the engine sees it.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

#: Longest command line cmd.exe takes, in characters (Microsoft KB 830473).
COMMAND_LINE_LIMIT = 8191


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended: its exit code and what it wrote, as raw bytes.

    ``truncated`` says that the output was longer than allowed and the command was stopped.
    """

    exit_code: int
    stdout: bytes
    stderr: bytes
    truncated: bool = False


class Session(Protocol):
    """Runs command lines on one host; opened at the first command."""

    @property
    def host(self) -> str:
        """Name of the host as the administrator knows it, for messages."""

    @property
    def requests(self) -> int:
        """Requests sent to the host so far."""

    @property
    def host_time(self) -> datetime | None:
        """What the host's own clock shows now (UTC); None where it does not tell.

        It is exact to two seconds or so, and unknown before the first command.
        """

    def run(
        self, command: str, *, timeout: float = 60.0, max_output: int = 16_000_000
    ) -> Completed:
        """Run one cmd.exe command line and wait for its end.

        ``timeout`` is in seconds, ``max_output`` in bytes. Raises HostUnreachable, CommandTimeout
        or SessionLost, and InvalidInput for a line that cmd.exe would cut.
        """

    def reopen(self) -> None:
        """Forget the broken shell and connection; the next command opens new ones."""

    def close(self) -> None:
        """Close what this session opened itself. Never raises, and may be called again."""
