# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What exchange_info learned of an organisation is not asked again by what comes after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import (
    Context,
    Learned,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.servers import (
    NO_SERVERS,
    KnownServers,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run import (
    delivery_test as run_delivery_test,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run import (
    exchange_info as run_exchange_info,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run import (
    queue_info as run_queue_info,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run.options import (
    DELIVERY_TEST_SPEC,
    EXCHANGE_INFO_SPEC,
    QUEUE_INFO_SPEC,
)
from transport_fakes import FakeCmdlets, smart_queue

OWN = [{"DomainName": "hq.example", "Default": True}]
SERVERS = [
    {
        "Name": name,
        "Fqdn": f"{name}.hq.example",
        "AdminDisplayVersion": f"Version 15.{minor} (Build {build})",
        "IsHubTransportServer": transports,
    }
    for name, minor, build, transports in (
        ("EX16", 1, "2507.6", True),
        ("EX19", 2, "1544.4", True),
        ("TOOLS", 2, "1544.4", False),
    )
]


def organisation() -> FakeCmdlets:
    return FakeCmdlets({"Get-ExchangeServer": SERVERS, "Get-AcceptedDomain": OWN}, host="ex19")


def run(
    engine: Any,
    spec: Mapping[str, Any],
    session: FakeCmdlets,
    learned: Learned | None = None,
    **given: Any,
) -> dict[str, Any]:
    checked = ArgumentSpecValidator(spec).validate({"family": "transport", **given})
    assert not checked.error_messages, checked.error_messages
    about = Context(
        host="ex19",
        cmdlets=lambda: session,
        no_session=InvalidInput("no WinRM"),
        address="127.0.0.1",
        check_mode=True,
        learned=learned or Learned(),
    )
    result: dict[str, Any] = engine.run(checked.validated_parameters, about)
    return result


@pytest.fixture
def learned() -> Learned:
    found = Learned()
    run(run_exchange_info, EXCHANGE_INFO_SPEC, organisation(), found)
    return found


def test_exchange_info_learns_who_transports_mail(learned: Learned) -> None:
    assert learned.of(KnownServers, NO_SERVERS) == KnownServers(("EX16", "EX19"), "EX19", "2019")


def test_servers_that_no_cmdlet_can_name_are_not_handed_on() -> None:
    learned, session = Learned(), organisation()
    session.answers["Get-ExchangeServer"] = [SERVERS[0], SERVERS[1] | {"Name": "EX*"}]
    run(run_exchange_info, EXCHANGE_INFO_SPEC, session, learned)
    assert learned.of(KnownServers, NO_SERVERS) == NO_SERVERS


@pytest.mark.parametrize("every", [False, True])
def test_queue_info_finds_the_same_and_asks_less(learned: Learned, every: bool) -> None:
    asking, knowing = organisation(), organisation()
    found = [
        run(run_queue_info, QUEUE_INFO_SPEC, session, known, all_servers=every)
        for session, known in ((asking, None), (knowing, learned))
    ]
    assert found[0] == found[1]
    assert found[1]["version"] == "2019"
    assert asking.names() == ["Get-ExchangeServer", *knowing.names()]
    assert asking.asked[1:] == knowing.asked


def test_delivery_test_finds_the_same_and_asks_less(learned: Learned) -> None:
    given = {"domains": ["nestle.com"], "retry_queues": True}
    asking, knowing = organisation(), organisation()
    found = [
        run(run_delivery_test, DELIVERY_TEST_SPEC, session, known, **given)
        for session, known in ((asking, None), (knowing, learned))
    ]
    assert found[0] == found[1]
    assert (found[1]["version"], found[1]["sender"]) == ("2019", "postmaster@hq.example")
    assert asking.names() == ["Get-ExchangeServer", *knowing.names()]
    queues = [one.parameters["Server"] for one in knowing.asked if one.name == "Get-Queue"]
    assert queues == ["EX19", "EX16"]


def test_mail_that_goes_to_another_server_needs_to_know_that_one(learned: Learned) -> None:
    session = organisation()
    given = {"domains": ["nestle.com"], "smtp": {"host": "ex16.hq.example"}}
    found = run(run_delivery_test, DELIVERY_TEST_SPEC, session, learned, **given)
    assert found["version"] == "2016"
    assert session.names().count("Get-ExchangeServer") == 1


def test_the_own_domains_are_asked_for_once_by_sender_and_queues() -> None:
    session = organisation()
    session.answers["Get-Queue"] = [smart_queue()]
    run(run_delivery_test, DELIVERY_TEST_SPEC, session, domains=["nestle.com"], retry_queues=True)
    assert "Get-Message" in session.names()  # the queue does not tell its domain
    assert session.names().count("Get-AcceptedDomain") == 1
