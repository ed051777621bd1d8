# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Last errors of queues: both forms, whom they blame, and hostile text."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.errors import (
    Trouble,
    parse_last_error,
)
from hypothesis import given
from hypothesis import strategies as st
from transport_fakes import BUSY, DNS_FAILED, REFUSED

FAILOVER = "Attempted failover to alternate host, but that did not succeed."


def test_kb972744_the_plain_text_of_2010() -> None:
    error = parse_last_error(DNS_FAILED)
    assert error is not None
    assert (error.code, error.enhanced, error.text) == (451, "4.4.0", "DNS query failed")
    assert error.trouble is Trouble.DNS
    assert (error.address, error.said) == (None, None)


def test_the_wrapped_text_since_2013() -> None:
    text = (
        "[{LRT=11/23/2026 1:02:03 PM};{LED=451 4.4.0 DNS query failed. The error was: DNS query"
        " failed with error ErrorRetry};{FQDN=nestle.com};{IP=}]"
    )
    error = parse_last_error(text)
    assert error is not None
    assert error.line.startswith("451 4.4.0 DNS query failed. The error was")
    assert error.line.endswith("ErrorRetry")
    assert (error.trouble, error.target, error.address) == (Trouble.DNS, "nestle.com", None)


def test_what_the_far_server_answered_is_told_apart_from_the_frame() -> None:
    error = parse_last_error(BUSY)
    assert error is not None
    assert (error.code, error.enhanced) == (451, "4.4.0")
    assert error.said is not None
    assert (error.said.code, error.said.enhanced) == (421, "4.3.2")
    assert error.said.text == "Service not available"
    assert (error.trouble, error.address) == (Trouble.REFUSED, "192.0.2.25")


def test_a_refused_connection_has_its_socket_error() -> None:
    error = parse_last_error(REFUSED)
    assert error is not None
    assert (error.trouble, error.winsock, error.said) == (Trouble.NO_CONNECTION, 10061, None)
    assert (error.code, error.enhanced) == (441, "4.4.1")


def test_kb4051498_unable_to_connect_is_no_answer_of_the_far_side() -> None:
    text = (
        "451 4.4.0 Primary target IP address responded with: "
        f'"421 4.2.1 Unable to connect." {FAILOVER}'
    )
    error = parse_last_error(text)
    assert error is not None
    assert (error.trouble, error.said) == (Trouble.NO_CONNECTION, None)


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("550 5.1.1 no such user", Trouble.REFUSED),
        ("451 4.7.1 Greylisted", Trouble.REFUSED),
        ("400 4.4.7 Message delayed", Trouble.OTHER),
        ("A matching connector cannot be found to route the external recipient", Trouble.NO_ROUTE),
        ("554 5.4.4 SMTPSEND.DNS.NonExistentDomain; nonexistent domain", Trouble.DNS),
        ("Something new", Trouble.OTHER),
    ],
)
def test_the_trouble_of_a_text(text: str, trouble: Trouble) -> None:
    error = parse_last_error(text)
    assert error is not None
    assert (error.trouble, error.line) == (trouble, text)


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("192.0.2.25:25", "192.0.2.25"),
        ("[2001:db8::25]:25", "2001:db8::25"),
        ("mail.nestle.com:25", None),
    ],
)
def test_the_endpoint_in_the_text_is_the_address_where_no_field_tells(
    endpoint: str, address: str | None
) -> None:
    error = parse_last_error(f"441 4.4.1 Failed. The last endpoint attempted was {endpoint}")
    assert error is not None
    assert error.address == address


def test_braces_and_fields_within_a_reply_do_no_harm() -> None:
    error = parse_last_error(
        "[{LRT=x};{LED=550 5.7.1 {policy}; see};{FQDN=mx.a.com};{IP=192.0.2.9}]"
    )
    assert error is not None
    assert error.line == "550 5.7.1 {policy}; see"
    assert (error.target, error.address) == ("mx.a.com", "192.0.2.9")


def test_a_far_server_that_names_an_address_names_the_one_that_came() -> None:
    error = parse_last_error("450 4.7.25 Client host rejected: no hostname, [203.0.113.50]")
    assert error is not None
    assert (error.trouble, error.address) == (Trouble.REFUSED, None)
    error = parse_last_error("421 4.4.1 Unable to connect to 192.0.2.25")
    assert error is not None
    assert (error.trouble, error.address) == (Trouble.NO_CONNECTION, "192.0.2.25")


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_no_error_is_none(nothing: str | None) -> None:
    assert parse_last_error(nothing) is None


@given(st.text(), st.sampled_from(["{}", "[{{LRT=}};{{LED={}}};{{FQDN=}};{{IP=}}]"]))
def test_hostile_text_never_raises_and_never_reaches_a_terminal(text: str, frame: str) -> None:
    error = parse_last_error(frame.format(text))
    if error is not None:
        assert error.line.isprintable()
        assert len(error.line) <= 500
