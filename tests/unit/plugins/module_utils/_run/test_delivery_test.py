# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop that follows messages: time, news, and broken sessions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import SessionLost
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.delivery import (
    Observation,
    Poll,
    Stage,
    Verdict,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.delivery import (
    TestResult as Result,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.message import Probe
from ansible_collections.postmaster.exchange.plugins.module_utils._run.delivery_test import (
    Clock,
    follow,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run.options import Patience

NOW = datetime(2026, 11, 23, tzinfo=UTC)
QUEUED = Observation(Stage.QUEUED, "1010 queued")
SENT = Observation(Stage.TRANSFERRED, "1011 transferred")


def probe(name: str) -> Probe:
    return Probe(
        f"{name}.example", f"p@{name}.example", "s@hq.example", "s", NOW, name, f"<{name}>"
    )


@dataclass
class FakeTime:
    """Time that passes only by sleeping, and while a tracker looks."""

    now: float = 0.0
    naps: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.now, sleep=self.sleep)


@dataclass
class Script:
    """A tester that returns one poll after the other, then nothing new."""

    polls: Iterator[Poll | Exception]
    asked: list[list[str]] = field(default_factory=list)
    reopened: int = 0

    def poll(self, pending: Sequence[Probe]) -> Poll:
        self.asked.append([one.tag for one in pending])
        poll = next(self.polls, Poll())
        if isinstance(poll, Exception):
            raise poll
        return poll

    def reopen(self) -> None:
        self.reopened += 1

    def reason(self, verdict: Verdict) -> str:
        return f"reason: {verdict}"

    def explain(self, results: Sequence[Result], blind: str) -> list[Result]:
        return [replace(result, reason=f"explained {blind}") for result in results]


def run(
    script: Script, *names: str, deadline: float = 60.0
) -> tuple[list[Result], list[str], FakeTime]:
    time, news = FakeTime(), list[str]()
    results = follow(
        [probe(name) for name in names],
        script,  # type: ignore[arg-type]  # it submits nothing
        Patience(deadline, 5.0),
        news.append,
        time.clock(),
    )
    return results, news, time


def test_it_ends_as_soon_as_every_message_has_left() -> None:
    script = Script(iter([Poll({"a": [QUEUED]}), Poll({"a": [SENT]})]))
    results, news, time = run(script, "a")

    assert results[0].verdict is Verdict.DELIVERED
    assert results[0].seconds == 1.0
    assert time.now == 1.0
    assert news == ["a.example: queued after 0 s (1010 queued)", "a.example: delivered after 1 s"]


def test_only_messages_without_a_final_verdict_are_asked_for() -> None:
    script = Script(iter([Poll({"a": [SENT]}), Poll({"b": [SENT]})]))
    run(script, "a", "b")

    assert script.asked == [["a", "b"], ["b"]]


def test_the_first_looks_come_soon_and_the_last_one_at_the_deadline() -> None:
    script = Script(iter([]))
    results, _skipped, time = run(script, "a", deadline=19.0)

    assert time.naps == [1.0, 2.0, 4.0, 5.0, 5.0, 2.0]
    assert len(script.asked) == 7
    assert time.now == 19.0
    assert results[0].verdict is Verdict.UNKNOWN


def test_what_is_said_twice_is_news_once() -> None:
    script = Script(iter([Poll({"a": [QUEUED]}), Poll({"a": [QUEUED]})]))
    results, news, _skipped = run(script, "a", deadline=10.0)

    assert len(news) == 1
    assert results[0].observations == (QUEUED,)


def test_long_silence_is_broken_by_what_is_still_followed() -> None:
    script = Script(iter([Poll({"a": [SENT]})]))
    _results, news, _skipped = run(script, "a", "b", deadline=100.0)

    waiting = "1 of 2 test messages are still followed"
    assert news == [
        "a.example: delivered after 0 s",
        f"after 32 of at most 100 s, {waiting}",
        f"after 62 of at most 100 s, {waiting}",
        f"after 92 of at most 100 s, {waiting}",
    ]


def test_a_lost_session_is_reopened_and_what_was_known_stays() -> None:
    script = Script(
        iter([Poll({"a": [QUEUED]}), SessionLost("the line broke"), Poll({"a": [SENT]})])
    )
    results, _news, _time = run(script, "a")

    assert script.reopened == 1
    assert results[0].observations == (QUEUED, SENT)
    assert results[0].reason == "reason: delivered"


def test_a_host_that_stays_away_leaves_the_reason() -> None:
    script = Script(iter([SessionLost("the line broke")] * 9))
    results, _news, _time = run(script, "a", deadline=20.0)

    assert results[0].reason == "explained the line broke"


def test_a_hopeless_view_ends_the_waiting() -> None:
    script = Script(iter([Poll(blind="tracking is off", hopeless=True)]))
    results, _skipped, time = run(script, "a", deadline=600.0)

    assert time.now == 0.0
    assert results[0].reason == "explained tracking is off"


def test_no_messages_need_no_look() -> None:
    script = Script(iter([]))
    results, _news, _time = run(script)

    assert script.asked == []
    assert results == []
