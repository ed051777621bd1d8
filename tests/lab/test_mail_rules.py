# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure parts of the acting IMC: route table, tracking records, names asked, Pickup files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from exchange_lab.mail.imc_directory import (
    Connector,
    FormatError,
    Route,
    RouteError,
    parse_route,
)
from exchange_lab.mail.imc_intake import complete, parse_dropped
from exchange_lab.mail.imc_model import (
    V40,
    V40_SP3,
    V50,
    V55,
    V55_RTM,
    Assumptions,
    Site,
    Version,
)
from exchange_lab.mail.imc_routing import NameService, Resolver
from exchange_lab.mail.imc_smtp import stamp
from exchange_lab.mail.imc_tracking import Event, Tracked, TrackingLog, record
from hypothesis import given
from hypothesis import strategies as st

SITE = Site("MAIL55")
AT = datetime(2026, 11, 3, 4, 5, 6, tzinfo=UTC)
MTS_ID = "c=US;a= ;p=HQ;l=MAIL55-261103040506Z-1"
MESSAGE = Tracked(MTS_ID, "<1@hq.example>", "a@hq.example", 321, ("b@nestle.com", "c@nestle.com"))


# -- the route table ----------------------------------------------------------------------------


def test_the_saved_file_is_byte_for_byte_the_documented_one() -> None:
    connector = Connector(("DOMAIN.COM;192.0.2.10;0", "OTHER.COM;192.0.2.20;0"))
    assert connector.save() == (
        b"[Header]\r\nVersion=1\r\n\r\n[Routes]\r\nDeliveryRouting=+\r\n"
        b"+DOMAIN.COM;192.0.2.10;0\r\n+OTHER.COM;192.0.2.20;0\r\nDefaultRouting=\r\n"
    )


def test_an_empty_table_is_the_key_alone() -> None:
    assert b"\r\nDeliveryRouting=\r\nDefaultRouting=\r\n" in Connector().save()


def test_sections_of_others_are_saved_and_restored() -> None:
    extra = "[Domain]\nDomainInformation=+\n+Default,ISO-8859-1,ISO-8859-1,800,76,0,0,0\n"
    source, target = Connector(extra=extra), Connector()
    target.restore(source.save())
    assert target.save() == source.save()
    assert b"+Default,ISO-8859-1,ISO-8859-1,800,76,0,0,0\r\n" in target.save()


@given(st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=255), min_size=1)))
def test_rows_of_any_bytes_survive(rows: list[str]) -> None:
    rows = ["".join(c for c in row if c.isprintable()) for row in rows]
    connector = Connector(tuple(rows))
    connector.restore(connector.save())
    assert list(connector.rows) == rows


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\x00\x01\x02",
        b"[Routes]\r\nDeliveryRouting=\r\n",
        b"[Header]\r\nVersion=2\r\n[Routes]\r\nDeliveryRouting=\r\n",
        b"[Header]\r\nVersion=1\r\n",
        b"[Header]\r\nVersion=1\r\n[Routes]\r\nDefaultRouting=\r\n",
        b"[Header]\r\nVersion=1\r\n[Routes]\r\nDeliveryRouting=\r\n+stray;192.0.2.1;0\r\n",
        b"[Header]\r\nVersion=1\r\n[Routes]\r\nDeliveryRouting=+\r\nwithout plus\r\n",
    ],
)
def test_restoring_garbage_fails_and_changes_nothing(garbage: bytes) -> None:
    connector = Connector(("A.COM;192.0.2.1;0",))
    with pytest.raises(FormatError):
        connector.restore(garbage)
    assert connector.rows == ("A.COM;192.0.2.1;0",)


def test_restoring_takes_rows_the_service_will_not_understand() -> None:
    connector = Connector()
    connector.restore(
        b"[Header]\r\nVersion=1\r\n[Routes]\r\nDeliveryRouting=+\r\n+anlsf.msbp.co\r\n"
    )
    assert connector.rows == ("anlsf.msbp.co",)


