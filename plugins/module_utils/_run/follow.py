# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following test messages until each has its verdict or the time is up.

What is asked, and where, is the tracker's business; this loop keeps the time, shows progress, and
outlives a session that breaks: the messages are sent, so what is known of them must not be lost.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .._base.errors import CommandTimeout, HostUnreachable, SessionLost
from .message import Probe
from .verdict import Observation, Verdict, is_final, strongest, verdict_of

#: Seconds without news after which a person is told that it is still being waited.
_SILENCE = 30.0


@dataclass(frozen=True, slots=True)
class Clock:
    """Passing time, in seconds; another one makes the loop testable."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for verdicts, and how often to look, in seconds.

    Most messages leave within seconds, so the first looks come sooner than ``interval``.
    """

    deadline: float
    interval: float

    def pause(self, looks: int) -> float:
        """Return the seconds to wait after so many looks."""
        return min(self.interval, 2.0 ** min(looks - 1, 30))


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at the logs: what is new, by the tag of the message.

    ``blind`` says why nothing could be seen, or is empty; ``hopeless`` that it will stay so.
    """

    observations: Mapping[str, Sequence[Observation]] = field(default_factory=dict)
    blind: str = ""
    hopeless: bool = False


class Tracker(Protocol):
    """Looks at a host's logs for the messages whose tags are given."""

    def look(self, pending: Sequence[Probe]) -> Sight:
        """Look once. Raises SessionLost, CommandTimeout or HostUnreachable."""

    def recover(self) -> None:
        """Make the next look use a new session."""


@dataclass(slots=True)
class Followed:
    """What is known of one message: its observations, and when the deciding one was seen.

    ``seconds`` counts from the start of the loop.
    """

    probe: Probe
    observations: list[Observation] = field(default_factory=list)
    seconds: float | None = None

    @property
    def final(self) -> bool:
        return is_final(self.observations)

    def add(self, new: Sequence[Observation], seconds: float) -> bool:
        """Take what is new; return whether the verdict changed."""
        before = verdict_of(self.observations)
        self.observations += [seen for seen in new if seen not in self.observations]
        changed = verdict_of(self.observations) is not before
        if changed:
            self.seconds = seconds
        return changed


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of following: what is known of each message, and why there may be no more."""

    followed: Sequence[Followed]
    blind: str
    seconds: float


def follow(
    probes: Sequence[Probe],
    tracker: Tracker,
    patience: Patience,
    progress: Callable[[str], None],
    clock: Clock,
) -> Outcome:
    """Look until every message has a final verdict, the deadline is over, or looking is in vain.

    The last look is never before the deadline, so a slow host cannot cut the time short.
    """
    started = clock.monotonic()
    followed = [Followed(probe) for probe in probes]
    blind = ""
    looks = 0
    told = 0.0
    while True:
        looks += 1
        pending = [one.probe for one in followed if not one.final]
        sight = _look(tracker, pending) if pending else Sight()
        elapsed = clock.monotonic() - started
        blind = sight.blind
        for one in followed:
            if one.add(sight.observations.get(one.probe.tag, ()), elapsed):
                progress(_news(one, elapsed))
                told = elapsed
        remaining = patience.deadline - elapsed
        if all(one.final for one in followed) or sight.hopeless or remaining <= 0:
            return Outcome(followed, blind, elapsed)
        if elapsed - told >= _SILENCE:
            progress(_no_news(followed, elapsed, patience))
            told = elapsed
        clock.sleep(min(patience.pause(looks), remaining))


def _no_news(followed: Sequence[Followed], elapsed: float, patience: Patience) -> str:
    pending = sum(not one.final for one in followed)
    return (
        f"after {elapsed:.0f} of at most {patience.deadline:.0f} s, {pending} of {len(followed)}"
        " test messages are still followed"
    )


def _look(tracker: Tracker, pending: Sequence[Probe]) -> Sight:
    try:
        return tracker.look(pending)
    except (SessionLost, CommandTimeout, HostUnreachable) as error:
        tracker.recover()
        return Sight(blind=error.message)


def _news(one: Followed, elapsed: float) -> str:
    verdict = verdict_of(one.observations)
    decisive = strongest(one.observations)
    event = f" ({decisive.event})" if decisive and verdict is not Verdict.DELIVERED else ""
    return f"{one.probe.domain}: {verdict} after {elapsed:.0f} s{event}"
