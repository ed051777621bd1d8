# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The own name servers of a name, found through the resolver, and their answers (rule 18).

A caching resolver may deny a name that exists, because its servers denied it to an earlier query
for AAAA. So a denial is checked before it is believed: with the other configured name servers, and
with the servers of the zone above.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from .model import ROOT, Answer, AnswerKind, NameServer, Question, RecordType
from .replies import REFERS
from .resolver import Resolver

#: Name servers of a zone that are asked; some zones have thirteen.
_MOST_SERVERS = 3


class Opinion(NamedTuple):
    """``exists``: a name exists according to ``witness``; None if unknown."""

    exists: bool | None = None
    witness: str = ""


class Authorities:
    """Finds the name servers of zones through ``resolver``; they listen at ``port``."""

    def __init__(self, resolver: Resolver, port: int) -> None:
        self._resolver = resolver
        self._port = port
        self._found: dict[tuple[NameServer, ...], Resolver] = {}

    async def of(self, name: str) -> Resolver | None:
        """Return a resolver for the servers of the zone that holds a name; None if not found.

        The configured name servers do not count as such.
        """
        found = await self._resolver.follow(Question(name, RecordType.NS))
        while not found.texts or found.chain:
            if not found.kind.definite or name == ROOT:
                return None
            name = _above(name)
            found = await self._resolver.follow(Question(name, RecordType.NS))
        hosts = [
            self._resolver.follow(Question(host, RecordType.A))
            for host in found.texts[:_MOST_SERVERS]
        ]
        answers = await asyncio.gather(*hosts)
        given = [NameServer(text, self._port) for answer in answers for text in answer.texts]
        servers = tuple(
            [x for x in dict.fromkeys(given) if x not in self._resolver.servers][:_MOST_SERVERS]
        )
        if servers and servers not in self._found:
            self._found[servers] = self._resolver.elsewhere(servers)
        return self._found.get(servers)

    async def second_opinion(self, resolver: Resolver, name: str, denial: Answer) -> Opinion:
        """Return the opinion of other servers on a name that a server of ``resolver`` denies.

        A server that has the name counts more than all that deny it. A denial of the zone above
        counts only from one of its own servers, because the same resolver may answer for them.
        """
        question = Question(name, denial.question.rdtype)
        others = [x for x in resolver.servers if str(x) != denial.nameserver]

        async def configured() -> Answer | None:
            return await resolver.again(*others).ask(question) if others else None

        async def above() -> Answer | None:
            own = None if name == ROOT else await self.of(_above(name))
            return await own.ask(question) if own else None

        peer, zone = await asyncio.gather(configured(), above())
        for answer in (zone, peer):
            if answer is None:
                continue
            if answer.chain or answer.kind in (AnswerKind.ANSWER, AnswerKind.NO_DATA):
                return Opinion(True, answer.nameserver)
            for failure in answer.failures:
                if answer is zone and failure.message == REFERS:
                    return Opinion(True, failure.nameserver)
        if zone and zone.kind is AnswerKind.NO_SUCH_NAME and zone.authoritative:
            return Opinion(False, zone.nameserver)
        if peer and peer.kind is AnswerKind.NO_SUCH_NAME:
            return Opinion(False, peer.nameserver)
        return Opinion()


def _above(name: str) -> str:
    """Return the name above another; the root has none."""
    return name.partition(".")[2] or ROOT
