# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole run: every domain, each question once, bounded in memory and in questions under way.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from .authority import Authorities
from .first_pass import FirstPass, Limits, Pace
from .model import (
    Answer,
    DomainResult,
    DomainSettings,
    DomainWarning,
    Network,
    Networks,
    Options,
    Policy,
    Question,
    RecordType,
    RunResult,
    Stats,
)
from .replies import require_dnspython
from .resolver import Resolver
from .rules import Located, Plan, agreed, decide, locate, plan, warning
from .second_look import (
    needs_second_look,
    second_look,
    with_denials_checked,
    with_evidence,
    with_search_list,
)
from .sockets import most_sockets

_PROGRESS_EVERY = 5.0  # seconds

# Seconds for an answer in the first pass; what takes longer is asked for again with all patience.
_FIRST_PATIENCE = 1.0


def resolve(options: Options, progress: Callable[[str], None] = lambda _message: None) -> RunResult:
    """Compute the pairs of all domains; MissingLibrary is the only error it raises by itself."""
    if not options.domains:
        return RunResult(results=())
    require_dnspython()
    run = _Run(options, progress)
    asyncio.run(run.ask())
    return run.result()


class _Run:
    """One run over all domains, within one event loop."""

    def __init__(self, options: Options, progress: Callable[[str], None]) -> None:
        self._options = options
        self._progress = progress
        self._stats = Stats()
        self._most = min(options.concurrency, most_sockets())
        self._slots = asyncio.Semaphore(self._most)
        groups = (
            [(server,) for server in options.nameservers]
            if options.agreement == "all"
            else [options.nameservers]
        )
        self._pace = pace = Pace(options.max_rate)
        self._resolvers = [
            Resolver(group, options.patience, self._slots, self._stats, pace) for group in groups
        ]
        self._authorities = Authorities(self._resolvers[0], options.port)
        self._planned: dict[str, Plan] = {}  # by the answers of the first pass
        self._located: dict[str, Located] = {}  # by exchange, of the first pass
        self._results: dict[str, DomainResult] = {}
        self._warnings: tuple[DomainWarning, ...] = ()
        self._reported = 0.0

    def result(self) -> RunResult:
        """Return what was found, once all was asked."""
        results = tuple([self._results[domain] for domain in self._options.domains])
        return RunResult(results, self._warnings, self._stats)

    async def ask(self) -> None:
        """Resolve all domains; what the first pass left is asked for by a task for each domain."""
        started = self._reported = time.monotonic()
        policy, domains = await self._policy(), self._options.domains
        with collector_paused():
            await self._first_pass()
            if len(self._resolvers) == 1:
                for domain, settings in domains.items():
                    if result := self._at_once(domain, policy, settings):
                        self._done(result)

        async def resolve_one(domain: str) -> DomainResult:
            views = await asyncio.gather(
                *(self._view(domain, x, policy, domains[domain]) for x in self._resolvers)
            )
            if self._options.agreement == "first":
                return views[0]
            servers = [str(resolver.servers[0]) for resolver in self._resolvers]
            return agreed(list(zip(servers, views, strict=True)))

        await self._each([x for x in domains if x not in self._results], resolve_one)
        if self._options.search_list or self._options.evidence:
            await self._each(list(domains), self._look_besides)
        self._stats.seconds = time.monotonic() - started

    async def _each(
        self, domains: Sequence[str], work: Callable[[str], Awaitable[DomainResult]]
    ) -> None:
        """Work on domains, so many at once as questions may be under way."""
        waiting = iter(domains)

        async def worker() -> None:
            for domain in waiting:
                self._done(await work(domain))

        async with asyncio.TaskGroup() as group:
            for _round in range(min(len(domains), self._most)):
                group.create_task(worker())

    def _done(self, result: DomainResult) -> None:
        self._results[result.domain] = result
        now = time.monotonic()
        if now - self._reported >= _PROGRESS_EVERY:
            self._reported = now
            done, all_ = len(self._results), len(self._options.domains)
            self._progress(f"{done} of {all_} domains resolved")

    async def _policy(self) -> Policy:
        """Complete the policy by the addresses of our own hosts that are given by name."""
        policy, hosts = self._options.policy, self._options.own_hosts
        resolver = self._resolvers[0]
        answers = await asyncio.gather(*(resolver.addresses(x, policy.types) for x in hosts))
        found: list[Network] = [
            ipaddress.ip_network(text)
            for host in answers
            for answer in host
            for text in answer.texts
        ]
        self._warnings = tuple(
            warning("own_host_without_address", name=name)
            for name, host in zip(hosts, answers, strict=True)
            if not any(answer.texts or answer.failures for answer in host)
        )
        return replace(
            policy,
            own_networks=Networks((*policy.own_networks.ranges, *found)),
            own_unknown=tuple(f for host in answers for answer in host for f in answer.failures),
        )

    async def _first_pass(self) -> None:
        """Ask what is mostly answered at once in one go; what is not has its turn afterwards.

        Then, no more questions are under way at once than the name server was found to bear.
        """
        timeout = self._options.patience.timeout
        patience = min(timeout, _FIRST_PATIENCE)
        limits = Limits(self._most, patience, counts=patience >= timeout)
        policy = self._options.policy

        def follow_up(answer: Answer) -> Sequence[Question]:
            if answer.question.rdtype is not RecordType.MX:
                return ()
            planned = plan(answer.question.name, answer, policy)
            self._planned[planned.domain] = planned
            if planned.status is not None:
                return ()
            return [Question(mx.exchange, t) for mx in planned.exchanges for t in policy.types]

        resolver = self._resolvers[0]
        first = FirstPass(resolver.servers[0], limits, self._pace, follow_up)
        first.ask(Question(name, RecordType.MX) for name in self._options.domains)
        resolver.preload(first.known, first.failed)
        for _unused in range(self._most - first.window.most):
            await self._slots.acquire()

    def _at_once(
        self, domain: str, policy: Policy, settings: DomainSettings
    ) -> DomainResult | None:
        """Return what is known about a domain if the first pass answered it all."""
        planned = self._planned.get(domain)
        if planned is None:
            return None
        resolver = self._resolvers[0]
        names = () if planned.status else {mx.exchange for mx in planned.exchanges}
        used = [planned.answer.question]
        for name in names:
            if name not in self._located:
                if not (answers := resolver.at_hand(name, policy.types)):
                    return None
                self._located[name] = locate(answers)
            used += self._located[name].questions
        result = decide(planned, self._located, policy, settings)
        if needs_second_look(result, planned, settings):
            return None
        resolver.use(used)
        return result

    async def _view(
        self, domain: str, resolver: Resolver, policy: Policy, settings: DomainSettings
    ) -> DomainResult:
        """Return what one group of name servers makes of a domain."""
        answer = await resolver.follow(Question(domain, RecordType.MX))
        planned = plan(domain, answer, policy)
        names = () if planned.status else sorted({mx.exchange for mx in planned.exchanges})
        answers = await asyncio.gather(*(resolver.addresses(x, policy.types) for x in names))
        located = {name: locate(found) for name, found in zip(names, answers, strict=True)}
        result = decide(planned, located, policy, settings)
        if needs_second_look(result, planned, settings):
            result = await second_look(resolver, planned, located, policy, settings)
            found = result, planned, located
            result = await with_denials_checked(resolver, *found, self._authorities)
        return result

    async def _look_besides(self, domain: str) -> DomainResult:
        """Add to the result for a domain what is asked besides, now that all pairs are known."""
        result, resolver = self._results[domain], self._resolvers[0]
        policy = self._options.policy
        if self._options.search_list:
            suffixes = self._options.search_list
            result = await with_search_list(resolver, result, suffixes, policy.types)
        if self._options.evidence:
            result = await with_evidence(resolver, result, policy, self._authorities)
        return result


@contextmanager
def collector_paused() -> Iterator[None]:
    """Look for no cycles within the block.

    A run over many domains makes many small objects, without reference cycles. Looking
    for cycles among them takes a sixth of its time and finds none. So what was made counts as old
    at the end, or the collector would look through all of it at once.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            if not gc.get_freeze_count():  # or what others have put aside would come back
                gc.freeze()
                gc.unfreeze()
            gc.enable()
