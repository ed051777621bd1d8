# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One attempt to deliver: find the hosts, talk to them, settle what they said."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ..windows.errors import WinError
from ..windows.filesystem import FileSystem
from .imc_model import Assumptions, Site
from .imc_queue import Destination, Message, OutQueue
from .imc_routing import NameServiceFailure, NoSuchDestination, Router
from .imc_smtp import Courier, Fate, Job, NoContact, ProtocolLog, Result, Silence
from .imc_tracking import TrackingLog

_LOGGING_LEVEL, _ALL_LEVEL = 3, 5


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message that a far server took."""

    message_id: str
    recipient: str
    address: str


@dataclass(frozen=True, slots=True)
class Returned:
    """A message that came back to its sender, with the reply that the report gives as reason."""

    message_id: str
    sender: str
    recipients: tuple[str, ...]
    reply: str
    report: str


@dataclass(slots=True)
class Tally:
    """The performance object ``MSExchangeIMC``; counts from the start of the service."""

    connections_failed: int = 0
    reports_made: int = 0
    messages_sent: int = 0


@dataclass(slots=True)
class Journal:
    """What became of mail, for whoever watches the lab."""

    delivered: list[Delivered] = field(default_factory=list)
    returned: list[Returned] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)


class ProtocolLogs:
    """``RootDir\\Log\\L0000000.LOG`` and on, from level 3 on (Q154505). Thread-safe.

    A file belongs to a concurrent connection: the first one to be open writes into the first file,
    and the next one that opens when it is closed goes on in it. Not ``shared``: one file a
    connection.
    """

    def __init__(
        self,
        files: FileSystem,
        folder: str,
        level: int,
        *,
        shared: bool = False,
        arrows: bool = False,
    ) -> None:
        self._files = files
        self._folder = folder
        self._level = level
        self._shared = shared
        self._arrows = arrows
        self._next = 0
        self._paths: list[str] = []
        self._busy: set[int] = set()
        self._lock = threading.Lock()

    def open(self) -> ProtocolLog:
        """Return the log for a new connection; it is to be closed."""
        if self._level < _LOGGING_LEVEL:
            return ProtocolLog(lambda _line: None, datetime.now)
        with self._lock:
            slot = next(n for n in itertools.count() if n not in self._busy)
            if slot == len(self._paths):
                self._paths.append(self._new_path())
            path = self._paths[slot] if self._shared else self._new_path(self._paths[slot])
            self._paths[slot] = path
            self._busy.add(slot)
        return ProtocolLog(
            lambda line: self._append(path, line),
            datetime.now,
            lambda: self._busy.discard(slot),
            arrows=self._arrows,
            again=self._level >= _ALL_LEVEL,
        )

    def _new_path(self, current: str = "") -> str:
        """A name that no file has; the one of now serves as long as nothing is in it."""
        if current and not self._files.exists(current):
            return current
        while self._files.exists(path := f"{self._folder}\\L{self._next:07d}.LOG"):
            self._next += 1
        self._next += 1
        return path

    def _append(self, path: str, line: bytes) -> None:
        try:
            self._files.append(path, line)
        except WinError:
            self._level = 0  # a service does not stop delivering because a log cannot be written


class Deliverer:
    """Works on queue entries with the settings of one run of the service.

    ``stays``: after an exchange that takes the connection and says nothing, no other is tried.
    """

    def __init__(
        self,
        site: Site,
        assumptions: Assumptions,
        queue: OutQueue,
        journal: Journal,
        *,
        router: Router,
        courier: Courier,
        tracking: TrackingLog,
        logs: ProtocolLogs,
        report: Callable[[str, str], None],
        stays: bool = False,
    ) -> None:
        self._site = site
        self._assumptions = assumptions
        self._queue = queue
        self._journal = journal
        self._router = router
        self._courier = courier
        self._tracking = tracking
        self._logs = logs
        self._report = report
        self._stays = stays
        self._reports = 0

    def attempt(self, entry: Destination) -> None:
        """Try one queue entry once."""
        content = self._queue.content(entry.message)
        if content is None:
            self._queue.settle(entry)
            return
        entry.attempts += 1
        job = Job(self._site.fqdn, entry.message.sender, entry.recipients, content)
        try:
            addresses = self._router.targets(entry.domain)
        except NoSuchDestination as exc:
            self._settle(entry, {r: Result(Fate.FAILED, f"550 {exc}") for r in entry.recipients})
        except NameServiceFailure:
            self._postpone(entry, f"451 NSO {self._site.domain} No answer for {entry.domain}")
        else:
            self._contact(entry, job, addresses)

    def _contact(self, entry: Destination, job: Job, addresses: list[str]) -> None:
        # The article's own words in the queue window; its "hq.com" is the sender's mail domain.
        complaint = (
            f"421 NSO {self._site.domain} Unable to contact destination SMTP demon {entry.domain}"
        )
        real = self._assumptions.real_log
        for number, address in enumerate(addresses, start=1):
            log = self._logs.open()
            try:
                results = self._courier.carry(job, address, log)
            except NoContact as exc:
                self._journal.tally.connections_failed += 1
                last = number == len(addresses) or (isinstance(exc, Silence) and self._stays)
                if not real:
                    log.line(complaint)
                elif last:
                    log.line(_unreachable(entry))
                if last:
                    break
            else:
                self._log_deferral(log, entry, results)
                self._settle(entry, results, address)
                return
            finally:
                log.close()
        if not addresses:
            log = self._logs.open()
            log.line(_unreachable(entry) if real else complaint)
            log.close()
        self._postpone(entry, complaint)

    def _log_deferral(
        self, log: ProtocolLog, entry: Destination, results: dict[str, Result]
    ) -> None:
        """Of mail that has to wait the log says so, with the reply and the subject (Q146669)."""
        deferred = [result.reply for result in results.values() if result.fate is Fate.DEFERRED]
        if deferred and self._assumptions.real_log:
            log.line(f"{deferred[0]} {_rescheduling(entry)}")

    def _settle(self, entry: Destination, results: dict[str, Result], address: str = "") -> None:
        by_fate = {
            fate: [name for name, result in results.items() if result.fate is fate] for fate in Fate
        }
        if by_fate[Fate.DELIVERED]:
            self._note_delivery(entry.message, by_fate[Fate.DELIVERED], address)
        if failed := by_fate[Fate.FAILED]:
            self._return(entry.message, failed, results[failed[0]].reply)
        if deferred := by_fate[Fate.DEFERRED]:
            entry.recipients = tuple(deferred)
            self._postpone(entry, results[deferred[0]].reply)
        else:
            self._queue.settle(entry)

    def _postpone(self, entry: Destination, reply: str) -> None:
        if time.monotonic() >= entry.expires:
            self._return(entry.message, entry.recipients, reply)
            self._queue.settle(entry)
        else:
            pause = self._assumptions.pause(entry.attempts)
            self._queue.keep(entry, entry.recipients, reply, pause)

    def _note_delivery(self, message: Message, recipients: list[str], address: str) -> None:
        self._tracking.transferred(message.tracked(recipients))
        self._journal.tally.messages_sent += 1
        self._journal.delivered.extend(
            Delivered(message.message_id, recipient, address) for recipient in recipients
        )

    def refuse(self, message: Message, recipients: Iterable[str], reply: str) -> None:
        """Return a message that was taken and cannot be sent on."""
        self._return(message, recipients, reply)

    def _return(self, message: Message, recipients: Iterable[str], reply: str) -> None:
        names = tuple(recipients)
        self._reports += 1
        self._tracking.returned(message.tracked(names), f"{message.mts_id}-R{self._reports}")
        text = _report_text(self._site, message, names, reply)
        self._journal.tally.reports_made += 1
        self._journal.returned.append(
            Returned(message.message_id, message.sender, names, reply, text)
        )
        self._report(message.sender, text)


def _rescheduling(entry: Destination) -> str:
    subject = entry.message.subject
    return f'Message subject: ""{subject}"". Rescheduling delivery for later.'


def _unreachable(entry: Destination) -> str:
    """The service's own line in the protocol log (Q228725, Q239816)."""
    return f"499 No routing hosts are reachable for {entry.domain}. {_rescheduling(entry)}"


def _report_text(site: Site, message: Message, recipients: tuple[str, ...], reply: str) -> str:
    """Return the report to the sender, in the form Q150969 shows."""
    now = datetime.now(UTC)
    mark = f"[MSEXCH:IMC:{site.organisation}:{site.site}:{site.server.upper()}]"
    failed = "\n".join(
        f"  {name} on {now:%Y-%m-%d %H:%M:%S} GMT\n    {reply}" for name in recipients
    )
    return (
        f"From: System Administrator <postmaster@{site.domain}>\n"
        f"To: {message.sender}\n"
        f"Subject: Undeliverable: {message.subject}\n"
        "\n"
        "Your message did not reach some or all of the intended recipients.\n"
        "\n"
        "The following recipient(s) could not be reached:\n"
        f"{failed}\n"
        f"    {mark}\n"
    )
