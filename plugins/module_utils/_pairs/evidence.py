# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What else DNS tells about a domain: search-list hijack, AAAA trouble, DNSSEC (rules 17 to 19).

None of it ever changes a status or a pair: what cannot be asked is told as such, and that is all.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from . import notes
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
)
from .names import MAX_NAME
from .rules import Answers, Plan

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
    asker: Asks, result: DomainResult, planned: Plan, addresses: dict[str, Answers]
) -> DomainResult:
    """Ask for AAAA, and add what was found to a result."""
    if not planned.answer.kind.definite or result.status is Status.NO_SUCH_DOMAIN:
        return result
    hosts = sorted({mx.exchange for mx in planned.exchanges} - {result.domain})
    names = [result.domain, *hosts]
    aaaa = await _follow_all(asker, [(name, RecordType.AAAA) for name in names])
    a = await _follow_all(asker, [(name, RecordType.A) for name in hosts])
    witnesses = dict(zip(hosts, a, strict=True)) | {result.domain: planned.answer}
    found = Evidence(
        authentic=planned.answer.authentic
        and all(answer.authentic for answers in addresses.values() for answer in answers),
    )
    said = [note for one in aaaa for note in aaaa_trouble(one, witnesses[one.question.name])]
    return _with(result, said, _not_needed(aaaa))._replace(evidence=found)


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
