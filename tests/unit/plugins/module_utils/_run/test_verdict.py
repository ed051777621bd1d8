# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The laws of verdicts, and the words for them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._run.message import Probe
from ansible_collections.postmaster.exchange.plugins.module_utils._run.verdict import (
    DeliveryError,
    Kind,
    Observation,
    Result,
    Verdict,
    failure_message,
    is_final,
    strongest,
    summary_line,
    verdict_of,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 23, 11, 45, 7, tzinfo=UTC)

_ORDER = [Verdict.UNKNOWN, Verdict.QUEUED, Verdict.DELIVERED, Verdict.RETURNED]
_TIMES = st.none() | st.datetimes(
    min_value=datetime(1996, 1, 1),
    max_value=datetime(2030, 1, 1),
    timezones=st.just(UTC),
)
OBSERVATIONS = st.lists(
    st.builds(Observation, st.sampled_from(Kind), st.sampled_from(["1010", "1011"]), _TIMES),
    max_size=8,
)


def probe(domain: str) -> Probe:
    tag = f"t-{domain}"
    return Probe(domain, f"postmaster@{domain}", "mx@hq.example", "s", NOW, tag, f"<{tag}@x>")


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([], Verdict.UNKNOWN),
        ([Kind.SEEN], Verdict.QUEUED),
        ([Kind.SEEN, Kind.QUEUED], Verdict.QUEUED),
        ([Kind.QUEUED, Kind.TRANSFERRED], Verdict.DELIVERED),
        ([Kind.QUEUED, Kind.RETURNED], Verdict.RETURNED),
        ([Kind.TRANSFERRED, Kind.RETURNED], Verdict.RETURNED),
    ],
)
def test_the_strongest_observation_decides(kinds: list[Kind], expected: Verdict) -> None:
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
    assert is_final(seen) == (verdict_of(seen) in {Verdict.DELIVERED, Verdict.RETURNED})


def test_of_two_transfers_the_earlier_one_gives_the_time() -> None:
    early = Observation(Kind.TRANSFERRED, "1011", datetime(2026, 1, 1, tzinfo=UTC))
    late = Observation(Kind.TRANSFERRED, "1011", datetime(2026, 1, 2, tzinfo=UTC))
    undated = Observation(Kind.TRANSFERRED, "1011")

    assert strongest([late, undated, early]) == early


def test_a_result_is_plain_data() -> None:
    error = DeliveryError("try later", "SMTP protocol log", 451, "4.4.0")
    result = Result(
        probe("a.example"), Verdict.QUEUED, "waits", NOW, 12.345, error,
        (Observation(Kind.QUEUED, "1010 SMTP queued outbound", NOW),
         Observation(Kind.SEEN, "1012", None, "3/4/26 1:2:3")),
    )  # fmt: skip

    assert result.as_dict() == {
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
            "source": "SMTP protocol log",
        },
        "events": [
            {"event": "1010 SMTP queued outbound", "time": "2026-11-23T11:45:07Z"},
            {"event": "1012", "time": "3/4/26 1:2:3"},
        ],
    }


def test_a_failure_names_each_undelivered_domain_with_its_verdict_and_why() -> None:
    results = [
        Result(probe("fine.example"), Verdict.DELIVERED, "delivered"),
        Result(
            probe("nestle.com"), Verdict.QUEUED, "it waits",
            error=DeliveryError("Unable to contact", "log", 421),
        ),
        Result(probe("back.example"), Verdict.RETURNED, "an NDR was made"),
        Result(probe("dark.example"), Verdict.UNKNOWN, "tracking is off"),
    ]  # fmt: skip

    assert failure_message("mail5-a", results) == (
        "mail5-a: 3 of 4 test messages were not delivered: "
        "nestle.com queued (421 Unable to contact); back.example returned; "
        "dark.example unknown (tracking is off)."
    )
    assert summary_line(results[0]) == "fine.example delivered (delivered)"
