# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The types of this package: options, questions, answers, pairs, and results of domains.

Names are text: lower case, A-labels, without the trailing dot; the root is ``.``. Octets that are
not valid in a host name are escaped as ``\\DDD`` (RFC 1035 section 5.1). Times to live are seconds.
Types with many objects in a run over many domains are named tuples, which Python creates and
compares faster than data classes.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple, TypeAlias

from .addresses import sort_key
from .names import ROOT

__all__ = ["ROOT"]

Network: TypeAlias = IPv4Network | IPv6Network


class RecordType(IntEnum):
    """The record types that are asked for or read, with their numbers on the wire."""

    A = 1
    NS = 2
    CNAME = 5
    MX = 15
    AAAA = 28


class AnswerKind(StrEnum):
    """What became of a question.

    The first three are definite answers about the name. All others describe a failed lookup, and
    never lead to a change anywhere.
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
        """Return True if it is a definite answer about the name itself."""
        return self in _DEFINITE


_DEFINITE = frozenset({AnswerKind.ANSWER, AnswerKind.NO_DATA, AnswerKind.NO_SUCH_NAME})


class QueryError(Exception):
    """The reason why a reply, or its absence, is not an answer."""

    def __init__(self, kind: AnswerKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class Status(StrEnum):
    """What is known about a domain after a run."""

    OK = "ok"
    NULL_MX = "null_mx"
    NO_SUCH_DOMAIN = "no_such_domain"
    NO_ADDRESS = "no_address"
    LOOP = "loop"
    MOVING = "moving"
    TEMPORARY_FAILURE = "temporary_failure"
    DISAGREEMENT = "disagreement"

    @property
    def known(self) -> bool:
        """Return True if it rests on a definite DNS answer."""
        return self not in (Status.MOVING, Status.TEMPORARY_FAILURE, Status.DISAGREEMENT)


@dataclass(frozen=True, slots=True)
class NameServer:
    """Where to ask. ``str()`` is how results and messages call it."""

    address: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait: ``timeout`` seconds for one reply, doubled each round over the servers;
    ``retries`` further rounds; ``lifetime`` seconds for one question altogether."""

    timeout: float
    retries: int
    lifetime: float


@dataclass(frozen=True)
class Networks:
    """Addresses and ranges. Whether an address lies in one takes a look for each prefix length."""

    ranges: tuple[Network, ...] = ()

    @cached_property
    def _starts(self) -> dict[tuple[int, int], set[int]]:
        """The numbers of the networks, by version and by the bits that their hosts have."""
        starts: dict[tuple[int, int], set[int]] = {}
        for network in self.ranges:
            bits = network.max_prefixlen - network.prefixlen
            number = int(network.network_address) >> bits
            starts.setdefault((network.version, bits), set()).add(number)
        return starts

    def __contains__(self, address: str) -> bool:
        """Whether an address lies in one of them."""
        version, octets = sort_key(address)
        number = int.from_bytes(octets)
        return any(
            number >> bits in starts
            for (family, bits), starts in self._starts.items()
            if family == version
        )


class DomainSettings(NamedTuple):
    """The settings of one domain: private addresses (rule 24), exchanges with addresses that fail
    for good (rule 14, V(refuse) or V(drop)), and moving addresses (rule 23, V(keep) or V(pin))."""

    allow_private: bool = False
    dead_exchanges: str = "refuse"
    moving: str = "keep"


@dataclass(frozen=True, slots=True)
class Policy:
    """The administrator's settings for all domains.

    ``types`` are A, AAAA or both; ``max_pairs`` 0 means unlimited; ``own_unknown`` are the failed
    questions for our own addresses: as long as these are unknown, a pin might make mail loop.
    """

    types: tuple[RecordType, ...] = (RecordType.A,)
    own_names: frozenset[str] = frozenset()
    own_networks: Networks = field(default_factory=Networks)
    own_unknown: tuple[Failure, ...] = ()
    max_pairs: int = 0


