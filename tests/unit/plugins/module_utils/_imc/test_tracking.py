# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the records of test messages in the tracking log of a host."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    CommandTimeout,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc import (
    tracking as imc_tracking,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.tracking import (
    TrackingEvent,
    TrackingLog,
    Trail,
    parse_text,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.delivery import (
    Stage,
    Verdict,
    verdict_of,
)
from delivery_fakes import (
    RUN_TAG,
    TRACKING,
    DirectSession,
    imc_host,
    probe,
    tracking_record,
)
from exchange_lab.windows.host import LabHost
from hypothesis import given
from hypothesis import strategies as st

ONE, TWO = probe("one.example", 1), probe("two.example", 2)
MTS = "c=US;a= ;p=HQ;l=MAIL55-261123114507Z-1"
OTHER_MTS = "c=US;a= ;p=HQ;l=MAIL55-261123114507Z-2"


def log(day: int) -> str:
    return f"{TRACKING}\\202611{day:02d}.log"


def tracker(session: DirectSession, *logs: str) -> TrackingLog:
    return TrackingLog(session, imc_host(), RUN_TAG, logs)


def events(*records: bytes) -> list[TrackingEvent]:
    return list(parse_text(b"".join(records)))


# -- the trail of identifiers -------------------------------------------------------------------


def test_a_record_with_our_message_id_is_ours() -> None:
    found = Trail(RUN_TAG).sort(
        events(
            tracking_record(1010, remote_id=ONE.message_id),
            tracking_record(1010, message_id=OTHER_MTS, remote_id="<somebody@else.example>"),
        )
    )

    assert {tag: len(found[tag]) for tag in found} == {ONE.tag: 1}


@pytest.mark.parametrize("where", ["message_id", "remote_id", "report_id"])
def test_the_message_id_may_stand_in_any_identifier(where: str) -> None:
    fields = {where: ONE.message_id.upper()}

    assert list(Trail(RUN_TAG).sort(events(tracking_record(1010, **fields)))) == [ONE.tag]


def test_a_record_that_has_only_the_hosts_own_identifier_is_found_by_it() -> None:
    trail = Trail(RUN_TAG)
    trail.sort(events(tracking_record(1012, message_id=MTS, remote_id=ONE.message_id)))
    report = tracking_record(1007, ("x@one.example", "1"), message_id="", report_id=MTS)
    found = trail.sort(events(report))

    assert list(found) == [ONE.tag]
    assert trail.search_texts([ONE.tag]) == ["MAIL55-261123114507Z-1"]
    assert trail.search_texts([TWO.tag]) == []


def test_what_ties_identifiers_may_come_after_what_needs_it() -> None:
    found = Trail(RUN_TAG).sort(
        events(
            tracking_record(34, message_id=OTHER_MTS),
            tracking_record(4, message_id=MTS, report_id=OTHER_MTS),
            tracking_record(1010, message_id=MTS, remote_id=ONE.message_id),
        )
    )

    assert [event.number for event in found[ONE.tag]] == [34, 4, 1010]


def test_two_messages_are_told_apart() -> None:
    found = Trail(RUN_TAG).sort(
        events(
            tracking_record(1011, message_id=MTS, remote_id=ONE.message_id),
            tracking_record(1007, message_id=OTHER_MTS, remote_id=TWO.message_id),
            tracking_record(1007, message_id=OTHER_MTS),
        )
    )

    assert {tag: [event.number for event in found[tag]] for tag in found} == {
        ONE.tag: [1011],
        TWO.tag: [1007, 1007],
    }


def test_a_short_identifier_ties_nothing() -> None:
    trail = Trail(RUN_TAG)
    found = trail.sort(
        events(
            tracking_record(1010, message_id="7", remote_id=ONE.message_id),
            tracking_record(1007, message_id="7"),
        )
    )

    assert len(found[ONE.tag]) == 1


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=100))
def test_identifiers_remembered_of_a_message_are_few(ids: list[tuple[int, bool]]) -> None:
    trail = Trail(RUN_TAG)
    records = [
        tracking_record(
            1010, message_id=f"hostile-id-{n}", remote_id=ONE.message_id if ours else ""
        )
        for n, ours in ids
    ]
    trail.sort(events(*records))

    assert len(trail.search_texts([ONE.tag])) <= 8


# -- looking on a host --------------------------------------------------------------------------


def test_a_record_is_found_in_a_log_of_seventy_thousand_lines(
    machine: LabHost, session: DirectSession
) -> None:
    other = tracking_record(1010, ("SMTP:a@b.example", ""), remote_id="<x@y>") * 35_000
    mine = tracking_record(1011, ("SMTP:postmaster@one.example", ""), remote_id=ONE.message_id)
    machine.fs.write_bytes(log(23), other + mine)
    poll = tracker(session, "20261123.log").poll([ONE])

    assert verdict_of(poll.observations[ONE.tag]) is Verdict.DELIVERED
    assert poll.blind == ""
    assert len(session.lines) == 1


