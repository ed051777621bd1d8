# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs against name servers of the lab: rule after rule, then many domains at once."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import Context
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    ExchangeError,
    InvalidInput,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs import engine
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.module import run
from exchange_lab.mail.dns_server import DnsServer, Fault

Run = Callable[..., dict[str, Any]]

NESTLE = "@ MX 10 mail\n@ MX 20 mail2\nmail A 192.0.2.25\nmail2 A 192.0.2.26"


def _short(found: dict[str, Any]) -> list[tuple[int, str, str]]:
    return [(pair["preference"], pair["exchange"], pair["address"]) for pair in found["pairs"]]


def _codes(found: dict[str, Any]) -> list[str]:
    return [warning["code"] for warning in found["warnings"]]


def test_rule_1_domains_are_absolute_in_one_spelling_and_asked_once(resolve: Run) -> None:
    zones = {"nestle.com": NESTLE, "xn--bcher-kva.example": "@ MX 1 mail.nestle.com."}
    with DnsServer(zones) as server:
        result = resolve(server, domains=["NESTLE.com.", "bücher.example", "nestle.COM"])
        assert [x["domain"] for x in result["domains"]] == ["nestle.com", "xn--bcher-kva.example"]
        assert {x["status"] for x in result["domains"]} == {"ok"}
        assert server.count("nestle.com", "MX") == 1


def test_rule_1_a_bad_domain_means_that_nothing_is_asked(resolve: Run) -> None:
    with DnsServer({"nestle.com": NESTLE}) as server:
        with pytest.raises(InvalidInput, match="is an e-mail address"):
            resolve(server, domains=["nestle.com", "me@nestle.com"])
        assert server.count() == 0


def test_rule_2_domains_that_share_exchanges_share_questions(resolve: Run) -> None:
    shared = {f"d{n}.example": "@ MX 10 mail.nestle.com." for n in range(20)}
    with DnsServer({"nestle.com": NESTLE, **shared}) as server:
        result = resolve(server, domains=list(shared))
        assert server.count("mail.nestle.com", "A") == 1
        assert server.count() == 21
        assert result["stats"]["questions"] == 21
        assert result["stats"]["cache_hits"] == 19
        assert result["stats"]["retries"] == 0


def test_rule_3_rotated_answers_give_the_same_result(resolve: Run) -> None:
    zone = "\n".join(
        f"@ MX 10 mail{n}\nmail{n} A 192.0.2.{n}\nmail{n} A 192.0.2.1{n}" for n in range(1, 6)
    )
    with DnsServer({"nestle.com": zone}, rotate=True) as server:
        runs = [resolve(server, domains=["nestle.com"]) for _round in range(5)]
    assert len(runs[0]["pairs"]) == 10
    for result in runs[1:]:
        assert result["domains"] == runs[0]["domains"]
        assert result["routes"] == runs[0]["routes"]


def test_rule_4_implicit_mx(one: Run) -> None:
    with DnsServer({"nestle.com": "@ A 192.0.2.1"}) as server:
        found = one(server)
    assert (found["status"], found["implicit_mx"]) == ("ok", True)
    assert _short(found) == [(0, "nestle.com", "192.0.2.1")]
    assert found["ttl"] == 60  # the absence of MX is believed for so long


@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.TIMEOUT, Fault.REFUSED, Fault.MALFORMED])
def test_rule_4_no_implicit_mx_after_an_error(one: Run, fault: Fault) -> None:
    with DnsServer({"nestle.com": "@ A 192.0.2.1"}) as server:
        server.set_fault("nestle.com", "MX", fault)
        found = one(server)
        assert (found["status"], found["pairs"]) == ("temporary_failure", [])
        assert server.count("nestle.com", "A") == 0


def test_rule_5_null_mx(resolve: Run) -> None:
    with DnsServer({"nestle.com": "@ MX 0 .\n@ A 192.0.2.1"}) as server:
        result = resolve(server, domains=["nestle.com"])
    assert result["domains"][0]["status"] == "null_mx"
    assert result["routes"] == [{"domain": "nestle.com", "status": "null_mx", "addresses": []}]


