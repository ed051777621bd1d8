# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From answers to pairs: the rules for MX and addresses, pure and independent of any order.

First ``plan`` says of which exchanges the addresses are needed, then ``decide`` makes the result of
a domain from them (rules 3 to 14 and 20).

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from . import notes
from .addresses import Networks, in_order, why_not_global
from .model import (
    ROOT,
    Answer,
    DomainResult,
    Failure,
    Kind,
    Mx,
    Note,
    Pair,
    Question,
    RecordType,
    Status,
    View,
)
from .names import is_address, is_host_name
from .reading import smaller, smallest

# The answers for the addresses of one exchange, one for each record type asked.
Answers = tuple[Answer, ...]

_NULL_MX = (Mx(0, ROOT),)
#: Exchanges of which is kept whether they can be hosts: those that many domains share.
_KEPT = 1024


@dataclass(frozen=True, slots=True)
class Policy:
    """What the administrator wants.

    ``types`` are A, AAAA or both; ``max_pairs`` 0 is no limit; ``own_unknown`` are the questions
    for our own addresses that failed: while they are not known, mail might be made to loop.
    """

    types: tuple[RecordType, ...] = (RecordType.A,)
    own_names: frozenset[str] = frozenset()
    own_networks: Networks = field(default_factory=Networks)
    own_unknown: tuple[Failure, ...] = ()
    allow_private: bool = False
    max_pairs: int = 0


class Plan(NamedTuple):
    """What the MX answer of a domain leads to.

    ``exchanges`` are those whose addresses are needed, best first; ``status`` is set where no
    address is needed to tell it.
    """

    domain: str
    answer: Answer
    exchanges: tuple[Mx, ...] = ()
    implicit: bool = False
    status: Status | None = None
    notes: tuple[Note, ...] = ()


class Located(NamedTuple):
    """What the answers about one exchange say, whichever domains it serves.

    ``addresses`` are in the order of rule 3, each with its time to live and the reason why it is
    not to be used, if there is one; ``alias`` is the name that the exchange really has.
    """

    answers: Answers
    questions: tuple[Question, ...]
    addresses: tuple[tuple[str, int | None, str], ...]
    alias: str
    ttl: int | None
    failures: tuple[Failure, ...]


def locate(answers: Answers, policy: Policy) -> Located:
    """Return what the answers for the addresses of one exchange say."""
    ttls = {text: answer.ttl for answer in answers for text in answer.texts}
    why_not = _anything_goes if policy.allow_private else why_not_global
    return Located(
        answers,
        tuple([answer.question for answer in answers]),
        tuple([(text, ttls[text], why_not(text)) for text in in_order(ttls)]),
        next((answer.chain[-1] for answer in answers if answer.chain), ""),
        smallest([answer.ttl for answer in answers]),
        tuple([failure for answer in answers for failure in answer.failures]),
    )


def _anything_goes(_address: str) -> str:
    return ""


def plan(domain: str, answer: Answer, policy: Policy) -> Plan:
    """Return which addresses are needed, given the answer to the MX question of a domain."""
    if not answer.kind.definite:
        return Plan(domain, answer, status=Status.TEMPORARY_FAILURE)
    if answer.kind is Kind.NO_SUCH_NAME:
        lost = (notes.alias_to_nowhere(answer.chain[-1]),) if answer.chain else ()
        return Plan(domain, answer, status=Status.NO_SUCH_DOMAIN, notes=lost)
    if answer.mx == _NULL_MX:
        return Plan(domain, answer, status=Status.NULL_MX)
    implicit = answer.kind is Kind.NO_DATA
    usable, said = ([Mx(0, domain)], []) if implicit else _usable(answer.mx)
    own = None
    if policy.own_names:
        own = next((mx for mx in usable if mx.exchange in policy.own_names), None)
    kept = usable
    if own is not None:
        kept = [mx for mx in usable if mx.preference < own.preference]
        said.append(notes.own_exchange(own, "own name", len(usable) - len(kept)))
    status = None if kept else Status.NO_ADDRESS if own is None else Status.LOOP
    return Plan(domain, answer, tuple(kept), implicit, status, tuple(said))


def decide(planned: Plan, located: Mapping[str, Located], policy: Policy) -> DomainResult:
    """Return what is known about a domain; ``located`` tells of each of its exchanges."""
    if planned.status is not None:
        return _without_pairs(planned, planned.status)
    kept, said = _without_own(planned.exchanges, located, policy)
    if not kept:
        return _without_pairs(planned, Status.LOOP, said)
    found = [located[mx.exchange] for mx in kept]
    failures = [failure for one in found for failure in one.failures]
    if failures or policy.own_unknown:
        failures += policy.own_unknown
        return _without_pairs(planned, Status.TEMPORARY_FAILURE, said, failures)
    best = _best(planned, zip(kept, found, strict=True), said)
    if policy.max_pairs and len(best) > policy.max_pairs:
        said.append(notes.max_pairs(len(best), policy.max_pairs))
        best = best[: policy.max_pairs]
    return DomainResult(
        planned.domain,
        Status.OK if best else Status.NO_ADDRESS,
        pairs=tuple(best),
        implicit_mx=planned.implicit and bool(best),
        ttl=smallest([planned.answer.ttl, *[one.ttl for one in found]]),
        notes=(*planned.notes, *said),
    )


