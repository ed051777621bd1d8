# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From octets to answers: messages as dnspython reads them, and their meaning (rules 5, 13, 20).

This is the only file that uses dnspython. Octets go out by ``encode_query``, come in by
``decode_reply``, and ``read`` returns the answer in a reply to a question; no network is needed.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import struct
import traceback
from collections.abc import Iterable
from typing import Final

from ansible.module_utils.basic import missing_required_lib

from .._base.errors import MissingLibrary
from .addresses import in_order
from .model import Answer, AnswerKind, Mx, QueryError, Question, RecordSet, RecordType, Reply
from .names import ROOT, is_below, shown
from .wire import EDNS_PAYLOAD, is_authoritative, is_believable, plain_query, read_plain

try:
    import dns.edns
    import dns.exception
    import dns.flags
    import dns.message
    import dns.name
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype
    import dns.rdtypes.ANY.CNAME
    import dns.rdtypes.ANY.MX
    import dns.rdtypes.ANY.NS
    import dns.rdtypes.ANY.SOA
except ImportError:
    DNSPYTHON_ERROR: str | None = traceback.format_exc()
else:
    DNSPYTHON_ERROR = None

# More answer records than any mail domain has. A message that announces more is not even read.
MAX_RECORDS: Final = 500
# The largest time to live; a larger number counts as zero (RFC 2181 section 8).
MAX_TTL: Final = 2**31 - 1
# Aliases followed on the way from one name to its data, over all replies together.
MAX_CHAIN: Final = 8
# Records of one name: no mail domain has as many exchanges, no exchange as many addresses.
MAX_SET: Final = 100

_QR, _OPCODE, _TC = 0x8000, 0x7800, 0x0200
_FIRST_BOGUS, _LAST_BOGUS = 6, 12  # RFC 8914 sections 4.7 to 4.13
_NOERROR, _FORMERR, _SERVFAIL, _NXDOMAIN, _NOTIMP, REFUSED, _NOTAUTH, _BADVERS = (
    *range(6),
    9,
    16,
)
_WITHOUT_QUESTION = frozenset({_FORMERR, _SERVFAIL, _NOTIMP, REFUSED, _BADVERS})
_RCODES: Final = {
    _FORMERR: ("FORMERR", AnswerKind.MALFORMED),
    _SERVFAIL: ("SERVFAIL", AnswerKind.SERVER_FAILURE),
    _NOTIMP: ("NOTIMP", AnswerKind.SERVER_FAILURE),
    REFUSED: ("REFUSED", AnswerKind.REFUSED),
    _NOTAUTH: ("NOTAUTH", AnswerKind.LAME),
    _BADVERS: ("BADVERS", AnswerKind.MALFORMED),
}
_ADDRESSES: Final = frozenset({RecordType.A, RecordType.AAAA})
# Codes of a server that does not know EDNS, or not this version (RFC 6891 sections 6.1.3 and 7).
WITHOUT_EDNS: Final = frozenset({_FORMERR, _NOTIMP, _BADVERS})
#: The reason for a server that refers to a zone below: the name may exist there.
REFERS: Final = "refers to other name servers instead of answering"
_REFERS_AWAY: Final = "refers to other name servers, which are not nearer to the name"
# Codes of a name that resolves without validation.
RESOLVED: Final = frozenset({_NOERROR, _NXDOMAIN})


class UnrelatedMessageError(Exception):
    """Octets that are not a reply to our question; ignore them."""


class MalformedReplyError(Exception):
    """A reply to our question that cannot be read, or that is out of all proportion."""


def require_dnspython() -> None:
    """Raise MissingLibrary unless dnspython can be used here."""
    if DNSPYTHON_ERROR is not None:
        raise MissingLibrary(
            missing_required_lib("dnspython >= 2.6.1", url="https://www.dnspython.org/"),
            details={"exception": DNSPYTHON_ERROR},
        )


def encode_query(
    question: Question, ident: int, *, edns: bool = True, checking_disabled: bool = False
) -> bytes:
    """Return the octets of a recursive question; AD asks for the AD flag (RFC 6840 section 5.7)."""
    plain = plain_query(question, ident, edns=edns, checking_disabled=checking_disabled)
    return plain or library_query(question, ident, edns=edns, checking_disabled=checking_disabled)


