# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's name server, asked by dnspython's own resolver code."""

from __future__ import annotations

from collections.abc import Iterator

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest
from exchange_lab.mail.dns_faults import POISON
from exchange_lab.mail.dns_server import DnsServer, Fault

ZONES = {
    "nestle.com": "@ MX 10 mail\nmail A 192.0.2.25\nmail A 192.0.2.26\nwww CNAME mail\n"
    "deep.below A 192.0.2.27\nout CNAME mail.a.com.\nnowhere CNAME gone.a.com.",
    "a.com": "* MX 0 hub\nhub A 10.0.0.5\nmail A 10.0.0.6\nloop CNAME pool\npool CNAME loop",
}


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with DnsServer(ZONES) as running:
        yield running


def _ask(
    server: DnsServer, name: str, rdtype: str = "A", *, tcp: bool = False, **query: object
) -> dns.message.Message:
    message = dns.message.make_query(name, rdtype, **query)  # type: ignore[arg-type]
    ask = dns.query.tcp if tcp else dns.query.udp
    return ask(message, server.address, port=server.port, timeout=1.0)


def _answers(reply: dns.message.Message) -> list[str]:
    return [f"{rrset.name} {rdata}" for rrset in reply.answer for rdata in rrset]


@pytest.mark.parametrize("tcp", [False, True])
def test_answers_with_authority_over_udp_and_tcp(server: DnsServer, tcp: bool) -> None:
    reply = _ask(server, "NESTLE.com", "MX", tcp=tcp)
    assert _answers(reply) == [
        "NESTLE.com. 10 mail.NESTLE.com."
    ]  # a name is compressed, case and all
    assert reply.flags & dns.flags.AA
    assert server.count("nestle.com", "MX", "tcp" if tcp else "udp") == 1


def test_what_is_not_there(server: DnsServer) -> None:
    for name, rcode in (
        ("gone.nestle.com", dns.rcode.NXDOMAIN),
        ("below.nestle.com", dns.rcode.NOERROR),  # a name below it exists (RFC 4592)
        ("hub.a.com", dns.rcode.NOERROR),
    ):
        reply = _ask(server, name, "MX")
        assert (reply.rcode(), _answers(reply)) == (rcode, [])
        assert [rrset.rdtype.name for rrset in reply.authority] == ["SOA"]
    assert _ask(server, "nestle.net").rcode() == dns.rcode.REFUSED


def test_a_wildcard_answers_for_what_is_not_there(server: DnsServer) -> None:
    assert _answers(_ask(server, "nestle.com.a.com", "MX")) == ["nestle.com.a.com. 0 hub.a.com."]
    assert _answers(_ask(server, "x.hub.a.com", "MX")) == []  # hub.a.com is closer than *.a.com


def test_aliases_are_followed_within_the_zones_of_the_server(server: DnsServer) -> None:
    assert _answers(_ask(server, "out.nestle.com")) == [
        "out.nestle.com. mail.a.com.",
        "mail.a.com. 10.0.0.6",
    ]
    gone = _ask(server, "loop.a.com")
    assert _answers(gone) == ["loop.a.com. pool.a.com.", "pool.a.com. loop.a.com."]


def test_records_come_in_the_order_of_the_zone_or_turn_with_each_answer(server: DnsServer) -> None:
    def order(asked: DnsServer) -> list[str]:
        return [line.rpartition(".")[2] for line in _answers(_ask(asked, "mail.nestle.com"))]

    assert [order(server) for _round in range(9)] == [["25", "26"]] * 9
    with DnsServer(ZONES, rotate=True) as rotating:
        turning = [order(rotating) for _round in range(4)]
    assert turning == [["26", "25"], ["25", "26"]] * 2


def test_what_is_too_long_for_udp_is_truncated() -> None:
    zone = "\n".join(f"@ A 192.0.2.{n}" for n in range(100))
    with DnsServer({"nestle.com": zone}) as server:
        short = _ask(server, "nestle.com")
        assert (bool(short.flags & dns.flags.TC), short.answer) == (True, [])
        assert len(_answers(_ask(server, "nestle.com", use_edns=0, payload=4096))) == 100
        assert len(_answers(_ask(server, "nestle.com", tcp=True))) == 100


