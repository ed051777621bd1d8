# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to a group of name servers: each asked once, retried, bounded (rules 2, 13, 15, 22).

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from .first_pass import Pace
from .model import (
    Answer,
    AnswerKind,
    Failure,
    NameServer,
    Patience,
    QueryError,
    Question,
    RecordType,
    Reply,
    Stats,
)
from .replies import RESOLVED, WITHOUT_EDNS, decode_reply, encode_query, joined, read
from .sockets import ask_tcp, ask_udp

# Timeouts in a row after which a server is asked after the others.
_DOUBTFUL = 3
# Questions in a row that all servers kept silent about, with all patience, after which the others
# are asked once only.
_SILENT = 10
# After so many questions answered only without EDNS, or not even then, this is not tried again.
_SETTLED = 3
_PAUSE = 0.05  # seconds that a round over all servers takes at least, doubled for each


@dataclass(slots=True, eq=False)
class _Server:
    """One name server, and what this run has learnt about it.

    ``edns`` is whether questions have an OPT record; ``proven`` that an answer came to one that
    has; ``plain_only`` and ``plain_lost`` count the questions that timed out with it and were
    answered, or not, without it.
    """

    where: NameServer
    timeouts: int = 0
    edns: bool = True
    proven: bool = False
    plain_only: int = 0
    plain_lost: int = 0


@dataclass(frozen=True, slots=True)
class _Try:
    """One try of one question: until when (loop time), and with which timeout (seconds)."""

    question: Question
    deadline: float
    timeout: float
    edns: bool = True
    checking_disabled: bool = False

    def left(self) -> float:
        """Return the seconds left for this try; QueryError if its time is over."""
        left = min(self.timeout, _seconds_to(self.deadline))
        if left <= 0:
            raise QueryError(AnswerKind.TIMEOUT, "no answer within the lifetime of the question")
        return left


