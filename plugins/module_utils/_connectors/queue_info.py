# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What waits on Exchange 2010 to Subscription Edition, and mail that was given up.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from .._base.texts import utc_text
from .._mail.addresses import domain_of
from .._mail.delivery import LoggedError, QueueLimits, QueueReport, ReturnedMail
from .._mail.smtp_errors import SmtpError, parse_last_error
from .._remote.session import Cmdlet, CmdletError, CmdletSession
from .queues import Waiting, read_waiting
from .servers import (
    NO_SERVERS,
    AcceptedDomains,
    KnownServers,
    read_servers,
    statuses_of,
    text_of,
    texts_of,
    this_server,
    time_of,
    transport_servers,
)

#: How far back returned mail is looked for.
_RETURNED_WITHIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class TransportQueues:
    """Reads the queues of a server, or of ``all_servers``; see ``_run/queue_info.QueueReader``.

    ``names`` are those of the host, ``computer`` is the server to read; an empty one is the server
    that the session leads to.
    """

    session: CmdletSession
    names: tuple[str, ...]
    now: datetime
    computer: str = ""
    all_servers: bool = False
    known: KnownServers = NO_SERVERS

    def queues(self, limits: QueueLimits) -> QueueReport:
        """Return what waits. Raises ExchangeError where no queue could be read."""
        servers, version = self.known.servers, self.known.version or None
        edges = self.known.edges
        if not servers:
            servers = read_servers(self.session)
            edges = tuple(server.name for server in servers if server.edge)
            here = this_server(servers, self.computer or self.names[0], *self.names[1:])
            version = here.version if here else None
        asked = [self.computer]
        if self.all_servers:
            asked = [server.name for server in transport_servers(self.session, servers)]
        accepted = AcceptedDomains(self.session, limits.own_domains)
        waiting = read_waiting(self.session, asked, accepted, most_messages=limits.messages)
        report = QueueReport("transport", version, unread=waiting.unread)
        report.files = sum(queue.messages for queue in waiting.queues)
        add_entries(report, waiting)
        dates = (entry.oldest for entry in report.entries.values() if entry.oldest)
        report.oldest = min(dates, default=None)
        report.failures = failures(waiting)
        report.queues = [queue.to_dict(waiting.domains_of(queue)) for queue in waiting.queues]
        report.warnings = waiting.warnings
        report.out_of_sight = edges
        for server in asked if limits.tracking_lines else ():
            report.returned = [*report.returned, *self._returned(server, limits, report)]
        report.returned = sorted(report.returned, key=lambda one: utc_text(one.time) or "")
        if waiting.unread:
            report.warnings.append(
                f"{waiting.unread} messages in queues that do not name their domain were not read,"
                " so their domains may be missing. Raise max_messages."
            )
        if suspended := [queue.identity for queue in waiting.queues if queue.suspended]:
            report.warnings.append(f"Suspended by an administrator: {', '.join(suspended)}.")
        return report

    def _returned(
        self, server: str, limits: QueueLimits, report: QueueReport
    ) -> list[ReturnedMail]:
        """Return recipients of the last day that mail was given up for, on one server."""
        parameters: dict[str, Any] = {
            "EventId": "FAIL",
            "Start": utc_text(self.now - _RETURNED_WITHIN),
            "ResultSize": limits.tracking_lines,
        }
        if server:
            parameters["Server"] = server
        try:
            events = self.session.invoke(Cmdlet("Get-MessageTrackingLog", parameters))
        except CmdletError as error:
            where = server or self.session.host
            report.warnings.append(f"The tracking log of {where}: {error.message}")
            return []
        return [one for event in events for one in _recipients(event, server or "the server")]


def _recipients(event: Mapping[str, Any], server: str) -> list[ReturnedMail]:
    """Return the recipients of a FAIL, each with its own status where there is one for each."""
    recipients = texts_of(event.get("Recipients"))
    statuses = statuses_of(event)
    errors = [parse_last_error(status, source=f"tracking log of {server}") for status in statuses]
    if len(errors) != len(recipients):
        errors = errors[:1] * len(recipients) or [None] * len(recipients)
    when = event.get("Timestamp")
    return [
        ReturnedMail(recipient, domain_of(recipient), time_of(when), text_of(when), "FAIL", error)
        for recipient, error in zip(recipients, errors, strict=True)
    ]


def add_entries(report: QueueReport, waiting: Waiting) -> None:
    """Add what waits for each foreign domain."""
    for queue in waiting.queues:
        messages = waiting.messages.get(queue.identity, ())
        for domain in waiting.domains_of(queue):
            mine = [one for one in messages if domain in one.domains or queue.domain == domain]
            entry = report.entry(domain)
            entry.add(
                min((one.received for one in mine if one.received), default=None),
                queue.messages if queue.domain else len(mine),
            )
            error = next((one.error for one in mine if one.error), None) or queue.error
            if error and (entry.error is None or (error.address and not entry.error.address)):
                entry.error = error


def failures(waiting: Waiting) -> list[LoggedError]:
    """Return each last error of a queue once, with the domains and the number of its queues."""
    alike: dict[tuple[str | None, SmtpError], list[str]] = {}
    for queue in waiting.queues:
        if queue.error is not None:
            domains = waiting.domains_of(queue)
            domain = domains[0] if len(domains) == 1 else None
            key = (domain, replace(queue.error, source="", time=None))
            alike.setdefault(key, []).append(f"queue {queue.identity}")
    return [
        LoggedError(replace(error, source=queues[-1]), domain, len(queues), queues[-1])
        for (domain, error), queues in alike.items()
    ]
