# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail domains and mailboxes out of hostile text."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.addresses import (
    MAX_DOMAINS,
    checked_mailbox,
    domain_of,
    domains_in_header,
    mail_domain,
    parse_head,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.names import parse_domain
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nestle.COM", "nestle.com"),
        ("nestle.com.", "nestle.com"),
        ("192.0.2.1", None),
        ("localhost", None),
        ("-a.example", None),
        ("a..example", None),
        ("a" * 64 + ".example", None),
        (".".join(["a" * 60] * 5), None),
        ("nestle.com&del", None),
        ("nestlé.example", None),
        ("", None),
    ],
)
def test_only_a_domain_is_a_domain(text: str, expected: str | None) -> None:
    assert mail_domain(text) == expected


@given(st.text(max_size=80))
def test_what_is_called_a_domain_is_one_that_the_pairs_can_be_asked_for(text: str) -> None:
    domain = mail_domain(text)

    assert domain is None or parse_domain(domain) == domain


@pytest.mark.parametrize(
    ("mailbox", "expected"),
    [
        ("postmaster@nestle.com", "nestle.com"),
        ("SMTP:postmaster@Nestle.com", "nestle.com"),
        ("<postmaster@nestle.com>", "nestle.com"),
        ("/O=HQ/OU=MAIN/CN=USER", None),
        ("@", None),
    ],
)
def test_domain_of_a_mailbox(mailbox: str, expected: str | None) -> None:
    assert domain_of(mailbox) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("a@one.example, B <b@two.example>", ["one.example", "two.example"]),
        ('"x@display.example, y" <a@one.example>', ["one.example"]),
        ("a@one.example (office@display.example)", ["one.example"]),
        ('"open <a@one.example>', []),
        ("undisclosed-recipients:;", []),
        ('"\\"<q@display.example>" <a@one.example>', ["one.example"]),
    ],
)
def test_domains_of_an_address_header(header: str, expected: list[str]) -> None:
    assert list(domains_in_header(header)) == expected


@given(st.text())
def test_no_header_makes_it_raise(header: str) -> None:
    for domain in domains_in_header(header):
        assert mail_domain(domain) == domain


@pytest.mark.parametrize("piece", ['"\\', "(", '"', "<", "a@", '\\"'])
def test_a_hostile_header_takes_linear_time(piece: str) -> None:
    started = time.process_time()
    list(domains_in_header(piece * 500_000))

    assert time.process_time() - started < 2.0


def test_an_administrators_mailbox_gets_one_spelling() -> None:
    assert checked_mailbox(" Mail.Test@Nestle.COM ", "recipient") == "Mail.Test@nestle.com"


_NO_COMMAND_LINE = [
    "a b@x.example",
    "a&del@x.example",
    "a%x@x.example",
    '"a b"@x.example',
    "a^@x.example",
]
_NO_MAILBOX = ["x.example", "@x.example", "a@", "a@x..example", "a..b@x.example", ".a@x.example"]


@pytest.mark.parametrize("text", [*_NO_COMMAND_LINE, *_NO_MAILBOX, "x" * 65 + "@b.example"])
def test_a_mailbox_that_no_command_line_carries_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        checked_mailbox(text, "recipient")


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