def test_the_service_parses_a_row() -> None:
    assert parse_route("NESTLE.COM;192.0.2.25;0") == Route("nestle.com", "192.0.2.25", 0)
    assert parse_route("partner.corp;relay.partner.corp;3").target == "relay.partner.corp"


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("anlsf.msbp.co", "anlsf.msbp.co"),
        ("a.com;192.0.2.1", "a.com"),
        ("a.com;192.0.2.1;x", "a.com"),
        ("a.com;192.0.2.256;0", "a.com"),
        ("a.com;192.0.2;0", "a.com"),
        ("a.com;192.0.2.1,192.0.2.256;0", "a.com"),
        ("a com;192.0.2.1;0", "a com"),
        (";192.0.2.1;0", ";192.0.2.1;0"),
    ],
)
def test_the_service_names_the_row_it_cannot_parse(row: str, named: str) -> None:
    with pytest.raises(RouteError) as error:
        parse_route(row)
    assert error.value.route == named


@pytest.mark.parametrize(
    ("row", "hosts"),
    [
        ("a.com;192.0.2.1, 192.0.2.2;0", ("192.0.2.1", "192.0.2.2")),
        ("#a.com;192.0.2.1;0", ("192.0.2.1",)),
        ("a.com;;0", ()),
        ("a.com;mail.a.com.;0", ("mail.a.com.",)),
    ],
)
def test_rows_that_articles_speak_of_are_no_malformed_ones(
    row: str, hosts: tuple[str, ...]
) -> None:
    assert parse_route(row).hosts == hosts


@pytest.mark.parametrize(
    ("row", "domain", "covers"),
    [
        ("partner.com", "list.partner.com", True),
        ("partner.com", "PARTNER.com", True),
        ("partner.com", "mypartner.com", False),
        ("#partner.com", "partner.com", True),
        ("#partner.com", "list.partner.com", False),
    ],
)
def test_q259531_a_row_takes_the_subdomains_too(row: str, domain: str, covers: bool) -> None:
    assert (Route(row, "192.0.2.1", 0).rank(domain) >= 0) is covers


def test_q164457_4_0_compared_the_ends_of_names() -> None:
    assert Route("partner.com", "192.0.2.1", 0).rank("mypartner.com", by_ends=True) >= 0
    assert V40_SP3.compares_ends_of_names
    assert not V40.compares_ends_of_names


@pytest.mark.parametrize(
    ("version", "stays"),
    [(V40_SP3, True), (V40, False), (V50, True), (V55_RTM, True), (V55, False)],
)
def test_which_builds_stay_with_an_exchange_that_is_silent(version: Version, stays: bool) -> None:
    assert version.stays_with_silent_exchanges is stays


# -- logs ---------------------------------------------------------------------------------------


def test_a_tracking_record_byte_for_byte() -> None:
    gateway = "/O=HQ/OU=MAIN/CN=CONFIGURATION/CN=CONNECTIONS/CN=INTERNET MAIL CONNECTOR (MAIL55)"
    partner = "/O=HQ/OU=MAIN/CN=CONFIGURATION/CN=SERVERS/CN=MAIL55/CN=MICROSOFT PRIVATE MDB"
    assert record(SITE, Event.SMTP_TRANSFERRED_OUTBOUND, AT, MESSAGE) == (
        f"{MTS_ID}\t1011\t2026.11.3 4:5:6\t{gateway}\t{partner}\t<1@hq.example>\t"
        "a@hq.example\t0\t321\t0\t1\t\t2\n"
        "SMTP:b@nestle.com\t\nSMTP:c@nestle.com\t\r\n"
    ).encode("ascii")


def test_a_report_gives_its_id_and_the_status_of_each_recipient() -> None:
    data = record(SITE, Event.GATEWAY_REPORT_GENERATED, AT, MESSAGE, report_id="R1")
    head, *recipients = data.decode().rstrip("\r\n").split("\n")
    assert head.split("\t")[11] == "R1"
    assert recipients == ["SMTP:b@nestle.com\t1", "SMTP:c@nestle.com\t1"]


