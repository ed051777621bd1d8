# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules 17 to 19: evidence is told, and never changes a status or a pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from exchange_lab.mail.dns_server import DnsServer, Fault

Run = Callable[..., Any]

NESTLE = "@ MX 10 mail\n@ MX 20 mail2\nmail A 192.0.2.25\nmail2 A 192.0.2.26"
WILDCARD = "* MX 0 hub\nhub A 10.0.0.5"


@pytest.fixture
def server() -> Iterator[DnsServer]:
    zones = {"nestle.com": NESTLE, "a.com": WILDCARD, "b.example": "x A 192.0.2.1"}
    with DnsServer(zones) as running:
        yield running


def _of(found: dict[str, Any], code: str) -> list[dict[str, Any]]:
    return [warning for warning in found["warnings"] if warning["code"] == code]


def test_rule_17_a_wildcard_below_a_suffix_is_found(one: Run, server: DnsServer) -> None:
    found = one(server, search_list=["b.example", "A.com."])
    assert (found["status"], len(found["pairs"])) == ("ok", 2)
    (hijack,) = _of(found, "search_list_hijack")
    assert hijack["suffix"] == "a.com"
    assert hijack["name"] == "nestle.com.a.com"
    assert hijack["answer"] == "MX 0 hub.a.com"


def test_rule_17_an_address_below_a_suffix_is_found(one: Run) -> None:
    with DnsServer({"nestle.com": NESTLE, "a.com": "* A 10.0.0.5"}) as server:
        (hijack,) = _of(one(server, search_list=["a.com"]), "search_list_hijack")
    assert hijack["answer"] == "A 10.0.0.5"


def test_rule_17_nothing_is_asked_below_suffixes_unless_wanted(one: Run, server: DnsServer) -> None:
    assert one(server)["warnings"] == []
    assert server.count("nestle.com.a.com") == 0


def test_rule_17_a_failure_there_never_makes_the_pairs_unknown(one: Run, server: DnsServer) -> None:
    server.set_fault("nestle.com.a.com", "*", Fault.REFUSED)
    found = one(server, search_list=["a.com"])
    assert (found["status"], len(found["pairs"])) == ("ok", 2)
    assert [(f["name"], f["needed"]) for f in found["failures"]] == [
        ("nestle.com.a.com", False),
        ("nestle.com.a.com", False),
    ]


def test_rule_17_names_too_long_to_be_asked_are_left_out(one: Run, server: DnsServer) -> None:
    long = ".".join(["x" * 60] * 4)
    assert one(server, domain="nestle.com", search_list=[long])["failures"] == []


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.TIMEOUT, "timeout"),
        (Fault.SERVFAIL, "server_failure"),
        (Fault.BOGUS, "bogus"),
        (Fault.BOGUS_EXPLAINED, "bogus"),
        (Fault.REFUSED, "refused"),
        (Fault.MALFORMED, "malformed"),
        (Fault.NXDOMAIN, "no_such_name"),
    ],
)
def test_rule_18_aaaa_trouble_is_told_and_changes_nothing(
    one: Run, server: DnsServer, fault: Fault, kind: str
) -> None:
    server.set_fault("*", "AAAA", fault)
    found = one(server, evidence=True)
    assert (found["status"], len(found["pairs"])) == ("ok", 2)
    told = _of(found, "aaaa_trouble")
    assert [(x["name"], x["kind"]) for x in told] == [
        (name, kind) for name in ("nestle.com", "mail.nestle.com", "mail2.nestle.com")
    ]
    assert {x["nameserver"] for x in told} == {f"127.0.0.1:{server.port}"}
    assert not any(failure["needed"] for failure in found["failures"])


def test_rule_18_only_the_server_that_answers_the_rest_is_blamed(
    resolve: Run, server: DnsServer
) -> None:
    with DnsServer({}) as dead:
        dead.set_fault("*", "*", Fault.SERVFAIL)
        server.set_fault("*", "AAAA", Fault.REFUSED)
        (found,) = resolve(dead, server, domains=["nestle.com"], evidence=True)["domains"]
    assert {(x["nameserver"], x["kind"]) for x in _of(found, "aaaa_trouble")} == {
        (f"127.0.0.1:{server.port}", "refused")
    }


def test_rule_18_no_aaaa_record_is_no_trouble(one: Run, server: DnsServer) -> None:
    found = one(server, evidence=True)
    assert (_of(found, "aaaa_trouble"), found["failures"]) == ([], [])
    assert server.count(rdtype="AAAA") == 3


def test_rule_18_a_server_that_is_down_altogether_is_no_aaaa_trouble(
    one: Run, server: DnsServer
) -> None:
    server.set_fault("mail.nestle.com", "*", Fault.SERVFAIL)
    found = one(server, evidence=True)
    assert found["status"] == "temporary_failure"
    assert _of(found, "aaaa_trouble") == []


def test_rule_18_aaaa_that_is_wanted_counts(one: Run, server: DnsServer) -> None:
    server.set_fault("*", "AAAA", Fault.TIMEOUT)
    assert one(server, families=["ipv4", "ipv6"])["status"] == "temporary_failure"


def test_rule_19_the_ad_flag(one: Run) -> None:
    for authentic in (True, False):
        with DnsServer({"nestle.com": NESTLE}, authentic=authentic) as server:
            assert one(server, evidence=True)["evidence"]["authentic"] is authentic


def test_rule_19_evidence_is_asked_only_when_wanted(one: Run, server: DnsServer) -> None:
    assert one(server)["evidence"] is None
    assert server.count() == 3


def test_rule_19_no_evidence_about_what_is_not_there(one: Run, server: DnsServer) -> None:
    found = one(server, domain="gone.nestle.com", evidence=True)
    assert (found["status"], found["evidence"]) == ("no_such_domain", None)
    assert server.count() == 1
