# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The things of this field: questions, replies, answers, pairs, and what is said about a domain.

Names are text: lower case, A-labels, without the trailing dot; the root is ``.``. Octets that no
host name may hold stand as ``\\DDD`` (RFC 1035 section 5.1). Times to live are seconds.

What a run over many domains makes many of is a named tuple, which Python makes and compares faster
than it does a data class.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import NamedTuple

ROOT = "."


class RecordType(IntEnum):
    """The record types that are asked for or read, with their numbers on the wire."""

    A = 1
    CNAME = 5
    MX = 15
    AAAA = 28


class Kind(StrEnum):
    """What became of a question.

    The first three say something about the name. All others say something about our view of it,
    and never lead to a change anywhere.
    """

    ANSWER = "answer"
    NO_DATA = "no_data"
    NO_SUCH_NAME = "no_such_name"
    SERVER_FAILURE = "server_failure"
    REFUSED = "refused"
    LAME = "lame"
    BOGUS = "bogus"
    MALFORMED = "malformed"
    CNAME_LOOP = "cname_loop"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"

    @property
    def definite(self) -> bool:
        """Whether it says something about the name itself."""
        return self in _DEFINITE


_DEFINITE = frozenset({Kind.ANSWER, Kind.NO_DATA, Kind.NO_SUCH_NAME})


class Status(StrEnum):
    """What is known about a domain after a run."""

    OK = "ok"
    NULL_MX = "null_mx"
    NO_SUCH_DOMAIN = "no_such_domain"
    NO_ADDRESS = "no_address"
    LOOP = "loop"
    TEMPORARY_FAILURE = "temporary_failure"
    DISAGREEMENT = "disagreement"


class Question(NamedTuple):
    """One question of class IN."""

    name: str
    rdtype: RecordType


class Mx(NamedTuple):
    """One MX record: the lower the preference (0 to 65535), the better."""

    preference: int
    exchange: str


class RecordSet(NamedTuple):
    """The records of one name and one type in an answer; ``ttl`` is the smallest of theirs.

    A value is the text of anything that is not an MX.
    """

    owner: str
    rdtype: RecordType
    ttl: int
    values: tuple[Mx | str, ...]


class Reply(NamedTuple):
    """One message of a name server, already checked to be the reply to our question.

    ``soa`` is the zone and the negative time to live (RFC 2308 section 5) of the SOA record in the
    authority section; ``referral`` means name servers of another zone instead of an answer;
    ``extended_error`` is the first info code of RFC 8914.
    """

    rcode: int
    truncated: bool = False
    authentic: bool = False
    records: tuple[RecordSet, ...] = ()
    soa: tuple[str, int] | None = None
    referral: bool = False
    extended_error: int | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """One question that got no usable answer from one name server.

    ``needed`` tells whether the pairs depend on it; the others were asked for evidence only.
    """

    question: Question
    kind: Kind
    nameserver: str
    message: str
    needed: bool = True


class Answer(NamedTuple):
    """What became of one question, aliases followed, retries over.

    ``chain`` are the names that aliases led through, in order, without the name asked; ``mx`` and
    ``texts`` (addresses) are sorted; ``ttl`` is the smallest of all that was read, and
    None where nothing told one. ``unfinished`` means that the last alias has yet to be asked about.
    ``nameserver`` is who gave it; ``failures`` tells who did not, if ``kind`` is indefinite.
    """

    question: Question
    kind: Kind
    mx: tuple[Mx, ...] = ()
    texts: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    ttl: int | None = None
    authentic: bool = False
    unfinished: bool = False
    nameserver: str = ""
    failures: tuple[Failure, ...] = ()


class Pair(NamedTuple):
    """One address of one exchange of a domain; ``ttl`` is the smallest on the way to it."""

    preference: int
    exchange: str
    address: str
    ttl: int | None


@dataclass(frozen=True, slots=True)
class Note:
    """A warning about a domain: a stable code, a sentence, and the facts in it."""

    code: str
    message: str
    facts: tuple[tuple[str, str | int], ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was asked only because ``evidence`` is wanted.

    ``authentic`` tells whether the name server vouched (AD flag) for the MX answer and for every
    address answer.
    """

    authentic: bool


@dataclass(frozen=True, slots=True)
class View:
    """What one name server makes of a domain, where several are asked to agree."""

    nameserver: str
    status: Status
    pairs: tuple[Pair, ...]


class DomainResult(NamedTuple):
    """All that one run says about one domain."""

    domain: str
    status: Status
    pairs: tuple[Pair, ...] = ()
    implicit_mx: bool = False
    ttl: int | None = None
    notes: tuple[Note, ...] = ()
    failures: tuple[Failure, ...] = ()
    views: tuple[View, ...] = ()
    evidence: Evidence | None = None


@dataclass(slots=True)
class Stats:
    """Counters of a run. ``questions`` counts each once, however often it was repeated."""

    questions: int = 0
    cache_hits: int = 0
    retries: int = 0
    tcp: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The whole run: one result for every domain asked, in the order asked."""

    results: tuple[DomainResult, ...]
    notes: tuple[Note, ...] = ()
    stats: Stats = field(default_factory=Stats)