def _without_pairs(
    planned: Plan,
    status: Status,
    said: Iterable[Note] = (),
    failures: Iterable[Failure] = (),
) -> DomainResult:
    known = status is not Status.TEMPORARY_FAILURE
    return DomainResult(
        planned.domain,
        status,
        ttl=planned.answer.ttl if known else None,
        notes=(*planned.notes, *said),
        failures=(*planned.answer.failures, *failures),
    )


def _usable(exchanges: Iterable[Mx]) -> tuple[list[Mx], list[Note]]:
    """Return the exchanges that can be hosts, best first, and what is wrong with the others."""
    usable: list[Mx] = []
    said: list[Note] = []
    for mx in sorted(exchanges):
        told = _told_of(mx.exchange)
        if told is None:
            usable.append(mx)
        else:
            said.append(told(mx))
    return usable, said


@lru_cache(_KEPT)
def _told_of(exchange: str) -> Callable[[Mx], Note] | None:
    """Return what tells why an exchange can be no host; None if it can be one."""
    if exchange == ROOT:
        return notes.null_mx_ignored
    if is_address(exchange):
        return notes.mx_is_address
    return None if is_host_name(exchange) else notes.mx_is_no_host


def _why_own(mx: Mx, answers: Answers, policy: Policy) -> str:
    """Return why an exchange is one of our own hosts, or nothing if it is not."""
    if policy.own_names:
        names = {mx.exchange, *(name for answer in answers for name in answer.chain)}
        if ours := sorted(names & policy.own_names):
            return f"own name {ours[0]}"
    if not policy.own_networks.ranges:
        return ""
    found = [text for answer in answers for text in answer.texts]
    return next((f"own address {text}" for text in found if text in policy.own_networks), "")


def _without_own(
    exchanges: tuple[Mx, ...], located: Mapping[str, Located], policy: Policy
) -> tuple[tuple[Mx, ...], list[Note]]:
    """Drop our own hosts and all that are no better than the best of them."""
    if not policy.own_names and not policy.own_networks.ranges:
        return exchanges, []
    for own in exchanges:
        if why := _why_own(own, located[own.exchange].answers, policy):
            kept = tuple([mx for mx in exchanges if mx.preference < own.preference])
            return kept, [notes.own_exchange(own, why, len(exchanges) - len(kept))]
    return exchanges, []


def _best(planned: Plan, located: Iterable[tuple[Mx, Located]], said: list[Note]) -> list[Pair]:
    """Return the pairs, each address at its best preference only (rules 3 and 12).

    Exchanges come best first, so the first pair of an address is it. What is wrong with an exchange
    is added to ``said``.
    """
    best: dict[str, Pair] = {}
    for mx, one in located:
        if one.alias and not planned.implicit:
            said.append(notes.mx_is_cname(mx, one.alias))
        if not one.addresses:
            said.append(notes.exchange_without_address(mx, one.answers))
        for text, ttl, reason in one.addresses:
            if reason:
                said.append(notes.address_not_global(mx, text, reason))
            elif text not in best:
                least = smaller(planned.answer.ttl, ttl)
                best[text] = Pair(mx.preference, mx.exchange, text, least)
    return list(best.values())


def agreed(views: tuple[tuple[str, DomainResult], ...]) -> DomainResult:
    """Return what several name servers say together, given what each says alone (rule 16).

    Times to live may differ between them: the smallest counts.
    """
    shown = tuple(View(server, result.status, result.pairs) for server, result in views)
    results = [result for _server, result in views]
    known = [result for result in results if result.status is not Status.TEMPORARY_FAILURE]
    status = results[0].status
    if len({_what_counts(result) for result in known}) > 1:
        status = Status.DISAGREEMENT
    elif len(known) < len(results):
        status = Status.TEMPORARY_FAILURE
    if status in (Status.DISAGREEMENT, Status.TEMPORARY_FAILURE):
        return DomainResult(
            results[0].domain,
            status,
            notes=tuple(dict.fromkeys(note for result in results for note in result.notes)),
            failures=tuple(failure for result in results for failure in result.failures),
            views=shown,
        )
    return results[0]._replace(
        pairs=tuple(
            same[0]._replace(ttl=smallest(pair.ttl for pair in same))
            for same in zip(*(result.pairs for result in results), strict=True)
        ),
        ttl=smallest(result.ttl for result in results),
        views=shown,
    )


def _what_counts(result: DomainResult) -> tuple[Status, tuple[tuple[int, str, str], ...]]:
    """Return what name servers have to agree on."""
    return result.status, tuple((p.preference, p.exchange, p.address) for p in result.pairs)
