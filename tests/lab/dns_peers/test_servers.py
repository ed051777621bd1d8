# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about asking: what is sent, how often, over what, and whom is believed."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from exchange_lab.mail.dns_server import DnsServer, Fault
from peer_programs import free_port

from .ask import mx_pairs, one
from .cases import told
from .conftest import TROUBLE_NAMES, TROUBLE_ZONE
from .dig import dig
from .servers import Server
from .test_rules import CASES
from .test_same import DOMAINS

pytestmark = pytest.mark.peers

_KINDS = {
    Fault.SERVFAIL: "server_failure",
    Fault.REFUSED: "refused",
    Fault.MALFORMED: "malformed",
    Fault.TIMEOUT: "timeout",
    Fault.NXDOMAIN: "no_such_name",
}
NO_DOMAINS = ["", "192.0.2.1", "joe@nestle.com", "x" * 64 + ".com", "a b.com", "a..b", "a;b.com"]


@pytest.fixture
def black_hole() -> Iterator[str]:
    """An address that takes questions and never answers."""
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{silent.getsockname()[1]}"


def test_rule_1_what_is_no_domain_is_told_and_nothing_is_asked(authority: Server) -> None:
    before = authority.queries()["all"]
    with pytest.raises(InvalidInput) as caught:
        mx_pairs(authority, domains=["nestle.com", *NO_DOMAINS])
    assert authority.queries()["all"] == before
    assert caught.value.message.count(";") >= len(NO_DOMAINS) - 1


def test_rules_2_and_21_nsd_counts_as_the_task_does(authority: Server) -> None:
    before = authority.queries()
    options = {"evidence": True, "timeout": 10, "port": authority.port}
    result = mx_pairs(authority, domains=[*DOMAINS, *DOMAINS], **options)
    after = authority.queries()
    stats = result["stats"]
    assert stats["domains"] == len(DOMAINS)
    assert stats["retries"] == 0
    assert after["all"] - before["all"] == stats["questions"] + stats["tcp"]
    truncated = ["many.example"]  # the only one whose MX records are too long for a datagram
    assert stats["tcp"] == len(truncated)


def test_rule_3_whatever_the_order_of_the_answer(authority: Server, resolver: Server) -> None:
    for server in (authority, resolver):
        orders = {
            tuple(line.data for line in dig(server, "many.example", "MX").answer)
            for _round in range(6)
        }
        assert len(orders) > 1
        results = [one(server, domain="many.example")["pairs"] for _round in range(4)]
        addresses = [[pair["address"] for pair in pairs] for pairs in results]
        assert addresses == [[f"192.0.2.{number}" for number in range(60)]] * 4


@pytest.mark.parametrize("which", ["authority", "resolver"])
def test_rule_15_edns_with_a_size_that_does_not_fragment(
    which: str, request: pytest.FixtureRequest
) -> None:
    """What fits in 1,232 octets comes in a datagram, and what does not comes over TCP."""
    server = request.getfixturevalue(which)
    for name, fits in (("fits.size.example", True), ("large.size.example", False)):
        enough, too_little = ("1232", "512") if fits else ("1432", "1232")
        assert "tc" not in dig(server, name, "MX", f"+bufsize={enough}", "+ignore").flags
        assert "tc" in dig(server, name, "MX", f"+bufsize={too_little}", "+ignore").flags
        result = mx_pairs(server, domains=[name])
        assert result["stats"]["tcp"] == (0 if fits else 1)
        assert result["domains"][0]["status"] == "ok"
        assert len(result["pairs"]) == 20


def test_rule_15_one_server_after_the_other(
    authority: Server, stale: Server, black_hole: str
) -> None:
    closed = f"127.0.0.1:{free_port()}"
    servers = (closed, stale, black_hole, authority)
    result = mx_pairs(*servers, domains=["order.example"], timeout=0.5)
    (found,) = result["domains"]
    assert (found["status"], len(found["pairs"]), found["failures"]) == ("ok", 6, [])
    assert result["stats"]["retries"] == 3 * result["stats"]["questions"]


