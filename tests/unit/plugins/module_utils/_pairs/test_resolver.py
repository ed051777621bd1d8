# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions on the wire: retries, TCP, EDNS, lies, and that each is asked once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.first_pass import Pace
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.model import (
    Answer,
    AnswerKind,
    Mx,
    NameServer,
    Patience,
    Question,
    RecordType,
    Stats,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.resolver import (
    Resolver,
)
from exchange_lab.mail.dns_faults import POISON
from exchange_lab.mail.dns_server import DnsServer, Fault

ZONE = "@ MX 10 mail\nmail A 192.0.2.25\nwww CNAME mail\nout CNAME mail.other.example."
MX = Question("nestle.com", RecordType.MX)
A = Question("mail.nestle.com", RecordType.A)
QUICK = Patience(timeout=0.2, retries=1, lifetime=2.0)


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with DnsServer({"nestle.com": ZONE}) as running:
        yield running


def _where(server: DnsServer) -> NameServer:
    return NameServer(server.address, server.port)


def _ask(
    *questions: Question,
    servers: list[NameServer],
    patience: Patience = QUICK,
    stats: Stats | None = None,
) -> list[Answer]:
    async def go() -> list[Answer]:
        resolver = Resolver(servers, patience, asyncio.Semaphore(50), stats or Stats(), Pace(0))
        return await asyncio.gather(*(resolver.follow(question) for question in questions))

    return asyncio.run(go())


def _one(question: Question, *servers: DnsServer, patience: Patience = QUICK) -> Answer:
    (answer,) = _ask(question, servers=[_where(x) for x in servers], patience=patience)
    return answer


def test_rule_2_a_question_is_asked_once_also_while_it_is_under_way(server: DnsServer) -> None:
    server.set_fault("*", "*", Fault.SLOW, seconds=0.05)
    stats = Stats()
    answers = _ask(*[A] * 50, *[MX] * 3, servers=[_where(server)], stats=stats)
    assert {answer.texts for answer in answers[:50]} == {("192.0.2.25",)}
    assert server.count() == 2
    assert (stats.questions, stats.cache_hits, stats.retries) == (2, 51, 0)


def test_rule_6_the_end_of_an_alias_in_another_zone_is_asked_about() -> None:
    zones = {"other.example": "mail A 192.0.2.26"}
    with DnsServer({"nestle.com": ZONE, **zones}) as both:
        answer = _one(Question("out.nestle.com", RecordType.A), both)
        assert (answer.texts, both.count()) == (("192.0.2.26",), 1)
    with DnsServer({"com": "nestle CNAME mail.other.example."}) as alone:
        answer = _one(Question("nestle.com", RecordType.A), alone)
        assert (
            answer.kind is AnswerKind.REFUSED
        )  # asked about the target, for which it is not there
        assert alone.count("mail.other.example", "A") > 0


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.SERVFAIL, AnswerKind.SERVER_FAILURE),
        (Fault.REFUSED, AnswerKind.REFUSED),
        (Fault.LAME, AnswerKind.LAME),
        (Fault.TIMEOUT, AnswerKind.TIMEOUT),
        (Fault.MALFORMED, AnswerKind.MALFORMED),
        (Fault.BOGUS, AnswerKind.BOGUS),
        (Fault.BOGUS_EXPLAINED, AnswerKind.BOGUS),
        (Fault.NXDOMAIN, AnswerKind.NO_SUCH_NAME),
        (Fault.NO_DATA, AnswerKind.NO_DATA),
        (Fault.WRONG_ID, AnswerKind.MALFORMED),
        (Fault.WRONG_QUESTION, AnswerKind.MALFORMED),
        (Fault.GARBAGE, AnswerKind.MALFORMED),
        (Fault.FLOOD, AnswerKind.MALFORMED),
        (Fault.WRONG_SOURCE, AnswerKind.TIMEOUT),
        (Fault.TRUNCATED_CLOSED, AnswerKind.MALFORMED),
        (Fault.TRUNCATED_SILENT, AnswerKind.TIMEOUT),
        (Fault.TRUNCATED_TWICE, AnswerKind.MALFORMED),
    ],
)
def test_rule_13_what_goes_wrong_is_told_apart(
    server: DnsServer, fault: Fault, kind: AnswerKind
) -> None:
    server.set_fault("*", "*", fault)
    started = time.monotonic()
    answer = _one(MX, server)
    assert (answer.kind, answer.mx) == (kind, ())
    assert [failure.kind for failure in answer.failures] == ([] if kind.definite else [kind])
    assert time.monotonic() - started < QUICK.lifetime + 20


