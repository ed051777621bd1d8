# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A name that one server denies is asked about elsewhere before that is believed (rule 18)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from exchange_lab.mail.dns_server import DnsServer, Fault

Run = Callable[..., Any]

_OWN = "@ NS ns\nns A 127.0.0.2\n"
ZONES = {
    "com": _OWN,
    "nestle.com": f"{_OWN}@ MX 10 mail\n@ MX 20 mail2\nmail A 192.0.2.25\nmail2 A 192.0.2.26",
}


@pytest.fixture
def cache() -> Iterator[DnsServer]:
    """The configured name server, which is not authoritative for anything."""
    with DnsServer(ZONES, authentic=True) as running:
        yield running


@pytest.fixture
def own(cache: DnsServer) -> Iterator[DnsServer]:
    """The own name server of the zones."""
    with DnsServer(ZONES, cache.port, address="127.0.0.2") as running:
        yield running


@pytest.fixture
def route(resolve: Run, cache: DnsServer) -> Run:
    """Return a function that returns the route of one domain and the codes of its warnings."""

    def go(*more: DnsServer, domain: str = "nestle.com", **options: Any) -> tuple[Any, list[str]]:
        result = resolve(cache, *more, domains=[domain], port=cache.port, **options)
        return result["routes"][0], [x["code"] for x in result["domains"][0]["warnings"]]

    return go


def test_an_ordinary_run_asks_nothing_more(route: Run, cache: DnsServer, own: DnsServer) -> None:
    assert route()[0]["status"] == "ok"
    assert (cache.count(), own.count()) == (3, 0)


def test_a_domain_that_its_own_servers_know_is_not_gone(
    route: Run, cache: DnsServer, own: DnsServer
) -> None:
    cache.set_fault("nestle.com", "MX", Fault.NXDOMAIN)
    found, codes = route()
    assert (found["status"], found["addresses"]) == ("disagreement", [])
    assert codes == ["denied"]
    assert own.count("nestle.com", "MX") == 1


def test_a_zone_above_that_leads_to_the_domain_knows_it(
    route: Run, cache: DnsServer, own: DnsServer
) -> None:
    cache.set_fault("nestle.com", "MX", Fault.NXDOMAIN)
    own.set_fault("nestle.com", "MX", Fault.REFERRAL)
    assert route()[0]["status"] == "disagreement"
    own.set_fault("nestle.com", "MX", Fault.LAME)  # which says nothing about the name
    assert route()[0]["unconfirmed"] is True


@pytest.mark.usefixtures("own")
def test_a_domain_that_the_zone_above_denies_too_is_gone(route: Run) -> None:
    found, codes = route(domain="gone.com")
    assert found == {"domain": "gone.com", "status": "no_such_domain", "addresses": []}
    assert codes == []


def test_whoever_answers_in_place_of_the_zone_above_confirms_nothing(
    route: Run, cache: DnsServer
) -> None:
    with DnsServer(ZONES, cache.port, address="127.0.0.2", authentic=True) as proxy:
        assert route(domain="gone.com")[0]["unconfirmed"] is True
        assert proxy.count("gone.com") == 1


def test_a_zone_above_that_cannot_be_asked_leaves_it_unconfirmed(route: Run) -> None:
    found, _codes = route(domain="gone.com")
    assert (found["status"], found["unconfirmed"]) == ("no_such_domain", True)


def test_the_configured_name_server_is_no_witness_for_itself(resolve: Run) -> None:
    with DnsServer({"com": "@ NS ns\nns A 127.0.0.1\n"}) as server:
        (found,) = resolve(server, domains=["gone.com"], port=server.port)["routes"]
    assert found["unconfirmed"] is True


@pytest.mark.parametrize(
    ("zones", "status", "unconfirmed"),
    [
        ({"com": ""}, "no_such_domain", None),
        ({"com": "gone MX 10 mail"}, "disagreement", None),
        ({"org": ""}, "no_such_domain", True),
    ],
    ids=["denies too", "knows it", "refuses"],
)
def test_another_configured_name_server_is_a_witness(
    route: Run, zones: dict[str, str], status: str, unconfirmed: bool | None
) -> None:
    with DnsServer(zones) as other:
        found, _codes = route(other, domain="gone.com")
    assert (found["status"], found.get("unconfirmed")) == (status, unconfirmed)


def test_an_exchange_that_is_denied_wrongly_makes_no_shorter_table(
    route: Run, cache: DnsServer, own: DnsServer
) -> None:
    cache.set_fault("mail2.nestle.com", "A", Fault.NXDOMAIN)
    found, codes = route()
    assert (found["status"], found["addresses"]) == ("disagreement", [])
    assert codes == ["exchange_without_address", "denied"]
    own.set_fault("mail2.nestle.com", "A", Fault.NXDOMAIN)
    found, codes = route()
    assert (found["status"], found["addresses"]) == ("ok", ["192.0.2.25"])


def test_a_name_that_is_denied_everywhere_in_agreement_is_gone(resolve: Run) -> None:
    with DnsServer({"com": ""}) as a, DnsServer({"com": ""}) as b:
        (found,) = resolve(a, b, domains=["gone.com"], agreement="all")["routes"]
    assert found == {"domain": "gone.com", "status": "no_such_domain", "addresses": []}


def test_aaaa_is_asked_of_the_own_servers_only(
    resolve: Run, cache: DnsServer, own: DnsServer
) -> None:
    own.set_fault("*", "AAAA", Fault.NXDOMAIN)
    result = resolve(cache, domains=["nestle.com"], port=cache.port, evidence=True)
    (found,) = result["domains"]
    assert (found["status"], len(found["pairs"])) == ("ok", 2)
    assert {(x["code"], x["nameserver"]) for x in found["warnings"]} == {
        ("aaaa_trouble", f"127.0.0.2:{own.port}")
    }
    assert found["evidence"]["aaaa_not_asked"] == []
    assert (cache.count(rdtype="AAAA"), own.count(rdtype="AAAA")) == (0, 3)


def test_aaaa_is_not_asked_where_no_own_server_answers(resolve: Run, cache: DnsServer) -> None:
    cache.set_fault("*", "AAAA", Fault.NXDOMAIN)
    result = resolve(cache, domains=["nestle.com"], port=cache.port, evidence=True)
    (found,) = result["domains"]
    assert (found["status"], found["warnings"]) == ("ok", [])
    names = ["nestle.com", "mail.nestle.com", "mail2.nestle.com"]
    assert found["evidence"]["aaaa_not_asked"] == names
    assert cache.count(rdtype="AAAA") == 0
