# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parser of the tracking log: documented records, cut and hostile ones."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.tracking import (
    DELIVERED,
    MAX_FIELD,
    MAX_RECIPIENTS,
    NOT_DELIVERED,
    Recipient,
    log_names,
    parse_lines,
    parse_text,
    parse_time,
    split_numbered,
)
from hypothesis import given
from hypothesis import strategies as st

MTS = "c=US;a= ;p=HQ;l=MAIL5-261123114500Z-17"


def record(
    *recipients: tuple[str, str],
    number: str = "1011",
    mts: str = MTS,
    remote: str = "<delivery-test-ab-0001@hq.example>",
    report: str = "",
    end: bytes = b"\n",
) -> bytes:
    fields = [mts, number, "2026.11.23 11:45:7", "/CN=IMC", "/CN=MDB", remote, "/O=HQ/CN=U"]
    fields += ["0", "512", "0", "1", report, str(len(recipients))]
    lines = ["\t".join(fields), *(f"{name}\t{status}" for name, status in recipients)]
    return end.join(line.encode() for line in lines) + end


def test_a_record_is_an_event_line_and_its_recipient_lines() -> None:
    (event,) = parse_text(record(("SMTP:a@b.example", ""), ("SMTP:c@d.example", "")))

    assert (event.line, event.number, event.message_id) == (1, 1011, MTS)
    assert event.remote_id == "<delivery-test-ab-0001@hq.example>"
    assert event.time == datetime(2026, 11, 23, 11, 45, 7, tzinfo=UTC)
    assert event.recipients == (
        Recipient("SMTP:a@b.example", None),
        Recipient("SMTP:c@d.example", None),
    )


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_report_status_is_read_with_either_line_end(end: bytes) -> None:
    data = record(("a@b.example", "1"), ("c@d.example", "0"), number="1007", end=end)
    (event,) = parse_text(data)

    assert [one.status for one in event.recipients] == [NOT_DELIVERED, DELIVERED]


def test_ids_are_those_that_stand_there() -> None:
    (event,) = parse_text(record(("a@b.example", "1"), remote="", report="rep-1"))

    assert event.ids == (MTS, "rep-1")


def test_a_recipient_belongs_to_the_event_directly_above_it_only() -> None:
    event_line = record(("mine@b.example", "")).partition(b"\n")[0]
    found = [(10, event_line), (11, b"mine@b.example\t"), (40, b"other@b.example\t1")]
    (event,) = parse_lines(found)

    assert event.recipients == (Recipient("mine@b.example", None),)


def test_a_missing_recipient_line_does_not_shift_the_next_ones() -> None:
    event_line = record(("a@b.example", "")).partition(b"\n")[0]
    (event,) = parse_lines([(10, event_line), (12, b"next-but-one@b.example\t1")])

    assert event.recipients == ()


def test_no_more_recipients_are_taken_than_the_event_declares() -> None:
    (event,) = parse_text(record(("a@b.example", "")) + b"not-a-recipient@b.example\t1\n")

    assert event.recipients == (Recipient("a@b.example", None),)


def test_a_line_cut_short_or_another_text_is_passed_over() -> None:
    data = b"# Message Tracking Log File\nid\t1011\tcut\n\n" + record(("a@b.example", ""))
    (event,) = parse_text(data)

    assert event.line == 4


def test_a_record_between_cut_records_survives() -> None:
    cut = record(("a@b.example", ""))[:-40]
    events = list(parse_text(cut + b"\n" + record(("c@d.example", ""))))

    assert events[-1].recipients == (Recipient("c@d.example", None),)


def test_output_of_a_numbered_search_is_told_from_complaints() -> None:
    output = b"FINDSTR: Cannot open x.log\r\n12:one\r\n7:two:with colon\r\n"
    lines, noise = split_numbered(output)

    assert lines == {12: b"one", 7: b"two:with colon"}
    assert noise == ["FINDSTR: Cannot open x.log"]


def test_daily_logs_sort_by_day_and_everything_else_is_ignored() -> None:
    names = ["20261124.log", "20261123.LOG", "notes.txt", "2026112.log", "20261123.log.bak"]

    assert log_names(names) == ["20261123.log", "20261124.log"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026.11.3 4:5:6", datetime(2026, 11, 3, 4, 5, 6, tzinfo=UTC)),
        ("2026-11-03 04:05:06", datetime(2026, 11, 3, 4, 5, 6, tzinfo=UTC)),
        ("3/4/2026 4:05:06", None),  # March or April: nobody can tell
        ("2026.13.3 4:5:6", None),
        ("", None),
    ],
)
def test_a_time_is_read_only_where_it_has_one_meaning(text: str, expected: datetime | None) -> None:
    assert parse_time(text) == expected


@given(st.binary(max_size=2000))
def test_no_bytes_make_the_parsers_raise(data: bytes) -> None:
    list(parse_text(data))
    split_numbered(data)


_FIELD = st.text(st.characters(blacklist_characters="\t\r\n", blacklist_categories=["Cs"]))


@given(st.lists(st.lists(_FIELD, min_size=1, max_size=15), max_size=20))
def test_events_have_bounded_parts_whatever_the_fields_are(rows: list[list[str]]) -> None:
    data = "\n".join("\t".join(fields) for fields in rows).encode()
    for event in parse_text(data):
        assert len(event.recipients) <= MAX_RECIPIENTS
        assert all(len(name) <= MAX_FIELD for name in event.ids)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["1003", "1010", "1011", "1007"]),
            st.lists(
                st.tuples(
                    st.sampled_from(["a@b.example", "SMTP:c@d.example"]),
                    st.sampled_from(["", "0", "1"]),
                ),
                max_size=4,
            ),
        ),
        max_size=8,
    )
)
def test_every_written_record_is_read_back(rows: list[tuple[str, list[tuple[str, str]]]]) -> None:
    data = b"".join(record(*recipients, number=number) for number, recipients in rows)
    events = list(parse_text(data))

    assert [str(event.number) for event in events] == [number for number, _skipped in rows]
    assert [
        [(one.address, "" if one.status is None else str(one.status)) for one in event.recipients]
        for event in events
    ] == [recipients for _skipped, recipients in rows]


def test_memory_does_not_grow_with_the_number_of_recipients() -> None:
    fields = [MTS, "1011", "", "", "", "", "", "0", "1", "0", "1", "", "999999"]
    head = "\t".join(fields).encode()
    lines = ((n, head if n == 1 else b"someone@example.com\t1") for n in range(1, 200_000))
    tracemalloc.start()
    (event,) = parse_lines(lines)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(event.recipients) == MAX_RECIPIENTS
    assert peak < 1_000_000
