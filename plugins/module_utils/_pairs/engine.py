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
from collections.abc import Callable, Sequence
from dataclasses import replace

from . import notes
from .addresses import Network, Networks
from .collector import collector_paused
from .dnslib import require_dnspython
from .evidence import with_evidence, with_search_list
from .first_pass import Bulk, Limits, Pace
from .model import Answer, DomainResult, Failure, Note, Outcome, Question, RecordType, Stats
from .options import Options
from .resolver import Asker
from .rules import Answers, Located, Plan, Policy, agreed, decide, locate, plan
from .sockets import most_sockets

_PROGRESS_EVERY = 5.0  # seconds

# Seconds for an answer in the first pass; what takes longer is asked for again with all patience.
_FIRST_PATIENCE = 1.0


def resolve(
    options: Options,
    progress: Callable[[str], None] = lambda _message: None,
) -> Outcome:
    """Compute the pairs of all domains; MissingLibrary is the only error it raises by itself."""
    if not options.domains:
        return Outcome(results=())
    require_dnspython()
    run = _Run(options, progress)
    asyncio.run(run.ask())
    return run.outcome()


class _Run:
    """One run over all domains, within one event loop."""

    def __init__(self, options: Options, progress: Callable[[str], None]) -> None:
        self._options = options
        self._progress = progress
        self._stats = Stats()
        self._most = min(options.concurrency, most_sockets())
        self._slots = slots = asyncio.Semaphore(self._most)
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
        self._located: dict[str, Located] = {}  # by exchange, of the first pass
        self._results: dict[str, DomainResult] = {}
        self._said: tuple[Note, ...] = ()
        self._told = 0.0
        self._bulk = Bulk(
            groups[0][0],
            Limits(self._most, min(options.patience.timeout, _FIRST_PATIENCE)),
            pace,
            self._follow_up,
        )

    def outcome(self) -> Outcome:
        """Return what was found, once all was asked."""
        results = tuple([self._results[domain] for domain in self._options.domains])
        return Outcome(results, self._said, self._stats)

    async def ask(self) -> None:
        """Resolve all domains; what the first pass left is asked for by a task for each domain."""
        started = self._told = time.monotonic()
        policy, self._said = await self._policy()
        with collector_paused():
            await self._first_pass()
            for domain in self._options.domains:
                if result := self._at_once(domain, policy):
                    self._done(result)
        waiting = iter([x for x in self._options.domains if x not in self._results])

        async def worker() -> None:
            for domain in waiting:
                self._done(await self._domain(domain, policy))

        async with asyncio.TaskGroup() as group:
            left = len(self._options.domains) - len(self._results)
            for _round in range(min(left, self._most)):
                group.create_task(worker())
        self._stats.seconds = time.monotonic() - started

    def _done(self, result: DomainResult) -> None:
        self._results[result.domain] = result
        now = time.monotonic()
        if now - self._told >= _PROGRESS_EVERY:
            self._told = now
            done, all_ = len(self._results), len(self._options.domains)
            self._progress(f"{done} of {all_} domains resolved")

    async def _first_pass(self) -> None:
        """Ask what is mostly answered at once in one go; what is not has its turn afterwards.

        Then, no more questions are under way at once than the name server was found to bear.
        """
        self._bulk.ask(Question(name, RecordType.MX) for name in self._options.domains)
        self._askers[0][1].preload(self._bulk.known, self._bulk.failed)
        for _unused in range(self._most - self._bulk.window.most):
            await self._slots.acquire()

    def _follow_up(self, answer: Answer) -> Sequence[Question]:
        """Return the questions that an answer leads to."""
        if answer.question.rdtype is not RecordType.MX:
            return ()
        policy = self._options.policy
        planned = plan(answer.question.name, answer, policy)
        self._planned[planned.domain] = planned
        if planned.status is not None:
            return ()
        return [Question(mx.exchange, t) for mx in planned.exchanges for t in policy.types]

    def _at_once(self, domain: str, policy: Policy) -> DomainResult | None:
        """Return what is known about a domain if the first pass answered it all."""
        options, asker = self._options, self._askers[0][1]
        if options.search_list or options.evidence or len(self._askers) > 1:
            return None
        planned = self._planned.get(domain)
        if planned is None:
            return None
        names = () if planned.status else {mx.exchange for mx in planned.exchanges}
        used = [planned.answer.question]
        for name in names:
            if name not in self._located:
                if not (answers := asker.at_hand(name, policy.types)):
                    return None
                self._located[name] = locate(answers, policy)
            used += self._located[name].questions
        asker.use(used)
        return decide(planned, self._located, policy)

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
                own_networks=Networks((*policy.own_networks.ranges, *found)),
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
        located = {name: locate(found, policy) for name, found in addresses.items()}
        result = decide(planned, located, policy)
        if self._options.evidence and asker is self._askers[0][1]:
            result = await with_evidence(asker, result, planned, addresses)
        return result


async def _addresses(asker: Asker, name: str, types: tuple[RecordType, ...]) -> Answers:
    return tuple(await asyncio.gather(*(asker.follow(Question(name, t)) for t in types)))
