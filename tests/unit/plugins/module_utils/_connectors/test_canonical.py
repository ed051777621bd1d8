# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors import canonical
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    "spelling",
    ["contoso.com", "SMTP:contoso.com;1", "smtp:Contoso.COM; 1", " SMTP:contoso.com.;1 "],
)
def test_one_address_space_has_one_form(spelling: str) -> None:
    assert str(canonical.address_space(spelling)) == "SMTP:contoso.com;1"


def test_cost_kind_and_scope_are_kept() -> None:
    assert str(canonical.address_space("X400:c=us;a=x;10")) == "X400:c=us;a=x;10"
    assert str(canonical.address_space("X400:c=US;a= ;p=Org")) == "X400:c=US;a= ;p=Org;1"
    assert canonical.address_space("*;5").cost == 5
    assert canonical.address_space("SMTP:a.example;500").cost == 500
    space = canonical.address_space("Local:SMTP:Nestle.com;1")
    assert (str(space), space.address, space.scoped) == (
        "Local:SMTP:nestle.com;1",
        "nestle.com",
        True,
    )


@pytest.mark.parametrize("bad", ["", ";1", ":a.com;1", "a.com;-1", "a.com;x", "SMTP:;1"])
def test_what_is_no_address_space_is_refused(bad: str) -> None:
    with pytest.raises(InvalidInput):
        canonical.address_space(bad)


@pytest.mark.parametrize(
    ("spelling", "form"),
    [
        ("192.0.2.10", "[192.0.2.10]"),
        ("[192.0.2.10]", "[192.0.2.10]"),
        (" [ 192.0.2.10 ] ", "[192.0.2.10]"),
        ("2001:0DB8::0001", "[2001:db8::1]"),
        ("MX1.Contoso.com.", "mx1.contoso.com"),
    ],
)
def test_one_smart_host_has_one_form(spelling: str, form: str) -> None:
    assert canonical.smart_host(spelling) == form


@pytest.mark.parametrize("bad", ["", "a b", "a;b", "-x.com", "x..y", "$(calc)", "a" * 64])
def test_what_is_no_smart_host_is_refused(bad: str) -> None:
    with pytest.raises(InvalidInput):
        canonical.smart_host(bad)


@given(st.ip_addresses())
def test_a_smart_host_form_is_its_own_form(address: object) -> None:
    form = canonical.smart_host(str(address))
    assert canonical.smart_host(form) == form


def test_a_server_has_one_short_name() -> None:
    spellings = ["MBX1", "mbx1.contoso.com", "contoso.com/Configuration/Servers/MBX1", r"X\mbx1"]
    assert {canonical.server_name(text) for text in spellings} == {"mbx1"}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("35MB", 36_700_160),
        ("35 MB (36,700,160 bytes)", 36_700_160),
        ("35 MB (36.700.160 bytes)", 36_700_160),
        ("Unlimited", None),
        ("1024", 1024),
    ],
)
def test_sizes_echo_equal(text: str, count: int | None) -> None:
    assert canonical.size(text) == count


def test_booleans_typed_and_as_text() -> None:
    assert canonical.boolean("$True") is True
    assert canonical.boolean(False) is False
    with pytest.raises(InvalidInput):
        canonical.boolean("yes")


@pytest.mark.parametrize(
    ("echoed", "sent"),
    [
        ("35 MB (36,700,160 bytes)", "35MB"),
        ("35 MB (36.700.160 bytes)", "35MB"),
        ("9.766 KB (10,000 bytes)", "10000B"),
        ("2 GB (2,147,483,648 bytes)", "2GB"),
        ("Unlimited", "Unlimited"),
        ("0 B (0 bytes)", "0B"),
        ("?", "?"),
    ],
)
def test_a_size_is_sent_as_the_cmdlets_take_it(echoed: str, sent: str) -> None:
    assert canonical.size_argument(echoed) == sent