def test_rule_13_nobody_there(server: DnsServer) -> None:
    server.stop()
    answer = _one(MX, server)
    assert (answer.kind, answer.failures[0].message) == (
        AnswerKind.UNREACHABLE,
        "connection refused",
    )


@pytest.mark.parametrize(
    "fault",
    [Fault.WRONG_ID, Fault.WRONG_QUESTION, Fault.WRONG_SOURCE, Fault.GARBAGE],
)
@pytest.mark.parametrize("question", [MX, A])
def test_a_lie_that_comes_first_is_ignored(
    server: DnsServer, fault: Fault, question: Question
) -> None:
    server.set_fault("*", "*", fault, seconds=0.05)
    answer = _one(question, server)
    assert (answer.mx, answer.texts) in (((Mx(10, "mail.nestle.com"),), ()), ((), ("192.0.2.25",)))
    assert POISON not in repr(answer)
    assert server.count() == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault.SERVFAIL,
        Fault.REFUSED,
        Fault.LAME,
        Fault.TIMEOUT,
        Fault.MALFORMED,
        Fault.GARBAGE,
        Fault.TRUNCATED_CLOSED,
    ],
)
def test_rule_15_the_next_name_server_is_asked(server: DnsServer, fault: Fault) -> None:
    with DnsServer({"nestle.com": ZONE}) as second:
        server.set_fault("*", "*", fault)
        assert _one(MX, server, second).mx == (Mx(10, "mail.nestle.com"),)
        assert (server.count(transport="udp"), second.count()) == (1, 1)


def test_rule_15_timeouts_grow(server: DnsServer) -> None:
    server.set_fault("*", "*", Fault.SLOW, seconds=0.3)  # too slow for the first round only
    assert _one(MX, server).kind is AnswerKind.ANSWER
    assert server.count() == 2


def test_rule_15_a_lost_packet_is_asked_for_again(server: DnsServer) -> None:
    server.set_fault("*", "*", Fault.TIMEOUT, times=1)
    assert _one(MX, server).kind is AnswerKind.ANSWER


def test_rule_15_a_truncated_answer_is_asked_again_over_tcp(server: DnsServer) -> None:
    server.set_fault("*", "*", Fault.TRUNCATED)
    stats = Stats()
    (answer,) = _ask(MX, servers=[_where(server)], stats=stats)
    assert answer.mx == (Mx(10, "mail.nestle.com"),)
    assert (server.count(transport="udp"), server.count(transport="tcp"), stats.tcp) == (1, 1, 1)


def test_rule_15_what_is_longer_than_1232_octets_comes_over_tcp() -> None:
    zone = "\n".join(f"@ A 192.0.2.{n}" for n in range(1, 95))
    with DnsServer({"nestle.com": zone}) as server:
        answer = _one(Question("nestle.com", RecordType.A), server)
        assert len(answer.texts) == 94
        assert server.count(transport="tcp") == 1


def test_more_than_any_domain_has_is_no_answer() -> None:
    zone = "\n".join(f"@ MX 10 mail{n}" for n in range(800))
    with DnsServer({"nestle.com": zone}) as server:
        answer = _one(MX, server, patience=Patience(timeout=2.0, retries=0, lifetime=5.0))
        assert (answer.kind, answer.mx) == (AnswerKind.MALFORMED, ())
        assert "announces 800 answer records" in answer.failures[0].message


def test_rule_15_a_server_without_edns_is_asked_without(server: DnsServer) -> None:
    server.set_fault("*", "*", Fault.NO_EDNS)

    async def go() -> None:
        resolver = Resolver([_where(server)], QUICK, asyncio.Semaphore(1), Stats(), Pace(0))
        for question in (MX, A):
            assert (await resolver.follow(question)).kind is AnswerKind.ANSWER

    asyncio.run(go())
    assert (server.count(rdtype="MX"), server.count(rdtype="A")) == (2, 1)  # it is remembered


@pytest.mark.parametrize("fault", [Fault.BADVERS, Fault.EDNS_LOST])
@pytest.mark.parametrize("retries", [0, 2])
def test_rule_22_a_question_is_asked_without_edns_before_it_fails(
    server: DnsServer, fault: Fault, retries: int
) -> None:
    server.set_fault("*", "*", fault)
    patience = Patience(timeout=0.1, retries=retries, lifetime=2.0)
    assert _one(MX, server, patience=patience).mx == (Mx(10, "mail.nestle.com"),)
    assert server.count() == 2


