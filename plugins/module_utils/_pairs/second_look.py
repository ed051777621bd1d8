# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions asked again, or in addition, after the first answers.

Exchanges that fail are asked about again before they count as dead (rule 14), and addresses that
are good for seconds only before they are pinned (rule 23). Evidence (rules 17 to 19) comes when all
pairs are known, and never changes a status or a pair: a question for AAAA can make a caching
resolver forget a name (rule 18). For the same reason the denial of one server
alone is not believed.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace

from .addresses import in_order
from .authority import Authorities
from .model import (
    Answer,
    AnswerKind,
    DomainResult,
    DomainSettings,
    DomainWarning,
    Failure,
    Policy,
    Question,
    RecordType,
    Status,
)
from .names import MAX_NAME
from .replies import smaller
from .resolver import Resolver
from .rules import (
    SHORT_LIFE,
    Answers,
    Located,
    Plan,
    decide,
    locate,
    moving,
    moving_by_name,
    plan,
    warning,
)

#: Seconds between two tries after which an exchange counts as dead.
APART = 3.0
_MISSING = "exchange_without_address"
#: How often addresses with a short life are asked for again.
_AGAIN = 2
# What a server that cannot handle AAAA does; a name that it denies although it exists is one of
# the ways (RFC 4074 section 4). Bogus is SERVFAIL to whoever asks without further questions.
_AAAA_KINDS = frozenset(
    {
        AnswerKind.TIMEOUT,
        AnswerKind.SERVER_FAILURE,
        AnswerKind.BOGUS,
        AnswerKind.REFUSED,
        AnswerKind.MALFORMED,
        AnswerKind.NO_SUCH_NAME,
    }
)


def needs_second_look(result: DomainResult, planned: Plan, settings: DomainSettings) -> bool:
    """Return True if the first answers do not settle the result of a domain."""
    if result.status is Status.NO_SUCH_DOMAIN or any(x.code == _MISSING for x in result.warnings):
        return True
    if result.status is Status.OK:
        return result.short_lived or bool(moving_by_name(planned))
    return (
        result.status is Status.TEMPORARY_FAILURE
        and settings.dead_exchanges == "drop"
        and planned.status is None
    )


async def second_look(
    resolver: Resolver,
    planned: Plan,
    located: Mapping[str, Located],
    policy: Policy,
    settings: DomainSettings,
) -> DomainResult:
    """Return what is known about a domain after exchanges or addresses were asked about again."""
    result = decide(planned, located, policy, settings)
    if result.status is Status.TEMPORARY_FAILURE:
        dead = await _dead_exchanges(resolver, located, policy)
        if dead:
            result = decide(planned, located, policy, settings, dead)
    if result.status is not Status.OK:
        return result
    if zone := moving_by_name(planned):
        return moving(result, settings, f"MX hosts under {zone}")
    if not result.short_lived:
        return result
    others = await _asked_again(resolver, located, policy)
    if all(others[name].addresses == host.addresses for name, host in located.items()):
        return result
    texts = {text for host in others.values() for text, *_more in host.addresses}
    seconds = min(ttl or 0 for host in others.values() for _text, ttl, *_more in host.addresses)
    dead = {name: "asked before" for name, host in located.items() if host.failures}
    result = decide(planned, others, policy, settings, dead)._replace(warnings=result.warnings)
    return moving(result, settings, f"{len(texts)} seen, good for {seconds} s")


async def with_denials_checked(
    resolver: Resolver,
    result: DomainResult,
    planned: Plan,
    located: Mapping[str, Located],
    authorities: Authorities,
) -> DomainResult:
    """Return the result once others were asked about each name that does not exist (rule 18)."""
    if not result.status.known:
        return result
    answers = [planned.answer, *(answer for host in located.values() for answer in host.answers)]
    denied = {
        answer.chain[-1] if answer.chain else answer.question.name: answer
        for answer in answers
        if answer.kind is AnswerKind.NO_SUCH_NAME
    }
    opinions = await asyncio.gather(
        *(authorities.second_opinion(resolver, name, answer) for name, answer in denied.items())
    )
    against = tuple(
        warning("denied", nameserver=answer.nameserver, name=name, witness=opinion.witness)
        for (name, answer), opinion in zip(denied.items(), opinions, strict=True)
        if opinion.exists
    )
    if against:
        warnings = (*result.warnings, *against)
        return DomainResult(result.domain, Status.DISAGREEMENT, warnings=warnings)
    if result.status is Status.NO_SUCH_DOMAIN:
        return result._replace(unconfirmed=opinions[0].exists is None)
    return result


async def _dead_exchanges(
    resolver: Resolver, located: Mapping[str, Located], policy: Policy
) -> dict[str, str]:
    """Return the exchanges with addresses that fail for good, with the reason (rule 14).

    That is the same failure from every name server, at two tries some time apart.
    """
    failing = {
        name: kind for name, host in located.items() if (kind := _same_failure(resolver, host))
    }
    if not failing or len(failing) < sum(bool(host.failures) for host in located.values()):
        return {}
    await asyncio.sleep(APART)
    later = resolver.again()
    answers = await asyncio.gather(*(later.addresses(name, policy.types) for name in failing))
    for name, found in zip(list(failing), answers, strict=True):
        if _same_failure(later, locate(found)) != failing[name]:
            return {}
    return failing


