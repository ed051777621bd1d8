# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What else DNS tells about a domain: search-list hijack, AAAA trouble, DNSSEC (rules 17 to 19).

Besides, what the web server of a domain tells about its MTA-STS policy. None of it ever
changes a status or a pair: what cannot be asked is told as such, and that is all.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from . import notes
from .addresses import why_not_global
from .https import NoPage
from .model import (
    Answer,
    DomainResult,
    Evidence,
    Failure,
    Kind,
    Note,
    Question,
    RecordType,
    Status,
    StsPolicy,
)
from .mta_sts import BadPolicy, parse_policy, policy_record
from .names import MAX_NAME
from .rules import Answers, Plan

# Addresses of each family at which a policy is asked for.
_MOST_TRIED = 2
# What a server that cannot handle AAAA does; a name that it denies although it exists is one of
# the ways (RFC 4074 section 4). Bogus is SERVFAIL to whoever asks without further questions.
_AAAA_KINDS = frozenset(
    {
        Kind.TIMEOUT,
        Kind.SERVER_FAILURE,
        Kind.BOGUS,
        Kind.REFUSED,
        Kind.MALFORMED,
        Kind.NO_SUCH_NAME,
    }
)


# What gets the policy page of a host at one of its addresses, or raises NoPage.
Get: TypeAlias = Callable[[str, Sequence[str]], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Web:
    """How policies are fetched; unless ``allow_private``, from global addresses only."""

    get: Get
    allow_private: bool


class Asks(Protocol):
    """What puts a question: see ``asker.Asker``."""

    async def follow(self, question: Question) -> Answer:
        """Return what became of a question."""


async def with_search_list(
    asker: Asks, result: DomainResult, suffixes: Iterable[str], types: tuple[RecordType, ...]
) -> DomainResult:
    """Ask for the domain below each suffix of a search list (Q150969), and add what is there."""
    said: list[Note] = []
    failures: list[Failure] = []
    for suffix in suffixes:
        name = f"{result.domain}.{suffix}"
        if len(name) > MAX_NAME:
            continue  # no resolver can ask for such a name
        answers = await _follow_all(asker, [(name, t) for t in (RecordType.MX, *types)])
        found = (
            *(f"MX {mx.preference} {mx.exchange}" for answer in answers for mx in answer.mx),
            *(f"{answer.question.rdtype.name} {x}" for answer in answers for x in answer.texts),
        )
        if found:
            said.append(notes.search_list_hijack(suffix, name, found))
        failures += _not_needed(answers)
    return _with(result, said, failures)


async def with_evidence(
    asker: Asks, web: Web, result: DomainResult, planned: Plan, addresses: dict[str, Answers]
) -> DomainResult:
    """Ask for AAAA, TLSA and MTA-STS, and add what was found to a result."""
    if not planned.answer.kind.definite or result.status is Status.NO_SUCH_DOMAIN:
        return result
    hosts = sorted({mx.exchange for mx in planned.exchanges} - {result.domain})
    names = [result.domain, *hosts]
    aaaa = await _follow_all(asker, [(name, RecordType.AAAA) for name in names])
    a = await _follow_all(asker, [(name, RecordType.A) for name in hosts])
    witnesses = dict(zip(hosts, a, strict=True)) | {result.domain: planned.answer}
    exchanges = sorted({pair.exchange for pair in result.pairs})
    tlsa = await _follow_all(asker, [(f"_25._tcp.{x}", RecordType.TLSA) for x in exchanges])
    (sts,) = await _follow_all(asker, [(f"_mta-sts.{result.domain}", RecordType.TXT)])
    record = policy_record(sts.texts)
    policy, hosted = await _policy(asker, web, result.domain) if record else (None, [])
    found = Evidence(
        authentic=planned.answer.authentic
        and all(answer.authentic for answers in addresses.values() for answer in answers),
        tlsa=tuple(x for x, one in zip(exchanges, tlsa, strict=True) if one.texts),
        mta_sts=record,
        policy=policy,
    )
    said = [
        *(note for one in aaaa for note in aaaa_trouble(one, witnesses[one.question.name])),
        *(notes.tlsa(exchange) for exchange in found.tlsa),
    ]
    lost = notes.mta_sts(record, policy) if record and policy else None
    if lost:
        said.append(lost)
    told = _with(result, said, _not_needed((*aaaa, *tlsa, sts, *hosted)))
    return told._replace(evidence=found)


def aaaa_trouble(aaaa: Answer, witness: Answer) -> list[Note]:
    """Return what a server does wrong with AAAA that answers other questions about the name."""
    if witness.kind not in (Kind.ANSWER, Kind.NO_DATA):
        return []
    name = aaaa.question.name
    if aaaa.kind is Kind.NO_SUCH_NAME:
        return [notes.aaaa_trouble(name, aaaa.nameserver, aaaa.kind)]
    return [
        notes.aaaa_trouble(name, failure.nameserver, failure.kind)
        for failure in aaaa.failures
        if failure.kind in _AAAA_KINDS and failure.nameserver == witness.nameserver
    ]


async def _policy(asker: Asks, web: Web, domain: str) -> tuple[StsPolicy, list[Answer]]:
    """Return the policy that a domain announces, and the answers on the way (RFC 8461 3.3)."""
    host = f"mta-sts.{domain}"
    answers = await _follow_all(asker, [(host, t) for t in (RecordType.A, RecordType.AAAA)])
    try:
        addresses = [x for answer in answers for x in _reachable(answer, web)[:_MOST_TRIED]]
        if not addresses:
            raise NoPage(_why_nowhere(host, answers))
        return parse_policy(await web.get(host, addresses)), answers
    except (BadPolicy, NoPage) as err:
        return StsPolicy(None, reason=str(err)), answers


def _reachable(answer: Answer, web: Web) -> list[str]:
    return [x for x in answer.texts if web.allow_private or not why_not_global(x)]


def _why_nowhere(host: str, answers: list[Answer]) -> str:
    """Return why no address of a host can be asked."""
    for text in (text for answer in answers for text in answer.texts):
        return f"the address {text} of {host} is {why_not_global(text)}, and was not asked"
    for failure in (failure for answer in answers for failure in answer.failures):
        name = failure.question.rdtype.name
        return f"the question for {name} of {host} ends in {failure.kind.value}"
    return f"{host} has no address"


async def _follow_all(asker: Asks, wanted: Iterable[tuple[str, RecordType]]) -> list[Answer]:
    """Ask several questions at once; names too long to be asked have no data."""
    return await asyncio.gather(
        *(
            asker.follow(Question(name, rdtype))
            if len(name) <= MAX_NAME
            else _no_data(Question(name, rdtype))
            for name, rdtype in wanted
        )
    )


async def _no_data(question: Question) -> Answer:
    return Answer(question, Kind.NO_DATA)


def _not_needed(answers: Iterable[Answer]) -> list[Failure]:
    return [replace(f, needed=False) for answer in answers for f in answer.failures]


def _with(result: DomainResult, said: list[Note], failures: list[Failure]) -> DomainResult:
    return result._replace(
        notes=(*result.notes, *said),
        failures=(*result.failures, *failures),
    )
