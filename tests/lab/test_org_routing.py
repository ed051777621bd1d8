# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which connector carries a message ("Mail routing"), and the queue it waits in."""

from __future__ import annotations

import uuid

import pytest
from exchange_lab.org.routing import UNREACHABLE, Connector, choose, next_hop, retry_pause
from exchange_lab.org.values import AddressSpace


def _connector(
    name: str,
    *spaces: str,
    hosts: tuple[str, ...] = (),
    sources: tuple[str, ...] = ("EX01",),
    enabled: bool = True,
    max_bytes: int | None = None,
) -> Connector:
    return Connector(
        guid=uuid.uuid4(),
        name=name,
        spaces=tuple(map(AddressSpace.parse, spaces)),
        smart_hosts=hosts,
        sources=sources,
        enabled=enabled,
        port=25,
        require_tls=False,
        ignore_starttls=False,
        force_helo=False,
        fqdn=None,
        max_bytes=max_bytes,
        external_dns=False,
    )


def _chosen(*connectors: Connector, domain: str = "nestle.com", size: int = 1) -> str | None:
    found = choose(domain, size, connectors, "EX01")
    return found.name if found is not None else None


def test_the_most_specific_address_space_wins_whatever_its_cost() -> None:
    internet, pin = _connector("Internet", "*;1"), _connector("pin", "nestle.com;100")
    assert _chosen(internet, pin) == "pin"
    assert _chosen(internet, pin, domain="mail.nestle.com") == "Internet"


def test_among_equal_spaces_the_lower_cost_wins_then_the_own_server_then_the_name() -> None:
    dear, cheap = _connector("a", "nestle.com;2"), _connector("b", "nestle.com;1")
    assert _chosen(dear, cheap) == "b"
    far, near = _connector("a", "nestle.com", sources=("EX02",)), _connector("b", "nestle.com")
    assert _chosen(far, near) == "b"
    assert _chosen(_connector("Beta", "nestle.com"), _connector("alpha", "nestle.com")) == "alpha"


@pytest.mark.parametrize(
    "unfit",
    [
        _connector("pin", "nestle.com", enabled=False),
        _connector("pin", "nestle.com", max_bytes=10),
        _connector("pin", "nestle.com", sources=()),
    ],
)
def test_a_connector_that_does_not_fit_is_passed_over(unfit: Connector) -> None:
    assert _chosen(unfit, _connector("Internet", "*"), size=11) == "Internet"


def test_without_a_connector_mail_is_unreachable() -> None:
    assert _chosen(_connector("pin", "nestle.com"), domain="aol.com") is None
    assert next_hop("aol.com", None, "EX01", modern=True) == UNREACHABLE


def test_queues_and_messages_in_queues_names_the_delivery_types() -> None:
    hosts = ("[192.0.2.10]", "[192.0.2.11]")
    pin, internet = _connector("pin", "nestle.com", hosts=hosts), _connector("Internet", "*")
    smart = next_hop("nestle.com", pin, "EX01", modern=True)
    assert (smart.delivery_type, smart.domain, smart.external) == (
        "SmartHostConnectorDelivery",
        "[192.0.2.10],[192.0.2.11]",
        True,
    )
    direct = next_hop("aol.com", internet, "EX01", modern=True)
    assert (direct.delivery_type, direct.domain) == ("DnsConnectorDelivery", "aol.com")
    relay = next_hop("nestle.com", pin, "EX02", modern=True)
    assert (relay.delivery_type, relay.domain, relay.external) == (
        "SmtpRelayToConnectorSourceServers",
        "pin",
        False,
    )
    assert next_hop("nestle.com", pin, "EX02", modern=False).delivery_type == (
        "SmtpRelayWithinAdSite"
    )


def test_retries_are_a_few_quick_ones_then_slower_ones() -> None:
    steps = ((4, 60.0), (6, 300.0))
    pauses = [retry_pause(attempts, steps, 600.0) for attempts in range(1, 13)]
    assert pauses == [60.0] * 4 + [300.0] * 6 + [600.0] * 2