def test_rule_5_a_root_beside_other_mx(one: Run) -> None:
    with DnsServer({"nestle.com": NESTLE + "\n@ MX 0 ."}) as server:
        found = one(server)
    assert (found["status"], len(found["pairs"])) == ("ok", 2)
    assert _codes(found) == ["null_mx_ignored"]


def test_rule_6_a_domain_that_is_an_alias(one: Run) -> None:
    zones = {"com": "nestle CNAME nestle.example.", "nestle.example": NESTLE}
    with DnsServer(zones) as server:
        found = one(server)
    assert _short(found) == [
        (10, "mail.nestle.example", "192.0.2.25"),
        (20, "mail2.nestle.example", "192.0.2.26"),
    ]
    assert _codes(found) == []


def test_rule_6_an_exchange_that_is_an_alias(one: Run) -> None:
    zone = "@ MX 10 www\nwww CNAME mail\nmail A 192.0.2.25"
    with DnsServer({"nestle.com": zone}) as server:
        found = one(server)
    assert _short(found) == [(10, "www.nestle.com", "192.0.2.25")]
    assert _codes(found) == ["mx_is_cname"]
    assert found["warnings"][0]["target"] == "mail.nestle.com"


@pytest.mark.parametrize(
    "zones",
    [
        {"com": "nestle CNAME nestle.com."},
        {"com": "nestle CNAME b\nb CNAME nestle"},
        {"nestle.com": "@ MX 10 a\na CNAME b\nb CNAME a"},
    ],
)
def test_rule_6_a_loop_of_aliases_is_no_answer(one: Run, zones: dict[str, str]) -> None:
    with DnsServer(zones) as server:
        found = one(server)
    assert (found["status"], found["pairs"]) == ("temporary_failure", [])
    assert found["failures"][0]["kind"] == "cname_loop"


def test_rule_7_an_exchange_that_is_an_address(one: Run) -> None:
    with DnsServer({"nestle.com": NESTLE + "\n@ MX 5 192.0.2.1."}) as server:
        found = one(server)
    assert (len(found["pairs"]), _codes(found)) == (2, ["mx_is_address"])


def test_rule_8_own_names_and_own_addresses(resolve: Run) -> None:
    with DnsServer({"nestle.com": NESTLE}) as server:
        for ours in ({"own_names": ["MAIL2.nestle.com."]}, {"own_addresses": ["192.0.2.26/32"]}):
            (found,) = resolve(server, domains=["nestle.com"], **ours)["domains"]
            assert _short(found) == [(10, "mail.nestle.com", "192.0.2.25")]
            assert _codes(found) == ["own_exchange"]
        (found,) = resolve(server, domains=["nestle.com"], own_addresses=["192.0.2.25"])["domains"]
        assert (found["status"], found["pairs"]) == ("loop", [])


def test_rule_8_own_addresses_given_by_name(resolve: Run) -> None:
    zones = {"nestle.com": NESTLE, "hq.example": "mail5-a A 192.0.2.26"}
    with DnsServer(zones) as server:
        result = resolve(server, domains=["nestle.com"], own_addresses=["mail5-a.hq.example"])
        assert result["routes"][0]["addresses"] == ["192.0.2.25"]
        result = resolve(server, domains=["nestle.com"], own_addresses=["gone.hq.example"])
        assert result["routes"][0]["addresses"] == ["192.0.2.25", "192.0.2.26"]
        assert "own_addresses contains the host gone.hq.example" in result["warnings"][0]
        server.set_fault("mail5-a.hq.example", "A", Fault.SERVFAIL)
        result = resolve(server, domains=["nestle.com"], own_addresses=["mail5-a.hq.example"])
        assert result["routes"] == [
            {"domain": "nestle.com", "status": "temporary_failure", "addresses": []}
        ]


def test_rule_9_an_exchange_without_address(one: Run) -> None:
    with DnsServer({"nestle.com": NESTLE + "\n@ MX 5 gone\n@ MX 6 text\ntext TXT x"}) as server:
        found = one(server)
    assert (len(found["pairs"]), _codes(found)) == (2, ["exchange_without_address"] * 2)


