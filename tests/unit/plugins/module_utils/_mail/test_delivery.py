# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The laws of verdicts, and the words for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.delivery import (
    Observation,
    QueueEntry,
    QueueReport,
    Stage,
    Verdict,
    is_final,
    strongest,
    stuck,
    verdict_of,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.delivery import (
    TestResult as Result,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.message import Probe
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.smtp_errors import (
    ErrorClass,
    SmtpError,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 23, 11, 45, 7, tzinfo=UTC)

_ORDER = [
    Verdict.UNKNOWN,
    Verdict.QUEUED,
    Verdict.RELAYED,
    Verdict.DELIVERED,
    Verdict.RETURNED,
]
_TIMES = st.none() | st.datetimes(
    min_value=datetime(1996, 1, 1),
    max_value=datetime(2030, 1, 1),
    timezones=st.just(UTC),
)
OBSERVATIONS = st.lists(
    st.builds(Observation, st.sampled_from(Stage), st.sampled_from(["1010", "1011"]), _TIMES),
    max_size=8,
)


def probe(domain: str) -> Probe:
    tag = f"t-{domain}"
    return Probe(domain, f"postmaster@{domain}", "mx@hq.example", "s", NOW, tag, f"<{tag}@x>")


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([], Verdict.UNKNOWN),
        ([Stage.SEEN], Verdict.QUEUED),
        ([Stage.SEEN, Stage.QUEUED], Verdict.QUEUED),
        ([Stage.QUEUED, Stage.RELAYED], Verdict.RELAYED),
        ([Stage.QUEUED, Stage.TRANSFERRED], Verdict.DELIVERED),
        ([Stage.QUEUED, Stage.RETURNED], Verdict.RETURNED),
        ([Stage.TRANSFERRED, Stage.RETURNED], Verdict.RETURNED),
    ],
)
def test_the_strongest_observation_decides(kinds: list[Stage], expected: Verdict) -> None:
    assert verdict_of([Observation(kind, "e") for kind in kinds]) is expected


@given(OBSERVATIONS, st.randoms())
def test_order_and_repetition_do_not_matter(seen: list[Observation], random: st.DataObject) -> None:
    shuffled = seen * 2
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert verdict_of(shuffled) is verdict_of(seen)
    assert strongest(shuffled) == strongest(seen)


@given(OBSERVATIONS, OBSERVATIONS)
def test_more_observations_never_make_a_verdict_weaker(
    some: list[Observation], more: list[Observation]
) -> None:
    both = _ORDER.index(verdict_of(some + more))

    assert both == max(_ORDER.index(verdict_of(some)), _ORDER.index(verdict_of(more)))


@given(OBSERVATIONS)
def test_waiting_ends_exactly_when_the_message_has_left_the_host(seen: list[Observation]) -> None:
    waits = verdict_of(seen) in {Verdict.UNKNOWN, Verdict.QUEUED}
    assert is_final(seen) is not waits


def test_of_two_transfers_the_earlier_one_gives_the_time() -> None:
    early = Observation(Stage.TRANSFERRED, "1011", datetime(2026, 1, 1, tzinfo=UTC))
    late = Observation(Stage.TRANSFERRED, "1011", datetime(2026, 1, 2, tzinfo=UTC))
    undated = Observation(Stage.TRANSFERRED, "1011")

    assert strongest([late, undated, early]) == early


def test_a_result_is_plain_data() -> None:
    error = SmtpError(
        "try later", ErrorClass.REFUSED, code=451, enhanced="4.4.0", source="SMTP protocol log"
    )
    result = Result(
        probe("a.example"), Verdict.QUEUED, "waits", NOW, 12.345, error,
        (Observation(Stage.QUEUED, "1010 SMTP queued outbound", NOW),
         Observation(Stage.SEEN, "1012", None, "3/4/26 1:2:3")),
    )  # fmt: skip

    assert result.to_dict() == {
        "domain": "a.example",
        "recipient": "postmaster@a.example",
        "message_id": "<t-a.example@x>",
        "verdict": "queued",
        "reason": "waits",
        "time": "2026-11-23T11:45:07Z",
        "seconds": 12.3,
        "error": {
            "code": 451,
            "enhanced": "4.4.0",
            "text": "try later",
            "error_class": "refused",
            "origin": "this_host",
            "address": None,
            "host_name": None,
            "time": None,
            "winsock": None,
            "line": "451 4.4.0 try later",
            "source": "SMTP protocol log",
        },
        "events": [
            {"event": "1010 SMTP queued outbound", "time": "2026-11-23T11:45:07Z"},
            {"event": "1012", "time": "3/4/26 1:2:3"},
        ],
    }


@pytest.mark.parametrize(
    ("verdict", "reason", "error", "phrase"),
    [
        (Verdict.DELIVERED, "delivered", None, "nestle.com delivered (delivered)"),
        (
            Verdict.QUEUED,
            "it waits",
            SmtpError("Unable to contact", code=421),
            "nestle.com queued (421 Unable to contact)",
        ),
        (Verdict.RETURNED, "an NDR was made", None, "nestle.com returned"),
        (Verdict.UNKNOWN, "tracking is off", None, "nestle.com unknown (tracking is off)"),
    ],
)
def test_a_phrase_has_the_verdict_and_why(
    verdict: Verdict, reason: str, error: SmtpError | None, phrase: str
) -> None:
    assert Result(probe("nestle.com"), verdict, reason, error=error).phrase == phrase


# -- queues -------------------------------------------------------------------------------------

ERROR = SmtpError("busy", ErrorClass.REFUSED, code=421, enhanced="4.3.2", source="log")


def test_an_entry_of_a_queue_is_plain_data_with_its_typed_error() -> None:
    entry = QueueEntry("b.example", error=ERROR)
    entry.add(NOW)
    entry.add(None)
    entry.add(NOW + timedelta(seconds=1), 3)
    assert entry.to_dict() == {
        "domain": "b.example",
        "messages": 5,
        "oldest": "2026-11-23T11:45:07Z",
        "last_error": "421 4.3.2 busy",
        "error": ERROR.to_dict(),
    }
    assert QueueEntry("a.example").to_dict()["last_error"] is None


@pytest.mark.parametrize(
    ("oldest", "error", "expected"),
    [
        (NOW - timedelta(seconds=600), None, True),
        (NOW - timedelta(seconds=599), None, False),
        (NOW, ERROR, True),
        (None, None, True),
    ],
)
def test_a_domain_is_stuck_by_age_by_error_or_by_doubt(
    oldest: datetime | None, error: SmtpError | None, expected: bool
) -> None:
    entry = QueueEntry("a.example", 1, oldest, error)

    assert stuck([entry], NOW, 600) == (["a.example"] if expected else [])


def test_a_report_shows_the_domains_with_most_messages_first() -> None:
    report = QueueReport("imc", "5.5")
    report.entry("b.example").add(None)
    report.entry("c.example").add(None, 2)
    report.entry("a.example").add(None)
    shown = report.to_dict(NOW, 0)
    assert [one["domain"] for one in shown["queues"]] == ["c.example", "a.example", "b.example"]  # type: ignore[attr-defined]
    assert shown["stuck_domains"] == ["a.example", "b.example", "c.example"]