def test_rules_13_and_15_no_server_answers(stale: Server, black_hole: str) -> None:
    closed = f"127.0.0.1:{free_port()}"
    options = {"timeout": 0.2, "retries": 0}
    found = one(closed, stale, black_hole, domain="order.example", **options)
    assert found["status"] == "temporary_failure"
    assert [failure["kind"] for failure in found["failures"]] == [
        "unreachable",
        "refused",
        "timeout",
    ]


def test_rule_16_servers_that_agree(authority: Server, resolver: Server) -> None:
    found = one(authority, resolver, domain="order.example", agreement="all")
    assert (found["status"], len(found["pairs"])) == ("ok", 6)
    assert [view["nameserver"] for view in found["views"]] == [str(authority), str(resolver)]


@pytest.mark.parametrize(
    ("domain", "first", "second"), [("nestle.com", "ok", "ok"), ("null.example", "null_mx", "ok")]
)
def test_rule_16_servers_that_differ(
    authority: Server, stale: Server, domain: str, first: str, second: str
) -> None:
    found = one(authority, stale, domain=domain, agreement="all")
    assert (found["status"], found["pairs"]) == ("disagreement", [])
    assert [view["status"] for view in found["views"]] == [first, second]
    known = {pair["address"] for pair in found["views"][1]["pairs"]}
    assert known == {"192.0.2.99" if domain == "nestle.com" else "192.0.2.1"}


def test_rule_16_a_server_that_does_not_know(authority: Server, stale: Server) -> None:
    found = one(authority, stale, domain="order.example", agreement="all", retries=0)
    assert (found["status"], found["pairs"]) == ("temporary_failure", [])
    assert [view["status"] for view in found["views"]] == ["ok", "temporary_failure"]


@pytest.mark.parametrize("fault", TROUBLE_NAMES, ids=lambda fault: fault.name.lower())
def test_rule_18_what_a_resolver_makes_of_an_authority_that_fails_on_aaaa(
    resolver: Server, lab: DnsServer, fault: Fault
) -> None:
    """Its own server is asked, and the resolver learns nothing that it would keep."""
    domain = f"{TROUBLE_NAMES[fault]}.{TROUBLE_ZONE}"
    names = (domain, f"mx.{domain}")
    for name in names:
        lab.set_fault(name, "AAAA", fault)
    silent = fault is Fault.TIMEOUT
    options = {"timeout": 0.5 if silent else 10, "retries": 0, "port": lab.port}
    for _run in range(2):
        found = one(resolver, domain=domain, evidence=True, **options)
        seen = told(found)
        assert (seen["status"], seen["pairs"]) == ("ok", (f"10 mx.{domain} 192.0.2.2",))
        kinds = {(x["name"], x["kind"]) for x in found["warnings"] if x["code"] == "aaaa_trouble"}
        assert kinds == {(name, _KINDS[fault]) for name in names}
        assert not any(failure["needed"] for failure in found["failures"])


def test_rule_21_a_route_for_every_domain_asked(authority: Server) -> None:
    result = mx_pairs(authority, domains=[*DOMAINS, "broken.example"])
    names = [domain["domain"] for domain in result["domains"]]
    assert [route["domain"] for route in result["routes"]] == names
    assert len(names) == len(set(names)) == len(DOMAINS) + 1
    for route in result["routes"]:
        pairs = [p["address"] for p in result["pairs"] if p["domain"] == route["domain"]]
        assert route["addresses"] == pairs
        assert bool(pairs) == (route["status"] == "ok")


def test_every_rule_has_a_case() -> None:
    folder = Path(__file__).parent
    named = {
        int(number)
        for file in folder.glob("test_*.py")
        for test in re.findall(r"^def test_rules?_(\w+)\(", file.read_text(), re.MULTILINE)
        for number in re.findall(r"(?<![a-z0-9])\d+(?![0-9])", test.replace("_", " "))
    }
    assert named | {case.rule for case in CASES} >= set(range(1, 22))
