# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of the SMTP protocol log of Exchange 4.0 to 5.5."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.protocol_log import (
    LoggedFailure,
    parse_log,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.smtp_errors import (
    MAX_TEXT,
    ErrorClass,
    Origin,
)
from hypothesis import given
from hypothesis import strategies as st

ARTICLE = "421 NSO hq.com Unable to contact destination SMTP demon nestle.com"
STAMP = "4/5/99 10:22:41 AM : "


def log(*lines: str) -> bytes:
    """A log as the service writes it, with times."""
    return "".join(f"{STAMP}{line}\r\n" for line in lines).encode()


def connected(address: str, *lines: str) -> list[str]:
    """The lines of a connection, to an exchange that greets."""
    return [f"A connection to {address} was established.", "IO: |220 mx.example ESMTP", *lines]


def the_one(data: bytes) -> LoggedFailure:
    (failure,) = parse_log(data).failures
    return failure


# KB Q228725, in the form that KB Q239816 has too.
NO_HOSTS = '499 No routing hosts are reachable for tool.example. Message subject: ""{}"". '
Q228725 = log(
    "A connection to 192.0.2.1 was established.",
    "IO: |220 r40.domain.example InterLock SMTP Gateway 3.0 ready",
    "EHLO xxmims2.srv.dom.example",
    "IO: |250-Hello xxmims2.srv.dom.example, pleased to meet you",
    "MAIL FROM:bob@dom.example",
    "IO: |250 bob@dom.example... Sender ok",
    "RCPT TO:sam@tool.example",
    "IO: |250 sam@tool.example... Recipient ok",
    "DATA",
    'IO: |354 Enter mail, end with "." on a line by itself',
    '354 Enter mail, end with "." on a line by itself',
    NO_HOSTS.format("Case 27375") + "Rescheduling delivery for later.",
)
# KB Q245787: a refused EHLO, then a refused recipient; the log has each reply twice.
Q245787 = b"""A connection to 192.0.2.25 was established.
<<< IO: |220 firewall.fabrikam.example Generic SMTP handler
<<< 220 firewall.fabrikam.example Generic SMTP handler
>>> EHLO ExchangeSending.contoso.example
<<< IO: |500 Command unrecognized
<<< 500 Command unrecognized
>>> HELO ExchangeSending.contoso.example
<<< IO: |250 firewall.fabrikam.example talking to mailhost.fabrikam.example [192.0.2.4])
<<< 250 firewall.fabrikam.example talking to mailhost.fabrikam.example ([192.0.2.4])
>>> MAIL FROM: <bob@contoso.example>
<<< IO: |250 <bob@contoso.example>: Sender Ok
>>> RCPT TO:<vincent@fabrikam.example>
<<< IO: |550 Domain invalid
<<< 550 Domain invalid
>>> QUIT
<<< IO: |221 firewall.contoso.example closing connection. Goodbye!
"""


def test_q228725_the_service_reached_nobody_and_names_the_domain() -> None:
    failure = the_one(Q228725)

    assert failure.domain == "tool.example"
    assert failure.error.code == 499
    assert failure.error.text == "No routing hosts are reachable for tool.example."
    assert (failure.error.error_class, failure.error.origin) == (
        ErrorClass.NO_CONNECTION,
        Origin.THIS_HOST,
    )
    assert failure.error.address == "192.0.2.1"


@pytest.mark.parametrize(
    "subject",
    ["blocked by SPF, see spamhaus", "550 5.7.1 relay denied", "destination SMTP demon x.yz"],
)
def test_q146669_the_subject_of_a_users_mail_is_cut_off(subject: str) -> None:
    for line in (
        NO_HOSTS.format(subject),
        f'451 Try later. Message subject: ""{subject}"". Resched',
    ):
        failure = the_one(log("RCPT TO:<a@tool.example>", line))
        assert subject not in str(failure)
        assert failure.domain == "tool.example"