def test_rule_10_families(one: Run) -> None:
    with DnsServer({"nestle.com": NESTLE + "\nmail AAAA 2001:db8::25"}) as server:
        assert [p["address"] for p in one(server)["pairs"]] == ["192.0.2.25", "192.0.2.26"]
        assert server.count(rdtype="AAAA") == 0
        only = one(server, families=["ipv6"])
        assert [p["address"] for p in only["pairs"]] == ["2001:db8::25"]
        both = one(server, families=["ipv4", "ipv6"])
        assert [p["address"] for p in both["pairs"]] == ["192.0.2.25", "2001:db8::25", "192.0.2.26"]


def test_rule_11_addresses_that_are_not_global(one: Run) -> None:
    zone = "@ MX 10 mail\nmail A 127.0.0.1\nmail A 10.1.2.3\nmail A 192.0.2.25\nmail A 9.9.9.9"
    with DnsServer({"nestle.com": zone}) as server:
        found = one(server, allow_private=False)
        assert [pair["address"] for pair in found["pairs"]] == ["9.9.9.9"]
        assert _codes(found) == ["address_not_global"] * 3
        kept = one(server, allow_private=True)
        assert [pair["address"] for pair in kept["pairs"]] == ["9.9.9.9", "10.1.2.3", "192.0.2.25"]
        assert "127.0.0.1 of mail.nestle.com is loopback" in kept["warnings"][0]["message"]


def test_rule_12_one_address_is_one_pair(one: Run) -> None:
    zone = "@ MX 10 a\n@ MX 20 b\na A 192.0.2.25\nb A 192.0.2.25\nb A 192.0.2.26"
    with DnsServer({"nestle.com": zone}) as server:
        found = one(server)
    assert _short(found) == [
        (10, "a.nestle.com", "192.0.2.25"),
        (20, "b.nestle.com", "192.0.2.26"),
    ]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.SERVFAIL, "server_failure"),
        (Fault.REFUSED, "refused"),
        (Fault.LAME, "lame"),
        (Fault.TIMEOUT, "timeout"),
        (Fault.BOGUS, "bogus"),
        (Fault.MALFORMED, "malformed"),
    ],
)
def test_rule_13_and_14_a_failure_anywhere_makes_the_domain_unknown(
    one: Run, fault: Fault, kind: str
) -> None:
    with DnsServer({"nestle.com": NESTLE}) as server:
        server.set_fault("mail2.nestle.com", "A", fault)
        found = one(server)
    assert (found["status"], found["pairs"], found["ttl"]) == ("temporary_failure", [], None)
    (failure,) = found["failures"]
    assert failure["message"]
    assert {k: failure[k] for k in ("name", "type", "kind", "nameserver", "needed")} == {
        "name": "mail2.nestle.com",
        "type": "A",
        "kind": kind,
        "nameserver": f"127.0.0.1:{server.port}",
        "needed": True,
    }


def test_rule_13_only_nxdomain_is_no_such_domain(one: Run) -> None:
    with DnsServer({"com": "nestle TXT x"}) as server:
        assert one(server, domain="gone.com")["status"] == "no_such_domain"
        assert one(server, domain="nestle.com")["status"] == "no_address"
        assert one(server, domain="nestle.net")["status"] == "temporary_failure"


def test_rule_16_name_servers_have_to_agree(resolve: Run) -> None:
    inner = NESTLE.replace("192.0.2.26", "10.0.0.26")
    with DnsServer({"nestle.com": NESTLE}) as a, DnsServer({"nestle.com": inner}) as b:
        (found,) = resolve(a, b, domains=["nestle.com"], agreement="all")["domains"]
        assert (found["status"], found["pairs"]) == ("disagreement", [])
        assert [view["nameserver"] for view in found["views"]] == [
            f"127.0.0.1:{a.port}",
            f"127.0.0.1:{b.port}",
        ]
        assert [view["pairs"][1]["address"] for view in found["views"]] == [
            "192.0.2.26",
            "10.0.0.26",
        ]
        (found,) = resolve(a, b, domains=["nestle.com"], agreement="first")["domains"]
        assert (found["status"], found["views"]) == ("ok", [])


