# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first pass over many questions: each asked once of the first name server, all together.

Most questions are answered plainly at once, and an event loop with a task for each takes longer
than the name server does. So this pass has one selector and a window of sockets. It keeps only
definite answers, whole and over UDP. Any other outcome of a question
(nothing, an error, a truncated answer, aliases that do not end) is left to ``resolver``, which asks
again with all its patience: what had less time here than its own timeout does not count as a try.

Each socket has a random port of its own and one question under way, under a random id: who cannot
see the question has to guess both, as with a new socket for each.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import os
import selectors
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

from .model import Answer, AnswerKind, NameServer, QueryError, Question, Reply
from .replies import (
    REFUSED,
    WITHOUT_EDNS,
    MalformedReplyError,
    UnrelatedMessageError,
    decode_reply,
    encode_query,
    read,
)
from .sockets import LARGEST_DATAGRAM, MAX_STRAY, endpoint, open_socket, reason, stray_text

#: Questions during which nothing at all was heard, after which the pass ends and leaves the rest.
_SILENT = 50
_SLACK = 0.1  # seconds
#: Questions under way at the start; what answers anybody else bears so many.
_FIRST_WINDOW = 50
#: One lost question in so many is the fault of a domain, or chance.
_FEW = 8
#: Octets of chance fetched from the system at a time, two for each id.
_CHANCE = 512