def test_q245787_a_refused_ehlo_means_nothing() -> None:
    failure = the_one(Q245787)

    assert (failure.domain, failure.error.code) == ("fabrikam.example", 550)
    assert failure.error.address == "192.0.2.25"
    assert failure.error.origin is Origin.FAR_SERVER


def test_a_refused_helo_is_a_failure() -> None:
    lines = ("EHLO a.example", "IO: |500 what?", "HELO a.example", "IO: |500 what?")
    assert the_one(log(*connected("192.0.2.1", *lines))).error.code == 500


# -- many connections in one file (KB Q154505, Q295725) -------------------------------------------


def test_a_recipient_of_one_connection_is_not_carried_over_to_the_next() -> None:
    data = log(
        *connected("192.0.2.1", "RCPT TO:<a@one.example>", "IO: |250 ok", "QUIT"),
        *connected("192.0.2.2", "IO: |421 busy"),
    )
    failure = the_one(data)

    assert (failure.domain, failure.error.address) == (None, "192.0.2.2")


def test_each_message_of_a_connection_has_its_own_recipient() -> None:
    data = log(
        *connected(
            "192.0.2.1",
            "RCPT TO:<a@one.example>",
            "IO: |250 ok",
            "RCPT TO:<b@two.example>",
            "IO: |450 4.2.0 greylisted : come back",
        )
    )
    failure = the_one(data)

    assert failure.domain == "two.example"
    assert failure.error.text == "greylisted : come back"


@pytest.mark.parametrize(
    "lines",
    [
        ["A connection to 192.0.2.7 was established."],
        ["A connection to 192.0.2.7 was established.", *connected("192.0.2.8", "QUIT")],
        ["A connection to 192.0.2.7 was established.", "A connection was accepted from x.example"],
    ],
)
def test_q182821_a_silent_exchange_is_named_with_its_address(lines: list[str]) -> None:
    failure = the_one(log(*lines))

    assert failure.error.address == "192.0.2.7"
    assert failure.error.error_class is ErrorClass.NO_CONNECTION
    assert "192.0.2.7 accepted the connection and sent no greeting" in failure.error.text


def test_q182821_a_silent_exchange_and_the_word_that_nobody_was_reached_are_one_failure() -> None:
    data = log("A connection to 192.0.2.7 was established.", NO_HOSTS.format("x"))
    failure = the_one(data)

    assert (failure.domain, failure.error.address) == ("tool.example", "192.0.2.7")
    assert "sent no greeting" in failure.error.text


def test_an_exchange_that_greets_is_not_silent() -> None:
    assert parse_log(log(*connected("192.0.2.1", "QUIT", "IO: |221 bye"))).failures == ()


def test_what_our_own_server_answers_a_client_is_no_failure_of_delivery() -> None:
    data = b"<<< RCPT To:<x@far.example>\r\n>>> 550 relaying prohibited\r\n"
    assert parse_log(data).failures == ()
    inbound = ("A connection was accepted from x.example", "RCPT TO:<a@b.example>", "550 no")
    assert parse_log(log(*inbound)).failures == ()


def test_q177543_a_line_of_the_message_is_no_reply() -> None:
    data = log(
        *connected("192.0.2.1", "DATA", "IO: |354 go", "550 users words", ".", "IO: |250 ok")
    )
    assert parse_log(data).failures == ()


# -- lines --------------------------------------------------------------------------------------


def test_q169781_the_line_of_the_article_names_its_domain() -> None:
    failure = the_one(ARTICLE.encode())

    assert failure.domain == "nestle.com"
    assert failure.error.code == 421
    assert failure.error.text == ARTICLE.removeprefix("421 ")
    assert failure.error.error_class is ErrorClass.NO_CONNECTION
    assert failure.error.origin is Origin.THIS_HOST


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
    error = the_one(line.encode()).error

    assert (error.code, error.text) == (451, "Sender domain must resolve")
    assert (error.error_class, error.origin) == (ErrorClass.REFUSED, Origin.FAR_SERVER)


def test_a_greeting_belongs_to_the_only_domain_of_its_connection() -> None:
    data = b"IO: |421 mail.hq.example Mail loops back to this host\r\n" + ARTICLE.encode()

    assert [failure.domain for failure in parse_log(data).failures] == ["nestle.com", "nestle.com"]


