# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plain question and the plain answer, read and written by hand, since most are just that.

dnspython builds a question in 70 us and reads an answer in 200 to 400 us; this file takes a
twentieth of that, and knows nothing but MX, A, AAAA and CNAME answers, the SOA of an absent name,
the NS of a referral and an OPT record without options. Whatever is not plain in every octet
(truncated, of another class, with another record, a name that has to be escaped, a compression that
does not lead back, a length that does not fit) is left to dnspython: then ``read_plain`` returns
nothing. A test holds that both read the same.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from ipaddress import IPv6Address
from socket import inet_ntoa

from .model import Mx, Question, RecordSet, RecordType, Reply

#: What does not fragment on any path (DNS flag day 2020).
EDNS_PAYLOAD = 1232

_HEADER = struct.Struct("!6H")  # id, flags, and the number of records of each section
_TAIL = struct.Struct("!2H")  # type and class of a question
_RECORD = struct.Struct("!HHIH")  # type, class, TTL, octets of data
_MINIMUM = struct.Struct("!5I")  # serial, refresh, retry, expire, minimum
_U16 = struct.Struct("!H")

_RD, _RA, _AD, _CD = 0x0100, 0x0080, 0x0020, 0x0010
_QR, _OPCODE, _AA, _TC, _RESERVED, _RCODE = 0x8000, 0x7800, 0x0400, 0x0200, 0x0040, 0x000F
_WRONG_FLAGS = _QR | _OPCODE | _TC | _RESERVED
_RCODES = frozenset({0, 3})  # NOERROR, NXDOMAIN
_OPT = b"\x00" + _RECORD.pack(41, EDNS_PAYLOAD, 0, 0)
_IN, _NS, _SOA, _OPT_TYPE = 1, 2, 6, 41
_MX, _A, _AAAA, _CNAME = 15, 1, 28, 5
#: The octets after the labels of a question of each type: the root, the type and the class.
_ENDS = {rdtype: b"\0" + _TAIL.pack(rdtype, _IN) for rdtype in RecordType}
_TYPES = frozenset({RecordType.A, RecordType.AAAA, RecordType.MX})
#: A message with more records than this is not plain.
_MOST_RECORDS = 100
_MAX_LABEL, _MAX_NAME, _POINTER = 63, 253, 0xC0
_IPV4_OCTETS, _IPV6_OCTETS = 4, 16
#: Cached octets of questions, needed until the answer arrives.
_UNDER_WAY = 1024
#: Beginnings of names with cached text: exchanges have similar names, or are the same.
_KEPT = 1024
#: Pointers that lead to pointers; no server needs more than one or two.
_MOST_HOPS = 8
#: Labels, joined by dots, with octets that need no escape; upper case becomes lower.
_LABELS = re.compile(rb"[A-Za-z0-9_.-]+")
#: A pointer to the name asked, which is how most records begin.
_ASKED = struct.pack("!H", _POINTER << 8 | _HEADER.size)
#: An OPT record with any payload size and no options (RFC 6891 section 6.1.2).
_PLAIN_OPT = re.compile(rb"\x00\x00\x29..\x00\x00[\x00\x80]\x00\x00\x00", re.DOTALL)
_NAME = re.compile(r"(?!.{254})[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")


class _NotPlain(Exception):  # noqa: N818 - a finding, not a fault
    """Something that this file does not read."""


def plain_query(
    question: Question, ident: int, *, edns: bool, checking_disabled: bool
) -> bytes | None:
    """Return the octets of a recursive question; None for a name that has to be escaped.

    AD asks for the AD flag (RFC 6840 section 5.7).
    """
    asked = _section(question)
    if asked is None:
        return None
    flags = _RD | _AD | (_CD if checking_disabled else 0)
    return _HEADER.pack(ident, flags, 1, 0, 0, edns) + asked + (_OPT if edns else b"")


@lru_cache(_UNDER_WAY)
def _section(question: Question) -> bytes | None:
    """Return a question in wire format; None for a name that has to be escaped."""
    if not _NAME.fullmatch(question.name):
        return None
    labels = [chr(len(label)) + label for label in question.name.split(".")]
    return "".join(labels).encode("ascii") + _ENDS[question.rdtype]