def test_rule_22_an_answer_that_is_lost_for_its_length_comes_over_tcp() -> None:
    zone = "\n".join(f"@ A 192.0.2.{n}" for n in range(1, 60))
    with DnsServer({"nestle.com": zone}) as server:
        server.set_fault("*", "*", Fault.LARGE_LOST)
        answer = _one(Question("nestle.com", RecordType.A), server)
        assert len(answer.texts) == 59
        assert server.count(transport="tcp") == 1


def test_rule_22_a_server_that_never_answers_with_edns_is_asked_without(
    server: DnsServer,
) -> None:
    server.set_fault("*", "*", Fault.EDNS_LOST)

    async def go() -> None:
        resolver = Resolver([_where(server)], QUICK, asyncio.Semaphore(1), Stats(), Pace(0))
        for n in range(5):
            answer = await resolver.follow(Question(f"n{n}.nestle.com", RecordType.MX))
            assert answer.kind is AnswerKind.NO_SUCH_NAME

    asyncio.run(go())
    assert server.count() == 2 + 2 + 2 + 1 + 1


def test_a_server_that_keeps_silent_is_asked_after_the_others(server: DnsServer) -> None:
    with DnsServer({"nestle.com": ZONE}) as silent:
        silent.set_fault("*", "*", Fault.TIMEOUT)
        servers = [_where(silent), _where(server)]

        async def go() -> None:
            resolver = Resolver(servers, QUICK, asyncio.Semaphore(1), Stats(), Pace(0))
            for n in range(10):
                answer = await resolver.follow(Question(f"n{n}.nestle.com", RecordType.MX))
                assert answer.kind is AnswerKind.NO_SUCH_NAME

        asyncio.run(go())
        assert silent.count() == 3
        assert server.count() == 10


def test_questions_are_no_longer_repeated_when_no_server_says_anything(server: DnsServer) -> None:
    server.set_fault("*", "*", Fault.TIMEOUT)
    patience = Patience(timeout=0.05, retries=2, lifetime=5.0)

    async def go() -> None:
        resolver = Resolver([_where(server)], patience, asyncio.Semaphore(1), Stats(), Pace(0))
        for n in range(12):
            await resolver.follow(Question(f"n{n}.nestle.com", RecordType.MX))

    asyncio.run(go())
    assert server.count() == 10 * 3 + 2  # ten got all patience


def test_lifetime_ends_a_question(server: DnsServer) -> None:
    server.set_fault("*", "*", Fault.TIMEOUT)
    started = time.monotonic()
    answer = _one(MX, server, patience=Patience(timeout=0.2, retries=10, lifetime=0.5))
    assert answer.kind is AnswerKind.TIMEOUT
    assert time.monotonic() - started < 20
    assert server.count() <= 3


def test_a_server_that_was_not_asked_in_time_is_not_blamed() -> None:
    with DnsServer({}) as a, DnsServer({}) as b, DnsServer({}) as c:
        for server in (a, b, c):
            server.set_fault("*", "*", Fault.TIMEOUT)
        answer = _one(MX, a, b, c, patience=Patience(timeout=0.2, retries=1, lifetime=0.3))
    assert [f.nameserver for f in answer.failures] == [f"127.0.0.1:{x.port}" for x in (a, b)]
    assert c.count() == 0


def test_a_flood_is_not_listened_to_for_long(server: DnsServer) -> None:
    server.set_fault("*", "*", Fault.FLOOD)
    (failure,) = _one(MX, server).failures
    assert failure.message == "sent 64 packets but no reply to the question"


def test_each_server_of_a_failure_is_named_with_what_it_said(server: DnsServer) -> None:
    with DnsServer({"nestle.com": ZONE}) as second:
        server.set_fault("*", "*", Fault.REFUSED)
        second.set_fault("*", "*", Fault.TIMEOUT)
        answer = _one(MX, server, second)
        assert [(f.nameserver, f.kind, f.question) for f in answer.failures] == [
            (f"127.0.0.1:{server.port}", AnswerKind.REFUSED, MX),
            (f"127.0.0.1:{second.port}", AnswerKind.TIMEOUT, MX),
        ]


def test_concurrency_bounds_the_questions_under_way(server: DnsServer) -> None:
    server.set_fault("*", "*", Fault.SLOW, seconds=0.03)

    async def go() -> None:
        resolver = Resolver([_where(server)], QUICK, asyncio.Semaphore(7), Stats(), Pace(0))
        names = [Question(f"n{n}.nestle.com", RecordType.MX) for n in range(40)]
        await asyncio.gather(*(resolver.follow(question) for question in names))

    asyncio.run(go())
    assert server.peak == 7
