# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong, in the words an administrator needs.

Every error of the engine is an ``ExchangeError``. Its message names the failure, the host and the
state of that host; its hint is the next step.
"""

from __future__ import annotations

from collections.abc import Mapping


class ExchangeError(Exception):
    """Something the administrator has to know about; never a traceback.

    ``details`` are facts for the task result (for example ``rolled_back``), not for reading.
    """

    def __init__(
        self, message: str, *, hint: str = "", details: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details: dict[str, object] = dict(details or {})

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InvalidInput(ExchangeError):  # noqa: N818 - reads as what it is, like KeyboardInterrupt
    """An option or a value from outside that is not valid."""


class MissingLibrary(ExchangeError):  # noqa: N818
    """A Python library this task needs is not installed where it runs."""


class HostUnreachable(ExchangeError):  # noqa: N818
    """No session could be opened: no route, no listener, no trust, or no login."""


class LoginRefused(HostUnreachable):
    """A host rejected the account; each further attempt may lock it."""


class CommandTimeout(ExchangeError):  # noqa: N818
    """A command on the host did not end before our own deadline; a stop signal was sent."""


class SessionLost(ExchangeError):  # noqa: N818
    """An open session broke, or returned an invalid response."""


def say_untouched(error: ExchangeError) -> None:
    """Add to an error that it came before the first change."""
    doubtful = isinstance(error, SessionLost | CommandTimeout)
    end = "In either case nothing was changed." if doubtful else "Nothing was changed."
    error.message = f"{error.message} {end}"
    error.details.setdefault("changed", False)
