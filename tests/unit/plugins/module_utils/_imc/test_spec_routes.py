# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that a task may set, and those rejected before anything happens."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.plan import State
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.spec import (
    parse_imc_routes as parse_routes,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run.routes import Route


def test_what_mx_pairs_returns_is_taken_as_it_is() -> None:
    entries = [
        {"domain": "nestle.com", "status": "ok", "addresses": ["192.0.2.25"], "ttl": 300},
        {"domain": "gone.example", "status": "no_such_domain", "addresses": []},
        {"domain": "slow.example", "status": "temporary_failure", "addresses": None},
    ]
    assert parse_routes(entries, state=State.PRESENT) == (
        Route("nestle.com", ("192.0.2.25",), "ok"),
        Route("gone.example", (), "no_such_domain"),
        Route("slow.example", (), "temporary_failure"),
    )


def test_names_get_their_one_spelling_and_doubles_are_folded() -> None:
    entries = [
        {"domain": "Nestle.COM.", "addresses": ["192.0.2.25", "192.0.2.26", "192.0.2.25"]},
        {"domain": "nestle.com", "addresses": ["192.0.2.25", "192.0.2.26"]},
        {"domain": "b\xfccher.example", "addresses": ["192.0.2.1"]},
    ]
    assert parse_routes(entries, state=State.PRESENT) == (
        Route("nestle.com", ("192.0.2.25", "192.0.2.26")),
        Route("xn--bcher-kva.example", ("192.0.2.1",)),
    )


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("nestle.com", "must be a dictionary"),
        ({"addresses": ["192.0.2.1"]}, "no domain"),
        ({"domain": "", "addresses": ["192.0.2.1"]}, "is empty"),
        ({"domain": "a b", "addresses": ["192.0.2.1"]}, "white space"),
        ({"domain": "a;b.example", "addresses": ["192.0.2.1"]}, "contains ;"),
        ({"domain": "a&del.example", "addresses": ["192.0.2.1"]}, "contains &"),
        ({"domain": "192.0.2.1", "addresses": ["192.0.2.1"]}, "is an address"),
        ({"domain": "me@nestle.com", "addresses": ["192.0.2.1"]}, "e-mail address"),
        ({"domain": "a" * 64 + ".example", "addresses": ["192.0.2.1"]}, "64 octets"),
        ({"domain": ".".join(["a" * 60] * 5), "addresses": ["192.0.2.1"]}, "the limit is 253"),
        ({"domain": "a.example"}, "must have at least one address"),
        ({"domain": "a.example", "addresses": []}, "must have at least one address"),
        ({"domain": "a.example", "addresses": "192.0.2.1"}, "must be a list"),
        ({"domain": "a.example", "addresses": ["192.0.2"]}, "not an IPv4 address"),
        ({"domain": "a.example", "addresses": ["192.0.2.1;0"]}, "not an IPv4 address"),
        ({"domain": "a.example", "addresses": ["mx.a.example"]}, "not an IPv4 address"),
        ({"domain": "a.example", "addresses": [3221225985]}, "not an IPv4 address"),
        ({"domain": "a.example", "addresses": ["2001:db8::25"]}, "accepts only IPv4"),
        (
            {"domain": "a.example", "addresses": ["0.0.0.0"]},
            "cannot be the address of a mail server",
        ),
        (
            {"domain": "a.example", "addresses": ["127.0.0.1"]},
            "cannot be the address of a mail server",
        ),
        (
            {"domain": "a.example", "addresses": ["224.0.0.1"]},
            "cannot be the address of a mail server",
        ),
        (
            {"domain": "a.example", "addresses": ["255.255.255.255"]},
            "cannot be the address of a mail server",
        ),
        ({"domain": "a.example", "addresses": ["192.0.2.1"], "status": "fine"}, "is not valid"),
        ({"domain": "a.example", "addresses": ["192.0.2.1"], "status": ["ok"]}, "is not valid"),
    ],
)
def test_what_is_refused(entry: Any, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as caught:
        parse_routes(
            [{"domain": "x.example", "addresses": ["192.0.2.9"]}, entry], state=State.EXACT
        )
    assert caught.value.message.startswith("routes[1]")


def test_a_domain_with_two_answers_is_refused() -> None:
    entries = [
        {"domain": "a.example", "addresses": ["192.0.2.1"]},
        {"domain": "A.example", "addresses": ["192.0.2.2"]},
    ]
    with pytest.raises(InvalidInput, match=r"routes\[1\]: a.example is listed twice"):
        parse_routes(entries, state=State.PRESENT)


def test_who_removes_a_domain_needs_no_address() -> None:
    assert parse_routes([{"domain": "a.example"}], state=State.ABSENT) == (Route("a.example"),)


def test_an_empty_list_cannot_empty_a_table() -> None:
    """A list that went wrong on its way must not remove every row."""
    with pytest.raises(InvalidInput, match="every row of the table"):
        parse_routes([], state=State.EXACT)
    assert parse_routes([], state=State.PRESENT) == ()
