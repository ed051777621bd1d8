# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked again (rules 14 and 23), and evidence, which changes nothing (rules 17 to 19)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs import second_look
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


def test_rule_19_a_server_that_copies_the_flag_vouches_for_nothing(one: Run) -> None:
    with DnsServer({"nestle.com": NESTLE}, echoes_ad=True) as server:
        found = one(server, evidence=True)
    assert found["evidence"] == {"authentic": False, "aaaa_not_asked": []}


def test_rule_18_evidence_is_asked_when_all_pairs_are_known(resolve: Run) -> None:
    zones = {f"d{n}.example": "@ MX 10 mail\nmail A 192.0.2.25" for n in range(30)}
    with DnsServer(zones) as server:
        server.set_fault("d7.example", "MX", Fault.TIMEOUT, times=1)
        result = resolve(server, domains=list(zones), evidence=True)
        kinds = [query.rdtype for query in server.queries]
    assert {route["status"] for route in result["routes"]} == {"ok"}
    assert "AAAA" not in kinds[: kinds.index("AAAA")]
    assert set(kinds[kinds.index("AAAA") :]) == {"AAAA"}


def test_rule_19_evidence_is_asked_only_when_wanted(one: Run, server: DnsServer) -> None:
    assert one(server)["evidence"] is None
    assert server.count() == 3


