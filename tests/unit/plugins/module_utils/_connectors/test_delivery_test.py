# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following messages by the tracking logs of all servers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors import (
    delivery_test as connectors,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.connector import (
    comment_for,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.servers import (
    AcceptedDomains,
    Server,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.delivery import (
    Stage,
    Verdict,
    verdict_of,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.smtp_errors import Origin
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.submission import (
    SmtpOptions,
)
from delivery_fakes import probe
from transport_fakes import EX10, EX16, FakeCmdlets, refused

NESTLE = probe("nestle.com")
AOL = probe("aol.com", 2)
INTERNET: dict[str, Any] = {
    "Identity": "Internet",
    "Name": "Internet",
    "AddressSpaces": ["SMTP:*;1"],
    "DNSRoutingEnabled": True,
    "Enabled": True,
}
RELAY = {"DNSRoutingEnabled": False, "SmartHosts": ["filter.provider.example"]}
PIN = {
    "AddressSpaces": ["SMTP:nestle.com;1"],
    "Comment": comment_for("nestle.com"),
    "DNSRoutingEnabled": False,
    "SmartHosts": ["[192.0.2.25]"],
}


def event(name: str, **more: Any) -> dict[str, Any]:
    """An event as Get-MessageTrackingLog shows it."""
    return {
        "Timestamp": "2026-11-23T12:45:07.5+01:00",
        "EventId": name,
        "ConnectorId": "Internet",
        "ServerHostname": "mx.nestle.com",
        "RecipientStatus": [],
        **more,
    }


def tester(session: FakeCmdlets, *servers: Server) -> connectors.TransportTest:
    """A test that is ready to be followed."""
    smtp = SmtpOptions("ex16.hq.example")
    accepted, onward = AcceptedDomains(session), connectors.Onward(session)
    return connectors.TransportTest(session, servers, None, smtp, accepted, onward)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SENDEXTERNAL", Stage.TRANSFERRED),
        ("DELIVER", Stage.TRANSFERRED),
        ("FAIL", Stage.RETURNED),
        ("DEFER", Stage.QUEUED),
        ("RECEIVE", Stage.SEEN),
        ("DSN", Stage.SEEN),  # it may tell of a mere delay
        ("SEND", Stage.QUEUED),  # since 2013 to another server of the organisation
        ("HADISCARD", Stage.SEEN),
    ],
)
def test_what_an_event_means_since_2013(name: str, kind: Stage) -> None:
    assert connectors.stage_of(event(name), EX16, [EX10, EX16]) is kind


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({}, Stage.TRANSFERRED),
        ({"ConnectorId": "Intra-Organization SMTP Send Connector"}, Stage.QUEUED),
        ({"ServerHostname": "EX16.HQ.example"}, Stage.QUEUED),
        ({"ServerHostname": "ex16.other.example"}, Stage.TRANSFERRED),
    ],
)
def test_exchange_2010_has_one_event_for_inside_and_outside(
    more: dict[str, str], kind: Stage
) -> None:
    assert connectors.stage_of(event("SEND", **more), EX10, [EX10, EX16]) is kind


def test_every_server_is_asked_until_one_tells_the_end() -> None:
    def log(asked: Any) -> list[Any]:
        ours = asked["MessageId"] == NESTLE.message_id
        if asked["Server"] == "EX10":
            inside = {"ConnectorId": "Intra-Organization", "ServerHostname": "ex16.hq.example"}
            return [event("RECEIVE"), event("SEND", **inside)]
        return [event("SENDEXTERNAL")] if ours else [event("DEFER")]

    session = FakeCmdlets({"Get-MessageTrackingLog": log, "Get-SendConnector": [INTERNET]})
    testing = tester(session, EX10, EX16)
    poll = testing.poll([NESTLE, AOL])

    assert verdict_of(poll.observations[NESTLE.tag]) is Verdict.DELIVERED
    assert verdict_of(poll.observations[AOL.tag]) is Verdict.QUEUED
    last = poll.observations[NESTLE.tag][-1]
    assert (last.event, last.time and last.time.isoformat()) == (
        "SENDEXTERNAL on EX16",
        "2026-11-23T11:45:07.500000+00:00",
    )
    session.asked.clear()
    tester(session, EX16, EX10).poll([NESTLE])
    assert [x.parameters.get("Server") for x in session.asked] == ["EX16", None]