def test_rule_16_each_name_server_is_asked_each_question_once(resolve: Run) -> None:
    with DnsServer({"nestle.com": NESTLE}) as a, DnsServer({"nestle.com": NESTLE}) as b:
        (found,) = resolve(a, b, domains=["nestle.com"], agreement="all")["domains"]
        assert (found["status"], len(found["pairs"])) == ("ok", 2)
        assert (a.count(), b.count()) == (3, 3)
        b.set_fault("*", "*", Fault.SERVFAIL)
        (found,) = resolve(a, b, domains=["nestle.com"], agreement="all")["domains"]
        assert (found["status"], found["pairs"]) == ("temporary_failure", [])


def test_rule_20_times_to_live(one: Run) -> None:
    zone = (
        "@ 400 MX 10 www\nwww 300 CNAME mail\nmail 120 A 192.0.2.25\n@ 400 MX 20 b\nb 500 A 9.9.9.9"
    )
    with DnsServer({"nestle.com": zone}) as server:
        found = one(server)
    assert [pair["ttl"] for pair in found["pairs"]] == [120, 400]
    assert (found["ttl"], found["valid_until"]) == (120, "2026-11-23T12:02:00Z")


def test_rule_20_a_time_without_end_is_no_error(one: Run) -> None:
    zone = "@ 2147483647 MX 10 mail\nmail 2147483647 A 192.0.2.25"
    with DnsServer({"nestle.com": zone}) as server:
        assert one(server)["valid_until"] == "2094-12-11T15:14:07Z"


def test_rule_21_routes_name_every_domain_asked(resolve: Run) -> None:
    zones = {"nestle.com": NESTLE, "null.example": "@ MX 0 .", "com": "x TXT y"}
    with DnsServer(zones) as server:
        server.set_fault("broken.com", "*", Fault.SERVFAIL)
        domains = ["broken.com", "nestle.com", "null.example", "gone.com"]
        result = resolve(server, domains=domains)
    assert result["changed"] is False
    assert result["routes"] == [
        {"domain": "broken.com", "status": "temporary_failure", "addresses": []},
        {"domain": "nestle.com", "status": "ok", "addresses": ["192.0.2.25", "192.0.2.26"]},
        {"domain": "null.example", "status": "null_mx", "addresses": []},
        {
            "domain": "gone.com",
            "status": "no_such_domain",
            "addresses": [],
            "unconfirmed": True,
        },
    ]
    assert result["pairs"] == [
        {"domain": "nestle.com", **pair} for pair in result["domains"][1]["pairs"]
    ]
    assert result["stats"]["domains"] == 4
    assert result["stats"]["seconds"] > 0
    assert any("DNS lookup failed" in x and "broken.com" in x for x in result["warnings"])
    assert any("MX of broken.com: server_failure" in x for x in result["warnings"])


def test_fail_on_fails_with_the_whole_result(resolve: Run) -> None:
    with DnsServer({"nestle.com": NESTLE, "null.example": "@ MX 0 ."}) as server:
        domains = ["nestle.com", "null.example"]
        with pytest.raises(ExchangeError, match=r"1 of 2 .*null_mx: null\.example") as caught:
            resolve(server, domains=domains, fail_on=["null_mx", "temporary_failure"])
        told = dict(caught.value.details)
        fine = resolve(server, domains=domains, fail_on=["no_such_domain"])
    assert told.keys() == fine.keys()
    for key in ("domains", "pairs", "routes"):
        assert told[key] == fine[key]


def test_no_domains_are_no_error(resolve: Run) -> None:
    result = resolve(domains=[])
    assert (result["domains"], result["routes"], result["stats"]["questions"]) == ([], [], 0)


def test_hostile_names_in_an_answer_stay_text(one: Run) -> None:
    zone = NESTLE + "\n@ MX 1 $\\(reboot\\)\n@ MX 2 a\\032b\n@ MX 3 \\027\\091\n@ MX 4 {{7*7}}"
    with DnsServer({"nestle.com": zone}) as server:
        found = one(server)
    assert (len(found["pairs"]), _codes(found)) == (2, ["mx_is_no_host"] * 4)
    assert all(warning["message"].isprintable() for warning in found["warnings"])


def _many(count: int) -> dict[str, str]:
    return {f"d{n}.example": f"@ MX 10 mail{n % 50}.host.example." for n in range(count)}


