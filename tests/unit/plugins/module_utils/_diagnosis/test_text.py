# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A diagnosis explains each domain in a paragraph, and lists the remedies."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._diagnosis.evidence import (
    HostEvidence,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._diagnosis.text import (
    MOST_EXPLAINED,
    diagnosis,
)
from sickbed import (
    AAAA,
    CONTACT,
    DNS,
    HIJACK,
    NEW,
    OFF,
    PINNED,
    TO_PIN,
    domain,
    new_queue,
    old,
    old_queue,
    responded,
)

APPENDS = (
    "DisableResolverSearchList is not set: Exchange appends the search list to names (Q150969)."
)
NOTHING = "No further action available in this collection."


def told(*domains: Any) -> dict[str, Any]:
    return {"domains": list(domains)}


def flat(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


def explained(lines: list[str]) -> list[str]:
    """Return the lines before the commands to copy."""
    return lines[: lines.index("To copy") - 1] if "To copy" in lines else lines


def test_the_case_of_the_article() -> None:
    host = HostEvidence("mail55", old(), old_queue(nestle_com=CONTACT), TO_PIN)
    lines = diagnosis(told(domain("nestle.com", "ok", HIJACK, exchanges=2)), [host])
    assert lines[:3] == [
        "mail55: Exchange 5.5, service running, 1 message in the queue",
        f"  {APPENDS}",
        "  nestle.com: 1 message since 2026-11-23T08:00:00Z",
    ]
    end = lines.index("")
    assert flat(lines[3:end]) == (
        "Cause: the host appends hq.example to names, and nestle.com.hq.example has an answer (MX"
        " 10 mail.hq.example), so mail for nestle.com is misrouted there (Q150969). Last error: 421"
        " NSO hq.com Unable to contact destination SMTP demon nestle.com (SMTP protocol log"
        " L0000009.LOG). To do: Switch the search list off and pin the domain to 192.0.2.25,"
        " 192.0.2.26."
    )
    assert lines[end + 1 :] == [
        "What would help",
        "  Switch the search list off on mail55.",
        "  Add to mx_delivery_domains: nestle.com.",
        "  postmaster.exchange.audit shows the change, postmaster.exchange.enforce makes it.",
        "",
        "To copy",
        (
            "  ansible-playbook postmaster.exchange.audit -e"
            ' \'{"mx_delivery_domains": ["nestle.com"]}\''
        ),
        "  On mail55, command prompt:",
        "    nslookup -querytype=mx nestle.com.",
    ]


def test_a_transport_server() -> None:
    host = HostEvidence("ex19", NEW, new_queue(nestle_com=DNS))
    lines = diagnosis(told(domain("nestle.com", "ok", AAAA, HIJACK)), [host])
    assert lines[0] == "ex19: Exchange 2019, 1 message in the queue"
    assert "those of its adapters; Windows may append hq.example to names." in lines[1]
    assert "Cause: the domain's name servers ignore or mishandle AAAA" in flat(lines)
    assert (
        "Possible: Windows may append hq.example to names, and nestle.com.hq.example has an"
        " answer (MX 10 mail.hq.example), so mail may be misrouted there (Q150969)." in flat(lines)
    )
    assert "  Add to mx_delivery_domains: nestle.com." in lines
    assert "DisableResolverSearchList" not in flat(lines)


def test_what_is_not_known_is_said_to_be_so() -> None:
    host = HostEvidence("mail55", OFF, old_queue(nestle_com=None), PINNED)
    lines = diagnosis(told(domain()), [host])
    assert "Cause unknown: the host has no error. To do: Enable the SMTP protocol log" in flat(
        lines
    )
    assert explained(lines)[-1] == NOTHING


@pytest.mark.parametrize(
    ("name", "number", "said"),
    [
        (None, 0, "is not set"),
        ("DisableResolverSearchList", 1, "is set: Exchange looks names up as they are"),
        ("DisableResolverSearchList", 0, "is not set"),
        ("disableresolversearchlist", 1, "a spelling that Exchange ignores"),
    ],
)
def test_the_registry_value_counts_by_number_and_spelling(
    name: str | None, number: int, said: str
) -> None:
    host = HostEvidence("mail55", old(name=name, number=number), old_queue(), {})
    assert said in diagnosis(told(), [host])[1]


@pytest.mark.parametrize(
    ("planned", "advised"),
    [
        (TO_PIN, True),
        (PINNED, False),
        ({"routes": None, "worksheet": [{"domain": "nestle.com"}]}, True),
    ],
)
def test_pinning_is_advised_where_it_would_change_something(
    planned: dict[str, Any], advised: bool
) -> None:
    host = HostEvidence("mail55", OFF, old_queue(nestle_com=CONTACT), planned)
    lines = diagnosis(told(domain(exchanges=2)), [host])
    assert ("  Add to mx_delivery_domains: nestle.com." in lines) is advised
    assert ("enter its rows by hand" in flat(lines).lower()) is bool(planned.get("worksheet"))


@pytest.mark.parametrize(
    "one",
    [domain(status="null_mx"), domain(status="no_such_domain"), domain(status="disagreement")],
)
def test_pinning_is_not_advised_where_there_is_nothing_to_pin_to(one: Any) -> None:
    host = HostEvidence("mail55", OFF, old_queue(nestle_com=CONTACT), {})
    assert explained(diagnosis(told(one), [host]))[-1] == NOTHING


def test_pinning_is_not_advised_where_another_cause_is_sure() -> None:
    greylisted = responded("451 4.7.1 Greylisted")
    led = domain("nestle.com", "ok", {**HIJACK, "suffix": "hq.example"})
    led["pairs"] = [{"exchange": "mx", "address": "192.0.2.99"}]
    host = HostEvidence("ex19", NEW, new_queue(nestle_com=greylisted))
    lines = diagnosis(told(led), [host])
    assert "Possible: Windows may append" in flat(lines)
    assert explained(lines)[-1] == NOTHING


def test_what_pinning_gives_up_is_told_where_it_is_advised() -> None:
    alias = {"code": "mx_is_cname", "message": "the exchange mx0.nestle.com is an alias"}
    minor = {"code": "max_pairs", "message": "9 pairs were found"}
    host = HostEvidence("ex19", NEW, new_queue(nestle_com=DNS))
    lines = diagnosis(told(domain("nestle.com", "ok", AAAA, alias, minor)), [host])
    assert "Note that the exchange mx0.nestle.com is an alias." in flat(lines)
    assert "9 pairs" not in flat(lines)
    busy = HostEvidence("ex19", NEW, new_queue(nestle_com=responded("421 busy")))
    assert "Note that" not in flat(diagnosis(told(domain("nestle.com", "ok", alias)), [busy]))


def test_what_exchange_says_to_every_error_is_left_out() -> None:
    padding = (
        " Attempted failover to alternate host, but that did not succeed. Either there are no"
        " alternate hosts, or delivery failed to all alternate hosts."
    )
    error = responded("421 busy").replace(" The last", f"{padding} The last")
    lines = diagnosis(told(domain()), [HostEvidence("ex19", NEW, new_queue(nestle_com=error))])
    assert 'responded with: "421 busy" [...] The last endpoint' in flat(lines)


def test_a_connector_of_somebody_else_is_named() -> None:
    refused = [{"domain": "nestle.com", "connector": "Partner", "reason": "is scoped"}]
    planned = {"failed": True, "msg": "ex19: in the way", "refused": refused}
    host = HostEvidence("ex19", NEW, new_queue(nestle_com=DNS), planned)
    lines = diagnosis(told(domain("nestle.com", "ok", AAAA)), [host])
    assert "A pin is refused: the connector 'Partner' is scoped." in flat(lines)
    assert "are unknown" not in flat(lines)


def test_what_could_not_be_looked_at_besides_is_a_note() -> None:
    planned = {"failed": True, "msg": "ex19: access is denied."}
    tested = {"unreachable": True, "msg": "ex19: nobody listens."}
    host = HostEvidence("ex19", NEW, new_queue(nestle_com=DNS), planned, tested)
    lines = diagnosis(told(domain("nestle.com", "ok", AAAA)), [host])
    assert "  Note: The organisation's Send connectors are unknown. access is denied." in lines
    assert "  Note: Test messages could not be sent. nobody listens." in lines
    assert "Cause: the domain's name servers" in flat(lines)


def test_a_host_that_failed_is_named_with_its_reason() -> None:
    refused = {"unreachable": True, "msg": "mail50: the login was refused."}
    lines = diagnosis(told(), [HostEvidence("mail50", refused), HostEvidence("mail60")])
    assert "mail50: the login was refused." in lines
    assert "mail60: not checked: the run has no result of this host" in lines


def test_without_dns_the_hosts_are_told_all_the_same() -> None:
    host = HostEvidence("mail55", OFF, old_queue(nestle_com="451 4.7.1 Greylisted"), {})
    lines = diagnosis({"failed": True, "msg": "dnspython is missing"}, [host])
    assert lines[0] == "DNS could not be asked: dnspython is missing"
    assert "delays first attempts" in flat(lines)


def test_an_empty_queue_is_said_so() -> None:
    lines = diagnosis(told(), [HostEvidence("ok", OFF, old_queue(), {})])
    assert lines[0] == "ok: Exchange 5.5, service running, the queue is empty"
    assert explained(lines)[-1] == NOTHING


def test_what_came_back_is_counted() -> None:
    queue = {**old_queue(nestle_com=None), "returned": [{"domain": "nestle.com"}] * 2}
    lines = diagnosis(told(domain()), [HostEvidence("mail55", OFF, queue, {})])
    assert "  nestle.com: 1 message since 2026-11-23T08:00:00Z; 2 returned recently" in lines


def test_of_many_domains_some_are_explained() -> None:
    many: dict[str, Any] = dict.fromkeys(f"d{n}_example" for n in range(MOST_EXPLAINED + 5))
    lines = diagnosis(told(), [HostEvidence("mail55", OFF, old_queue(**many), {})])
    assert "  and 5 more domains" in lines


def test_nothing_that_a_server_says_moves_the_cursor() -> None:
    host = HostEvidence("mail55", OFF, old_queue(nestle_com="451 \x1b[31m\u202e no"), {})
    text = "\n".join(diagnosis(told(domain()), [host]))
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_both_kinds_stand_in_one_diagnosis() -> None:
    old_host = HostEvidence("mail55", old(), old_queue(), {})
    new_host = HostEvidence("ex19", NEW, new_queue(nestle_com=DNS))
    text = flat(diagnosis(told(domain("nestle.com", "ok", AAAA)), [old_host, new_host]))
    assert "Switch the search list off on mail55." in text
    assert "Add to mx_delivery_domains: nestle.com." in text


def test_a_malformed_row_is_named_also_where_the_service_runs() -> None:
    planned = {"malformed_rows": ["+broken", "x"]}
    lines = diagnosis(told(), [HostEvidence("mail55", OFF, old_queue(), planned)])
    assert (
        "2 malformed rows in the route table (first: '+broken'). The service does not start on it"
        " (event 4056)." in flat(lines)
    )
    refused = {**planned, "failed": True, "msg": "mail55: no.", "refusals": ["rows are malformed"]}
    lines = diagnosis(told(), [HostEvidence("mail55", old(), old_queue(), refused)])
    assert explained(lines)[-1] == NOTHING  # a run would refuse it, so it does not help
    assert "2 malformed rows" in flat(lines)
    assert "Nothing can be pinned here: rows are malformed." in flat(lines)


def test_a_relay_is_named_with_what_a_pin_would_do() -> None:
    queue = new_queue("SmartHostConnectorDelivery", nestle_com=DNS)
    queue["transport_queues"][0]["next_hop"] = "relay.hq.example"
    lines = diagnosis(told(domain()), [HostEvidence("ex19", NEW, queue)])
    assert "A connector to relay.hq.example carries the domain" in flat(lines)
    assert explained(lines)[-1] == NOTHING


def test_a_service_that_is_down_is_the_news_where_no_mail_is_late_yet() -> None:
    for planned, remedy in (
        ({}, "Start it; the event log has the reason"),
        ({"malformed_rows": ["broken"]}, "Correct the row in the E-Mail Domain table"),
    ):
        queue = {**old_queue(), "service": "stopped", "stuck_domains": []}
        lines = diagnosis(told(), [HostEvidence("mail55", OFF, queue, {**TO_PIN, **planned})])
        assert remedy in flat(lines)
