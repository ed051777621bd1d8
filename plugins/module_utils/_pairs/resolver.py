# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to a group of name servers: each asked once, retried, bounded (rules 2, 13, 15).

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from .dnslib import decode_reply, encode_query
from .first_pass import Pace
from .model import Answer, Failure, Kind, Question, RecordType, Reply, Stats
from .reading import RESOLVED, WITHOUT_EDNS, Trouble, joined, read
from .sockets import NameServer, ask_tcp, ask_udp

# Timeouts in a row after which a server is asked after the others, and after which a run in which
# all of them keep silent no longer repeats its questions.
_DOUBTFUL = 3
_SILENT = 10
_PAUSE = 0.05  # seconds that a round over all servers takes at least, doubled for each


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait: ``timeout`` seconds for one reply, doubled each round over the servers;
    ``retries`` further rounds; ``lifetime`` seconds for one question altogether."""

    timeout: float
    retries: int
    lifetime: float


@dataclass(slots=True, eq=False)
class _Server:
    """One name server, and what this run has learnt about it."""

    where: NameServer
    timeouts: int = 0
    edns: bool = True


@dataclass(frozen=True, slots=True)
class _Try:
    """One try of one question: until when (loop time), and with which timeout (seconds)."""

    question: Question
    deadline: float
    timeout: float
    checking_disabled: bool = False

    def left(self) -> float:
        """Return the seconds that this try may wait; Trouble if there are none."""
        left = min(self.timeout, _seconds_to(self.deadline))
        if left <= 0:
            raise Trouble(Kind.TIMEOUT, "no answer within the lifetime of the question")
        return left


class Asker:
    """Asks one group of equal name servers.

    ``slots`` bounds the questions under way, and ``pace`` how many leave in a second, over all
    askers of a run; ``stats`` is counted up.
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
        self._tried: dict[Question, Trouble | None] = {}  # by the first server
        self._answered = False  # by the first server, before

    def preload(
        self, known: Mapping[Question, Answer], failed: Mapping[Question, Trouble | None]
    ) -> None:
        """Take over what became of questions to the first server.

        Each answer counts as a question of this run. Questions that ``failed`` (None: truncated)
        go on as if they had just been asked here.
        """
        self._answered = bool(known)
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

    async def follow(self, question: Question) -> Answer:
        """Return what became of a question; aliases are asked about until they end."""
        answer = await self._once(question)
        while answer.unfinished:
            alias = Question(answer.chain[-1], question.rdtype)
            try:
                answer = joined(answer, await self._once(alias))
            except Trouble as trouble:
                return _failed(question, [_failure(question, answer.nameserver, trouble)])
        return answer

    async def _once(self, question: Question) -> Answer:
        """Ask, or wait for who is already asking, or return what is known."""
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
            future.cancel()  # the run ends: nobody must wait for this any more
            raise
        self._known[question] = answer
        future.set_result(answer)
        return answer

    async def _ask(self, question: Question) -> Answer:
        """Go round the servers until one answers, or patience ends."""
        deadline = asyncio.get_running_loop().time() + self._patience.lifetime
        failures: dict[NameServer, Failure] = {}
        begun = 0.0
        for round_ in range(self._patience.retries + 1):
            if round_ and not await self._another_round(begun + _PAUSE * 2**round_, deadline):
                break
            begun = asyncio.get_running_loop().time()
            one = _Try(question, deadline, self._patience.timeout * 2**round_)
            for server in sorted(self._servers, key=lambda s: s.timeouts >= _DOUBTFUL):
                if failures and _seconds_to(deadline) <= 0:
                    break
                self._stats.retries += bool(failures)
                try:
                    return await self._answer(server, one)
                except Trouble as trouble:
                    failures[server.where] = _failure(question, str(server.where), trouble)
        return await self._explained(question, deadline, failures)

    async def _another_round(self, earliest: float, deadline: float) -> bool:
        """Whether to go round again; what was refused at once is not asked again at once."""
        if all(server.timeouts >= _SILENT for server in self._servers):
            return False
        await asyncio.sleep(max(0.0, _seconds_to(min(earliest, deadline))))
        return _seconds_to(deadline) > 0

    async def _answer(self, server: _Server, one: _Try) -> Answer:
        reply = await self._exchange(server, one)
        return read(one.question, reply, str(server.where))

    async def _exchange(self, server: _Server, one: _Try) -> Reply:
        """Get one server's reply: with EDNS unless it cannot, over TCP if it is too long."""
        if server is self._servers[0] and one.question in self._tried:
            trouble = self._tried.pop(one.question)
            if trouble is None:
                return await self._tcp(server, one)
            if not self._answered:  # what was lost among answers is no silence
                self._note(server, trouble)
            raise trouble
        reply = await self._udp(server, one, edns=server.edns)
        if server.edns and reply.rcode in WITHOUT_EDNS:
            reply = await self._udp(server, one, edns=False)
            server.edns = reply.rcode in WITHOUT_EDNS
        if not reply.truncated:
            return reply
        return await self._tcp(server, one)

    async def _tcp(self, server: _Server, one: _Try) -> Reply:
        self._stats.tcp += 1
        await self._turn()
        query, decode = _codec(one, edns=server.edns)
        return await ask_tcp(server.where, query, decode, one.left())

    async def _udp(self, server: _Server, one: _Try, *, edns: bool) -> Reply:
        await self._turn()
        query, decode = _codec(one, edns=edns)
        try:
            reply = await ask_udp(server.where, query, decode, one.left())
        except Trouble as trouble:
            self._note(server, trouble)
            raise
        server.timeouts = 0
        return reply

    def _note(self, server: _Server, trouble: Trouble) -> None:
        server.timeouts = server.timeouts + 1 if trouble.kind is Kind.TIMEOUT else 0

    async def _turn(self) -> None:
        """Wait until another question may leave."""
        while wait := self._pace.wait(time.monotonic()):
            await asyncio.sleep(wait)
        self._pace.left(time.monotonic())

    async def _explained(
        self, question: Question, deadline: float, failures: dict[NameServer, Failure]
    ) -> Answer:
        """Tell a failed validation from another server failure, by asking without validation.

        Many resolvers send no extended error with SERVFAIL; one that answers when told not to
        check (RFC 4035 section 3.2.2) failed over DNSSEC.
        """
        one = _Try(question, deadline, self._patience.timeout, checking_disabled=True)
        for server in self._servers:
            failure = failures.get(server.where)
            if failure is None or failure.kind is not Kind.SERVER_FAILURE:
                continue
            self._stats.retries += 1
            try:
                reply = await self._exchange(server, one)
            except Trouble:
                continue
            if reply.rcode in RESOLVED:
                bogus = Trouble(Kind.BOGUS, f"{failure.message}; answers without DNSSEC validation")
                failures[server.where] = _failure(question, str(server.where), bogus)
        return _failed(question, [failures[s.where] for s in self._servers if s.where in failures])


def _seconds_to(deadline: float) -> float:
    return deadline - asyncio.get_running_loop().time()


def _codec(one: _Try, *, edns: bool) -> tuple[bytes, partial[Reply]]:
    """Return a query under a fresh random id, and what reads the reply to it."""
    ident = secrets.randbelow(1 << 16)
    query = encode_query(one.question, ident, edns=edns, checking_disabled=one.checking_disabled)
    return query, partial(decode_reply, question=one.question, ident=ident)


def _failure(question: Question, nameserver: str, trouble: Trouble) -> Failure:
    return Failure(question, trouble.kind, nameserver, trouble.message)


def _failed(question: Question, failures: list[Failure]) -> Answer:
    """Return the answer of a question that got none; its kind is that of the first server."""
    return Answer(question, failures[0].kind, failures=tuple(failures))
