# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages and queues of one server ("Queues and messages in queues")."""

from __future__ import annotations

import itertools
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy

from .routing import UNREACHABLE, NextHop

_internal_ids = itertools.count(1_000)
_queue_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Message:
    """A message as one server received it. ``arrived`` is monotonic seconds."""

    message_id: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    content: bytes
    client_ip: str
    arrived: float
    received: datetime = field(default_factory=lambda: datetime.now(UTC))
    internal_id: int = field(default_factory=lambda: next(_internal_ids))
    network_id: uuid.UUID = field(default_factory=uuid.uuid4)

    @classmethod
    def read(
        cls, sender: str, recipients: tuple[str, ...], content: bytes, client_ip: str, now: float
    ) -> Message:
        """Understand what SMTP brought; a message without a Message-ID gets one."""
        headers = message_from_bytes(content, policy=policy.compat32)
        message_id = str(headers.get("Message-ID") or "").strip()
        if not message_id:
            message_id = f"<{uuid.uuid4()}@lab.example>"
            content = f"Message-ID: {message_id}\r\n".encode() + content
        subject = str(headers.get("Subject") or "")
        return cls(message_id, sender, recipients, subject, content, client_ip, now)


@dataclass(slots=True)
class Waiting:
    """A message in a queue, for some of its recipients."""

    message: Message
    recipients: tuple[str, ...]
    status: str = "Ready"
    last_error: str = ""
    attempts: int = 0


@dataclass(slots=True)
class Queue:
    """A delivery queue. ``due`` is the monotonic second of the next attempt."""

    hop: NextHop
    number: int = field(default_factory=lambda: next(_queue_numbers))
    waiting: list[Waiting] = field(default_factory=list)
    status: str = "Ready"
    last_error: str = ""
    attempts: int = 0
    due: float = 0.0
    first_retry: datetime | None = None
    last_retry: datetime | None = None
    next_retry: datetime | None = None
    busy: bool = False

    @property
    def label(self) -> str:
        """What stands behind the server in its identity."""
        return "Unreachable" if self.hop == UNREACHABLE else str(self.number)


class Queues:
    """The queues of one server, thread-safe."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._queues: dict[NextHop, Queue] = {}

    def put(self, hop: NextHop, waiting: Waiting) -> None:
        """Let a message wait for that next hop."""
        with self.lock:
            queue = self._queues.setdefault(hop, Queue(hop))
            queue.waiting.append(waiting)

    def all(self) -> list[Queue]:
        """Every queue that holds something, by number."""
        with self.lock:
            held = [queue for queue in self._queues.values() if queue.waiting]
            return sorted(held, key=lambda queue: queue.number)

    def take_due(self, now: float) -> list[Queue]:
        """The delivery queues whose time has come; they are busy from now on."""
        with self.lock:
            due = [
                queue
                for queue in self.all()
                if queue.hop != UNREACHABLE and not queue.busy and queue.due <= now
            ]
            for queue in due:
                queue.busy = True
                queue.status = "Active"
            return due

    def next_due(self) -> float | None:
        """When the next queue is due; None if none waits."""
        with self.lock:
            times = [q.due for q in self.all() if not q.busy and q.hop != UNREACHABLE]
            return min(times, default=None)

    def empty(self, queue: Queue) -> list[Waiting]:
        """Take everything out of a queue."""
        with self.lock:
            taken, queue.waiting = queue.waiting, []
            return taken

    def drop_empty(self) -> None:
        """Forget queues that hold nothing (Exchange does so after QueueMaxIdleTime)."""
        with self.lock:
            self._queues = {
                hop: queue for hop, queue in self._queues.items() if queue.waiting or queue.busy
            }