@pytest.mark.parametrize(
    ("connector", "more", "addresses", "kind"),
    [
        ({}, {}, (), Stage.TRANSFERRED),  # routing by DNS
        (RELAY, {}, (), Stage.RELAYED),
        (RELAY, {"ServerIp": "192.0.2.25"}, ("192.0.2.25",), Stage.TRANSFERRED),
        (RELAY, {"ServerIp": "192.0.2.9"}, ("192.0.2.25",), Stage.RELAYED),
        (PIN, {}, (), Stage.TRANSFERRED),
        ({"Name": "another"}, {}, (), Stage.RELAYED),  # not shown, so it may well be a relay's
    ],
)
def test_what_a_relay_took_is_relayed_and_not_delivered(
    connector: dict[str, Any], more: dict[str, str], addresses: tuple[str, ...], kind: Stage
) -> None:
    message = replace(NESTLE, addresses=frozenset(addresses))
    answers = {
        "Get-MessageTrackingLog": [event("SENDEXTERNAL", **more)],
        "Get-SendConnector": [{**INTERNET, **connector}],
    }
    (seen,) = tester(FakeCmdlets(answers), EX16).poll([message]).observations[message.tag]
    assert seen.stage is kind
    assert ("connector 'Internet'" in seen.reason) == (kind is Stage.RELAYED)


@pytest.mark.parametrize("server", [EX10, EX16])
def test_what_an_edge_took_is_relayed_and_the_reason_names_the_edge(server: Server) -> None:
    handed = {
        "ConnectorId": "Intra-Organization SMTP Send Connector",
        "ServerHostname": "edge1.dmz.example",
    }
    edge = {"Name": "EDGE1", "Fqdn": "EDGE1.dmz.example", "ServerRole": "Edge"}
    answers = {
        "Get-MessageTrackingLog": [event("SEND", **handed)],
        "Get-ExchangeServer": [edge],
    }
    poll = tester(FakeCmdlets(answers), server).poll([NESTLE])
    (seen,) = poll.observations[NESTLE.tag]
    assert (seen.stage, "EDGE1" in seen.reason) == (Stage.RELAYED, True)


def test_a_reply_of_a_relay_is_the_relays_word() -> None:
    answers = {
        "Get-MessageTrackingLog": [event("FAIL", RecipientStatus="550 5.7.54 Unable to relay")],
        "Get-SendConnector": [{**INTERNET, **RELAY}],
    }
    (seen,) = tester(FakeCmdlets(answers), EX16).poll([NESTLE]).observations[NESTLE.tag]
    assert seen.error is not None
    assert seen.error.origin is Origin.RELAY


def test_why_a_message_failed_is_remembered() -> None:
    status = "[{LRT=x};{LED=550 5.1.1 no such user};{FQDN=mx.a.com};{IP=192.0.2.25}]"
    for shown in (status, [status]):
        session = FakeCmdlets({"Get-MessageTrackingLog": [event("FAIL", RecipientStatus=shown)]})
        testing = tester(session, EX16)
        (seen,) = testing.poll([NESTLE]).observations[NESTLE.tag]
        error = seen.error
        assert error is not None
        assert (error.code, error.enhanced, error.text) == (550, "5.1.1", "no such user")
        assert error.source == "tracking log of EX16"


def test_a_log_that_cannot_be_searched_blinds_for_one_look_only_its_server() -> None:
    def log(asked: Any) -> list[Any]:
        if asked["Server"] == "EX10":
            raise refused("Get-MessageTrackingLog", "The log search service isn't running.")
        return [event("RECEIVE")]

    session = FakeCmdlets({"Get-MessageTrackingLog": log})
    testing = tester(session, EX10, EX16)
    poll = testing.poll([NESTLE, AOL])
    assert "EX10" in poll.blind
    assert "isn't running" in poll.blind
    assert not poll.hopeless
    assert [x.parameters["Server"] for x in session.asked] == ["EX10", "EX16", "EX16"]
    assert verdict_of(poll.observations[AOL.tag]) is Verdict.QUEUED


def test_recovery_opens_a_new_runspace() -> None:
    session = FakeCmdlets({})
    tester(session, EX16).reopen()
    assert session.reopened == 1
