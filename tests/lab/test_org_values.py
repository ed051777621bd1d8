# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forms of values: "New-SendConnector" and "Set-SendConnector"."""

from __future__ import annotations

from datetime import timedelta

import pytest
from exchange_lab.org.values import (
    AddressSpace,
    message_size,
    print_span,
    quantified,
    size_in_bytes,
    smart_host,
    time_span,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    "text", ["SMTP:contoso.com;1", "contoso.com;1", "SMTP:contoso.com", "contoso.com"]
)
def test_new_sendconnector_names_four_equivalent_address_spaces(text: str) -> None:
    assert str(AddressSpace.parse(text)) == "SMTP:contoso.com;1"


@pytest.mark.parametrize("text", ["*", "*.com", "*.contoso.com", "--"])
def test_new_sendconnector_permits_these_address_spaces(text: str) -> None:
    assert AddressSpace.parse(text).space == text


@pytest.mark.parametrize(
    "text",
    ["*contoso.com", "a,b", "", "con toso.com", "contoso.com;0", "contoso.com;101", "x.com;one"],
)
def test_new_sendconnector_refuses_these_address_spaces(text: str) -> None:
    with pytest.raises(ValueError, match="address space"):
        AddressSpace.parse(text)


@pytest.mark.parametrize(
    ("space", "domain", "covers"),
    [
        ("nestle.com", "NESTLE.com", True),
        ("nestle.com", "mail.nestle.com", False),
        ("*.nestle.com", "mail.nestle.com", True),
        ("*.nestle.com", "nestle.com", True),
        ("*.nestle.com", "hnestle.com", False),
        ("*", "anything.example", True),
        ("X400:nestle.com", "nestle.com", False),
    ],
)
def test_which_domains_an_address_space_covers(space: str, domain: str, covers: bool) -> None:
    assert (AddressSpace.parse(space).specificity(domain) >= 0) is covers


def test_an_exact_space_is_more_specific_than_a_wildcard() -> None:
    spaces = ["*", "*.com", "*.nestle.com", "nestle.com"]
    ranks = [AddressSpace.parse(space).specificity("nestle.com") for space in spaces]
    assert ranks == sorted(set(ranks))


@pytest.mark.parametrize(
    ("text", "echo"),
    [
        ("192.0.2.10", "[192.0.2.10]"),
        ("[192.0.2.10]", "[192.0.2.10]"),
        ("2001:DB8:0::1", "[2001:db8::1]"),
        ("Relay.Contoso.com", "Relay.Contoso.com"),
    ],
)
def test_smart_hosts_are_echoed_as_queues_and_messages_in_queues_shows(
    text: str, echo: str
) -> None:
    assert smart_host(text) == echo


@pytest.mark.parametrize("text", ["", "192.0.2", "192.0.2.10:25", "a b", "192.0.2.1,192.0.2.2"])
def test_what_is_no_smart_host(text: str) -> None:
    with pytest.raises(ValueError, match="smart host"):
        smart_host(text)


@pytest.mark.parametrize(
    ("given_value", "echo"),
    [
        ("35MB", "35 MB (36,700,160 bytes)"),
        ("35 MB (36,700,160 bytes)", "35 MB (36,700,160 bytes)"),
        (36_700_160, "35 MB (36,700,160 bytes)"),
        ("unlimited", "Unlimited"),
        ("10KB", "10 KB (10,240 bytes)"),
    ],
)
def test_sizes_are_echoed_in_one_form(given_value: object, echo: str) -> None:
    assert message_size(given_value) == echo


@pytest.mark.parametrize("text", ["much", "3GB", "-1", "35 XB"])
def test_set_sendconnector_limits_the_size(text: str) -> None:
    with pytest.raises(ValueError, match="size"):
        message_size(text)


@given(st.integers(min_value=0, max_value=2_147_483_647))
def test_a_size_survives_its_own_echo(count: int) -> None:
    assert size_in_bytes(message_size(quantified(count))) == count


@given(st.integers(min_value=0, max_value=10 * 86_400))
def test_a_time_span_survives_its_own_echo(seconds: int) -> None:
    span = timedelta(seconds=seconds)
    assert time_span(print_span(span)) == span
