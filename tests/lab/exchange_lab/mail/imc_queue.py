# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outbound mail that awaits delivery: files in ``RootDir\\Out`` and one queue entry a destination.

There are more entries than files, since one message may go to several hosts (release notes of
Exchange 5.0, 3.2.11).
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..windows.errors import WinError
from ..windows.filesystem import FileSystem
from .imc_tracking import Tracked

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(slots=True)
class Message:
    """A message on its way out; ``open`` counts the destinations that are not settled."""

    file: str
    mts_id: str
    message_id: str
    sender: str
    subject: str
    length: int
    open: int = 0

    def tracked(self, recipients: Iterable[str]) -> Tracked:
        """Return what the tracking log says about it."""
        return Tracked(self.mts_id, self.message_id, self.sender, self.length, tuple(recipients))


@dataclass(slots=True)
class Destination:
    """One message for one domain. Times are of the monotonic clock."""

    message: Message
    domain: str
    recipients: tuple[str, ...]
    expires: float
    due: float = 0.0
    attempts: int = 0
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Queued:
    """A queue entry as the Administrator program shows it."""

    message_id: str
    domain: str
    recipients: tuple[str, ...]
    attempts: int
    reply: str
    file: str


@dataclass(slots=True)
class OutQueue:
    """The queue; survives a restart of the service, as the files do."""

    files: FileSystem
    changed: threading.Condition
    _entries: list[Destination] = field(default_factory=list)

    def put(self, message: Message, entries: list[Destination]) -> None:
        """Add the destinations of a message whose file is stored."""
        message.open = len(entries)
        with self.changed:
            self._entries.extend(entries)
            self.changed.notify_all()

    def content(self, message: Message) -> bytes | None:
        """Return the stored message, or None when somebody deleted its file."""
        try:
            return self.files.read_bytes(message.file)
        except WinError:
            return None

    def take_due(self) -> list[Destination]:
        """Return the entries whose time has come, oldest first."""
        now = time.monotonic()
        with self.changed:
            return [entry for entry in self._entries if entry.due <= now]

    def hurry(self) -> None:
        """Make every entry due, as a start of the service does."""
        with self.changed:
            for entry in self._entries:
                entry.due = 0.0

    def keep(self, entry: Destination, recipients: Iterable[str], reply: str, pause: float) -> None:
        """Leave an entry for later with those of its recipients that are not settled."""
        with self.changed:
            entry.recipients = tuple(recipients)
            entry.reply = reply
            entry.due = time.monotonic() + pause
            self.changed.notify_all()

    def settle(self, entry: Destination) -> None:
        """Remove an entry; the file goes with the last entry of its message."""
        with self.changed:
            self._entries.remove(entry)
            entry.message.open -= 1
            last = entry.message.open == 0
        if last:
            with contextlib.suppress(WinError):  # gone already, or held by somebody
                self.files.delete(entry.message.file)
        with self.changed:
            self.changed.notify_all()

    def entries(self) -> tuple[Queued, ...]:
        """Return what waits, oldest first."""
        with self.changed:
            return tuple(
                Queued(
                    entry.message.message_id,
                    entry.domain,
                    entry.recipients,
                    entry.attempts,
                    entry.reply,
                    entry.message.file,
                )
                for entry in self._entries
            )


def spool_name(taken: Iterable[str]) -> str:
    """Return a free name in the form the service uses, for example ``3SW32JRP``."""
    used = {name.upper() for name in taken}
    while True:
        name = "".join(random.choices(_LETTERS, k=8))
        if name not in used:
            return name
