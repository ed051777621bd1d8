# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes with a short life: a pin that shares an address stays (rule 23)."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.addresses import (
    why_not_global,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run.routes import (
    Route,
    parse_routes,
)


def parsed(**entry: object) -> Route:
    given = {"domain": "nestle.com", "addresses": ["192.0.2.1", "192.0.2.2"], **entry}
    (route,) = parse_routes([given], needs_addresses=True, check=lambda _address: "")
    return route


def test_a_short_lived_route_leaves_a_pin_that_shares_an_address() -> None:
    route = parsed(short_lived=True)
    assert route.beside(["192.0.2.9", "192.0.2.2"]) == ("192.0.2.9", "192.0.2.2")
    assert route.beside(["192.0.2.9"]) == route.beside([]) == route.addresses


def test_other_routes_are_followed_to_the_letter() -> None:
    assert parsed().beside(["192.0.2.2"]) == ("192.0.2.1", "192.0.2.2")
    assert not parsed(short_lived="yes").short_lived


@pytest.mark.parametrize("address", ["10.0.0.1", "4000::1", "fec0::1", "64:ff9b::a00:1", "fd00::1"])
def test_no_address_that_dns_may_give_fails_the_routes_of_others(address: str) -> None:
    """What mx_pairs_info keeps with allow_private, a host takes; the two have one table."""
    assert why_not_global(address)[1] is False
    assert parsed(addresses=[address]).addresses == (address,)


@pytest.mark.parametrize(
    "address", ["0.0.0.1", "127.0.0.1", "169.254.0.1", "224.0.0.1", "255.255.255.255", "::", "::1"]
)
def test_addresses_that_no_mail_server_has_never_pass(address: str) -> None:
    assert why_not_global(address)[1] is True
    with pytest.raises(InvalidInput, match="cannot be the address of a mail server"):
        parsed(addresses=[address])
