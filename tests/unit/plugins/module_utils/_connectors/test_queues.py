# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queues of Transport servers: which ones are opened, and their mail by domain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors import queue_info
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors import (
    queues as queues_of,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.retry import (
    find_retries,
    retry,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.servers import (
    AcceptedDomains,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.delivery import (
    QueueEntry,
    QueueReport,
    stuck,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.smtp_errors import (
    ErrorClass,
    Origin,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import CmdletError
from transport_fakes import (
    BUSY,
    DNS_FAILED,
    EX10,
    EX16,
    REFUSED,
    FakeCmdlets,
    message,
    queue,
    refused,
    smart_queue,
)

NOW = datetime(2026, 11, 23, 11, 45, 7, tzinfo=UTC)
OWN = [{"DomainName": "hq.example", "Default": True}]


def look(session: FakeCmdlets, *servers: str, **options: Any) -> queues_of.Waiting:
    given = {"most_messages": 100, **options}
    own = AcceptedDomains(session, given.pop("own_domains", ()))
    return queues_of.read_waiting(session, servers or ("",), own, **given)


def entries(waiting: queues_of.Waiting) -> list[QueueEntry]:
    report = QueueReport("transport", None)
    queue_info.add_entries(report, waiting)
    return list(report.entries.values())


def domains(waiting: queues_of.Waiting) -> dict[str, int]:
    return {one.domain: one.messages for one in entries(waiting)}


def test_a_queue_for_a_domain_is_not_opened_but_for_its_oldest_message() -> None:
    session = FakeCmdlets({"Get-Queue": [queue(MessageCount=7)], "Get-Message": [message()]})
    waiting = look(session)

    assert domains(waiting) == {"nestle.com": 7}
    (found,) = entries(waiting)
    assert found.oldest == datetime(2026, 11, 23, 11, 40, 0, 123456, tzinfo=UTC)
    assert session.names() == ["Get-Queue", "Get-Message"]
    asked = session.asked[1].parameters
    assert (asked["Queue"], asked["ResultSize"]) == (r"EX16\1", 1)
    assert "IncludeRecipientInfo" not in asked


def test_the_queue_of_smart_hosts_gets_its_domains_from_the_recipients() -> None:
    read = [message("a@nestle.com"), message("b@nestle.com"), message("c@aol.com", "d@hq.example")]
    session = FakeCmdlets(
        {
            "Get-Queue": [smart_queue(MessageCount=3)],
            "Get-Message": read,
            "Get-AcceptedDomain": OWN,
        }
    )
    waiting = look(session)

    assert domains(waiting) == {"nestle.com": 2, "aol.com": 1}
    assert waiting.unread == 0
    (failure,) = queue_info.failures(waiting)
    assert (failure.domain, failure.error.address) == (None, "192.0.2.25")
    assert (failure.error.error_class, failure.count) == (ErrorClass.NO_CONNECTION, 1)


def test_what_stands_behind_a_recipient_is_no_part_of_its_address() -> None:
    told = message("a@nestle.com;2;3;;0;CN=x@other.example")
    session = FakeCmdlets({"Get-Queue": [smart_queue()], "Get-Message": [told]})
    assert domains(look(session)) == {"nestle.com": 1}


def test_the_messages_read_are_bounded_and_the_rest_is_told() -> None:
    def messages(asked: Any) -> list[Any]:
        return [message("a@nestle.com")] * min(asked["ResultSize"], 8)

    busy = smart_queue(r"EX16\3", None, MessageCount=8)
    session = FakeCmdlets(
        {"Get-Queue": [busy, smart_queue(MessageCount=8)], "Get-Message": messages}
    )
    waiting = look(session, most_messages=10)

    sizes = [x.parameters["ResultSize"] for x in session.asked if x.name == "Get-Message"]
    queues = [x.parameters["Queue"] for x in session.asked if x.name == "Get-Message"]
    assert (sizes, queues) == ([10, 2], [r"EX16\2", r"EX16\3"])  # the one in trouble first
    assert waiting.unread == 6


@pytest.mark.parametrize(
    "kind", ["Undefined", "ShadowRedundancy", "SmtpDeliveryToMailbox", "MapiDelivery"]
)
def test_queues_of_mail_that_does_not_leave_are_left_out(kind: str) -> None:
    session = FakeCmdlets({"Get-Queue": [queue(DeliveryType=kind)]})
    assert look(session).queues == []
    assert session.names() == ["Get-Queue"]


def test_the_address_and_reply_of_the_last_error_go_to_the_domain() -> None:
    session = FakeCmdlets({"Get-Queue": [queue(error=BUSY)], "Get-Message": [message()]})
    (found,) = entries(look(session))
    error = found.error
    assert error is not None
    assert (error.code, error.enhanced, error.address) == (421, "4.3.2", "192.0.2.25")
    assert (error.source, error.origin) == (r"queue EX16\1", Origin.FAR_SERVER)
    assert "421 4.3.2 Service not available" in str(found.to_dict()["last_error"])


def test_two_servers_count_together_and_the_error_with_an_address_wins() -> None:
    def queues(asked: Any) -> list[Any]:
        if asked["Server"] == "EX10":
            return [queue(r"EX10\4", MessageCount=2)]
        return [queue(error=REFUSED)]

    session = FakeCmdlets({"Get-Queue": queues, "Get-Message": [message()]})
    (found,) = entries(look(session, "EX10", "EX16"))
    assert found.error is not None
    assert (found.messages, found.error.address) == (3, "192.0.2.25")


def test_a_server_that_is_down_is_a_note_and_all_of_them_an_error() -> None:
    def queues(asked: Any) -> list[Any]:
        if asked["Server"] == "EX10":
            raise refused("Get-Queue", "The Transport service isn't running.")
        return [queue()]

    session = FakeCmdlets({"Get-Queue": queues, "Get-Message": [message()]})
    waiting = look(session, "EX10", "EX16")
    assert domains(waiting) == {"nestle.com": 1}
    assert ["EX10" in note and "isn't running" in note for note in waiting.warnings] == [True]

    with pytest.raises(CmdletError, match="LDAP"):
        look(FakeCmdlets({"Get-Queue": refused("Get-Queue")}), "EX10", "EX16")


def test_half_a_queue_hides_no_other() -> None:
    broken = queue()
    del broken["MessageCount"]
    answers = {"Get-Queue": [broken, queue()], "Get-Message": [message()]}
    waiting = look(FakeCmdlets(answers))
    assert domains(waiting) == {"nestle.com": 1}
    assert [broken["Identity"] in note for note in waiting.warnings] == [True]


@pytest.mark.parametrize("count", [float("inf"), float("nan"), [1], None, "many"])
def test_a_number_of_messages_that_is_none_is_no_queue(count: object) -> None:
    waiting = look(FakeCmdlets({"Get-Queue": [queue(MessageCount=count)]}))
    assert (waiting.queues, len(waiting.warnings)) == ([], 1)


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_beyond_the_calendar_is_not_known(when: str) -> None:
    waiting = look(
        FakeCmdlets(
            {"Get-Queue": [queue(NextRetryTime=when)], "Get-Message": [message(received=when)]}
        )
    )
    assert waiting.queues[0].next_retry is None
    assert waiting.messages[waiting.queues[0].identity][0].received is None


def test_a_queue_that_is_gone_when_it_is_opened_is_told() -> None:
    session = FakeCmdlets({"Get-Queue": [smart_queue()], "Get-Message": refused("Get-Message")})
    waiting = look(session)
    assert (domains(waiting), waiting.unread) == ({}, 1)
    assert any(r"EX16\2" in note for note in waiting.warnings)


def test_ages_are_asked_for_a_bounded_number_of_queues() -> None:
    many = [queue(f"EX16\\{number}", f"d{number}.example") for number in range(60)]
    session = FakeCmdlets({"Get-Queue": many, "Get-Message": [message()]})
    waiting = look(session)
    assert session.names().count("Get-Message") == 50
    assert any("50 of 60" in note for note in waiting.warnings)
    # Mail of unknown age may well be delayed.
    assert len(stuck(entries(waiting), NOW, 3600)) == 60


def test_mail_just_being_sent_is_not_stuck() -> None:
    fresh = message(received="2026-11-23T11:45:00Z")
    session = FakeCmdlets({"Get-Queue": [queue(error=None)], "Get-Message": [fresh]})
    queues = entries(look(session))
    assert stuck(queues, NOW, 60) == []
    assert stuck(queues, NOW, 0) == ["nestle.com"]


def test_a_time_without_a_zone_is_not_guessed() -> None:
    local = message(received="2026-11-23T11:45:00")
    session = FakeCmdlets({"Get-Queue": [queue()], "Get-Message": [local]})
    assert entries(look(session))[0].oldest is None


def far(queue_properties: dict[str, Any]) -> Origin | None:
    session = FakeCmdlets({"Get-Queue": [queue_properties], "Get-Message": [message()]})
    error = look(session).queues[0].error
    return error.origin if error else None


def test_the_next_hop_of_the_queue_is_whose_word_the_reply_is() -> None:
    assert far(smart_queue(error=BUSY)) is Origin.FAR_SERVER  # addresses may be pins
    assert far(smart_queue(error=BUSY, NextHopDomain="relay.example")) is Origin.RELAY
    edge = queue(error=BUSY, DeliveryType="SmtpRelayWithinAdSiteToEdge", NextHopDomain="edgesync")
    assert far(edge) is Origin.EDGE
    assert far(queue(error=REFUSED)) is Origin.THIS_HOST


def test_mail_for_relay_domains_leaves_and_subdomains_of_a_star_stay() -> None:
    accepted = [
        {"DomainName": "hq.example", "DomainType": "Authoritative"},
        {"DomainName": "*.lab.example", "DomainType": "Authoritative"},
        {"DomainName": "partner.example", "DomainType": "InternalRelay"},
    ]
    read = [message("a@hq.example", "b@x.lab.example", "c@partner.example", "d@aol.com")]
    session = FakeCmdlets(
        {"Get-Queue": [smart_queue()], "Get-Message": read, "Get-AcceptedDomain": accepted}
    )
    assert domains(look(session)) == {"partner.example": 1, "aol.com": 1}


# --- retry ----------------------------------------------------------------------------------------


def _never(seconds: float) -> None:
    pytest.fail(f"waited {seconds} seconds for nothing")


def chosen(session: FakeCmdlets, *wanted: str) -> list[str]:
    found = find_retries(session, [EX16], set(wanted), _never, AcceptedDomains(session))
    return [one.queue for one in found.chosen]


def test_only_queues_of_the_domains_in_retry_are_chosen() -> None:
    queues = [
        queue(r"EX16\1"),
        queue(r"EX16\2", "aol.com"),
        queue(r"EX16\3", "nestle.com", None),
        queue(r"EX16\4", "nestle.com", Status="Suspended"),
    ]
    session = FakeCmdlets({"Get-Queue": queues})
    found = find_retries(session, [EX16], {"nestle.com"}, _never, AcceptedDomains(session))
    assert [one.queue for one in found.chosen] == [r"EX16\1"]
    assert found.chosen[0].to_dict() == {
        "queue": r"EX16\1",
        "domains": ["nestle.com"],
        "messages": 1,
        "last_error": DNS_FAILED,
    }
    (note,) = found.warnings
    assert r"EX16\4 is suspended" in note
    assert session.names() == ["Get-Queue"]  # nobody asks how old the mail is


def test_a_queue_that_is_being_tried_is_looked_at_again() -> None:
    states = iter(["Active", "Connecting", "Retry"])
    session = FakeCmdlets({"Get-Queue": lambda _asked: [queue(Status=next(states))]})
    waited: list[float] = []
    found = find_retries(session, [EX16], {"nestle.com"}, waited.append, AcceptedDomains(session))
    assert [one.queue for one in found.chosen] == [r"EX16\1"]
    assert (waited, found.warnings) == ([2.0, 4.0], ())

    busy = FakeCmdlets({"Get-Queue": [queue(Status="Active")]})
    found = find_retries(busy, [EX16], {"nestle.com"}, lambda _seconds: None, AcceptedDomains(busy))
    assert found.chosen == ()
    assert "being tried just now" in found.warnings[0]
    assert len(busy.asked) == 3


def test_unreachable_and_smart_host_queues_are_chosen_by_their_recipients() -> None:
    lost = queue(
        r"EX16\Unreachable",
        "Unreachable Domain",
        None,
        DeliveryType="Unreachable",
        Status="Ready",
    )
    session = FakeCmdlets(
        {"Get-Queue": [lost, smart_queue()], "Get-Message": [message("a@nestle.com")]}
    )
    assert sorted(chosen(session, "nestle.com")) == [r"EX16\2", r"EX16\Unreachable"]
    assert chosen(session, "aol.com") == []


def test_a_retry_resubmits_so_that_new_connectors_count() -> None:
    session = FakeCmdlets({"Get-Queue": [queue()]})
    found = find_retries(session, [EX10, EX16], {"nestle.com"}, _never, AcceptedDomains(session))
    told: list[str] = []
    assert retry(session, found.chosen, told.append, _never) == found.chosen
    ran = [x.parameters for x in session.asked if x.name == "Retry-Queue"]
    assert ran[0] == {"Identity": r"EX16\1", "Resubmit": True, "Confirm": False}
    assert told[0] == r"Exchange resubmits the queue EX16\1"


def test_a_queue_that_emptied_itself_meanwhile_is_no_failure() -> None:
    answers = iter([[queue()], []])
    session = FakeCmdlets(
        {"Get-Queue": lambda _asked: next(answers), "Retry-Queue": refused("Retry-Queue")}
    )
    found = find_retries(session, [EX16], {"nestle.com"}, _never, AcceptedDomains(session))
    assert retry(session, found.chosen, lambda _text: None, _never) == ()
    assert session.names() == ["Get-Queue", "Retry-Queue", "Get-Queue"]


def test_a_queue_that_may_not_be_retried_is_an_error_that_tells_what_was_done() -> None:
    def may(asked: Any) -> list[Any]:
        if asked["Identity"] == r"EX16\2":
            raise refused("Retry-Queue", "Access is denied.")
        return []

    queues = [queue(), queue(r"EX16\2", "aol.com")]
    session = FakeCmdlets({"Get-Queue": queues, "Retry-Queue": may})
    found = find_retries(
        session, [EX16], {"nestle.com", "aol.com"}, _never, AcceptedDomains(session)
    )
    with pytest.raises(ExchangeError, match="1 of 2 queues were not retried") as caught:
        retry(session, found.chosen, lambda _text: None, _never)
    assert "Access is denied" in str(caught.value)
    assert caught.value.details["changed"] is True
    assert caught.value.details["retried"] == [found.chosen[0].to_dict()]


def test_a_queue_that_is_tried_when_it_should_be_retried_gets_its_turn_later() -> None:
    states = iter(["Retry", "Active"])
    answers = iter([refused("Retry-Queue", "The queue isn't in Retry."), [], []])
    session = FakeCmdlets(
        {
            "Get-Queue": lambda _asked: [queue(Status=next(states))],
            "Retry-Queue": lambda _asked: next(answers),
        }
    )
    found = find_retries(session, [EX16], {"nestle.com"}, _never, AcceptedDomains(session))
    waited: list[float] = []
    assert retry(session, found.chosen, lambda _text: None, waited.append) == found.chosen
    assert (waited, session.names().count("Retry-Queue")) == ([2.0], 3)  # the last without Resubmit


def test_a_queue_that_stays_refused_is_not_said_to_be_retried() -> None:
    states = iter(["Retry", "Active", "Active", "Active"])
    session = FakeCmdlets(
        {
            "Get-Queue": lambda _asked: [queue(Status=next(states))],
            "Retry-Queue": refused("Retry-Queue"),
        }
    )
    found = find_retries(session, [EX16], {"nestle.com"}, _never, AcceptedDomains(session))
    with pytest.raises(ExchangeError, match="1 of 1 queues were not retried") as caught:
        retry(session, found.chosen, lambda _text: None, lambda _seconds: None)
    assert (caught.value.details["changed"], caught.value.details["retried"]) == (False, [])