def library_query(
    question: Question, ident: int, *, edns: bool = True, checking_disabled: bool = False
) -> bytes:
    """Return the same, as dnspython writes it, whatever the name holds."""
    flags = dns.flags.RD | dns.flags.AD | (dns.flags.CD if checking_disabled else 0)
    query = dns.message.make_query(
        dns.name.from_text(question.name),
        dns.rdatatype.RdataType(int(question.rdtype)),
        use_edns=0 if edns else False,
        payload=EDNS_PAYLOAD,
        id=ident,
        flags=int(flags),
    )
    return query.to_wire()


def decode_reply(wire: bytes, question: Question, ident: int) -> Reply:
    """Read one message that should answer ``question``, asked under ``ident``.

    Nothing is taken from a truncated reply but that it is one (RFC 2181 section 9). Raises
    UnrelatedMessageError for anything but a reply to it (wrong id or question, not a reply), and
    MalformedReplyError for a reply that cannot be read.
    """
    return read_plain(wire, question, ident) or library_reply(wire, question, ident)


def library_reply(wire: bytes, question: Question, ident: int) -> Reply:
    """Return the same, as dnspython reads it, whatever the message holds."""
    if len(wire) < 12:  # noqa: PLR2004 - a header, RFC 1035 section 4.1.1
        raise UnrelatedMessageError("shorter than a header")
    got, flags, _questions, answers = struct.unpack("!4H", wire[:8])
    if got != ident or not flags & _QR or flags & _OPCODE:
        raise UnrelatedMessageError("not a reply to this question")
    if answers > MAX_RECORDS:
        raise MalformedReplyError(
            f"announces {answers} answer records; more than {MAX_RECORDS} are not read"
        )
    truncated = bool(flags & _TC)
    try:
        message = dns.message.from_wire(wire, question_only=truncated, ignore_trailing=True)
        rcode = int(message.rcode())
        # Some servers cut everything off an error; it can only count as a failure.
        if message.question or rcode not in _WITHOUT_QUESTION:
            _check_question(message, question)
        if truncated:
            return Reply(rcode=rcode, truncated=True)
        soa, referral = _authority(message)
        return Reply(
            rcode=rcode,
            authentic=is_believable(flags, edns=message.edns >= 0),
            records=_records(message, question.rdtype),
            soa=soa,
            referral=referral,
            extended_error=next(
                (int(x.code) for x in message.options if isinstance(x, dns.edns.EDEOption)), None
            ),
            authoritative=is_authoritative(flags),
        )
    except (dns.exception.DNSException, ValueError, IndexError, struct.error) as err:
        # the last three: dnspython's readers of rare options and records let them through
        raise MalformedReplyError(f"cannot be read ({type(err).__name__})") from err


def _check_question(message: dns.message.Message, question: Question) -> None:
    if len(message.question) != 1:
        raise UnrelatedMessageError("not one question")
    asked = message.question[0]
    if (
        _text(asked.name) != question.name
        or int(asked.rdtype) != int(question.rdtype)
        or asked.rdclass != dns.rdataclass.IN
    ):
        raise UnrelatedMessageError("another question")


def _records(message: dns.message.Message, rdtype: RecordType) -> tuple[RecordSet, ...]:
    wanted = {int(rdtype), int(RecordType.CNAME)}
    return tuple(
        RecordSet(
            _text(rrset.name),
            RecordType(int(rrset.rdtype)),
            _ttl(rrset.ttl),
            tuple([_value(rdata) for rdata in rrset]),
        )
        for rrset in message.answer
        if rrset.rdclass == dns.rdataclass.IN and int(rrset.rdtype) in wanted
    )


def _value(rdata: dns.rdata.Rdata) -> Mx | str:
    if isinstance(rdata, dns.rdtypes.ANY.MX.MX):
        return Mx(rdata.preference, _text(rdata.exchange))
    if isinstance(rdata, dns.rdtypes.ANY.CNAME.CNAME | dns.rdtypes.ANY.NS.NS):
        return _text(rdata.target)
    return rdata.to_text()


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _ttl(ttl: int) -> int:
    return ttl if 0 <= ttl <= MAX_TTL else 0


def _authority(message: dns.message.Message) -> tuple[tuple[str, int] | None, str]:
    """Return zone and negative TTL of an SOA record, and the zone that a referral leads to.

    A referral holds name servers and no SOA, without authority (RFC 2308 section 2.2).
    """
    for rrset in message.authority:
        for rdata in rrset:
            if isinstance(rdata, dns.rdtypes.ANY.SOA.SOA):
                return (_text(rrset.name), _ttl(min(rrset.ttl, rdata.minimum))), ""
    if message.flags & dns.flags.AA:
        return None, ""
    zones = (_text(x.name) for x in message.authority if x.rdtype == dns.rdatatype.NS)
    return None, next(zones, "")