@pytest.mark.parametrize(
    ("fault", "rcode"),
    [
        (Fault.SERVFAIL, dns.rcode.SERVFAIL),
        (Fault.REFUSED, dns.rcode.REFUSED),
        (Fault.NXDOMAIN, dns.rcode.NXDOMAIN),
        (Fault.NO_DATA, dns.rcode.NOERROR),
        (Fault.BOGUS, dns.rcode.SERVFAIL),
        (Fault.BOGUS_EXPLAINED, dns.rcode.SERVFAIL),
        (Fault.LAME, dns.rcode.NOERROR),
    ],
)
def test_faults_by_name_and_type(server: DnsServer, fault: Fault, rcode: int) -> None:
    server.set_fault("mail.nestle.com", "A", fault)
    reply = _ask(server, "mail.nestle.com")
    assert (reply.rcode(), _answers(reply)) == (rcode, [])
    assert _answers(_ask(server, "nestle.com", "MX"))  # another name is not affected


def test_a_validating_resolver_answers_when_told_not_to_check(server: DnsServer) -> None:
    server.set_fault("*", "*", Fault.BOGUS)
    reply = _ask(server, "mail.nestle.com", flags=dns.flags.RD | dns.flags.CD)
    assert len(_answers(reply)) == 2


def test_no_edns(server: DnsServer) -> None:
    server.set_fault("*", "*", Fault.NO_EDNS)
    assert _ask(server, "mail.nestle.com", use_edns=0).rcode() == dns.rcode.FORMERR
    assert len(_answers(_ask(server, "mail.nestle.com"))) == 2


def test_a_fault_ends_after_so_many_times(server: DnsServer) -> None:
    server.set_fault("*", "*", Fault.TIMEOUT, times=1)
    with pytest.raises(dns.exception.Timeout):
        _ask(server, "mail.nestle.com")
    assert _answers(_ask(server, "mail.nestle.com"))
    server.set_fault("*", "*", Fault.SERVFAIL)
    server.clear_faults()
    assert _answers(_ask(server, "mail.nestle.com"))


@pytest.mark.parametrize("fault", [Fault.WRONG_ID, Fault.WRONG_QUESTION])
def test_lies_are_what_a_careful_client_ignores(server: DnsServer, fault: Fault) -> None:
    server.set_fault("*", "*", fault, seconds=0.05)
    query = dns.message.make_query("mail.nestle.com", "A")
    where = {"where": server.address, "port": server.port, "timeout": 1.0}
    truth = dns.query.udp(query, **where, ignore_errors=True)  # type: ignore[arg-type]
    assert POISON not in truth.to_text()
    with pytest.raises(dns.query.BadResponse):
        dns.query.udp(query, **where)  # type: ignore[arg-type]


def test_a_lie_from_elsewhere(server: DnsServer) -> None:
    server.set_fault("*", "*", Fault.WRONG_SOURCE)
    query = dns.message.make_query("mail.nestle.com", "A")
    with pytest.raises(dns.query.UnexpectedSource):
        dns.query.udp(query, server.address, port=server.port, timeout=1.0)


@pytest.mark.parametrize("fault", [Fault.GARBAGE, Fault.MALFORMED])
def test_what_cannot_be_read(server: DnsServer, fault: Fault) -> None:
    server.set_fault("*", "*", fault)
    with pytest.raises((dns.exception.DNSException, ValueError)):
        _ask(server, "mail.nestle.com")


def test_truncation_on_demand(server: DnsServer) -> None:
    server.set_fault("*", "*", Fault.TRUNCATED)
    assert _ask(server, "mail.nestle.com").flags & dns.flags.TC
    assert len(_answers(_ask(server, "mail.nestle.com", tcp=True))) == 2
    server.set_fault("*", "*", Fault.TRUNCATED_CLOSED)
    with pytest.raises(EOFError):
        _ask(server, "mail.nestle.com", tcp=True)


def test_a_port_of_choice_and_a_clean_end() -> None:
    first = DnsServer(ZONES)
    first.start()
    port = first.port
    first.stop()
    first.stop()
    with DnsServer(ZONES, port) as second:
        assert second.port == port
        assert _answers(_ask(second, "mail.nestle.com"))
