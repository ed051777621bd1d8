# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exchange cmdlets on a remote runspace, as the engine sees them: typed, and never a script.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .._base.errors import ExchangeError

_NAME = re.compile(r"[A-Z][A-Za-z]+-[A-Z][A-Za-z0-9]+\Z")
_PARAMETER = re.compile(r"[A-Z][A-Za-z0-9]+\Z")


@dataclass(frozen=True, slots=True)
class Cmdlet:
    """A cmdlet with its parameters; values are text, numbers, booleans or lists of text.

    ``None`` is PowerShell's ``$null``: it empties a property. A switch is given as a boolean.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what is no name, so that no syntax can pass for one."""
        if not _NAME.match(self.name) or not all(map(_PARAMETER.match, self.parameters)):
            raise ValueError(f"{self.name!r} or one of its parameters is no name")


class CmdletError(ExchangeError):
    """Exchange refused a cmdlet: its own words, and its error id for those who search for it."""

    def __init__(
        self, message: str, *, cmdlet: str, error_id: str = "", reason: str = "", hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint, details={"cmdlet": cmdlet, "error_id": error_id})
        self.cmdlet = cmdlet
        self.error_id = error_id
        self.reason = reason

    @property
    def transient(self) -> bool:
        """Whether Exchange itself says that it may pass (``ADTransientException`` and its like)."""
        return "Transient" in self.reason or "TransientException" in self.error_id


class CmdletSession(Protocol):
    """Runs cmdlets in one runspace of one host; opened at the first."""

    @property
    def host(self) -> str:
        """Name of the host as the administrator knows it, for messages."""

    @property
    def requests(self) -> int:
        """Requests sent to the host so far."""

    def invoke(self, cmdlet: Cmdlet, *, timeout: float = 120.0) -> Sequence[Mapping[str, Any]]:
        """Run one cmdlet and return its objects as plain properties; ``timeout`` in seconds.

        Raises CmdletError where Exchange wrote an error, whether it ended the cmdlet or not, and
        HostUnreachable, CommandTimeout or SessionLost as a command session does.
        """

    def reopen(self) -> None:
        """Forget the broken runspace; the next cmdlet opens a new one."""

    def close(self) -> None:
        """Close the runspace. Never raises, and may be called again."""