def test_two_thousand_domains_ask_each_question_once(resolve: Run) -> None:
    hosts = "\n".join(f"mail{n} A 192.0.2.{n + 1}" for n in range(50))
    with DnsServer({"host.example": hosts, **_many(2000)}) as server:
        result = resolve(
            server, domains=list(_many(2000)), timeout=20, lifetime=60, concurrency=200
        )
        asked = Counter((query.name, query.rdtype) for query in server.queries)
    assert len(asked) == 2050
    assert set(asked.values()) == {1}
    assert [route["status"] for route in result["routes"]] == ["ok"] * 2000
    assert result["stats"]["questions"] == 2050
    assert result["stats"]["cache_hits"] == 1950


def test_memory_grows_by_little_for_each_domain(resolve: Run) -> None:
    hosts = "\n".join(f"mail{n} A 192.0.2.{n + 1}" for n in range(50))

    def peak(count: int) -> int:
        domains = list(_many(count))
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        # What is under way takes memory, too, but no more for more domains.
        resolve(server, domains=domains, timeout=20, lifetime=60, concurrency=50)
        return tracemalloc.get_traced_memory()[1] - before

    with DnsServer({"host.example": hosts, **_many(800)}) as server:
        tracemalloc.start()
        try:
            peak(100)  # whatever is loaded or cached once
            few, many = peak(200), peak(800)
        finally:
            tracemalloc.stop()
    assert (many - few) / 600 < 4_000  # octets a domain, its result and the server's log included


def test_a_person_who_waits_is_told_now_and_then_how_far_it_is(
    params: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds, said = count(step=2), list[str]()
    monkeypatch.setattr(engine, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    names = [f"d{n}.example" for n in range(9)]
    with DnsServer(dict.fromkeys(names, "@ MX 0 .")) as server:
        at = f"{server.address}:{server.port}"
        options = params(domains=names, nameservers=[at], concurrency=1)
        run(options, Context(host="test", progress=said.append))
    assert said == [f"{done} of 9 domains resolved" for done in (3, 6, 9)]


def test_answers_within_the_timeout_count_however_many_are_late(
    resolve: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_FIRST_PATIENCE", 0.1)
    zones = {f"d{n}.example": "@ MX 10 mail\nmail A 192.0.2.25" for n in range(40)}
    with DnsServer(zones) as server:
        server.set_fault("*", "*", Fault.SLOW, seconds=0.13)  # as with a cold cache
        result = resolve(server, domains=list(zones), timeout=0.5, retries=0)
    assert {route["status"] for route in result["routes"]} == {"ok"}


def test_no_domain_fails_before_its_retries_were_used(
    resolve: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_FIRST_PATIENCE", 0.05)
    zones = {f"d{n}.example": "@ MX 0 ." for n in range(40)}
    with DnsServer(zones) as server:
        server.set_fault("*", "*", Fault.SLOW, seconds=0.3)  # too slow for the first round
        result = resolve(server, domains=list(zones), timeout=0.2, retries=2)
    assert {route["status"] for route in result["routes"]} == {"null_mx"}


def test_rule_25_a_bad_entry_fails_alone_where_that_is_asked(resolve: Run) -> None:
    asked = [
        "nestle.com",
        "me@nestle.com",
        {"domain": "aol.com", "moving": "perhaps"},
        {"moving": "pin"},
        {"domain": "nestle.com", "allow_private": False},
    ]
    with DnsServer({"nestle.com": NESTLE}) as server:
        result = resolve(server, domains=asked, invalid_domains="return")
        assert [route["domain"] for route in result["routes"]] == ["nestle.com"]
        assert [x["message"] for x in result["invalid"]] == [
            "'me@nestle.com' is an e-mail address; use its domain part",
            "moving of aol.com must be one of keep, pin",
            "\"{'moving': 'pin'}\" must be a domain or a dictionary with 'domain'",
            "nestle.com is listed twice, with different settings",
        ]
        assert result["invalid"][0]["entry"] == "me@nestle.com"
        with pytest.raises(InvalidInput, match="is an e-mail address"):
            resolve(server, domains=asked)