def test_the_status_on_the_recipients_line_is_seen(
    machine: LabHost, session: DirectSession
) -> None:
    report = tracking_record(1017, ("SMTP:postmaster@one.example", "1"), remote_id=ONE.message_id)
    machine.fs.write_bytes(log(23), report)
    poll = tracker(session, "20261123.log").poll([ONE])

    assert verdict_of(poll.observations[ONE.tag]) is Verdict.RETURNED


def test_the_next_days_log_is_followed_over_midnight_whatever_our_own_date_is(
    machine: LabHost, session: DirectSession
) -> None:
    machine.fs.write_bytes(log(23), tracking_record(1010, remote_id=ONE.message_id))
    watching = tracker(session, "20261122.log", "20261123.log")
    first = watching.poll([ONE])
    machine.fs.write_bytes(log(24), tracking_record(1011, remote_id=ONE.message_id))
    second = watching.poll([ONE])

    assert verdict_of(first.observations[ONE.tag]) is Verdict.QUEUED
    assert {seen.stage for seen in second.observations[ONE.tag]} == {
        Stage.QUEUED,
        Stage.TRANSFERRED,
    }


def test_logs_older_than_the_test_are_not_searched(
    machine: LabHost, session: DirectSession
) -> None:
    machine.fs.write_bytes(log(21), tracking_record(1011, remote_id=ONE.message_id))
    machine.fs.write_bytes(log(22), b"")
    poll = tracker(session, "20261121.log", "20261122.log").poll([ONE])

    assert poll.observations == {}
    assert "20261121" not in session.lines[0]


def test_a_log_that_appears_after_the_start_is_found_by_the_same_look(
    machine: LabHost, session: DirectSession
) -> None:
    machine.fs.write_bytes(log(23), tracking_record(1011, remote_id=ONE.message_id))
    poll = tracker(session).poll([ONE])

    assert ONE.tag in poll.observations


def test_a_missing_folder_means_that_tracking_is_off_and_after_a_while_that_waiting_is_vain(
    machine: LabHost, session: DirectSession
) -> None:
    machine.fs.rmdir(TRACKING)
    watching = tracker(session)
    polls = [watching.poll([ONE]) for _round in range(3)]

    assert all("tracking is off" in poll.blind for poll in polls)
    assert [poll.hopeless for poll in polls] == [False, False, True]


def test_an_empty_folder_means_that_nothing_was_tracked_yet(session: DirectSession) -> None:
    poll = tracker(session).poll([ONE])

    assert "contains no log" in poll.blind
    assert not poll.hopeless


def test_a_log_that_cannot_be_read_is_said(machine: LabHost, session: DirectSession) -> None:
    machine.fs.write_bytes(log(23), b"")
    machine.fs.lock(log(23))
    poll = tracker(session, "20261123.log").poll([ONE])

    assert poll.blind.startswith("the tracking log cannot be read")


def test_a_flood_of_mail_to_our_recipient_does_not_hide_our_records(
    machine: LabHost, session: DirectSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imc_tracking, "_MAX_OUTPUT", 100_000)
    recipient = ("SMTP:postmaster@one.example", "")
    flood = tracking_record(1010, recipient, message_id=OTHER_MTS) * 5_000
    mine = tracking_record(1011, recipient, message_id=MTS, remote_id=ONE.message_id)
    machine.fs.write_bytes(log(23), flood + mine)
    watching = tracker(session, "20261123.log")

    assert verdict_of(watching.poll([ONE]).observations[ONE.tag]) is Verdict.DELIVERED
    watching.poll([ONE])
    assert len(session.lines) == 3


def test_an_identifier_that_everybody_has_does_not_hide_our_records(
    machine: LabHost, session: DirectSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imc_tracking, "_MAX_OUTPUT", 100_000)
    queued = tracking_record(1010, message_id=MTS, remote_id=ONE.message_id)
    machine.fs.write_bytes(log(23), queued)
    watching = tracker(session, "20261123.log")
    watching.poll([ONE])
    sent = tracking_record(1011, remote_id=ONE.message_id)
    machine.fs.append(log(23), tracking_record(1000, message_id=MTS) * 5_000 + sent)

    assert verdict_of(watching.poll([ONE]).observations[ONE.tag]) is Verdict.DELIVERED


def test_a_log_full_of_our_tag_is_given_up_with_a_reason(
    machine: LabHost, session: DirectSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imc_tracking, "_MAX_OUTPUT", 10_000)
    machine.fs.write_bytes(log(23), tracking_record(1010, remote_id=ONE.message_id) * 1_000)
    with pytest.raises(CommandTimeout, match="more about the test messages"):
        tracker(session, "20261123.log").poll([ONE])


def test_hundreds_of_messages_are_looked_for_by_lines_that_fit(
    machine: LabHost, session: DirectSession
) -> None:
    many = [probe(f"a-rather-long-domain-name-{n}.example", n) for n in range(1, 501)]
    machine.fs.write_bytes(
        log(23),
        b"".join(
            tracking_record(1011, (f"SMTP:{one.recipient}", ""), remote_id=one.message_id)
            for one in many
        ),
    )
    poll = tracker(session, "20261123.log").poll(many)

    assert len(poll.observations) == 500
    assert len(session.lines) < 8
