# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which connector a domain's mail takes, and what a new pin inherits from it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.connector import (
    Connector,
    Connectors,
    connector_from,
    inherited_settings,
)


def connector(name: str, *spaces: str, **more: Any) -> Connector:
    return connector_from(
        {
            "Guid": name,
            "Name": name,
            "AddressSpaces": list(spaces),
            "SmartHosts": [],
            "DNSRoutingEnabled": True,
            "SmartHostAuthMechanism": "None",
            "Enabled": True,
            "SourceTransportServers": ["EX1", "EX2"],
            **more,
        },
        "ex1",
    )


CONNECTORS = [
    connector("all", "smtp:*;5"),
    connector("all cheap", "smtp:*;1"),
    connector("below", "smtp:*.nestle.com;9"),
    connector("tree", "smtp:*.ch.nestle.com;1"),
    connector("exact", "smtp:nestle.com;50", "X400:c=us;1"),
    connector("off", "smtp:aol.com;1", Enabled=False),
    connector("one site", "smtp:aol.com;1", IsScopedConnector=True),
]


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ("nestle.com", "exact"),
        ("mail.nestle.com", "below"),
        ("x.ch.nestle.com", "tree"),
        ("ch.nestle.com", "tree"),
        ("notnestle.com", "all cheap"),
        ("aol.com", "all cheap"),
    ],
)
def test_mail_routing(domain: str, name: str) -> None:
    found = Connectors(tuple(CONNECTORS)).current(domain)
    assert found is not None
    assert found.name == name


def test_without_a_connector_nothing_is_inherited_settings() -> None:
    assert Connectors(()).current("a.example") is None
    assert inherited_settings(None) == {}


def test_habits_are_inherited_settings() -> None:
    there = connector("all", "*", Fqdn="mail.hq.example", MaxMessageSize="Unlimited", Port=2525)
    assert inherited_settings(there) == {
        "SourceTransportServers": ["EX1", "EX2"],
        "Fqdn": "mail.hq.example",
        "MaxMessageSize": "Unlimited",
    }


def test_competing_connectors_are_those_of_the_very_domain_that_cost_no_more() -> None:
    pin = connector("pin", "nestle.com;5")
    others = [
        connector("cheaper", "nestle.com;1", "b.example;1"),
        connector("equal", "nestle.com;5"),
        connector("dearer", "nestle.com;6"),
        connector("off", "nestle.com;1", Enabled=False),
        connector("all", "*;1"),
    ]
    assert [c.name for c in Connectors((pin, *others)).competing(pin, "nestle.com")] == [
        "cheaper",
        "equal",
    ]
