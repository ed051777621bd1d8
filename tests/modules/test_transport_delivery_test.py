# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""delivery_test on Exchange 2010 and later: submit, follow, and retry what waited."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from exchange_lab.lab import Lab
from exchange_lab.mail.smtp_sink import Temper
from exchange_lab.org.faults import Fault, Kind
from transport_site import AOL, MX1, MX2, SCENARIO, pin, send, transport, until, waits
from worker import Play


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Lab]:
    with Lab(SCENARIO, folder=tmp_path / "lab") as lab:
        yield lab


def test(*domains: Any, **options: Any) -> dict[str, Any]:
    """A task that tests domains, quickly."""
    given = {
        "domains": list(domains),
        "smtp": {"port": "{{ mx_delivery_test_smtp_port }}"},
        "interval": 1,
        "deadline": 8,
        **options,
    }
    return transport("delivery_test", **given)


test.__test__ = False  # type: ignore[attr-defined] # a task, and no test of its own


def verdicts(result: dict[str, Any]) -> dict[str, str]:
    return {one["domain"]: one["verdict"] for one in result["results"]}


@pytest.mark.parametrize(
    ("name", "sent"), [("ex10", "SEND"), ("ex16", "SENDEXTERNAL"), ("exse", "SENDEXTERNAL")]
)
def test_a_message_is_followed_until_it_left(site: Lab, play: Play, name: str, sent: str) -> None:
    site.sinks[AOL].temper = Temper.ACCEPT
    results = play(site, name, ("test", test("aol.com")))
    result = results["test"]

    assert (verdicts(result), result["changed"]) == ({"aol.com": "delivered"}, False)
    assert (result["method"], result["sender"]) == ("smtp", "postmaster@hq.example")
    (one,) = result["results"]
    assert [event["event"] for event in one["events"]] == [
        f"RECEIVE on {name}",
        f"{sent} on {name}",
    ]
    (received,) = site.sinks.received
    assert (received.message_id, received.address) == (one["message_id"], AOL)


def test_what_waits_has_its_last_error_and_what_came_back_its_reply(site: Lab, play: Play) -> None:
    site.sinks[AOL].temper = Temper.REJECT
    results = play(site, "ex16", ("test", test("nestle.com", "aol.com", deadline=3)))
    result = results["test"]

    assert result["failed"] is True
    assert verdicts(result) == {"nestle.com": "queued", "aol.com": "returned"}
    nestle, aol = result["results"]
    assert (nestle["error"]["code"], nestle["error"]["enhanced"]) == (451, "4.4.0")
    assert nestle["error"]["source"].startswith("queue ex16\\")
    assert aol["error"]["code"] == 550
    assert aol["error"]["source"] == "tracking log of ex16"
    assert "2 of 2 test messages were not delivered" in result["msg"]
    assert "DNS query failed" in result["msg"]


def test_no_test_message_stays_in_a_queue_where_that_is_asked_for(site: Lab, play: Play) -> None:
    site.sinks[AOL].temper = Temper.ACCEPT
    options = {"deadline": 3, "fail_on_undelivered": False}
    given = test("nestle.com", "aol.com", remove_queued=True, **options)
    results = play(site, "ex16", ("test", given), ("queue", transport("queue_info")))
    assert verdicts(results["test"]) == {"nestle.com": "queued", "aol.com": "delivered"}
    assert "warnings" not in results["test"]
    assert results["queue"]["queues"] == []
    results = play(
        site, "ex16", ("test", test("nestle.com", **options)), ("queue", transport("queue_info"))
    )
    assert len(results["queue"]["queues"]) == 1


def test_a_message_is_followed_to_the_server_that_sends_it(site: Lab, play: Play) -> None:
    pin(site, "nestle.com", MX2)  # its only source server is ex16
    known = {"name": "nestle.com", "addresses": [MX1, MX2]}
    results = play(site, "ex10", ("test", test(known)))
    (one,) = results["test"]["results"]

    assert one["verdict"] == "delivered"
    events = [event["event"] for event in one["events"]]
    assert (events[0], events[-1]) == ("RECEIVE on ex10", "SENDEXTERNAL on ex16")


