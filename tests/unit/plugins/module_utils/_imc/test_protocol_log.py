# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of the SMTP protocol log."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.protocol_log import (
    MAX_TEXT,
    SmtpFailure,
    parse_log,
    parse_reply,
)
from hypothesis import given
from hypothesis import strategies as st

ARTICLE = "421 NSO hq.com Unable to contact destination SMTP demon nestle.com"


def test_the_line_of_the_article_names_its_domain() -> None:
    assert parse_reply(ARTICLE) == SmtpFailure(
        code=421,
        enhanced=None,
        text="NSO hq.com Unable to contact destination SMTP demon nestle.com",
        domain="nestle.com",
    )


def test_an_enhanced_code_and_an_address_are_taken_out() -> None:
    failure = parse_reply("421 4.4.1 Connection to 192.0.2.25 timed out")

    assert failure is not None
    assert (failure.enhanced, failure.address) == ("4.4.1", "192.0.2.25")
    assert failure.text == "Connection to 192.0.2.25 timed out"
    assert failure.line == "421 4.4.1 Connection to 192.0.2.25 timed out"


@pytest.mark.parametrize("line", ["250 OK", "RCPT TO:<a@b.example>", "", "4210 x", "599x"])
def test_other_lines_are_no_failures(line: str) -> None:
    assert parse_reply(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "IO: |451 Sender domain must resolve",
        "4/5/99 10:22:41 AM : IO: |451 Sender domain must resolve",
        "4/5/99 10:22:41 AM : <<< IO: |451 Sender domain must resolve|",
        "05.04.99 10:22:41 : <<< 451 Sender domain must resolve",
        "451 Sender domain must resolve",
    ],
)
def test_a_failure_is_found_behind_time_arrow_and_mark(line: str) -> None:
    (failure,) = parse_log(line.encode())

    assert (failure.code, failure.text) == (451, "Sender domain must resolve")


def test_a_failure_belongs_to_the_recipient_asked_for_last() -> None:
    log = (
        b"4/5/99 10:22:41 AM : RCPT TO:<a@one.example>\r\n"
        b"4/5/99 10:22:41 AM : IO: |250 ok\r\n"
        b"4/5/99 10:22:42 AM : RCPT TO:<b@two.example>\r\n"
        b"4/5/99 10:22:42 AM : IO: |450 4.2.0 greylisted : come back\r\n"
    )
    (failure,) = parse_log(log)

    assert failure.domain == "two.example"
    assert failure.text == "greylisted : come back"


def test_a_greeting_belongs_to_the_only_domain_of_its_log() -> None:
    log = b"IO: |421 mail.hq.example Mail loops back to this host\r\n" + ARTICLE.encode()

    assert [failure.domain for failure in parse_log(log)] == ["nestle.com", "nestle.com"]


def test_a_greeting_in_a_log_of_two_domains_belongs_to_neither() -> None:
    log = b"421 busy\n" + ARTICLE.encode() + b"\nRCPT TO:<a@other.example>\n"

    assert [failure.domain for failure in parse_log(log)] == [None, "nestle.com"]


def test_what_our_own_server_answers_a_client_is_no_failure_of_delivery() -> None:
    log = b"<<< RCPT To:<x@far.example>\r\n>>> 550 relaying prohibited\r\n"

    assert parse_log(log) == ()


def test_a_reply_written_twice_counts_once() -> None:
    assert len(parse_log(b"<<< IO: |421 gone\r\n<<< 421 gone\r\n")) == 1


def test_the_newest_failures_are_kept() -> None:
    log = b"\n".join(b"421 number %d" % number for number in range(1000))
    failures = parse_log(log, limit=3)

    assert [failure.text for failure in failures] == ["number 997", "number 998", "number 999"]


def test_control_characters_never_reach_the_terminal() -> None:
    (failure,) = parse_log(b"421 \x1b[31mred\x07\n")

    assert failure.text == "[31mred"


@given(st.binary(max_size=3000))
def test_no_bytes_make_the_reader_raise_or_grow(data: bytes) -> None:
    failures = parse_log(data, limit=5)

    assert len(failures) <= 5
    assert all(len(failure.text) <= MAX_TEXT and failure.text.isprintable() for failure in failures)


@given(st.integers(400, 599), st.text(st.characters(codec="ascii", categories=["L", "N"])))
def test_every_failure_code_is_read(code: int, text: str) -> None:
    (failure,) = parse_log(f"IO: |{code} {text}".encode())

    assert (failure.code, failure.text) == (code, text.strip())
    assert failure.temporary == (code < 500)
