# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One attempt to deliver: find the hosts, talk to them, settle what they said."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ..windows.errors import WinError
from ..windows.filesystem import FileSystem
from .imc_model import Assumptions, Site
from .imc_queue import Destination, Message, OutQueue
from .imc_routing import NameServiceFailure, NoSuchDestination, Router
from .imc_smtp import Courier, Fate, Job, NoContact, ProtocolLog, Result
from .imc_tracking import TrackingLog

_LOGGING_LEVEL = 3


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
    """``RootDir\\Log\\L0000000.LOG`` and on: one file a connection, from level 3 on (Q154505)."""

    def __init__(self, files: FileSystem, folder: str, level: int) -> None:
        self._files = files
        self._folder = folder
        self._level = level
        self._next = 0

    def open(self) -> ProtocolLog:
        """Return the log for a new connection."""
        if self._level < _LOGGING_LEVEL:
            return ProtocolLog(lambda _line: None, datetime.now)
        while self._files.exists(path := f"{self._folder}\\L{self._next:07d}.LOG"):
            self._next += 1
        self._next += 1
        return ProtocolLog(lambda line: self._append(path, line), datetime.now)

    def _append(self, path: str, line: bytes) -> None:
        try:
            self._files.append(path, line)
        except WinError:
            self._level = 0  # a service does not stop delivering because a log cannot be written


class Deliverer:
    """Works on queue entries with the settings of one run of the service."""

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
        # The article's own words; its "hq.com" is the sender's mail domain.
        complaint = (
            f"421 NSO {self._site.domain} Unable to contact destination SMTP demon {entry.domain}"
        )
        for address in addresses:
            log = self._logs.open()
            try:
                results = self._courier.carry(job, address, log)
            except NoContact:
                self._journal.tally.connections_failed += 1
                log.line(complaint)
            else:
                self._settle(entry, results, address)
                return
        if not addresses:
            self._logs.open().line(complaint)
        self._postpone(entry, complaint)

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