def is_believable(flags: int, *, edns: bool) -> bool:
    """Return True if the AD flag of a reply is credible (rule 19).

    An authoritative server validates nothing, and one without EDNS knows no DNSSEC: such servers
    copy the bit of the question.
    """
    return flags & (_AD | _AA) == _AD and edns


def is_authoritative(flags: int) -> bool:
    """Whether a server answered from a zone of its own, and resolves nothing that it would keep."""
    return flags & (_AA | _RA) == _AA


def read_plain(wire: bytes, question: Question, ident: int) -> Reply | None:
    """Return the reply to ``question``, asked under ``ident``; None for what is not plain.

    None does not mean anything about the octets, not even that they are a reply.
    """
    try:
        return _Reader(wire).reply(question, ident)
    except (_NotPlain, IndexError, struct.error):
        return None


class _Reader:
    """Reads one message from its start to its end."""

    __slots__ = ("_asked", "_at", "_behind", "_names", "_wire")

    def __init__(self, wire: bytes) -> None:
        self._wire = wire
        self._at = self._behind = _HEADER.size
        self._asked = ""
        self._names: dict[int, str] = {}

    def reply(self, question: Question, ident: int) -> Reply:
        """Return the reply in the message; raises _NotPlain if it is not plain."""
        got, flags, questions, answers, authority, additional = _HEADER.unpack_from(self._wire)
        if got != ident or flags & _WRONG_FLAGS != _QR or flags & _RCODE not in _RCODES:
            raise _NotPlain
        if questions != 1 or answers + authority + additional > _MOST_RECORDS:
            raise _NotPlain
        self._question(question)
        records = self._answers(answers, question.rdtype)
        soa, referral = self._authority(authority) if authority else (None, "")
        edns = self._additional(additional)
        if self._at != len(self._wire):
            raise _NotPlain
        if soa is not None or flags & _AA:
            referral = ""
        authentic = is_believable(flags, edns=edns)
        return Reply(
            flags & _RCODE,
            authentic=authentic,
            records=records,
            soa=soa,
            referral=referral,
            authoritative=is_authoritative(flags),
        )

    def _question(self, question: Question) -> None:
        """Pass over the question, which has to be ours in every octet."""
        asked = _section(question)
        if asked is None or question.rdtype not in _TYPES:
            raise _NotPlain
        if not self._wire.startswith(asked, self._at):
            raise _NotPlain
        self._asked = question.name
        self._at += len(asked)
        self._behind = self._at - _TAIL.size - 1

    def _answers(self, number: int, wanted: RecordType) -> tuple[RecordSet, ...]:
        """Return the records of the answer section, in sets of one TTL (RFC 2181 section 5.2)."""
        found: dict[tuple[str, RecordType], RecordSet] = {}
        for _unused in range(number):
            owner = self._owner()
            kind, rdclass, ttl, length = _RECORD.unpack_from(self._wire, self._at)
            self._at += _RECORD.size
            end = self._at + length
            if rdclass != _IN or ttl >> 31:
                raise _NotPlain
            value: Mx | str
            if kind == wanted:
                rdtype, value = wanted, self._value(kind, length)
            elif kind == _CNAME and (owner, RecordType.CNAME) not in found:
                rdtype, value = RecordType.CNAME, self._name()
            else:
                raise _NotPlain
            if self._at != end:
                raise _NotPlain
            values: tuple[Mx | str, ...] = (value,)
            if known := found.get((owner, rdtype)):
                ttl = min(ttl, known.ttl)
                values = known.values if value in known.values else (*known.values, value)
            found[owner, rdtype] = RecordSet(owner, rdtype, ttl, values)
        return tuple(found.values())

    def _value(self, kind: int, length: int) -> Mx | str:
        """Return the data of a record of type ``kind`` and move past it."""
        if kind == _MX:
            (preference,) = _U16.unpack_from(self._wire, self._at)
            self._at += _U16.size
            return Mx(preference, self._name(root=True))
        start, self._at = self._at, self._at + length
        octets = self._wire[start : self._at]
        if not len(octets) == length == (_IPV4_OCTETS if kind == _A else _IPV6_OCTETS):
            raise _NotPlain
        if kind == _A:
            return inet_ntoa(octets)
        if not any(octets[:10]):  # those that hold an IPv4 address
            raise _NotPlain
        return str(IPv6Address(octets))

    def _authority(self, number: int) -> tuple[tuple[str, int] | None, str]:
        """Return zone and negative TTL of the SOA record, and the zone of name servers."""
        soa: tuple[str, int] | None = None
        servers = ""
        for _unused in range(number):
            owner = self._name(root=True)
            kind, rdclass, ttl, length = self._unpack(_RECORD)
            end = self._at + length
            if rdclass != _IN or ttl >> 31:
                raise _NotPlain
            if kind == _SOA and soa is None:
                self._name(root=True)
                self._name(root=True)
                soa = owner, min(ttl, self._unpack(_MINIMUM)[4])
            elif kind == _NS:
                servers = servers or owner
                self._name(root=True)
            else:
                raise _NotPlain
            if self._at != end:
                raise _NotPlain
        return soa, servers

    def _additional(self, number: int) -> bool:
        """Pass over addresses of name servers and an OPT record; whether there is one."""
        if number == 1 and _PLAIN_OPT.fullmatch(self._wire, self._at):
            self._at = len(self._wire)
            return True
        options = False
        for _unused in range(number):
            owner = self._name(root=True)
            kind, rdclass, ttl, length = self._unpack(_RECORD)
            if kind == _OPT_TYPE:
                # The TTL holds an extended code, a version and flags (RFC 6891 section 6.1.3).
                if options or owner != "." or ttl & ~0x8000 or length:
                    raise _NotPlain
                options = True
            elif rdclass != _IN or (kind, length) not in {
                (_A, _IPV4_OCTETS),
                (_AAAA, _IPV6_OCTETS),
            }:
                raise _NotPlain
            self._at += length
            if self._at > len(self._wire):
                raise _NotPlain
        return options

    def _unpack(self, form: struct.Struct) -> tuple[int, ...]:
        values = form.unpack_from(self._wire, self._at)
        self._at += form.size
        return values

    def _owner(self) -> str:
        """Read the name of an answer, which mostly is the name asked."""
        if self._wire.startswith(_ASKED, self._at):
            self._at += len(_ASKED)
            return self._asked
        return self._name()

    def _name(self, *, root: bool = False) -> str:
        """Read a name, compressed or not, and pass over it; the root only where it may be one."""
        start = self._at
        name, self._at = self._labels(start)
        if not name:
            if not root:
                raise _NotPlain
            return "."
        if len(name) > _MAX_NAME:
            raise _NotPlain
        self._names[start] = name
        return name

    def _labels(self, start: int, hops: int = 0) -> tuple[str, int]:
        """Return the name at ``start`` without its final dot, and where it ends."""
        wire, at = self._wire, start
        labels: list[bytes] = []
        rest = ""
        while length := wire[at]:
            if length >= _POINTER:
                rest = self._earlier((length & ~_POINTER) << 8 | wire[at + 1], start, hops + 1)
                at += 1
                break
            if length > _MAX_LABEL:
                raise _NotPlain
            labels.append(wire[at + 1 : at + 1 + length])
            at += 1 + length
        if not labels:
            return rest, at + 1
        name = _text(b".".join(labels), len(labels))
        return (f"{name}.{rest}" if rest else name), at + 1

    def _earlier(self, target: int, start: int, hops: int) -> str:
        """Return the name that a pointer leads to, which must precede the name with the pointer."""
        known = self._names.get(target)
        if known is not None and target < start:
            return known
        if not _HEADER.size <= target < start or hops > _MOST_HOPS:
            raise _NotPlain
        if target < self._behind:  # on the wire, each label has one octet before it
            at = target - _HEADER.size
            if at and self._asked[at - 1] != ".":
                raise _NotPlain
            name = self._asked[at:]
        else:
            name, _end = self._labels(target, hops)
        if not name:
            raise _NotPlain
        self._names[target] = name
        return name


@lru_cache(_KEPT)
def _text(joined: bytes, labels: int) -> str:
    """Return so many labels as text; a dot within one would have to be escaped."""
    if not _LABELS.fullmatch(joined) or joined.count(b".") >= labels:
        raise _NotPlain
    return joined.decode("ascii").lower()
