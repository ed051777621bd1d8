# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that a WinRM listener of the lab can be told to commit, once or several times."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What goes wrong with a request.

    Those ending in ``_after`` happen after the request was carried out: the client cannot know.
    """

    RESET = "reset"  # TCP reset, nothing done
    RESET_AFTER = "reset_after"  # TCP reset instead of the answer
    DROP_AFTER = "drop_after"  # connection closed in good order instead of the answer
    HANG = "hang"  # nothing done, no answer until the client gives up
    HANG_AFTER = "hang_after"  # no answer, though it was carried out
    SLOW = "slow"  # answered after ``seconds``
    HTTP_500 = "http500"  # a bare 500 without a SOAP fault
    GARBAGE = "garbage"  # 200 with bytes that are no SOAP
    TRUNCATED = "truncated"  # the first half of the answer, then the connection ends
    UNAUTHORIZED = "unauthorized"  # 401, for the rest of the connection


DONE_FIRST = {Kind.RESET_AFTER, Kind.DROP_AFTER, Kind.HANG_AFTER, Kind.TRUNCATED}


@dataclass(slots=True)
class Fault:
    """One armed fault; ``skip`` requests that match are let through first."""

    when: str
    kind: Kind
    skip: int
    times: int
    seconds: float


class Faults:
    """The faults armed for one listener."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[Fault] = []

    def at(
        self, when: int | str, kind: Kind | str, *, times: int = 1, seconds: float = 3600.0
    ) -> None:
        """Arm a fault.

        ``when`` is a number (1 is the next request from now, logins included), or an action:
        ``Auth``, ``Create``, ``Command``, ``Receive``, ``Send``, ``Signal``, ``Delete``, ``*`` for
        any; ``Receive#2`` is the second of its sort from now. ``seconds`` limits a hang.
        """
        if isinstance(when, int):
            action, skip = "*", when - 1
        else:
            action, _skipped, number = when.partition("#")
            skip = int(number or 1) - 1
        with self._lock:
            self._armed.append(Fault(action, Kind(kind), skip, times, seconds))

    def clear(self) -> None:
        """Disarm everything."""
        with self._lock:
            self._armed.clear()

    def take(self, action: str) -> Fault | None:
        """Return the fault for a request with this action, if one is due, and count it."""
        due: Fault | None = None
        with self._lock:
            for fault in self._armed:
                if fault.when not in {"*", action}:
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                elif due is None and fault.times > 0:
                    fault.times -= 1
                    due = fault
            self._armed = [fault for fault in self._armed if fault.times > 0]
        return due
