# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The message tracking log of a server ("Message tracking")."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class TrackingEvent:
    """One line of the log."""

    event_id: str
    source: str
    internal_id: int
    message_id: str
    network_id: uuid.UUID
    sender: str
    recipients: tuple[str, ...]
    recipient_status: tuple[str, ...]
    subject: str
    size: int
    client_ip: str = ""
    client_host: str = ""
    server_ip: str = ""
    server_host: str = ""
    connector: str = ""
    context: str = ""
    reference: tuple[str, ...] = ()
    timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))


class TrackingLog:
    """The events of one server, oldest first, thread-safe. ``enabled`` may be switched off."""

    def __init__(self) -> None:
        self._events: list[TrackingEvent] = []
        self._lock = threading.Lock()

    def add(self, event: TrackingEvent) -> None:
        """Write a line."""
        with self._lock:
            self._events.append(event)

    def events(self) -> list[TrackingEvent]:
        """Everything in it."""
        with self._lock:
            return list(self._events)


@dataclass(frozen=True, slots=True)
class Search:
    """The criteria of Get-MessageTrackingLog; None means any. Start is within, End is not."""

    start: datetime | None = None
    end: datetime | None = None
    event_id: str | None = None
    internal_id: str | None = None
    message_id: str | None = None
    network_id: str | None = None
    subject: str | None = None
    recipients: tuple[str, ...] = ()
    reference: str | None = None
    sender: str | None = None
    source: str | None = None

    def finds(self, event: TrackingEvent) -> bool:
        """Whether an event meets all criteria."""
        exact = (
            (self.event_id, event.event_id),
            (self.internal_id, str(event.internal_id)),
            (self.message_id, event.message_id),
            (self.network_id, str(event.network_id)),
            (self.sender, event.sender),
            (self.source, event.source),
        )
        if any(want is not None and want.lower() != have.lower() for want, have in exact):
            return False
        if self.start is not None and event.timestamp < self.start:
            return False
        if self.end is not None and event.timestamp >= self.end:
            return False
        if self.subject is not None and self.subject.lower() not in event.subject.lower():
            return False
        if self.reference is not None and self.reference not in event.reference:
            return False
        return not self.recipients or _meet(self.recipients, event.recipients)


def _meet(wanted: Iterable[str], have: Iterable[str]) -> bool:
    return not {text.lower() for text in wanted}.isdisjoint(text.lower() for text in have)