def test_a_greeting_in_a_connection_of_two_domains_belongs_to_neither() -> None:
    data = b"421 busy\n" + ARTICLE.encode() + b"\nRCPT TO:<a@other.example>\n"

    assert [failure.domain for failure in parse_log(data).failures] == [None, "nestle.com"]


def test_a_reply_written_twice_counts_once() -> None:
    assert len(parse_log(b"<<< IO: |421 gone\r\n<<< 421 gone\r\n").failures) == 1


def test_the_newest_failures_are_kept() -> None:
    data = b"\n".join(b"421 number %d" % number for number in range(1000))
    failures = parse_log(data, limit=3).failures

    assert [one.error.text for one in failures] == ["number 997", "number 998", "number 999"]


def test_control_characters_never_reach_the_terminal() -> None:
    assert the_one(b"421 \x1b[31mred\x07\n").error.text == "[31mred"


_LINES = st.sampled_from(
    [
        b"A connection to 192.0.2.1 was established.",
        b"A connection was accepted from x",
        b"IO: |220 hi",
        b"IO: |354 go",
        b"EHLO x",
        b"500 what",
        b"499 No routing hosts are reachable for a.example. Message subject: x",
        b"RCPT TO:<a@b.example>",
        b"421 no",
    ]
)


@given(st.lists(_LINES | st.binary(max_size=300), max_size=20))
def test_no_bytes_make_the_reader_raise_or_grow(lines: list[bytes]) -> None:
    failures = parse_log(b"\n".join(lines), limit=5).failures

    assert len(failures) <= 5
    assert all(one.error.text.isprintable() for one in failures)
    assert all(len(one.error.text) <= MAX_TEXT + 200 for one in failures)


@given(
    st.integers(400, 599).filter(lambda code: code != 499),
    st.text(st.characters(codec="ascii", categories=["L", "N"])),
)
def test_every_failure_code_is_read(code: int, text: str) -> None:
    error = the_one(f"IO: |{code} {text}".encode()).error

    assert (error.code, error.text) == (code, text.strip())
    assert error.temporary == (code < 500)


def test_a_domain_without_a_connection_does_not_get_the_address_of_the_one_before() -> None:
    log = (
        b"A connection to 192.0.2.33 was established.\r\n"
        b"IO: |220 mx.picky.example ready|\r\n"
        b"RCPT TO:<joe@picky.example>\r\n"
        b"IO: |451 Sender domain must resolve|\r\n"
        b'499 No routing hosts are reachable for moved.example. Message subject: ""S"".'
        b" Rescheduling delivery for later.\r\n"
        b'499 No routing hosts are reachable for other.example. Message subject: ""S"".'
        b" Rescheduling delivery for later.\r\n"
    )
    found = {logged.domain: logged.error.address for logged in parse_log(log).failures}
    assert found == {"picky.example": "192.0.2.33", "moved.example": None, "other.example": None}


def test_connections_are_known_with_whose_mail_they_took_and_who_stayed_silent() -> None:
    data = log(
        *connected("192.0.2.1", "RCPT TO:<a@nestle.com>", "IO: |250 ok"),
        "A connection to 192.0.2.2 was established.",
        '499 No routing hosts are reachable for aol.com. Message subject: ""x"". Rescheduling',
        "A connection to 192.0.2.3 was established.",
        *connected("192.0.2.4", "RCPT TO:<a@msn.com>", "IO: |550 no"),
        "A connection was accepted from far.example.",
        "A connection to 192.0.2.5 was established.",
    )
    contacts = [(one.address, set(one.domains), one.silent) for one in parse_log(data).contacts]
    assert contacts == [
        ("192.0.2.1", {"nestle.com"}, False),
        ("192.0.2.2", set(), True),
        ("192.0.2.3", set(), True),
        ("192.0.2.4", set(), False),
        ("192.0.2.5", set(), None),  # it may be at work still
    ]