def _same_failure(resolver: Resolver, host: Located) -> str:
    """Return how all name servers failed over one exchange; empty where they did not, or differ."""
    kinds = {failure.kind for failure in host.failures}
    servers = {failure.nameserver for failure in host.failures}
    if len(kinds) != 1 or AnswerKind.UNREACHABLE in kinds:
        return ""
    return next(iter(kinds)).value if servers == {str(x) for x in resolver.servers} else ""


async def _asked_again(
    resolver: Resolver, located: Mapping[str, Located], policy: Policy
) -> dict[str, Located]:
    """Return each exchange with all addresses that further answers have, from all servers."""
    servers = resolver.servers
    others = [resolver.again() for _round in range(_AGAIN)]
    others += [resolver.again(server) for server in servers[1:]]

    async def one(name: str, host: Located) -> Located:
        if not any(ttl is not None and ttl <= SHORT_LIFE for _x, ttl, *_more in host.addresses):
            return host
        further = await asyncio.gather(*(x.addresses(name, policy.types) for x in others))
        answers = list(host.answers)
        for at, answer in enumerate(answers):
            for more in (found[at] for found in further):
                if more.texts:
                    texts = tuple(in_order({*answers[at].texts, *more.texts}))
                    ttl = smaller(answers[at].ttl, more.ttl)
                    answers[at] = answer._replace(texts=texts, ttl=ttl)
        if all(x.texts == y.texts for x, y in zip(answers, host.answers, strict=True)):
            return host
        return locate(tuple(answers))

    found = await asyncio.gather(*(one(name, host) for name, host in located.items()))
    return dict(zip(located, found, strict=True))


async def with_search_list(
    resolver: Resolver,
    result: DomainResult,
    suffixes: Iterable[str],
    types: tuple[RecordType, ...],
) -> DomainResult:
    """Ask for the domain below each suffix of a search list (Q150969), and add what is there."""
    warnings: list[DomainWarning] = []
    failures: list[Failure] = []
    for suffix in suffixes:
        name = f"{result.domain}.{suffix}"
        if len(name) > MAX_NAME:
            continue  # no resolver can ask for such a name
        answers = await resolver.addresses(name, (RecordType.MX, *types))
        found = (
            *(f"MX {mx.preference} {mx.exchange}" for answer in answers for mx in answer.mx),
            *(f"{answer.question.rdtype.name} {x}" for answer in answers for x in answer.texts),
        )
        if found:
            facts = {"suffix": suffix, "name": name, "answer": ", ".join(found)}
            warnings.append(warning("search_list_hijack", **facts))
        failures += _not_needed(answers)
    return result._replace(
        warnings=(*result.warnings, *warnings), failures=(*result.failures, *failures)
    )


async def with_evidence(
    resolver: Resolver, result: DomainResult, policy: Policy, authorities: Authorities
) -> DomainResult:
    """Ask for AAAA of a domain and its exchanges, and add what was found to a result.

    Only their own name servers are asked: a resolver between would cache the answers (rule 18).
    """
    mx = await resolver.follow(Question(result.domain, RecordType.MX))
    planned = plan(result.domain, mx, policy)
    if not mx.kind.definite or result.status is Status.NO_SUCH_DOMAIN:
        return result
    exchanges = {x.exchange for x in planned.exchanges}
    answers: dict[str, Answers] = {
        name: await resolver.addresses(name, policy.types) for name in sorted(exchanges)
    }
    hosts = sorted(exchanges - {result.domain})
    witnesses = [mx, *[(await resolver.addresses(name, (RecordType.A,)))[0] for name in hosts]]
    warnings: list[DomainWarning] = []
    failures: list[Failure] = []
    not_asked: list[str] = []
    for witness in witnesses:
        if not witness.kind.definite:
            continue
        name = witness.chain[-1] if witness.chain else witness.question.name
        own, known = resolver, witness
        if not witness.authoritative:
            found = await authorities.of(name)
            if found is not None:
                own, known = found, await found.ask(Question(name, witness.question.rdtype))
            if found is None or not known.kind.definite:
                not_asked.append(name)
                continue
        aaaa = await own.follow(Question(known.question.name, RecordType.AAAA))
        warnings += aaaa_trouble(aaaa, known)
        failures += _not_needed((aaaa,))
    return result._replace(
        authentic=mx.authentic and all(x.authentic for found in answers.values() for x in found),
        warnings=(*result.warnings, *warnings),
        failures=(*result.failures, *failures),
        not_asked=tuple(not_asked),
    )


def aaaa_trouble(aaaa: Answer, witness: Answer) -> list[DomainWarning]:
    """Return what a server does wrong with AAAA that answers other questions about the name."""
    if witness.kind not in (AnswerKind.ANSWER, AnswerKind.NO_DATA):
        return []
    found = [(x.nameserver, x.kind) for x in aaaa.failures if x.nameserver == witness.nameserver]
    if aaaa.kind is AnswerKind.NO_SUCH_NAME:
        found = [(aaaa.nameserver, aaaa.kind)]
    return [
        warning("aaaa_trouble", name=aaaa.question.name, nameserver=server, kind=kind.value)
        for server, kind in found
        if kind in _AAAA_KINDS
    ]


def _not_needed(answers: Iterable[Answer]) -> list[Failure]:
    return [replace(f, needed=False) for answer in answers for f in answer.failures]
