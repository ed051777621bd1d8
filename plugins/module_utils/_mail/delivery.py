# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of messages: observations in logs, results of tests, entries of queues. Pure.

The logs of each mail system are translated into observations of five stages. These form a lattice:
more observations never make a verdict weaker, and neither their order nor repetitions matter.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from .._base.texts import utc_text
from .message import Probe
from .smtp_errors import SmtpError

#: Failures and returned recipients that a result shows.
_SHOWN = 100
_MOST_DOMAINS = 1_000


class Stage(IntEnum):
    """How far a message came by one record of a log, from the weakest to the strongest."""

    SEEN = 1  # the system has the message
    QUEUED = 2  # it waits to be sent, or to be routed again
    RELAYED = 3  # a relay or an Edge server has it, and what that does with it is out of sight
    TRANSFERRED = 4  # a server of the destination accepted it
    RETURNED = 5  # a non-delivery report was made; a transfer before it does not undo that


class Verdict(StrEnum):
    """The result of one test message."""

    DELIVERED = "delivered"
    RELAYED = "relayed"
    QUEUED = "queued"
    RETURNED = "returned"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    NOT_TESTED = "not_tested"  # this host has no way to send one


_VERDICTS = {
    Stage.SEEN: Verdict.QUEUED,
    Stage.QUEUED: Verdict.QUEUED,
    Stage.RELAYED: Verdict.RELAYED,
    Stage.TRANSFERRED: Verdict.DELIVERED,
    Stage.RETURNED: Verdict.RETURNED,
}


@dataclass(frozen=True, slots=True)
class Observation:
    """One record about one message. ``time`` (UTC) is None where the log's text is ambiguous.

    ``reason`` explains the stage here, where the verdict alone does not.
    """

    stage: Stage
    event: str
    time: datetime | None = None
    time_text: str = ""
    error: SmtpError | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Poll:
    """The findings of one look at the logs, by the tag of the message.

    ``blind`` is why nothing could be read, or empty; ``hopeless`` whether it will stay so.
    """

    observations: Mapping[str, Sequence[Observation]] = field(default_factory=dict)
    blind: str = ""
    hopeless: bool = False


def strongest(observations: Iterable[Observation]) -> Observation | None:
    """Return the observation that decides: the strongest stage, of these the earliest."""

    def rank(observation: Observation) -> tuple[int, bool, float, str]:
        when = observation.time
        earliest = when.timestamp() if when else 0.0
        return (-observation.stage, when is None, earliest, observation.event)

    return min(observations, key=rank, default=None)


def verdict_of(observations: Iterable[Observation]) -> Verdict:
    """Return the verdict of a set of observations; an empty set is ``unknown``."""
    decisive = strongest(observations)
    return Verdict.UNKNOWN if decisive is None else _VERDICTS[decisive.stage]


def is_final(observations: Iterable[Observation]) -> bool:
    """Whether waiting longer cannot show more of the message."""
    decisive = strongest(observations)
    return decisive is not None and decisive.stage >= Stage.RELAYED


@dataclass(frozen=True, slots=True)
class TestResult:
    """The verdict for one domain, with what supports it.

    ``time`` is when the mail system recorded the deciding event, ``seconds`` how long after
    submission it was seen. ``error`` is why the message was not accepted.
    """

    probe: Probe
    verdict: Verdict
    reason: str
    time: datetime | None = None
    seconds: float | None = None
    error: SmtpError | None = None
    observations: tuple[Observation, ...] = ()

    @property
    def delivered(self) -> bool:
        """Whether a server of the destination accepted the message."""
        return self.verdict is Verdict.DELIVERED

    @property
    def relayed(self) -> bool:
        """True if a relay or an Edge server has it; no record shows its further way."""
        return self.verdict is Verdict.RELAYED

    @property
    def phrase(self) -> str:
        """The result in short: ``nestle.com queued (421 ...)``."""
        why = "" if self.verdict is Verdict.RETURNED else self.reason
        why = self.error.reply if self.error else why
        return f"{self.probe.domain} {self.verdict}" + (f" ({why})" if why else "")

    def to_dict(self) -> dict[str, object]:
        """Return the result as the module delivery_test returns it."""
        return {
            "domain": self.probe.domain,
            "recipient": self.probe.recipient,
            "message_id": self.probe.message_id,
            "verdict": str(self.verdict),
            "reason": self.reason,
            "time": utc_text(self.time),
            "seconds": None if self.seconds is None else round(self.seconds, 1),
            "error": self.error.to_dict() if self.error else None,
            "events": [
                {"event": seen.event, "time": utc_text(seen.time) or seen.time_text}
                for seen in self.observations
            ],
        }


@dataclass(frozen=True, slots=True)
class Retry:
    """A queue to retry, and which of the domains asked for it holds mail for."""

    queue: str
    domains: tuple[str, ...]
    messages: int
    last_error: str | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the queue as the module delivery_test returns it."""
        return {
            "queue": self.queue,
            "domains": list(self.domains),
            "messages": self.messages,
            "last_error": self.last_error,
        }


@dataclass(frozen=True, slots=True)
class Retries:
    """The queues to retry, and warnings about those that cannot be."""

    chosen: tuple[Retry, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How much is read: messages and bytes of each, SMTP logs, lines or events of tracking logs.

    ``own_domains`` are those named by the administrator: mail for them waits for no far server.
    """

    messages: int
    bytes: int
    logs: int
    tracking_lines: int
    counters: bool = True
    own_domains: frozenset[str] = frozenset()