def test_after_a_fix_what_waited_is_sent_by_the_new_connector(site: Lab, play: Play) -> None:
    send(site, "buyer@nestle.com")
    send(site, "buyer@nestle.com", "exse")
    send(site, "friend@aol.com")
    waits(site, 2)
    waits(site, 1, "exse")
    pin(site, "nestle.com", MX1, MX2)
    known = {"name": "nestle.com", "addresses": [MX1, MX2]}
    retrying = test(known, retry_queues=True)
    would = play(site, "ex16", ("test", retrying), check=True)["test"]

    assert not would["failed"], would
    assert would["changed"] is True
    assert [one["domains"] for one in would["would_retry"]] == [["nestle.com"], ["nestle.com"]]
    assert (would["retried"], site.sinks.received) == ([], ())

    result = play(site, "ex16", ("test", retrying))["test"]
    assert not result["failed"], result
    assert {one["queue"].partition("\\")[0] for one in result["retried"]} == {"ex16", "exse"}
    assert [one["queue"] for one in result["retried"]] == [
        one["queue"] for one in would["would_retry"]
    ]
    assert (result["changed"], verdicts(result)) == (True, {"nestle.com": "delivered"})
    until(lambda: len(site.sinks.received) == 3)
    assert {item.address for item in site.sinks.received} <= {MX1, MX2}
    assert [queue.hop.domain for queue in site.servers["ex16"].queues] == ["aol.com"]

    # Nothing waits any more, so nothing is changed.
    again = play(site, "ex16", ("test", retrying))
    assert (again["test"]["changed"], again["test"]["retried"]) == (False, [])


def test_a_retry_that_is_refused_fails_before_anything_is_sent(site: Lab, play: Play) -> None:
    send(site, "buyer@nestle.com")
    waits(site, 1)
    assert site.organisation is not None
    site.organisation.organisation.faults.order(Fault(Kind.ERROR, "Retry-Queue", times=9))
    results = play(site, "ex16", ("test", test("nestle.com", retry_queues=True)))
    result = results["test"]

    assert (result["failed"], result["changed"]) == (True, False)
    assert "1 of 1 queues were not retried" in result["msg"]
    assert site.sinks.received == ()


def test_a_tracking_log_that_breaks_off_is_asked_again(site: Lab, play: Play) -> None:
    site.sinks[AOL].temper = Temper.ACCEPT
    assert site.organisation is not None
    faults = site.organisation.organisation.faults
    faults.order(Fault(Kind.RESET_BEFORE, "Get-MessageTrackingLog"))
    results = play(site, "ex16", ("test", test("aol.com")))
    assert verdicts(results["test"]) == {"aol.com": "delivered"}


def test_without_tracking_the_verdict_is_not_invented(site: Lab, play: Play) -> None:
    site.sinks[AOL].temper = Temper.ACCEPT
    assert site.organisation is not None
    for server in site.organisation.organisation.servers:
        server.settings.tracking_enabled = False
    results = play(site, "ex16", ("test", test("aol.com", deadline=2)))
    (one,) = results["test"]["results"]
    assert one["verdict"] == "unknown"
    assert "check that message tracking is enabled" in one["reason"]


def test_what_belongs_to_the_other_family_is_refused(site: Lab, play: Play) -> None:
    pickup = test("aol.com", method="pickup")
    options = {"family": "imc", "domains": ["a.example"], "retry_queues": True}
    wrong = {"postmaster.exchange.delivery_test": options}
    results = play(site, "ex16", ("pickup", pickup), ("wrong", wrong))
    assert "method=pickup is for Exchange 5.5" in results["pickup"]["msg"]
    assert "retry_queues is for family=transport" in results["wrong"]["msg"]
