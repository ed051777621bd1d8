# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole run: every domain, each question once, bounded in memory and in questions under way.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from . import notes
from .addresses import Network
from .asker import Asker
from .bulk import Bulk, Limits, Pace
from .dnslib import require_dnspython
from .evidence import Web, with_evidence, with_search_list
from .https import get_policy
from .model import (
    Answer,
    DomainResult,
    Failure,
    Note,
    Outcome,
    Question,
    RecordType,
    Stats,
)
from .options import Options
from .rules import Answers, Plan, Policy, agreed, decide, plan

_PROGRESS_EVERY = 5.0  # seconds

# Seconds for an answer in the first pass; what takes longer is asked for again with all patience.
_FIRST_PATIENCE = 1.0

# What gets the MTA-STS policy page of a host at its addresses, within so many seconds.
GetPolicy: TypeAlias = Callable[[str, Sequence[str], float], Awaitable[bytes]]


def resolve(
    options: Options,
    progress: Callable[[str], None] = lambda _message: None,
    get: GetPolicy = get_policy,
) -> Outcome:
    """Compute the pairs of all domains; MissingLibrary is the only error it raises by itself."""
    if not options.domains:
        return Outcome(results=())
    require_dnspython()
    return asyncio.run(_Run(options, progress, get).outcome())


class _Run:
    """One run over all domains, within one event loop."""

    def __init__(self, options: Options, progress: Callable[[str], None], get: GetPolicy) -> None:
        self._options = options
        self._progress = progress
        self._get = get
        self._stats = Stats()
        self._slots = slots = asyncio.Semaphore(options.concurrency)
        self._web = Web(self._page, options.policy.allow_private)
        groups = (
            [(server,) for server in options.nameservers]
            if options.agreement == "all"
            else [options.nameservers]
        )
        pace = Pace(options.max_rate)
        self._askers = [
            (str(group[0]), Asker(group, options.patience, slots, self._stats, pace))
            for group in groups
        ]
        self._planned: dict[str, Plan] = {}  # by the answers of the first pass
        self._bulk = Bulk(
            groups[0][0],
            Limits(options.concurrency, min(options.patience.timeout, _FIRST_PATIENCE)),
            pace,
            self._follow_up,
        )

    async def outcome(self) -> Outcome:
        """Resolve all domains by as many workers as questions may be under way."""
        started = told = time.monotonic()
        domains = self._options.domains
        policy, said = await self._policy()
        self._first_pass()
        results: dict[str, DomainResult] = {}
        waiting = iter(domains)

        async def worker() -> None:
            nonlocal told
            for domain in waiting:
                results[domain] = self._at_once(domain, policy) or await self._domain(
                    domain, policy
                )
                now = time.monotonic()
                if now - told >= _PROGRESS_EVERY:
                    told = now
                    self._progress(f"{len(results)} of {len(domains)} domains resolved")

        async with asyncio.TaskGroup() as group:
            for _round in range(min(len(domains), self._options.concurrency)):
                group.create_task(worker())
        self._stats.seconds = time.monotonic() - started
        return Outcome(tuple(results[domain] for domain in domains), said, self._stats)

    def _first_pass(self) -> None:
        """Ask what is mostly answered at once in one go; what is not has its turn afterwards."""
        self._bulk.ask(Question(name, RecordType.MX) for name in self._options.domains)
        self._askers[0][1].preload(self._bulk.known, self._bulk.failed)

    def _follow_up(self, answer: Answer) -> Iterator[Question]:
        """Yield the questions that an answer leads to."""
        if answer.question.rdtype is RecordType.MX:
            planned = plan(answer.question.name, answer, self._options.policy)
            self._planned[planned.domain] = planned
            if planned.status is None:
                for mx in planned.exchanges:
                    for rdtype in self._options.policy.types:
                        yield Question(mx.exchange, rdtype)

    def _at_once(self, domain: str, policy: Policy) -> DomainResult | None:
        """Return what is known about a domain if the first pass answered it all."""
        options, asker = self._options, self._askers[0][1]
        if options.search_list or options.evidence or len(self._askers) > 1:
            return None
        planned = self._planned.get(domain)
        if planned is None:
            return None
        used = [planned.answer.question]
        addresses: dict[str, Answers] = {}
        for name in (
            () if planned.status else dict.fromkeys(mx.exchange for mx in planned.exchanges)
        ):
            questions = [Question(name, rdtype) for rdtype in policy.types]
            known = tuple(answer for q in questions if (answer := asker.at_hand(q)) is not None)
            if len(known) < len(questions):
                return None
            used += questions
            addresses[name] = known
        asker.use(used)
        return decide(planned, addresses, policy)

    async def _policy(self) -> tuple[Policy, tuple[Note, ...]]:
        """Complete the policy by the addresses of our own hosts that are given by name."""
        policy = self._options.policy
        questions = [Question(x, t) for x in self._options.own_hosts for t in policy.types]
        _server, asker = self._askers[0]
        answers = await asyncio.gather(*(asker.follow(question) for question in questions))
        found: list[Network] = [
            ipaddress.ip_network(text) for answer in answers for text in answer.texts
        ]
        failures: list[Failure] = [f for answer in answers for f in answer.failures]
        silent = [
            name
            for name in self._options.own_hosts
            if not any(a.texts or a.failures for a in answers if a.question.name == name)
        ]
        return (
            replace(
                policy,
                own_networks=(*policy.own_networks, *found),
                own_unknown=tuple(failures),
            ),
            tuple(notes.own_host_without_address(name) for name in silent),
        )

    async def _domain(self, domain: str, policy: Policy) -> DomainResult:
        """Return what is known about one domain, by one view or by all that have to agree."""
        options = self._options
        first = self._askers[0][1]
        views = await asyncio.gather(
            *(self._view(domain, asker, policy) for _server, asker in self._askers)
        )
        result = views[0]
        if options.agreement == "all":
            servers = [server for server, _asker in self._askers]
            result = agreed(tuple(zip(servers, views, strict=True)))
        if options.search_list:
            result = await with_search_list(
                first, result, options.search_list, options.policy.types
            )
        return result

    async def _view(self, domain: str, asker: Asker, policy: Policy) -> DomainResult:
        """Return what one group of name servers makes of a domain."""
        planned = plan(domain, await asker.follow(Question(domain, RecordType.MX)), policy)
        names = () if planned.status else sorted({mx.exchange for mx in planned.exchanges})
        answers = await asyncio.gather(*(_addresses(asker, x, policy.types) for x in names))
        addresses: dict[str, Answers] = dict(zip(names, answers, strict=True))
        result = decide(planned, addresses, policy)
        if self._options.evidence and asker is self._askers[0][1]:
            result = await with_evidence(asker, self._web, result, planned, addresses)
        return result

    async def _page(self, host: str, addresses: Sequence[str]) -> bytes:
        """Get a policy page; it holds a socket, so it counts as a question under way."""
        async with self._slots:
            return await self._get(host, addresses, self._options.patience.lifetime)


async def _addresses(asker: Asker, name: str, types: tuple[RecordType, ...]) -> Answers:
    return tuple(await asyncio.gather(*(asker.follow(Question(name, t)) for t in types)))