@dataclass(frozen=True, slots=True)
class Options:
    """One task's options. ``own_hosts`` are names with addresses that count as ours, too;
    ``refused`` are entries that are not valid domains, each with the reason; ``port`` is that of
    name servers which were not given, as the domains' own."""

    domains: Mapping[str, DomainSettings]
    nameservers: tuple[NameServer, ...]
    patience: Patience
    concurrency: int
    max_rate: float
    policy: Policy
    own_hosts: tuple[str, ...]
    search_list: tuple[str, ...]
    agreement: str
    evidence: bool
    fail_on: frozenset[Status]
    refused: tuple[tuple[str, str], ...] = ()
    port: int = 53


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

    ``authentic`` is the AD flag where it can be believed (rule 19), ``authoritative`` that the
    server spoke of a zone of its own and resolves nothing for others; ``soa`` is the zone and the
    negative time to live (RFC 2308 section 5) of the SOA record in the authority section;
    ``referral`` is the other zone, if its name servers are there instead of an answer;
    ``extended_error`` is the first info code of RFC 8914.
    """

    rcode: int
    truncated: bool = False
    authentic: bool = False
    records: tuple[RecordSet, ...] = ()
    soa: tuple[str, int] | None = None
    referral: str = ""
    extended_error: int | None = None
    authoritative: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """One question that got no usable answer from one name server.

    ``needed`` is True if the pairs depend on it; the others were asked for evidence only.
    """

    question: Question
    kind: AnswerKind
    nameserver: str
    message: str
    needed: bool = True


class Answer(NamedTuple):
    """What became of one question, aliases followed, retries over.

    ``chain`` are the names that aliases led through, in order, without the name asked; ``mx`` and
    ``texts`` (addresses) are sorted; ``ttl`` is the smallest of all that was read, and None where
    no record has one. ``unfinished`` means that the last alias has yet to be asked about.
    ``nameserver`` is who gave it, and ``authoritative`` whether it is one of the zone's own;
    ``failures`` names the servers that did not, if ``kind`` is indefinite.
    """

    question: Question
    kind: AnswerKind
    mx: tuple[Mx, ...] = ()
    texts: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    ttl: int | None = None
    authentic: bool = False
    unfinished: bool = False
    nameserver: str = ""
    failures: tuple[Failure, ...] = ()
    authoritative: bool = False


class Pair(NamedTuple):
    """One address of one exchange of a domain; ``ttl`` is the smallest on the way to it."""

    preference: int
    exchange: str
    address: str
    ttl: int | None


@dataclass(frozen=True, slots=True)
class DomainWarning:
    """A warning about a domain: a stable code, a sentence, and the facts in it."""

    code: str
    message: str
    facts: tuple[tuple[str, str | int], ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """One name server's result for a domain, if several servers must agree."""

    nameserver: str
    status: Status
    pairs: tuple[Pair, ...]


class DomainResult(NamedTuple):
    """The result of one run for one domain.

    ``authentic`` is evidence: whether a name server vouched for MX and addresses by DNSSEC; None
    where evidence was not asked for. ``short_lived`` means that the answers are good for seconds
    only, so that another run may see other addresses. ``unconfirmed`` means that no second
    server confirmed that the domain does not exist; ``not_asked`` are names without a query for
    AAAA, because none of their own name servers was reachable.
    """

    domain: str
    status: Status
    pairs: tuple[Pair, ...] = ()
    implicit_mx: bool = False
    ttl: int | None = None
    warnings: tuple[DomainWarning, ...] = ()
    failures: tuple[Failure, ...] = ()
    views: tuple[View, ...] = ()
    authentic: bool | None = None
    short_lived: bool = False
    unconfirmed: bool = False
    not_asked: tuple[str, ...] = ()


@dataclass(slots=True)
class Stats:
    """Counters of a run. ``questions`` counts each once, however often it was repeated."""

    questions: int = 0
    cache_hits: int = 0
    retries: int = 0
    tcp: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RunResult:
    """The whole run: one result for every domain asked, in the order asked."""

    results: tuple[DomainResult, ...]
    warnings: tuple[DomainWarning, ...] = ()
    stats: Stats = field(default_factory=Stats)
