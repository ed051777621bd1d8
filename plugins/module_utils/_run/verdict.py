# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of a test message: pure rules from what was observed to a verdict.

A mail system is told apart elsewhere; here stand only observations of four kinds, which its logs
were translated into. The rules form a lattice: more observations never make a verdict weaker, and
neither the order in which they were seen nor repetitions matter.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum, StrEnum

from .message import Probe


class Kind(IntEnum):
    """What one record of a log says about a message, from the weakest to the strongest."""

    SEEN = 1  # the system knows the message
    QUEUED = 2  # it waits to be sent, or to be routed again
    TRANSFERRED = 3  # a server of the destination took it
    RETURNED = 4  # a non-delivery report was made; a transfer before it does not undo that


class Verdict(StrEnum):
    """The answer an administrator gets for one domain."""

    DELIVERED = "delivered"
    QUEUED = "queued"
    RETURNED = "returned"
    REFUSED = "refused"
    UNKNOWN = "unknown"


_VERDICTS = {
    Kind.SEEN: Verdict.QUEUED,
    Kind.QUEUED: Verdict.QUEUED,
    Kind.TRANSFERRED: Verdict.DELIVERED,
    Kind.RETURNED: Verdict.RETURNED,
}


@dataclass(frozen=True, slots=True)
class Observation:
    """One record about one message. ``time`` (UTC) is None where the log's text is ambiguous."""

    kind: Kind
    event: str
    time: datetime | None = None
    time_text: str = ""


@dataclass(frozen=True, slots=True)
class DeliveryError:
    """Why a message was not taken: the server's words, and where they were read."""

    text: str
    source: str
    code: int | None = None
    enhanced: str | None = None

    def as_dict(self) -> dict[str, object]:
        return {
            "code": self.code,
            "enhanced": self.enhanced,
            "text": self.text,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict for one domain, with what supports it.

    ``time`` is when the mail system recorded the deciding event, ``seconds`` how long after
    the submission this run saw it.
    """

    probe: Probe
    verdict: Verdict
    reason: str
    time: datetime | None = None
    seconds: float | None = None
    error: DeliveryError | None = None
    observations: tuple[Observation, ...] = field(default=())

    @property
    def delivered(self) -> bool:
        return self.verdict is Verdict.DELIVERED

    def as_dict(self) -> dict[str, object]:
        return {
            "domain": self.probe.domain,
            "recipient": self.probe.recipient,
            "message_id": self.probe.message_id,
            "verdict": str(self.verdict),
            "reason": self.reason,
            "time": _iso(self.time),
            "seconds": None if self.seconds is None else round(self.seconds, 1),
            "error": self.error.as_dict() if self.error else None,
            "events": [
                {"event": seen.event, "time": _iso(seen.time) or seen.time_text}
                for seen in self.observations
            ],
        }


def strongest(observations: Iterable[Observation]) -> Observation | None:
    """Return the observation that decides: the strongest kind, of these the earliest."""
    return min(observations, key=_rank, default=None)


def _rank(observation: Observation) -> tuple[int, bool, float, str]:
    when = observation.time
    return (
        -observation.kind,
        when is None,
        when.timestamp() if when else 0.0,
        observation.event,
    )


def verdict_of(observations: Iterable[Observation]) -> Verdict:
    """Return the verdict of a set of observations; none at all is ``unknown``."""
    decisive = strongest(observations)
    return Verdict.UNKNOWN if decisive is None else _VERDICTS[decisive.kind]


def is_final(observations: Iterable[Observation]) -> bool:
    """Whether waiting longer cannot turn these observations into a delivery."""
    decisive = strongest(observations)
    return decisive is not None and decisive.kind >= Kind.TRANSFERRED


def summary_line(result: Result) -> str:
    """Return one result as a phrase: ``nestle.com queued (421 ...)``."""
    said = result.error.text if result.error else ""
    if result.error and result.error.code is not None:
        said = " ".join(filter(None, (str(result.error.code), result.error.enhanced, said)))
    why = said or ("" if result.verdict is Verdict.RETURNED else result.reason)
    return f"{result.probe.domain} {result.verdict}" + (f" ({why})" if why else "")


def failure_message(host: str, results: Sequence[Result]) -> str:
    """Return the sentence for a task that fails: each undelivered domain and its verdict."""
    missed = [result for result in results if not result.delivered]
    return (
        f"{host}: {len(missed)} of {len(results)} test messages were not delivered: "
        + "; ".join(summary_line(result) for result in missed)
        + "."
    )


def _iso(when: datetime | None) -> str | None:
    return None if when is None else when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