@dataclass(slots=True)
class QueueEntry:
    """Messages that wait for one domain. A message for several domains counts for each."""

    domain: str
    messages: int = 0
    oldest: datetime | None = None
    error: SmtpError | None = None

    def add(self, received: datetime | None, messages: int = 1) -> None:
        """Add messages; ``received`` is the time of the oldest."""
        self.messages += messages
        if received is not None and (self.oldest is None or received < self.oldest):
            self.oldest = received

    def to_dict(self) -> dict[str, object]:
        """Return the entry as the module queue_info returns it."""
        error = self.error
        return {
            "domain": self.domain,
            "messages": self.messages,
            "oldest": utc_text(self.oldest),
            "last_error": (error.line or error.reply) if error else None,
            "error": error.to_dict() if error else None,
        }


def stuck(entries: Iterable[QueueEntry], now: datetime, min_age: int) -> list[str]:
    """Return the sorted domains with mail that has waited ``min_age`` seconds or more.

    A domain is left out only if its oldest message is known to be younger, and no server has
    deferred it: mail of unknown age may be delayed.
    """
    limit = now - timedelta(seconds=min_age)
    return sorted(
        entry.domain
        for entry in entries
        if entry.error is not None or entry.oldest is None or entry.oldest <= limit
    )


@dataclass(frozen=True, slots=True)
class LoggedError:
    """An error in logs or queues: the domain concerned, how often and where it was read."""

    error: SmtpError
    domain: str | None
    count: int
    log: str

    def to_dict(self) -> dict[str, object]:
        """Return the error as the module queue_info returns it."""
        return {
            "domain": self.domain,
            "error": self.error.to_dict(),
            "count": self.count,
            "log": self.log,
        }


@dataclass(frozen=True, slots=True)
class ReturnedMail:
    """A recipient that the mail system gave up; ``time`` as in an observation."""

    recipient: str
    domain: str | None
    time: datetime | None
    time_text: str
    event: str
    error: SmtpError | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the recipient as the module queue_info returns it."""
        return {
            "recipient": self.recipient,
            "domain": self.domain,
            "time": utc_text(self.time) or self.time_text,
            "event": self.event,
            "error": self.error.to_dict() if self.error else None,
        }


@dataclass(frozen=True, slots=True)
class NextHop:
    """An address that a host connected to recently; it accepted mail for ``domains``.

    ``silent`` is whether it ended the newest connection without a greeting.
    """

    address: str
    domains: tuple[str, ...] = ()
    silent: bool = False

    def to_dict(self) -> dict[str, object]:
        """Return the address as the module queue_info returns it."""
        domains = list(self.domains[:_SHOWN])
        return {"address": self.address, "domains": domains, "silent": self.silent}


@dataclass(slots=True)
class QueueReport:
    """The waiting mail of a host. ``unread`` counts messages that were not opened.

    ``out_of_sight`` are Edge Transport servers, which may have mail that nothing shows here.
    ``bytes``, ``service`` and ``counters`` are None, ``queues`` empty, where a family has none.
    ``next_hops`` and ``sent_domains`` are what the logs of Exchange 4.0 to 5.5 show.
    """

    family: str
    version: str | None
    service: str | None = None
    files: int = 0
    bytes: int | None = None
    unread: int = 0
    oldest: datetime | None = None
    counters: Mapping[str, int | None] | None = None
    entries: dict[str, QueueEntry] = field(default_factory=dict)
    failures: Sequence[LoggedError] = ()
    returned: Sequence[ReturnedMail] = ()
    queues: Sequence[dict[str, object]] = ()
    next_hops: Sequence[NextHop] = ()
    sent_domains: Sequence[str] = ()
    out_of_sight: Sequence[str] = ()
    warnings: list[str] = field(default_factory=list)

    def entry(self, domain: str) -> QueueEntry:
        """Return the entry of a domain; the first call creates it."""
        return self.entries.setdefault(domain, QueueEntry(domain))

    def to_dict(self, now: datetime, min_age: int) -> dict[str, object]:
        """Return the report as the module queue_info returns it."""
        entries = sorted(self.entries.values(), key=lambda one: (-one.messages, one.domain))
        return {
            "changed": False,
            "family": self.family,
            "version": self.version,
            "service": self.service,
            "files": self.files,
            "bytes": self.bytes,
            "files_unread": self.unread,
            "oldest": utc_text(self.oldest),
            "counters": self.counters,
            "queues": [entry.to_dict() for entry in entries],
            "stuck_domains": stuck(entries, now, min_age),
            "failures": [failure.to_dict() for failure in self.failures[:_SHOWN]],
            "returned": [recipient.to_dict() for recipient in self.returned[-_SHOWN:]],
            "transport_queues": list(self.queues),
            "next_hops": [hop.to_dict() for hop in self.next_hops[:_SHOWN]],
            "sent_domains": list(self.sent_domains[:_MOST_DOMAINS]),
            "out_of_sight": list(self.out_of_sight),
            "warnings": self.warnings,
        }
