# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rule 1: valid domains, and a clear reason for each invalid one."""

from __future__ import annotations

import contextlib

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    InvalidInput,
    MissingLibrary,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs import names
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.names import (
    is_address,
    is_below,
    is_host_name,
    mail_domain,
    parse_domain,
    parse_entry,
)
from hypothesis import given
from hypothesis import strategies as st

LONGEST = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])  # 253 octets

_label = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
_domain = st.builds(
    lambda labels, tld: ".".join([*labels, tld]),
    st.lists(_label, max_size=4),
    st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True),
)


@pytest.mark.parametrize(
    ("given_text", "domain"),
    [
        ("nestle.com", "nestle.com"),
        ("NESTLE.com.", "nestle.com"),
        ("localhost", "localhost"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.Example.", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),  # decomposed, as macOS types it
        ("straße.example", "xn--strae-oqa.example"),  # IDNA 2008 keeps the sharp s
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),  # an ideographic full stop
        ("\uff21\uff22\uff23.example", "abc.example"),  # full-width letters
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("xn--i-7iq.ws", "xn--i-7iq.ws"),  # an A-label of IDNA 2003 that is in use
        ("r3---sn.example", "r3---sn.example"),
        ("1and1.com", "1and1.com"),
        (LONGEST, LONGEST),
        (LONGEST + ".", LONGEST),
    ],
)
def test_rule_1_every_spelling_of_a_domain_becomes_one(given_text: str, domain: str) -> None:
    assert parse_domain(given_text) == domain


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        (".", "is empty"),
        ("192.0.2.1", "is an address, not a domain"),
        ("192.0.2.1.", "is an address, not a domain"),
        ("[192.0.2.1]", "is an address, not a domain"),
        ("2001:db8::1", "is an address, not a domain"),
        ("[IPv6:2001:db8::1]", "is an address, not a domain"),
        ("192.0.2", "ends in a number"),
        ("999.999.999.999", "ends in a number"),
        ("user@nestle.com", "is an e-mail address"),
        ("@nestle.com", "is an e-mail address"),
        ("http://nestle.com/", "is a URL"),
        ("nestle.com/x", "contains /"),
        ("nestle.com:25", "contains :"),
        ("a" * 64 + ".example", "of 64 octets; the limit is 63"),
        (LONGEST + "e", "is 254 octets long; the limit is 253"),
        ("ü" * 63 + ".example", "IDNA 2008"),
        ("x" * 5000, "is 5000 characters long"),
        ("nestle com", "contains white space"),
        (" nestle.com", "contains white space"),
        ("nestle.com\n", "contains white space"),
        ("nestle.com\x00", "contains white space"),
        ("nes\u200btle.com", "invisible character"),
        ("nes\u00adtle.com", "IDNA 2008"),  # a soft hyphen
        ("nestle..com", "has an empty label"),
        (".nestle.com", "has an empty label"),
        ("nestle.com..", "has an empty label"),
        ("-nestle.com", "begins or ends with a hyphen"),
        ("nestle-.com", "begins or ends with a hyphen"),
        ("-", "begins or ends with a hyphen"),
        ("$(reboot).com", "contains $ ( )"),
        ("nestle.com;id", "contains ;"),
        ("nestle.com|id", "contains |"),
        ("`id`.com", "contains `"),
        ("*.nestle.com", "contains *"),
        ("_dmarc.nestle.com", "contains _"),
        ("a&b.com", "contains &"),
        ("nes'tle.com", "contains '"),
        ("%USERNAME%.com", "contains %"),
        ("☃.example", "IDNA 2008"),
        ("\u202enestle.com", "IDNA 2008"),  # text that turns direction
        ("{'name': 'nestle.com'}", "is a dictionary or a template"),
    ],
)
def test_rule_1_what_is_no_domain_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_domain(text)
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


def test_names_of_hosts_may_hold_underscores() -> None:
    assert parse_domain("MAIL_1.corp", host=True) == "mail_1.corp"


@given(_domain)
def test_a_domain_is_its_own_canonical_spelling(domain: str) -> None:
    assert parse_domain(domain) == domain
    assert parse_domain(domain.upper() + ".") == domain


@given(st.text(max_size=80))
def test_any_text_is_a_domain_or_refused(text: str) -> None:
    domain = ""
    with contextlib.suppress(InvalidInput):
        domain = parse_domain(text)
    if domain:
        assert is_host_name(domain)
        assert parse_domain(domain) == domain


@pytest.mark.parametrize(
    "name", [".", "a b.example", "\\027.example", "$(id).example", "-a.example", "a" * 64, "*.x"]
)
def test_a_name_from_dns_that_can_be_no_host(name: str) -> None:
    assert not is_host_name(name)


def test_a_name_from_dns_that_can_be_a_host() -> None:
    assert is_host_name("mail_1.nestle.com")


def test_an_address_where_a_name_belongs() -> None:
    assert is_address("192.0.2.1")
    assert is_address("2001:db8::1")
    assert not is_address("mail.nestle.com")


def test_a_name_below_a_zone() -> None:
    assert is_below("mail.nestle.com", "nestle.com")
    assert is_below("nestle.com", "nestle.com")
    assert is_below("nestle.com", ".")
    assert not is_below("mynestle.com", "nestle.com")


def test_without_idna_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "IDNA_ERROR", "Traceback: no idna")
    with pytest.raises(MissingLibrary, match="idna"):
        parse_domain("bücher.example")
    assert parse_domain("nestle.com") == "nestle.com"


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        (" Nestle.COM. ", "nestle.com"),
        ("nestle", None),
        ("192.0.2.1", None),
        ("b\u00fccher.example", None),
        ("a..example", None),
        ("-a.example", None),
        ("a" * 64 + ".example", None),
        (".".join(["a" * 60] * 5), None),
    ],
)
def test_a_domain_in_a_message_is_taken_or_left(text: str, domain: str | None) -> None:
    assert mail_domain(text) == domain


@pytest.mark.parametrize(
    ("entry", "parsed"),
    [
        ("NESTLE.com.", ("nestle.com", {})),
        ({"domain": "Aol.com", "moving": "pin"}, ("aol.com", {"moving": "pin"})),
    ],
)
def test_an_entry_is_a_name_or_has_one(entry: object, parsed: object) -> None:
    assert parse_entry(entry) == parsed


@pytest.mark.parametrize("entry", [5, None, {}, {"domain": 5}, ["nestle.com"]])
def test_an_entry_without_a_name_is_refused(entry: object) -> None:
    with pytest.raises(InvalidInput, match="must be a domain or a dictionary with 'domain'"):
        parse_entry(entry)
