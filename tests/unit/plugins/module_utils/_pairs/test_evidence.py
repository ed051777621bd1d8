# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules 17 to 19: evidence is told, and never changes a status or a pair."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.engine import (
    resolve as resolve_all,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.https import get_policy
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.options import from_params
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.result import as_dict
from exchange_lab.mail.dns_server import DnsServer, Fault

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
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


def test_rule_19_tlsa_and_mta_sts(one: Run) -> None:
    zone = NESTLE + (
        "\n_25._tcp.mail TLSA 3 1 1 " + "ab" * 32 + '\n_mta-sts TXT "v=STSv1; id=20261123;"'
    )
    with DnsServer({"nestle.com": zone}) as server:
        found = one(server, evidence=True)
    assert found["evidence"] == {
        "authentic": False,
        "tlsa": ["mail.nestle.com"],
        "mta_sts": "v=STSv1; id=20261123;",
        "mta_sts_policy": {
            "mode": None,
            "mx": [],
            "max_age": None,
            "reason": "mta-sts.nestle.com has no address",
        },
    }
    assert [x["code"] for x in found["warnings"]] == ["tlsa", "mta_sts"]
    assert (found["status"], len(found["pairs"])) == ("ok", 2)


@pytest.mark.parametrize(
    "records",
    [
        '_mta-sts TXT "hello"',
        '_mta-sts TXT "v=STSv1"',
        '_mta-sts TXT "v=STSv1; id=1"\n_mta-sts TXT "v=STSv1; id=2"',
    ],
)
def test_rule_19_what_is_no_policy_record(one: Run, records: str) -> None:
    with DnsServer({"nestle.com": NESTLE + "\n" + records}) as server:
        evidence = one(server, evidence=True)["evidence"]
        assert (evidence["mta_sts"], evidence["mta_sts_policy"]) == (None, None)
        assert server.count("mta-sts.nestle.com") == 0


STS = NESTLE + '\n_mta-sts TXT "v=STSv1; id=1"\nmta-sts A 127.0.0.1'


def _page(body: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n{body}".encode()


def _policy(mode: str) -> bytes:
    return _page(f"version: STSv1\nmode: {mode}\nmx: mail.nestle.com\nmax_age: 86400\n")


@pytest.fixture
def policies(params: Run, trusting: ssl.SSLContext) -> Run:
    """Return a function that runs mx_pairs with evidence, and gets policies from a web server."""

    def go(dns: DnsServer, web: Any, *domains: str, **options: Any) -> list[dict[str, Any]]:
        names = [f"{dns.address}:{dns.port}"]
        options = {"allow_private": True, "timeout": 0.25, "lifetime": 3.0} | options
        asked = params(
            domains=list(domains) or ["nestle.com"], nameservers=names, evidence=True, **options
        )
        get = partial(get_policy, port=web.port, context=trusting)
        return as_dict(resolve_all(from_params(asked), get=get), NOW)["domains"]

    return go


@pytest.mark.parametrize("mode", ["enforce", "testing", "none"])
def test_rule_19_the_policy_is_fetched(policies: Run, web_server: Run, mode: str) -> None:
    with DnsServer({"nestle.com": STS}) as dns:
        (found,) = policies(dns, web_server(_policy(mode)))
    assert found["evidence"]["mta_sts_policy"] == {
        "mode": mode,
        "mx": ["mail.nestle.com"],
        "max_age": 86_400,
        "reason": "",
    }
    assert (found["status"], len(found["pairs"]), found["failures"]) == ("ok", 2, [])
    told = _of(found, "mta_sts")
    assert [one["mode"] for one in told] == (["enforce"] if mode == "enforce" else [])
    assert all("loses the protection" in one["message"] for one in told)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (_page("<html>"), "the policy has the line '<html>', which is no field"),
        (b"HTTP/1.1 404 No\r\n\r\n", "the answer has the HTTP status 404"),
    ],
)
def test_rule_19_a_policy_that_cannot_be_had_is_told_and_changes_nothing(
    policies: Run, web_server: Run, answer: bytes, reason: str
) -> None:
    with DnsServer({"nestle.com": STS}) as dns:
        (found,) = policies(dns, web_server(answer))
    policy = found["evidence"]["mta_sts_policy"]
    assert policy == {"mode": None, "mx": [], "max_age": None, "reason": reason}
    assert (found["status"], len(found["pairs"])) == ("ok", 2)
    (told,) = _of(found, "mta_sts")
    assert (told["mode"], told["reason"]) == ("", reason)
    assert f"could not be told: {reason}" in told["message"]


def test_rule_19_the_web_server_is_found_by_our_name_servers(
    policies: Run, web_server: Run
) -> None:
    zone = STS.replace("mta-sts A 127.0.0.1", "mta-sts CNAME www\nwww A 127.0.0.1")
    web = web_server(_policy("enforce"))
    with DnsServer({"nestle.com": zone}) as dns:
        dns.set_fault("*", "AAAA", Fault.SERVFAIL)
        (found,) = policies(dns, web)
        assert dns.count("mta-sts.nestle.com", "A") == 1
    assert found["evidence"]["mta_sts_policy"]["mode"] == "enforce"
    assert b"Host: mta-sts.nestle.com\r\n" in web.requests[0]


def test_rule_19_addresses_that_are_not_global_are_not_contacted(
    policies: Run, web_server: Run
) -> None:
    web = web_server(_policy("enforce"))
    with DnsServer({"nestle.com": STS + "\nmta-sts AAAA ::1"}) as dns:
        (found,) = policies(dns, web, allow_private=False)
    assert found["evidence"]["mta_sts_policy"]["reason"] == (
        "the address 127.0.0.1 of mta-sts.nestle.com is loopback (RFC 1122), and was not asked"
    )
    assert web.requests == []


def test_rule_19_a_web_server_whose_address_is_not_known(policies: Run, web_server: Run) -> None:
    with DnsServer({"nestle.com": STS}) as dns:
        dns.set_fault("mta-sts.nestle.com", "*", Fault.REFUSED)
        (found,) = policies(dns, web_server(_policy("enforce")), retries=0)
    assert found["evidence"]["mta_sts_policy"]["reason"] == (
        "the question for A of mta-sts.nestle.com ends in refused"
    )
    assert {(x["name"], x["needed"]) for x in found["failures"]} == {("mta-sts.nestle.com", False)}
    assert found["status"] == "ok"


def test_rule_19_policies_are_fetched_at_once_and_never_too_many(
    policies: Run, web_server: Run
) -> None:
    domains = [f"d{number}.example" for number in range(12)]
    web = web_server(_policy("enforce"), *(f"mta-sts.{domain}" for domain in domains))
    with DnsServer(dict.fromkeys(domains, STS)) as dns:
        found = policies(dns, web, *domains, concurrency=4)
    assert {one["evidence"]["mta_sts_policy"]["mode"] for one in found} == {"enforce"}
    assert len(web.requests) == 12
    assert 1 < web.peak <= 4


def test_rule_19_evidence_is_asked_only_when_wanted(one: Run, server: DnsServer) -> None:
    assert one(server)["evidence"] is None
    assert server.count() == 3


def test_rule_19_no_evidence_about_what_is_not_there(one: Run, server: DnsServer) -> None:
    found = one(server, domain="gone.nestle.com", evidence=True)
    assert (found["status"], found["evidence"]) == ("no_such_domain", None)
    assert server.count() == 1
