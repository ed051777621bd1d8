# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire format, by dnspython, and international names, by idna.

This is the only file that knows these libraries. Everything around it works on the types of
``model``: octets go out by ``encode_query``, octets come in by ``decode_reply``.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import struct
import traceback
from collections.abc import Iterator

from ansible.module_utils.basic import missing_required_lib

from .._base.errors import MissingLibrary
from .model import Mx, Question, RecordSet, RecordType, Reply
from .wire import EDNS_PAYLOAD, plain_query, read_plain

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
    import dns.rdtypes.ANY.SOA
except ImportError:
    DNSPYTHON_ERROR: str | None = traceback.format_exc()
else:
    DNSPYTHON_ERROR = None

try:
    import idna
except ImportError:
    IDNA_ERROR: str | None = traceback.format_exc()
else:
    IDNA_ERROR = None

# More answer records than any mail domain has. A message that announces more is not even read.
MAX_RECORDS = 500
# The largest time to live; a larger number counts as zero (RFC 2181 section 8).
MAX_TTL = 2**31 - 1

_QR = 0x8000
_OPCODE = 0x7800
_TC = 0x0200
_WITHOUT_QUESTION = frozenset({1, 2, 4, 5})  # FORMERR, SERVFAIL, NOTIMP, REFUSED
_FIRST_BOGUS, _LAST_BOGUS = 6, 12  # RFC 8914 sections 4.7 to 4.13


class NotOurs(Exception):  # noqa: N818 - a finding, not a fault
    """Octets that are no reply to our question: to be ignored, whoever sent them."""


class Malformed(Exception):  # noqa: N818
    """A reply to our question that cannot be read, or that is out of all proportion."""


def require_dnspython() -> None:
    """Raise MissingLibrary unless dnspython can be used here."""
    if DNSPYTHON_ERROR is not None:
        raise MissingLibrary(
            missing_required_lib("dnspython >= 2.6", url="https://www.dnspython.org/"),
            details={"exception": DNSPYTHON_ERROR},
        )


def a_label(label: str) -> str:
    """Return the A-label of one internationalised label (RFC 5891); ValueError says why not."""
    if IDNA_ERROR is not None:
        raise MissingLibrary(
            missing_required_lib("idna", reason="for internationalised domain names"),
            details={"exception": IDNA_ERROR},
        )
    try:
        return idna.encode(label).decode("ascii")
    except idna.IDNAError as err:
        raise ValueError(str(err)) from err


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
    flags = dns.flags.RD | dns.flags.AD
    if checking_disabled:
        flags |= dns.flags.CD
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

    Nothing is taken from a truncated reply but that it is one (RFC 2181 section 9). Raises NotOurs
    for what is no reply to it (wrong id, wrong question, no reply at all), and Malformed for a
    reply that cannot be read.
    """
    return read_plain(wire, question, ident) or library_reply(wire, question, ident)


def library_reply(wire: bytes, question: Question, ident: int) -> Reply:
    """Return the same, as dnspython reads it, whatever the message holds."""
    flags = _check_header(wire, ident)
    truncated = bool(flags & _TC)
    try:
        message = dns.message.from_wire(wire, question_only=truncated, ignore_trailing=True)
        rcode = int(message.rcode())
        _check_question(message, question, rcode)
        if truncated:
            return Reply(rcode=rcode, truncated=True)
        return Reply(
            rcode=rcode,
            authentic=bool(flags & dns.flags.AD),
            records=tuple(_records(message, question.rdtype)),
            soa=_negative_soa(message),
            referral=_is_referral(message),
            extended_error=_extended_error(message),
        )
    except (dns.exception.DNSException, ValueError, IndexError, struct.error) as err:
        # the last three: dnspython's readers of rare options and records let them through
        raise Malformed(f"cannot be read ({type(err).__name__})") from err


def error_name(code: int) -> str:
    """Return an extended error (RFC 8914) as number and name."""
    name = dns.edns.EDECode.make(code).name
    meaning = "" if name.isdigit() else f" ({name.replace('_', ' ').lower()})"
    return f"extended error {code}{meaning}"


def is_bogus(code: int | None) -> bool:
    """Whether an extended error means that DNSSEC validation failed (RFC 8914)."""
    return code is not None and _FIRST_BOGUS <= code <= _LAST_BOGUS


def _check_header(wire: bytes, ident: int) -> int:
    """Return the flags of a message that may be ours."""
    if len(wire) < 12:  # noqa: PLR2004 - a header, RFC 1035 section 4.1.1
        raise NotOurs("shorter than a header")
    got, flags, _questions, answers = struct.unpack("!4H", wire[:8])
    if got != ident or not flags & _QR or flags & _OPCODE:
        raise NotOurs("not a reply to this question")
    if answers > MAX_RECORDS:
        raise Malformed(f"announces {answers} answer records; more than {MAX_RECORDS} are not read")
    return int(flags)


def _check_question(message: dns.message.Message, question: Question, rcode: int) -> None:
    if not message.question and rcode in _WITHOUT_QUESTION:
        return  # some servers cut everything off an error; it can only count as a failure
    if len(message.question) != 1:
        raise NotOurs("not one question")
    asked = message.question[0]
    if (
        _text(asked.name) != question.name
        or int(asked.rdtype) != int(question.rdtype)
        or asked.rdclass != dns.rdataclass.IN
    ):
        raise NotOurs("another question")


def _records(message: dns.message.Message, rdtype: RecordType) -> Iterator[RecordSet]:
    wanted = {int(rdtype), int(RecordType.CNAME)}
    for rrset in message.answer:
        if rrset.rdclass != dns.rdataclass.IN or int(rrset.rdtype) not in wanted:
            continue
        kind, values = RecordType(int(rrset.rdtype)), tuple([_value(rdata) for rdata in rrset])
        yield RecordSet(_text(rrset.name), kind, _ttl(rrset.ttl), values)


def _value(rdata: dns.rdata.Rdata) -> Mx | str:
    if isinstance(rdata, dns.rdtypes.ANY.MX.MX):
        return Mx(rdata.preference, _text(rdata.exchange))
    if isinstance(rdata, dns.rdtypes.ANY.CNAME.CNAME):
        return _text(rdata.target)
    return rdata.to_text()


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _ttl(ttl: int) -> int:
    return ttl if 0 <= ttl <= MAX_TTL else 0


def _negative_soa(message: dns.message.Message) -> tuple[str, int] | None:
    for rrset in message.authority:
        for rdata in rrset:
            if isinstance(rdata, dns.rdtypes.ANY.SOA.SOA):
                return _text(rrset.name), _ttl(min(rrset.ttl, rdata.minimum))
    return None


def _is_referral(message: dns.message.Message) -> bool:
    """Whether an authority section holds name servers and no SOA, without authority (RFC 2308)."""
    kinds = {rrset.rdtype for rrset in message.authority}
    return (
        not message.flags & dns.flags.AA
        and dns.rdatatype.NS in kinds
        and dns.rdatatype.SOA not in kinds
    )


def _extended_error(message: dns.message.Message) -> int | None:
    for option in message.options:
        if isinstance(option, dns.edns.EDEOption):
            return int(option.code)
    return None