class Resolver:
    """Asks one group of equal name servers.

    ``slots`` bounds the questions under way, and ``pace`` how many leave in a second, over all
    resolvers of a run; ``stats`` is counted up.
    """

    def __init__(
        self,
        servers: Iterable[NameServer],
        patience: Patience,
        slots: asyncio.Semaphore,
        stats: Stats,
        pace: Pace,
    ) -> None:
        self._servers = [_Server(where) for where in servers]
        self._patience = patience
        self._slots = slots
        self._stats = stats
        self._pace = pace
        self._known: dict[Question, Answer | asyncio.Future[Answer]] = {}
        self._unused: set[Question] = set()  # preloaded, and not needed yet
        self._tried: dict[Question, QueryError | None] = {}  # by the first server
        self._unanswered = 0  # questions in a row

    @property
    def servers(self) -> tuple[NameServer, ...]:
        """The name servers of the group."""
        return tuple(server.where for server in self._servers)

    def again(self, *servers: NameServer) -> Resolver:
        """Return a resolver that asks all once more, of ``servers`` only if there are some."""
        other = Resolver((), self._patience, self._slots, self._stats, self._pace)
        other._servers = [x for x in self._servers if not servers or x.where in servers]
        return other

    def elsewhere(self, servers: Iterable[NameServer]) -> Resolver:
        """Return a resolver that asks other servers, each once: what it asks decides little."""
        once = replace(self._patience, retries=0)
        return Resolver(servers, once, self._slots, self._stats, self._pace)

    def preload(
        self, known: Mapping[Question, Answer], failed: Mapping[Question, QueryError | None]
    ) -> None:
        """Take over what became of questions to the first server.

        Each answer counts as a question of this run. Questions that ``failed`` (None: truncated)
        go on as if they had just been asked here.
        """
        self._tried.update(failed)
        self._known.update(known)
        self._unused.update(known)
        self._stats.questions += len(known)

    def use(self, questions: Sequence[Question]) -> None:
        """Count that answers which were known already were needed."""
        first = self._unused.intersection(questions)
        self._unused -= first
        self._stats.cache_hits += len(questions) - len(first)

    def at_hand(self, name: str, types: Iterable[RecordType]) -> tuple[Answer, ...] | None:
        """Return the answers about a name, if all are known already, and whole."""
        found = [self._known.get(Question(name, rdtype)) for rdtype in types]
        whole = [x for x in found if isinstance(x, Answer) and not x.unfinished]
        return tuple(whole) if len(whole) == len(found) else None

    async def addresses(self, name: str, types: Iterable[RecordType]) -> tuple[Answer, ...]:
        """Return the answers for the addresses of a host."""
        return tuple(await asyncio.gather(*(self.follow(Question(name, t)) for t in types)))

    async def follow(self, question: Question) -> Answer:
        """Return what became of a question; aliases are asked about until they end."""
        answer = await self.ask(question)
        while answer.unfinished:
            alias = Question(answer.chain[-1], question.rdtype)
            try:
                answer = joined(answer, await self.ask(alias))
            except QueryError as error:
                failure = Failure(question, error.kind, answer.nameserver, error.message)
                return Answer(question, error.kind, failures=(failure,))
        return answer

    async def ask(self, question: Question) -> Answer:
        """Return a known answer, join a query under way, or ask; aliases are not followed."""
        known = self._known.get(question)
        if known is not None:
            self.use((question,))
            return known if isinstance(known, Answer) else await asyncio.shield(known)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._known[question] = future
        try:
            async with self._slots:
                self._stats.questions += 1
                answer = await self._ask(question)
        except BaseException:
            future.cancel()  # the run ends: no other task may go on waiting for this
            raise
        self._known[question] = answer
        future.set_result(answer)
        return answer

    async def _ask(self, question: Question) -> Answer:
        """Go round the servers until one answers, or patience ends.

        In the second round, servers that did not answer are asked without EDNS (rule 22); that
        round takes place for them even without retries.
        """
        deadline = asyncio.get_running_loop().time() + self._patience.lifetime
        failures: dict[NameServer, Failure] = {}
        given_up = self._unanswered >= _SILENT
        retries = 0 if given_up else self._patience.retries
        begun = 0.0
        for round_ in range(max(retries, not given_up) + 1):
            servers = sorted(self._servers, key=lambda s: s.timeouts >= _DOUBTFUL)
            plain = round_ == 1 and [x for x in servers if _may_lack_edns(x, failures)]
            if round_ > retries:
                servers = plain or []
            if round_ and servers:  # what was refused at once is not asked again at once
                earliest = min(begun + _PAUSE * 2**round_, deadline)
                await asyncio.sleep(max(0.0, _seconds_to(earliest)))
            begun = asyncio.get_running_loop().time()
            attempt = _Try(question, deadline, self._patience.timeout * 2**round_)
            for server in servers:
                if failures and _seconds_to(deadline) <= 0:
                    break
                self._stats.retries += bool(failures)
                edns = server.edns and not (plain and server in plain)
                try:
                    reply = await self._exchange(server, replace(attempt, edns=edns))
                    answer = read(question, reply, str(server.where))
                except QueryError as error:
                    failures[server.where] = Failure(
                        question, error.kind, str(server.where), error.message
                    )
                else:
                    self._unanswered = 0
                    return answer
        return await self._explained(question, deadline, failures)

    async def _exchange(self, server: _Server, attempt: _Try) -> Reply:
        """Get one server's reply: with EDNS unless it cannot, over TCP if it is too long."""
        if server is self._servers[0] and attempt.question in self._tried:
            error = self._tried.pop(attempt.question)
            if error is not None:
                raise error
            return await self._send(server, attempt, tcp=True)
        try:
            reply = await self._send(server, attempt)
        except QueryError as error:
            silent = error.kind is AnswerKind.TIMEOUT
            server.timeouts = server.timeouts + 1 if silent else 0
            server.plain_lost += silent and server.edns and not attempt.edns
            raise
        server.timeouts = 0
        if attempt.edns and reply.rcode in WITHOUT_EDNS:
            attempt = replace(attempt, edns=False)
            reply = await self._send(server, attempt)
            server.edns = reply.rcode in WITHOUT_EDNS
        elif attempt.edns:
            server.proven = True
        elif server.edns:
            server.plain_only += 1
            server.edns = server.proven or server.plain_only < _SETTLED
        return await self._send(server, attempt, tcp=True) if reply.truncated else reply

    async def _send(self, server: _Server, attempt: _Try, *, tcp: bool = False) -> Reply:
        """Send a query under a fresh random id when its turn has come, and return the reply."""
        while wait := self._pace.wait(time.monotonic()):
            await asyncio.sleep(wait)
        self._pace.left(time.monotonic())
        self._stats.tcp += tcp
        ident = secrets.randbelow(1 << 16)
        query = encode_query(
            attempt.question,
            ident,
            edns=attempt.edns,
            checking_disabled=attempt.checking_disabled,
        )
        decode = partial(decode_reply, question=attempt.question, ident=ident)
        ask = ask_tcp if tcp else ask_udp
        return await ask(server.where, query, decode, attempt.left())

    async def _explained(
        self, question: Question, deadline: float, failures: dict[NameServer, Failure]
    ) -> Answer:
        """Distinguish a failed validation from another server failure: ask without validation.

        Many resolvers send no extended error with SERVFAIL; one that answers with checking
        disabled (RFC 4035 section 3.2.2) failed because of DNSSEC.
        """
        silent = all(x.kind is AnswerKind.TIMEOUT for x in failures.values())
        self._unanswered = self._unanswered + 1 if silent else 0
        for server in self._servers:
            failure = failures.get(server.where)
            if failure is None or failure.kind is not AnswerKind.SERVER_FAILURE:
                continue
            self._stats.retries += 1
            timeout = self._patience.timeout
            attempt = _Try(question, deadline, timeout, server.edns, checking_disabled=True)
            try:
                reply = await self._exchange(server, attempt)
            except QueryError:
                continue
            if reply.rcode in RESOLVED:
                failures[server.where] = replace(
                    failure,
                    kind=AnswerKind.BOGUS,
                    message=f"{failure.message}; answers without DNSSEC validation",
                )
        ordered = tuple(failures[s.where] for s in self._servers if s.where in failures)
        return Answer(question, ordered[0].kind, failures=ordered)


def _may_lack_edns(server: _Server, failures: Mapping[NameServer, Failure]) -> bool:
    """Whether a server kept silent so far, and might answer a question without EDNS."""
    failure = failures.get(server.where)
    return (
        server.edns
        and server.plain_lost < _SETTLED
        and failure is not None
        and failure.kind is AnswerKind.TIMEOUT
    )


def _seconds_to(deadline: float) -> float:
    return deadline - asyncio.get_running_loop().time()