def test_rule_19_no_evidence_about_what_is_not_there(one: Run, server: DnsServer) -> None:
    found = one(server, domain="gone.nestle.com", evidence=True)
    assert (found["status"], found["evidence"]) == ("no_such_domain", None)
    assert server.count(rdtype="AAAA") == 0


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass between two tries."""
    monkeypatch.setattr(second_look, "APART", 0.0)


DROP = {"dead_exchanges": "drop"}


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.REFUSED, Fault.TIMEOUT, Fault.BOGUS])
def test_rule_14_an_exchange_that_fails_for_good_may_be_dropped(
    one: Run, server: DnsServer, fault: Fault
) -> None:
    server.set_fault("mail2.nestle.com", "A", fault)
    refused = one(server)
    assert (refused["status"], refused["pairs"]) == ("temporary_failure", [])
    for found in (one(server, **DROP), one(server, domain={"domain": "nestle.com", **DROP})):
        assert found["status"] == "ok"
        assert [pair["address"] for pair in found["pairs"]] == ["192.0.2.25"]
        (dead,) = _of(found, "dead_exchange")
        assert dead["exchange"] == "mail2.nestle.com"
        assert "the best of the domain" not in dead["message"]


@pytest.mark.usefixtures("at_once")
def test_rule_14_the_best_exchange_is_never_left_out_silently(one: Run, server: DnsServer) -> None:
    server.set_fault("mail.nestle.com", "A", Fault.SERVFAIL)
    found = one(server, **DROP)
    assert [pair["address"] for pair in found["pairs"]] == ["192.0.2.26"]
    assert (
        "mail.nestle.com, the best of the domain, was left out" in found["warnings"][0]["message"]
    )


@pytest.mark.usefixtures("at_once")
def test_rule_14_what_does_not_fail_for_good_is_not_dropped(
    resolve: Run, server: DnsServer
) -> None:
    def status(*servers: DnsServer) -> str:
        (found,) = resolve(*servers, domains=["nestle.com"], retries=0, **DROP)["domains"]
        return str(found["status"])

    server.set_fault("mail2.nestle.com", "A", Fault.SERVFAIL, times=2)  # and without validation
    assert status(server) == "temporary_failure"  # it answers at the second try
    with DnsServer({"nestle.com": NESTLE}) as other:
        server.set_fault("mail2.nestle.com", "A", Fault.SERVFAIL)
        other.set_fault("mail2.nestle.com", "A", Fault.REFUSED)
        assert status(server, other) == "temporary_failure"  # they differ
        server.set_fault("mail.nestle.com", "A", Fault.SERVFAIL)
        assert status(server) == "temporary_failure"  # nothing would be left
        server.set_fault("nestle.com", "MX", Fault.SERVFAIL)
        assert status(server) == "temporary_failure"  # the exchanges are not known


POOL = "@ MX 10 pool\n" + "\n".join(f"pool 13 A 192.0.2.{n}" for n in range(1, 21))


def test_rule_23_addresses_that_move_are_not_pinned(resolve: Run) -> None:
    with DnsServer({"nestle.com": POOL}, pool=8) as server:
        runs = [resolve(server, domains=["nestle.com"]) for _run in range(2)]
    assert runs[0]["routes"] == [{"domain": "nestle.com", "status": "moving", "addresses": []}]
    assert runs[1]["routes"] == runs[0]["routes"]
    (told,) = _of(runs[0]["domains"][0], "moving")
    assert "good for 13 s" in told["message"]
    assert "external DNS servers" in told["message"]
    assert any("Addresses change from answer to answer" in text for text in runs[0]["warnings"])


def test_rule_23_they_are_pinned_where_that_is_wanted(resolve: Run) -> None:
    asked = [{"domain": "nestle.com", "moving": "pin"}]
    with DnsServer({"nestle.com": POOL}, pool=8) as server:
        (route,) = resolve(server, domains=asked)["routes"]
    assert (route["status"], route["short_lived"]) == ("ok", True)
    assert len(route["addresses"]) > 8  # all that were seen


def test_rule_23_a_short_life_alone_is_no_move(resolve: Run) -> None:
    zone = "@ MX 10 mail\nmail 13 A 192.0.2.25"
    with DnsServer({"nestle.com": zone}, rotate=True) as server:
        (route,) = resolve(server, domains=["nestle.com"])["routes"]
    assert (route["status"], route["short_lived"]) == ("ok", True)


def test_rule_23_name_servers_that_see_others_show_a_move(resolve: Run) -> None:
    zone = "@ MX 10 mail\nmail 13 A 192.0.2.25"
    with (
        DnsServer({"nestle.com": zone}) as a,
        DnsServer({"nestle.com": zone.replace("25", "26")}) as b,
    ):
        (route,) = resolve(a, b, domains=["nestle.com"])["routes"]
    assert route["status"] == "moving"


@pytest.mark.parametrize("setting", ["keep", "pin"])
def test_rule_23_exchange_online_moves_by_name(resolve: Run, setting: str) -> None:
    zones = {
        "nestle.com": "@ MX 0 nestle-com.mail.protection.outlook.com.",
        "outlook.com": "nestle-com.mail.protection A 9.9.9.9",
    }
    with DnsServer(zones) as server:
        result = resolve(server, domains=["nestle.com"], moving=setting)
    (told,) = _of(result["domains"][0], "moving")
    assert "mail.protection.outlook.com" in told["message"]
    expected = {"keep": ("moving", []), "pin": ("ok", ["9.9.9.9"])}[setting]
    assert (result["routes"][0]["status"], result["routes"][0]["addresses"]) == expected


def test_rule_24_private_addresses_are_a_matter_of_one_domain(resolve: Run) -> None:
    zone = "@ MX 10 mail\nmail A 10.1.2.3\nmail A 127.0.0.1\nmail A 169.254.1.1\nmail A 0.0.0.0"
    zone += "\nmail A 224.0.0.5\nmail A 255.255.255.255"
    asked = [{"domain": "a.example", "allow_private": True}, "b.example"]
    with DnsServer({"a.example": zone, "b.example": zone}) as server:
        result = resolve(server, domains=asked, allow_private=False)
    assert [route["addresses"] for route in result["routes"]] == [["10.1.2.3"], []]
    assert [route["status"] for route in result["routes"]] == ["ok", "no_address"]
    assert len(_of(result["domains"][0], "address_not_global")) == 5
