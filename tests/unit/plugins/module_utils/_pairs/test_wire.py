# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plain messages: what is read by hand is what dnspython reads, or nothing is."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.model import (
    Mx,
    Question,
    RecordSet,
    RecordType,
    Reply,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.replies import (
    MalformedReplyError,
    UnrelatedMessageError,
    library_query,
    library_reply,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.wire import (
    plain_query,
    read_plain,
)
from hypothesis import given
from hypothesis import strategies as st

IDENT = 0x1234
_LABEL = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
_ODD_LABEL = st.sampled_from(["a\\.b", "\\000", "x" * 63, "a\\032b", "UPPER"])
NAMES = st.lists(_LABEL | _ODD_LABEL, min_size=0, max_size=4).map(".".join)
QUESTIONS = st.builds(
    Question,
    st.lists(st.from_regex(r"[a-z0-9_-]{1,12}", fullmatch=True), min_size=1, max_size=3).map(
        ".".join
    ),
    st.sampled_from([RecordType.MX, RecordType.A, RecordType.AAAA]),
)


def _absolute(name: str) -> str:
    return f"{name}."


DATA = st.one_of(
    st.tuples(st.just("A"), st.ip_addresses(v=4).map(str)),
    st.tuples(st.just("AAAA"), st.ip_addresses(v=6).map(str)),
    st.tuples(st.just("MX"), st.builds("{} {}.".format, st.integers(0, 65535), NAMES)),
    st.tuples(st.just("CNAME"), NAMES.map(_absolute)),
    st.tuples(st.just("NS"), NAMES.map(_absolute)),
    st.tuples(
        st.just("SOA"),
        st.builds("{}. {}. 1 2 3 4 {}".format, NAMES, NAMES, st.integers(0, 2**32 - 1)),
    ),
    st.tuples(st.just("TXT"), st.just('"text"')),
    st.tuples(st.just("DS"), st.just("1 8 2 " + "00" * 32)),
)
TTLS = st.integers(0, 2**31 - 1)


@st.composite
def replies(draw: st.DrawFn) -> tuple[Question, bytes]:
    """A question, and a message that answers it as some server might."""
    question = draw(QUESTIONS)
    query = dns.message.make_query(
        _absolute(draw(st.sampled_from([question.name, question.name.upper()]))),
        dns.rdatatype.RdataType(int(question.rdtype)),
        use_edns=draw(st.sampled_from([0, False])),
        id=IDENT,
    )
    reply = dns.message.make_response(query, our_payload=1232)
    for flag in (dns.flags.AA, dns.flags.AD, dns.flags.RA, dns.flags.TC):
        if draw(st.integers(0, 9)) < (1 if flag == dns.flags.TC else 5):
            reply.flags |= flag
    reply.set_rcode(
        draw(st.sampled_from([dns.rcode.NOERROR] * 4 + [dns.rcode.NXDOMAIN, dns.rcode.SERVFAIL]))
    )
    owners = st.sampled_from([question.name]) | NAMES
    for section in (reply.answer, reply.authority, reply.additional):
        for _unused in range(draw(st.integers(0, 4))):
            kind, text = draw(DATA)
            owner = dns.name.from_text(_absolute(draw(owners)))
            section.append(dns.rrset.from_text(owner, draw(TTLS), "IN", kind, text))
    try:
        return question, reply.to_wire(max_size=65535)
    except (dns.name.NameTooLong, dns.exception.DNSException):
        return question, b""


def both_read_the_same(question: Question, wire: bytes) -> bool:
    """Check the law on octets; return True if they were plain."""
    plain = read_plain(wire, question, IDENT)
    if plain is None:
        return False
    assert plain == library_reply(wire, question, IDENT)
    return True


@given(replies())
def test_replies_of_servers(reply: tuple[Question, bytes]) -> None:
    both_read_the_same(*reply)


@given(replies(), st.data())
def test_replies_with_octets_changed(reply: tuple[Question, bytes], data: st.DataObject) -> None:
    question, wire = reply[0], bytearray(reply[1])
    for _unused in range(data.draw(st.integers(1, 4))):
        if not wire:
            return
        at = data.draw(st.integers(0, len(wire) - 1))
        if data.draw(st.booleans()):
            wire[at] = data.draw(st.integers(0, 255) | st.sampled_from([0xC0, 0x0C, 0, 0xFF]))
        elif data.draw(st.booleans()):
            del wire[at:]
        else:
            wire[at:at] = data.draw(st.binary(min_size=1, max_size=4))
    plain = read_plain(bytes(wire), question, IDENT)
    if plain is not None:
        assert plain == library_reply(bytes(wire), question, IDENT)


@given(st.binary(max_size=200))
def test_octets_of_any_kind(octets: bytes) -> None:
    question = Question("nestle.com", RecordType.MX)
    header = plain_query(question, IDENT, edns=False, checking_disabled=False) or b""
    for wire in (
        octets,
        header[:2] + b"\x81\x80" + octets,
        header[:2] + b"\x81\x80" + header[4:] + octets,
    ):
        try:
            expected: Reply | None = library_reply(wire, question, IDENT)
        except (UnrelatedMessageError, MalformedReplyError):
            expected = None
        assert read_plain(wire, question, IDENT) in (None, expected)


@given(QUESTIONS, st.integers(0, 65535), st.booleans(), st.booleans())
def test_questions_are_written_as_dnspython_writes_them(
    question: Question, ident: int, edns: bool, checking_disabled: bool
) -> None:
    ours = plain_query(question, ident, edns=edns, checking_disabled=checking_disabled)
    assert ours == library_query(question, ident, edns=edns, checking_disabled=checking_disabled)


@pytest.mark.parametrize(
    "name", ["", ".", "a..b", "x" * 64, "a\\.b", "a.b.", "A.b", ".".join(["x" * 60] * 5)]
)
def test_names_that_are_not_plain_are_left_to_dnspython(name: str) -> None:
    question = Question(name, RecordType.MX)
    assert plain_query(question, IDENT, edns=True, checking_disabled=False) is None


def reply_to(question: Question, *rrsets: str, **more: str) -> bytes:
    query = dns.message.make_query(f"{question.name}.", question.rdtype.name, use_edns=0, id=IDENT)
    reply = dns.message.make_response(query)
    for text in rrsets:
        owner, ttl, kind, data = text.split(" ", 3)
        reply.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", kind, data))
    for text in more.values():
        owner, ttl, kind, data = text.split(" ", 3)
        reply.authority.append(dns.rrset.from_text(owner, int(ttl), "IN", kind, data))
    return reply.to_wire()


MX = Question("nestle.com", RecordType.MX)


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (
            reply_to(
                MX, "nestle.com. 300 MX 10 Mail.Nestle.com.", "nestle.com. 60 MX 20 m2.nestle.com."
            ),
            (
                RecordSet(
                    "nestle.com",
                    RecordType.MX,
                    60,
                    (Mx(10, "mail.nestle.com"), Mx(20, "m2.nestle.com")),
                ),
            ),
        ),
        (
            reply_to(MX, "nestle.com. 300 CNAME other.example.", "other.example. 60 MX 0 ."),
            (
                RecordSet("nestle.com", RecordType.CNAME, 300, ("other.example",)),
                RecordSet("other.example", RecordType.MX, 60, (Mx(0, "."),)),
            ),
        ),
        (reply_to(MX, soa="nestle.com. 60 SOA ns. host. 1 2 3 4 30"), ()),
    ],
)
def test_what_servers_mostly_say_is_plain(wire: bytes, expected: tuple[RecordSet, ...]) -> None:
    reply = read_plain(wire, MX, IDENT)
    assert reply is not None
    assert reply.records == expected
    assert both_read_the_same(MX, wire)


def test_pointers_that_lead_to_pointers_without_end_are_not_followed() -> None:
    wire = bytearray(reply_to(MX)[:12])
    wire[6:8] = b"\x00\x01"
    wire += b"\xc0\x0c" + b"".join((0xC000 | at).to_bytes(2, "big") for at in range(12, 8000, 2))
    assert read_plain(bytes(wire), MX, IDENT) is None


def test_a_message_of_an_extended_error_is_left_to_dnspython() -> None:
    query = dns.message.make_query("nestle.com.", "MX", use_edns=0, id=IDENT)
    reply = dns.message.make_response(query)
    reply.use_edns(0, options=[dns.edns.EDEOption(dns.edns.EDECode.STALE_ANSWER)])
    assert read_plain(reply.to_wire(), MX, IDENT) is None
