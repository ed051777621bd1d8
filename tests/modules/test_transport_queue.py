# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""queue_info on Exchange 2010 and later, from the queues to the pairs of what is stuck in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from exchange_lab.lab import Lab
from exchange_lab.mail.smtp_sink import Temper
from exchange_lab.org.faults import Fault, Kind
from transport_site import AOL, MX1, MX2, SCENARIO, pin, send, transport, until, waits
from worker import Play

LOOK = transport("queue_info")
PAIRS = {
    "postmaster.exchange.mx_pairs_info": {
        "domains": "{{ queue.stuck_domains }}",
        "nameservers": "{{ mx_delivery_nameservers }}",
        "port": "{{ mx_delivery_dns_port }}",
        "timeout": 0.5,
        "retries": 1,
        "allow_private": True,
        "evidence": True,
    }
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Lab]:
    with Lab(SCENARIO, folder=tmp_path / "lab") as lab:
        yield lab


def test_stuck_domains_lead_to_their_pairs_and_to_the_known_cause(site: Lab, play: Play) -> None:
    send(site, "buyer@nestle.com")
    send(site, "friend@aol.com")
    waits(site, 2)
    before = site.servers["ex16"].endpoint_requests
    results = play(site, "ex16", ("queue", LOOK), ("pairs", PAIRS))
    queue = results["queue"]

    assert (queue["family"], queue["version"], queue["files"]) == ("transport", "2016", 2)
    assert queue["stuck_domains"] == ["aol.com", "nestle.com"]
    told = {one["domain"]: one for one in queue["queues"]}
    assert told["nestle.com"]["last_error"].startswith("451 4.4.0 DNS query failed")
    assert (told["nestle.com"]["error"]["code"], told["nestle.com"]["error"]["enhanced"]) == (
        451,
        "4.4.0",
    )
    assert told["aol.com"]["error"]["address"] == AOL
    assert told["aol.com"]["oldest"]
    failures = {one["domain"]: one for one in queue["failures"]}
    assert failures["nestle.com"]["error"]["error_class"] == "dns"
    assert failures["aol.com"]["error"]["error_class"] == "refused"
    assert (failures["aol.com"]["error"]["code"], failures["aol.com"]["error"]["origin"]) == (
        421,
        "far_server",
    )
    warned = {
        one["domain"]: {warning["code"] for warning in one["warnings"]}
        for one in results["pairs"]["domains"]
    }
    assert "aaaa_trouble" in warned["nestle.com"]
    assert "aaaa_trouble" not in warned["aol.com"]
    # Opening with NTLM; servers, queues, failed mail, two ages: two requests each, and one that
    # closes the pipeline; closing.
    assert site.servers["ex16"].endpoint_requests - before <= 5 + 5 * 3 + 1


def test_the_queue_of_smart_hosts_leads_to_its_domain(site: Lab, play: Play) -> None:
    site.sinks[MX1].temper = site.sinks[MX2].temper = Temper.REFUSE
    pin(site, "nestle.com", MX1, MX2)
    send(site, "buyer@nestle.com")
    waits(site, 1)
    results = play(site, "ex16", ("queue", LOOK))
    queue = results["queue"]

    (one,) = queue["transport_queues"]
    assert (one["next_hop"], one["delivery_type"]) == (
        f"[{MX1}],[{MX2}]",
        "SmartHostConnectorDelivery",
    )
    assert (one["domains"], queue["stuck_domains"]) == (["nestle.com"], ["nestle.com"])
    assert queue["failures"][0]["error"]["error_class"] == "no_connection"
    assert queue["queues"][0]["error"]["address"] in {MX1, MX2}


def test_one_host_can_tell_of_all_servers(site: Lab, play: Play) -> None:
    send(site, "buyer@nestle.com", "ex10")
    send(site, "buyer@nestle.com", "exse")
    waits(site, 1, "ex10")
    waits(site, 1, "exse")
    every = transport("queue_info", all_servers=True)
    named = transport("queue_info", target_computer="ex10")
    results = play(site, "ex16", ("alone", LOOK), ("every", every), ("named", named))

    assert results["alone"]["queues"] == []
    (one,) = results["every"]["queues"]
    assert (one["domain"], one["messages"]) == ("nestle.com", 2)
    assert {x["server"] for x in results["every"]["transport_queues"]} == {"ex10", "exse"}
    (old,) = results["named"]["queues"]
    # Exchange 2010 has the bare text.
    assert (old["last_error"], results["named"]["version"]) == (
        "451 4.4.0 DNS query failed",
        "2010",
    )


def test_a_server_whose_transport_is_down_is_told_beside_the_others(site: Lab, play: Play) -> None:
    send(site, "buyer@nestle.com")
    waits(site, 1)
    play(site, "ex16")  # writes the inventory while all servers are there
    site.servers["ex10"].transport.close()
    assert site.organisation is not None
    del site.organisation.organisation.transports["ex10"]
    results = play(site, "ex16", ("queue", transport("queue_info", all_servers=True)))

    assert results["queue"]["stuck_domains"] == ["nestle.com"]
    assert any("The queues of ex10" in note for note in results["queue"]["warnings"])


def test_mail_that_was_given_up_is_listed(site: Lab, play: Play) -> None:
    site.sinks[AOL].temper = Temper.REJECT
    send(site, "nobody@aol.com")
    until(lambda: site.servers["ex16"].transport.reports)
    results = play(site, "ex16", ("queue", LOOK))

    (one,) = results["queue"]["returned"]
    assert (one["recipient"], one["domain"], one["event"]) == ("nobody@aol.com", "aol.com", "FAIL")
    assert one["time"].endswith("Z")


def test_a_failed_read_is_an_error_and_never_an_empty_queue(site: Lab, play: Play) -> None:
    assert site.organisation is not None
    site.organisation.organisation.faults.order(Fault(Kind.ERROR, "Get-Queue"))
    results = play(site, "ex16", ("queue", LOOK))

    assert results["queue"]["failed"] is True
    assert "Get-Queue failed: The LDAP server is unavailable." in results["queue"]["msg"]
    assert "stuck_domains" not in results["queue"]


def test_nothing_of_the_messages_is_shown_at_any_verbosity(
    site: Lab, play: Play, capfd: pytest.CaptureFixture[str]
) -> None:
    send(site, "buyer@nestle.com")
    waits(site, 1)
    results = play(site, "ex16", ("queue", LOOK), verbosity=5)
    shown = "".join((str(results), *capfd.readouterr()))

    assert results["queue"]["files"] == 1
    for secret in ("Your call of this morning", "buyer@", site.scenario.password):
        assert secret not in shown
    assert site.organisation is not None
    assert [one.open_count for one in site.organisation.endpoints.values()] == [0, 0, 0]