def read(question: Question, reply: Reply, nameserver: str) -> Answer:
    """Return the answer in a reply of ``nameserver``.

    Raises QueryError if the answer is not definite. A server that is only responsible for an alias
    ends its reply there; one that followed it adds the SOA record of the zone (RFC 2308 section
    2.2). In doubt the answer is unfinished.
    """
    if reply.rcode not in RESOLVED:
        raise _rcode_error(reply)
    end, chain, ttl = _follow(question.name, reply.records)
    values: set[Mx | str] = set()
    for records in reply.records:
        if records.rdtype is question.rdtype and records.owner == end:
            values.update(records.values)
            ttl = smaller(ttl, records.ttl)
    missing = reply.rcode == _NXDOMAIN
    if values and missing:
        raise QueryError(AnswerKind.MALFORMED, "returned both NXDOMAIN and records of the name")
    if len(values) > MAX_SET:
        raise QueryError(
            AnswerKind.MALFORMED,
            f"holds {len(values)} records of one name; more than {MAX_SET} are not read",
        )
    kind = AnswerKind.ANSWER
    mx: tuple[Mx, ...] = ()
    texts: tuple[str, ...] = ()
    unfinished = False
    if values and question.rdtype is RecordType.MX:
        mx = tuple(sorted([value for value in values if isinstance(value, Mx)]))
    elif values:
        found = [value for value in values if isinstance(value, str)]
        texts = tuple(in_order(found) if question.rdtype in _ADDRESSES else sorted(found))
    else:
        kind = AnswerKind.NO_SUCH_NAME if missing else AnswerKind.NO_DATA
        if not (missing or chain) and reply.referral:
            below = reply.referral != ROOT and is_below(question.name, reply.referral)
            raise QueryError(AnswerKind.LAME, REFERS if below else _REFERS_AWAY)
        # For how long absence may be believed (RFC 2308 section 5).
        negative = reply.soa[1] if reply.soa and is_below(end, reply.soa[0]) else None
        unfinished = bool(chain) and not missing and negative is None
        ttl = smaller(ttl, negative)
    return Answer(
        question,
        kind,
        mx,
        texts,
        chain,
        ttl,
        reply.authentic,
        unfinished,
        nameserver,
        authoritative=reply.authoritative,
    )


def joined(first: Answer, more: Answer) -> Answer:
    """Return the answer to the question of ``first``; ``more`` answers for its last alias.

    Raises QueryError where the aliases come back to themselves or do not end.
    """
    chain = (*first.chain, *more.chain)
    _check_chain((first.question.name, *chain))
    return more._replace(
        question=first.question,
        chain=chain,
        ttl=smaller(first.ttl, more.ttl),
        authentic=first.authentic and more.authentic,
        authoritative=first.authoritative and more.authoritative,
    )


def smaller(one: int | None, other: int | None) -> int | None:
    """Return the smaller of two times to live, as far as they are known."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def smallest(times: Iterable[int | None]) -> int | None:
    """Return the smallest time to live of those that are known."""
    return min([ttl for ttl in times if ttl is not None], default=None)


def _rcode_error(reply: Reply) -> QueryError:
    message, kind = _RCODES.get(
        reply.rcode, (f"response code {reply.rcode}", AnswerKind.SERVER_FAILURE)
    )
    if (code := reply.extended_error) is not None:
        name = dns.edns.EDECode.make(code).name
        meaning = "" if name.isdigit() else f" ({name.replace('_', ' ').lower()})"
        message += f", extended error {code}{meaning}"
        if reply.rcode == _SERVFAIL and _FIRST_BOGUS <= code <= _LAST_BOGUS:
            kind = AnswerKind.BOGUS
    return QueryError(kind, message)


def _follow(name: str, records: tuple[RecordSet, ...]) -> tuple[str, tuple[str, ...], int | None]:
    """Return where the aliases of a reply end, what they lead through, and for how long."""
    found = [x for x in records if x.rdtype is RecordType.CNAME]
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
        _check_chain((name, *chain))
    return end, tuple(chain), ttl


def _check_chain(names: tuple[str, ...]) -> None:
    """Raise QueryError for a chain of names that comes back to itself or does not end."""
    for at, name in enumerate(names):
        if name in names[:at]:
            raise QueryError(AnswerKind.CNAME_LOOP, f"the aliases lead back to {shown(name)}")
    if len(names) > MAX_CHAIN + 1:
        raise QueryError(
            AnswerKind.CNAME_LOOP, f"returned a chain of more than {MAX_CHAIN} aliases"
        )