# Returns what else is to be asked, given an answer.
More = Callable[[Answer], Iterable[Question]]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many questions may be under way at most, and how long each may take (seconds).

    ``counts`` means that a question that took so long got its full time.
    """

    window: int
    timeout: float
    counts: bool = True


@dataclass(slots=True)
class Pace:
    """Decides when the next question may leave, ``rate`` of them in a second (0: no limit).

    What was not used up to a tenth of a second ago may be used now.
    """

    rate: float
    _free_at: float = field(default=0.0, init=False)

    def wait(self, now: float) -> float:
        """Return for how many seconds to wait yet; 0 if the question may leave."""
        return max(0.0, self._free_at - now - _SLACK) if self.rate else 0.0

    def left(self, now: float) -> None:
        """Count a question that leaves now."""
        if self.rate:
            self._free_at = max(self._free_at, now) + 1 / self.rate


@dataclass(slots=True)
class Window:
    """How many questions may be under way: ``size``, never more than ``most``.

    It doubles each time that so many have ended, with only a few lost. Where more were lost after
    it grew, the name server, or what is before it, does not bear so many: then ``size`` and
    ``most`` come down for good to what was borne at the start.
    """

    most: int
    size: int = field(default=_FIRST_WINDOW, init=False)
    _ended: int = field(default=0, init=False)
    _lost: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.size = min(self.size, self.most)

    def ended(self, *, lost: bool) -> None:
        """Count a question that got an answer, or that was lost."""
        self._ended += 1
        self._lost += lost
        if self._ended < self.size and not lost:
            return
        few = self._lost * _FEW <= self.size
        if not few and self.size > _FIRST_WINDOW:
            self.most = self.size = _FIRST_WINDOW
        elif self._ended < self.size:
            return
        elif few:
            self.size = min(self.most, self.size * 2)
        self._ended = self._lost = 0


@dataclass(slots=True, eq=False)
class _Line:
    """One socket, and the question that is under way on it, if any."""

    sock: socket.socket
    question: Question | None = None
    ident: int = 0
    stray: int = 0


class FirstPass:
    """One pass over the questions of a run."""

    def __init__(self, server: NameServer, limits: Limits, pace: Pace, more: More) -> None:
        self.known: dict[Question, Answer] = {}
        # Why a question got no answer; None if it was truncated.
        self.failed: dict[Question, QueryError | None] = {}
        self._server = server
        self._name = str(server)
        self._timeout = limits.timeout
        self._counts = limits.counts
        self.window = Window(limits.window)
        self._pace = pace
        self._more = more
        self._asked: set[Question] = set()
        self._waiting: deque[Question] = deque()
        self._free: list[_Line] = []
        # What is under way, the oldest first; questions that have ended are still in it.
        self._busy: deque[tuple[float, _Line, Question]] = deque()
        self._under_way = 0
        self._idents = _idents()
        self._unanswered = 0
        self._heard = 0.0  # when the last answer came

    def ask(self, questions: Iterable[Question]) -> None:
        """Ask, and ask what follows from the answers.

        Answers are in ``known`` then, those with an alias that has yet to be asked about too, and
        ``failed`` has what else came of the others. Never raises for the network.
        """
        self._add(questions)
        with selectors.DefaultSelector() as selector, ExitStack() as stack:
            try:
                while self._unanswered < _SILENT and (self._waiting or self._under_way):
                    self._send_some(selector, stack)
                    arrived = selector.select(self._patience())
                    now = time.monotonic()
                    for key, _events in arrived:
                        self._receive(key.data, now)
                    self._expire(selector)
            except OSError:
                pass  # no route, no more sockets: the careful way reports the cause

    def _add(self, questions: Iterable[Question]) -> None:
        for question in questions:
            if question not in self._asked:
                self._asked.add(question)
                self._waiting.append(question)

    def _send_some(self, selector: selectors.BaseSelector, stack: ExitStack) -> None:
        now, limited = time.monotonic(), self._pace.rate > 0
        while self._waiting and self._under_way < self.window.size:
            if limited and self._pace.wait(now):
                break
            if self._free:
                line = self._free.pop()
            else:
                sock = stack.enter_context(open_socket(self._server, socket.SOCK_DGRAM))
                sock.connect(endpoint(self._server))
                line = _Line(sock)
                selector.register(sock, selectors.EVENT_READ, line)
            question = line.question = self._waiting.popleft()
            line.ident = next(self._idents)
            line.stray = 0
            self._busy.append((now + self._timeout, line, question))
            self._under_way += 1
            line.sock.send(encode_query(question, line.ident))
            if limited:
                self._pace.left(now)

    def _patience(self) -> float:
        """Return for how many seconds there is nothing to do unless something arrives."""
        now = time.monotonic()
        until = self._busy[0][0] - now if self._busy else self._timeout
        if self._waiting and self._under_way < self.window.size:
            until = min(until, self._pace.wait(now))
        return max(0.0, until)

    def _receive(self, line: _Line, now: float) -> None:
        """Take the datagram on a line; ignore anything but a reply to its question."""
        try:
            wire = line.sock.recv(LARGEST_DATAGRAM)
        except BlockingIOError:
            return
        except OSError as error:  # an ICMP error: nothing listens there
            self._lost(line, QueryError(AnswerKind.UNREACHABLE, reason(error)))
            self._unanswered += 1
            return
        question = line.question
        if question is None:
            return  # late, or from another sender
        try:
            reply = decode_reply(wire, question, line.ident)
        except UnrelatedMessageError:
            line.stray += 1
            if line.stray >= MAX_STRAY:
                self._lost(line, QueryError(AnswerKind.MALFORMED, stray_text(line.stray)))
            return
        except MalformedReplyError as error:
            self._lost(line, QueryError(AnswerKind.MALFORMED, str(error)))
            return
        self._ended(line)
        self._unanswered = 0
        self._heard = now
        self.window.ended(lost=reply.rcode == REFUSED)
        self._keep(question, reply)

    def _keep(self, question: Question, reply: Reply) -> None:
        if reply.truncated:
            self.failed[question] = None
            return
        try:
            answer = read(question, reply, self._name)
        except QueryError as error:
            if reply.rcode not in WITHOUT_EDNS:  # those are asked again without it
                self.failed[question] = error
            return
        self.known[question] = answer
        if not answer.unfinished:
            self._add(self._more(answer))

    def _lost(self, line: _Line, error: QueryError) -> None:
        if line.question is not None:
            self.failed[line.question] = error
            self._ended(line)

    def _ended(self, line: _Line) -> None:
        line.question = None
        self._under_way -= 1
        self._free.append(line)

    def _expire(self, selector: selectors.BaseSelector) -> None:
        """End the overdue questions, and their sockets, which may still get a late reply."""
        now = time.monotonic()
        while self._busy:
            deadline, line, question = self._busy[0]
            under_way = line.question is question  # each is asked but once
            if under_way and deadline > now:
                break
            self._busy.popleft()
            if under_way:
                if self._counts:
                    message = f"no answer within {self._timeout:.1f} s"
                    self.failed[question] = QueryError(AnswerKind.TIMEOUT, message)
                line.question = None
                self._under_way -= 1
                self._unanswered += self._heard < deadline - self._timeout
                self.window.ended(lost=True)
                selector.unregister(line.sock)
                line.sock.close()


def _idents() -> Iterator[int]:
    """Yield unpredictable ids in blocks: a system call for each takes as long as a reply."""
    while True:
        yield from struct.unpack(f"{_CHANCE // 2}H", os.urandom(_CHANCE))
