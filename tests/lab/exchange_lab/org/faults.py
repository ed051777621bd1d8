# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that a test orders, and counters that tell what a client really did."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What goes wrong with a cmdlet."""

    ERROR = "error"  # it answers with a directory error that may pass
    DELAY = "delay"  # it takes that many seconds more
    RESET_BEFORE = "reset-before"  # the connection breaks, and the cmdlet was never run
    RESET_AFTER = "reset-after"  # the connection breaks after it ran: the answer is lost
    EMPTY = "empty"  # it answers nothing at all, without an error


@dataclass(slots=True)
class Fault:
    """One ordered fault; ``skip`` calls pass before it, ``times`` calls meet it."""

    kind: Kind
    cmdlet: str
    server: str | None = None
    skip: int = 0
    times: int = 1
    seconds: float = 0.0
    message: str = "The LDAP server is unavailable."


class DropConnection(Exception):  # noqa: N818 - an order to the HTTP server, not an error
    """The connection of the pipeline breaks without an answer."""


class Faults:
    """The faults still to come, thread-safe."""

    def __init__(self) -> None:
        self._pending: list[Fault] = []
        self._lock = threading.Lock()

    def order(self, fault: Fault) -> None:
        """Let a fault happen."""
        with self._lock:
            self._pending.append(fault)

    def clear(self) -> None:
        """Forget what has not happened yet."""
        with self._lock:
            self._pending.clear()

    def next_for(self, cmdlet: str, server: str) -> Fault | None:
        """The fault that this call of a cmdlet meets, if any."""
        with self._lock:
            for fault in self._pending:
                if fault.cmdlet.lower() != cmdlet.lower() or fault.server not in (None, server):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if fault.times <= 0:
                    self._pending.remove(fault)
                return fault
        return None


class Counters:
    """Cmdlets that were run, by server, thread-safe. (Requests are counted by the listeners.)"""

    def __init__(self) -> None:
        self._cmdlets: Counter[tuple[str, str]] = Counter()
        self._asked: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def cmdlet(self, server: str, name: str, arguments: Mapping[str, object]) -> None:
        """Count a cmdlet that was run."""
        words = [name, *(f"-{key} {value}" for key, value in sorted(arguments.items()))]
        with self._lock:
            self._cmdlets[server, name] += 1
            self._asked.append((server, " ".join(words)))

    def cmdlets(self, name: str, server: str | None = None) -> int:
        """Runs of one cmdlet at one server, or at all."""
        with self._lock:
            return sum(
                count
                for (where, what), count in self._cmdlets.items()
                if what == name and server in (None, where)
            )

    def asked(self, server: str) -> list[str]:
        """Return the cmdlets that one server ran, with their arguments, in order."""
        with self._lock:
            return [text for where, text in self._asked if where == server]

    def reset(self) -> None:
        """Start counting again."""
        with self._lock:
            self._cmdlets.clear()
            self._asked.clear()