def _events(version: object, *, enabled: bool = True) -> list[tuple[str, str]]:
    written: list[tuple[str, str]] = []
    late = datetime(2026, 11, 3, 23, 30, tzinfo=timezone(-timedelta(hours=5)))
    log = TrackingLog(
        SITE,
        version,  # type: ignore[arg-type]
        lambda name, data: written.append((name, data.decode().split("\t")[1])),
        lambda: late,
        enabled=enabled,
    )
    log.received(MESSAGE)
    log.queued(MESSAGE)
    log.transferred(MESSAGE)
    log.returned(MESSAGE, "R1")
    return written


def test_events_of_5_0_go_to_the_file_of_the_day_in_gmt() -> None:
    assert _events(V50) == [("20261104.log", n) for n in ("1012", "1010", "1011", "1007")]


def test_4_0_has_no_smtp_events() -> None:
    assert [number for _skipped, number in _events(V40)] == ["1003", "1007"]


def test_without_tracking_nothing_is_written() -> None:
    assert _events(V50, enabled=False) == []


@pytest.mark.parametrize(
    ("hour", "text"),
    [(0, "12:05:06 AM"), (4, "4:05:06 AM"), (12, "12:05:06 PM"), (22, "10:05:06 PM")],
)
def test_the_time_of_the_protocol_log(hour: int, text: str) -> None:
    assert stamp(datetime(1999, 4, 5, hour, 5, 6)) == f"4/5/99 {text}"


# -- names and schedule -------------------------------------------------------------------------


def test_suffixes_come_first_but_not_on_names_that_end_in_them() -> None:
    resolver = Resolver(NameService("127.0.0.1", 53), ("hq.example", "example"))
    assert resolver.candidates("nestle.com") == [
        "nestle.com.hq.example.",
        "nestle.com.example.",
        "nestle.com.",
    ]
    assert resolver.candidates("mail.HQ.example.") == ["mail.HQ.example."]


def test_without_the_search_list_only_the_name_itself() -> None:
    assert Resolver(NameService("127.0.0.1", 53)).candidates("nestle.com") == ["nestle.com."]


def test_the_last_pause_repeats() -> None:
    schedule = Assumptions(retry_after=(1.0, 2.0))
    assert [schedule.pause(n) for n in (1, 2, 3, 99)] == [1.0, 2.0, 2.0, 2.0]


# -- messages in --------------------------------------------------------------------------------


def test_envelope_lines_ahead_of_the_headers_are_taken_off() -> None:
    dropped = parse_dropped(
        b"X-Sender: <a@hq.example>\nx-receiver: b@nestle.com\nX-Receiver: c@aol.com\n"
        b"From: other@hq.example\nTo: d@nestle.com\n\nHello\n"
    )
    assert dropped.sender == "a@hq.example"
    assert dropped.recipients == ("b@nestle.com", "c@aol.com")
    assert dropped.content == b"From: other@hq.example\r\nTo: d@nestle.com\r\n\r\nHello\r\n"


def test_without_envelope_lines_sender_comes_before_from() -> None:
    dropped = parse_dropped(
        b"From: A <a@hq.example>\nSender: s@hq.example\nTo: b@nestle.com, C <c@aol.com>\n\n"
    )
    assert (dropped.sender, dropped.recipients) == ("s@hq.example", ("b@nestle.com", "c@aol.com"))


@pytest.mark.parametrize("data", [b"", b"From: a@hq.example\n\n", b"To: b@nestle.com\n\n"])
def test_a_file_without_an_envelope_is_no_message(data: bytes) -> None:
    with pytest.raises(ValueError, match="sender and recipient"):
        parse_dropped(data)


def test_missing_headers_are_added_and_present_ones_kept() -> None:
    assert complete(b"Subject: x\n\nHi\n", "<1@x>", AT) == (
        b"Message-ID: <1@x>\r\nDate: Tue, 03 Nov 2026 04:05:06 +0000\r\nSubject: x\r\n\r\nHi\r\n"
    )
    full = b"Message-ID: <2@x>\r\nDate: Tue, 03 Nov 2026 04:05:06 +0000\r\n\r\nHi\r\n"
    assert complete(full, "<1@x>", AT) == full
