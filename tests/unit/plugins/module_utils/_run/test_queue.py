# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From waiting messages to queues and stuck domains."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.counters import (
    counters_command,
    read_counters,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.addresses import mail_domain
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import Section
from ansible_collections.postmaster.exchange.plugins.module_utils._run.headers import (
    MAX_DOMAINS,
    MessageHead,
    parse_head,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run.queue import (
    DomainError,
    DomainQueue,
    by_domain,
    stuck,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run.verdict import DeliveryError
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
ERROR = DomainError(DeliveryError("busy", "log", 421, "4.3.2"), "192.0.2.25")


# -- the header of a message --------------------------------------------------------------------


def test_the_envelope_counts_more_than_the_header() -> None:
    head = parse_head(
        b"X-Sender: a@hq.example\r\nX-Receiver: b@one.example\r\nX-Receiver: c@two.example\r\n"
        b"To: everybody@list.example\r\nDate: Mon, 23 Nov 2026 11:45:07 +0000\r\n\r\nTo: x@y.zz\r\n"
    )

    assert head.domains == ("one.example", "two.example")
    assert head.date == datetime(2026, 11, 23, 11, 45, 7, tzinfo=UTC)


def test_all_recipients_of_the_header_count_also_over_folded_lines() -> None:
    head = parse_head(b"To: A <a@one.example>,\n\tB <b@two.example>\nCc: c@one.example\n\n")

    assert head.domains == ("one.example", "two.example")


def test_the_body_is_not_looked_into() -> None:
    assert parse_head(b"Subject: x\r\n\r\nTo: a@one.example\r\n").domains == ()


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Nov 2026 11:45:07 +0000", "x" * 5000])
def test_a_date_that_is_none_is_unknown(date: str) -> None:
    assert parse_head(f"Date: {date}\r\n\r\n".encode()).date is None


@given(st.binary(max_size=3000))
def test_no_message_makes_it_raise_and_its_domains_are_domains(data: bytes) -> None:
    head = parse_head(b"To: " + data)

    assert len(head.domains) <= MAX_DOMAINS
    assert all(mail_domain(domain) == domain for domain in head.domains)


def test_a_message_to_thousands_is_bounded() -> None:
    to = ", ".join(f"x@d{n}.example" for n in range(5_000))

    assert len(parse_head(f"To: {to}\r\n\r\n".encode()).domains) == MAX_DOMAINS


# -- queues -------------------------------------------------------------------------------------


def test_a_message_for_two_domains_waits_in_both_queues() -> None:
    heads = [MessageHead(("a.example", "b.example"), NOW), MessageHead(("b.example",), None)]
    queues = by_domain(heads, {"b.example": ERROR}, ())

    assert [(queue.domain, queue.messages, queue.oldest) for queue in queues] == [
        ("b.example", 2, NOW),
        ("a.example", 1, NOW),
    ]
    assert queues[0].as_dict() == {
        "domain": "b.example",
        "messages": 2,
        "oldest": "2026-11-23T12:00:00Z",
        "last_error": "421 4.3.2 busy",
        "code": 421,
        "enhanced_code": "4.3.2",
        "address": "192.0.2.25",
        "source": "log",
    }
    assert queues[1].as_dict()["last_error"] is None


def test_own_domains_have_no_queue() -> None:
    assert by_domain([MessageHead(("hq.example",), NOW)], {}, {"hq.example"}) == []


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
    oldest: datetime | None, error: DomainError | None, expected: bool
) -> None:
    queue = DomainQueue("a.example", 1, oldest, error)

    assert stuck([queue], NOW, 600) == (["a.example"] if expected else [])


_DOMAINS = st.sampled_from(["a.example", "b.example", "c.example"])
_HEADS = st.lists(
    st.builds(
        MessageHead,
        st.lists(_DOMAINS, unique=True).map(tuple),
        st.none() | st.datetimes(timezones=st.just(UTC)),
    )
)


@given(_HEADS)
def test_nothing_that_waits_is_lost(heads: list[MessageHead]) -> None:
    queues = by_domain(heads, {}, ())

    assert sum(queue.messages for queue in queues) == sum(len(head.domains) for head in heads)
    assert stuck(queues, datetime.max.replace(tzinfo=UTC), 0) == sorted(
        {domain for head in heads for domain in head.domains}
    )


# -- counters -----------------------------------------------------------------------------------

_TYPEPERF = (
    b'\r\n"(PDH-CSV 4.0)","\\\\MAIL55\\MSExchangeIMC\\Queued Outbound",'
    b'"\\\\MAIL55\\MSExchangeIMC\\Connections Total Failed"\r\n'
    b'"11/23/2026 12:00:00.123","2.000000","16.000000"\r\n'
    b"Exiting, please wait...\r\nThe command completed successfully.\r\n"
)


def test_counters_are_read_by_name_and_missing_ones_are_said() -> None:
    found, note = read_counters(Section("counters", 0, _TYPEPERF))

    assert found == {
        "queued_outbound": 2,
        "connections_failed": 16,
        "ndrs": None,
        "outbound_messages": None,
    }
    assert "does not tell all" in note


def test_without_typeperf_nothing_is_known() -> None:
    found, note = read_counters(Section("counters", 9009, b"'typeperf' is not recognized"))

    assert set(found.values()) == {None}
    assert "no typeperf" in note


def test_counters_of_another_computer_are_asked_of_it() -> None:
    assert r'"\\MAIL4OLD\MSExchangeIMC\Queued Outbound"' in counters_command("MAIL4OLD")


@given(st.binary(max_size=1000))
def test_no_output_makes_the_counters_raise(output: bytes) -> None:
    read_counters(Section("counters", 0, b'"(PDH-CSV 4.0)","a"\r\n"' + output))
