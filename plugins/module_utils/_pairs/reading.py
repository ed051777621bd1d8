# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reply says about the question: pure, without a network (rules 5, 6, 13, 20).

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from .addresses import in_order
from .dnslib import error_name, is_bogus
from .model import Answer, Kind, Mx, Question, RecordSet, RecordType, Reply
from .names import is_below, shown

# Aliases followed on the way from one name to its data, over all replies together.
MAX_CHAIN: Final = 8
# Records of one name: no mail domain has as many exchanges, no exchange as many addresses.
MAX_SET: Final = 100

_NOERROR, _FORMERR, _SERVFAIL, _NXDOMAIN, _NOTIMP, REFUSED, _NOTAUTH = 0, 1, 2, 3, 4, 5, 9
_RCODES: Final = {
    _FORMERR: "FORMERR",
    _SERVFAIL: "SERVFAIL",
    _NOTIMP: "NOTIMP",
    REFUSED: "REFUSED",
    _NOTAUTH: "NOTAUTH",
}
_RCODE_KINDS: Final = {
    _FORMERR: Kind.MALFORMED,
    REFUSED: Kind.REFUSED,
    _NOTAUTH: Kind.LAME,
}
_NUMBERS: Final = frozenset({RecordType.A, RecordType.AAAA})
# Codes of a server that does not know EDNS (RFC 6891 section 7).
WITHOUT_EDNS: Final = frozenset({_FORMERR, _NOTIMP})
# Codes that say that the name could be resolved, once validation is left out.
RESOLVED: Final = frozenset({_NOERROR, _NXDOMAIN})


class Trouble(Exception):  # noqa: N818 - a finding, not a fault
    """Why a reply, or its absence, is no answer."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


def read(question: Question, reply: Reply, nameserver: str) -> Answer:
    """Return what a reply of ``nameserver`` says.

    Raises Trouble where it says nothing about the name. A server that is only responsible for an
    alias ends its reply there; one that looked behind it says so by the SOA record of the zone
    (RFC 2308 section 2.2). In doubt the answer is unfinished.
    """
    if reply.rcode not in RESOLVED:
        raise _trouble(reply)
    end, chain, ttl = _follow(question.name, reply.records)
    values: set[Mx | str] = set()
    for one in reply.records:
        if one.rdtype is question.rdtype and one.owner == end:
            values.update(one.values)
            ttl = smaller(ttl, one.ttl)
    missing = reply.rcode == _NXDOMAIN
    if values and missing:
        raise Trouble(Kind.MALFORMED, "says that the name does not exist, and what it holds")
    if values:
        mx, texts = _sorted(question.rdtype, values)
        authentic = reply.authentic
        return Answer(question, Kind.ANSWER, mx, texts, chain, ttl, authentic, False, nameserver)
    negative_ttl = _negative_ttl(end, reply)
    if not (missing or chain) and reply.referral:
        raise Trouble(Kind.LAME, "refers to other name servers instead of answering")
    return Answer(
        question,
        Kind.NO_SUCH_NAME if missing else Kind.NO_DATA,
        chain=chain,
        ttl=smaller(ttl, negative_ttl),
        authentic=reply.authentic,
        unfinished=bool(chain) and not missing and negative_ttl is None,
        nameserver=nameserver,
    )


def joined(first: Answer, more: Answer) -> Answer:
    """Return the answer to the question of ``first``, whose last alias ``more`` is about.

    Raises Trouble where the aliases come back to themselves or do not end.
    """
    chain = (*first.chain, *more.chain)
    check_chain((first.question.name, *chain))
    return more._replace(
        question=first.question,
        chain=chain,
        ttl=smaller(first.ttl, more.ttl),
        authentic=first.authentic and more.authentic,
    )


def smaller(one: int | None, other: int | None) -> int | None:
    """Return the smaller of two times to live, as far as they are known."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def smallest(times: Iterable[int | None]) -> int | None:
    """Return the smallest time to live of those that are known."""
    known = [ttl for ttl in times if ttl is not None]
    return min(known) if known else None


def loop_in(names: Iterable[str]) -> str:
    """Return the name that a chain of aliases comes back to, or nothing."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""


def _trouble(reply: Reply) -> Trouble:
    message = _RCODES.get(reply.rcode, f"response code {reply.rcode}")
    if reply.extended_error is not None:
        message += f", {error_name(reply.extended_error)}"
    kind = _RCODE_KINDS.get(reply.rcode, Kind.SERVER_FAILURE)
    if reply.rcode == _SERVFAIL and is_bogus(reply.extended_error):
        kind = Kind.BOGUS
    return Trouble(kind, message)


def _follow(name: str, records: tuple[RecordSet, ...]) -> tuple[str, tuple[str, ...], int | None]:
    """Return where the aliases of a reply end, what they lead through, and for how long."""
    found = [one for one in records if one.rdtype is RecordType.CNAME]
    if not found:
        return name, (), None
    aliases = dict(sorted((x.owner, (str(value), x.ttl)) for x in found for value in x.values))
    chain: list[str] = []
    ttl: int | None = None
    end = name
    while end in aliases:
        end, alias_ttl = aliases[end]
        chain.append(end)
        ttl = smaller(ttl, alias_ttl)
        check_chain((name, *chain))
    return end, tuple(chain), ttl


def check_chain(names: tuple[str, ...]) -> None:
    """Raise Trouble for a chain of names that comes back to itself or does not end."""
    back = loop_in(names)
    if back:
        raise Trouble(Kind.CNAME_LOOP, f"the aliases lead back to {shown(back)}")
    if len(names) > MAX_CHAIN + 1:
        raise Trouble(Kind.CNAME_LOOP, f"more than {MAX_CHAIN} aliases one after the other")


def _sorted(rdtype: RecordType, values: set[Mx | str]) -> tuple[tuple[Mx, ...], tuple[str, ...]]:
    """Return the values as exchanges or as texts, in the order of rule 3."""
    if len(values) > MAX_SET:
        raise Trouble(
            Kind.MALFORMED,
            f"holds {len(values)} records of one name; more than {MAX_SET} are not read",
        )
    if rdtype is RecordType.MX:
        return tuple(sorted([value for value in values if isinstance(value, Mx)])), ()
    texts = [value for value in values if isinstance(value, str)]
    return (), tuple(in_order(texts) if rdtype in _NUMBERS else sorted(texts))


def _negative_ttl(name: str, reply: Reply) -> int | None:
    """Return for how long the absence of ``name`` may be believed (RFC 2308 section 5)."""
    if reply.soa is None or not is_below(name, reply.soa[0]):
        return None
    return reply.soa[1]
