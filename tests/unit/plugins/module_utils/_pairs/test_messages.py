# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire format: what is sent, what is read, and what a liar cannot get through."""

from __future__ import annotations

import struct

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import MissingLibrary
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs import replies
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
    decode_reply,
    encode_query,
)
from hypothesis import given
from hypothesis import strategies as st

MX = Question("nestle.com", RecordType.MX)
IDENT = 0x1234


def _reply(question: Question = MX) -> dns.message.Message:
    reply = dns.message.make_response(dns.message.from_wire(encode_query(question, IDENT)))
    reply.flags |= dns.flags.RA
    return reply


def _with(*records: str, question: Question = MX) -> dns.message.Message:
    reply = _reply(question)
    for record in records:
        owner, ttl, kind, data = record.split(maxsplit=3)
        reply.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", kind, data))
    return reply


def _decode(reply: dns.message.Message, question: Question = MX) -> Reply:
    return decode_reply(reply.to_wire(), question, IDENT)


def test_rule_15_a_question_is_absolute_recursive_and_does_not_let_answers_fragment() -> None:
    query = dns.message.from_wire(encode_query(MX, IDENT))
    assert query.id == IDENT
    assert query.question[0].to_text() == "nestle.com. IN MX"
    assert query.flags == dns.flags.RD | dns.flags.AD
    assert (query.edns, query.payload) == (0, 1232)
    assert dns.message.from_wire(encode_query(MX, IDENT, edns=False)).edns == -1
    assert dns.message.from_wire(encode_query(MX, IDENT, checking_disabled=True)).flags & (
        dns.flags.CD
    )


def test_records_are_read_in_one_spelling() -> None:
    reply = _with("Nestle.COM. 300 MX 10 MAIL.Nestle.com.", "x.example. 5 A 192.0.2.1")
    assert _decode(reply).records == (
        RecordSet("nestle.com", RecordType.MX, 300, (Mx(10, "mail.nestle.com"),)),
    )


def test_names_that_hold_anything_are_text_that_can_be_asked_again() -> None:
    wild = dns.name.Name([b"a b", b"\x00\xff", b"x.y", b"com", b""])
    reply = _reply()
    rrset = dns.rrset.from_text("nestle.com.", 300, "IN", "CNAME", "placeholder.")
    reply.answer.append(dns.rrset.from_rdata("nestle.com.", 300, rrset[0].replace(target=wild)))
    (target,) = _decode(reply).records[0].values
    assert isinstance(target, str)
    assert target.isascii()
    assert target.isprintable()
    asked = dns.message.from_wire(encode_query(Question(target, RecordType.MX), IDENT))
    assert asked.question[0].name == wild


def test_rule_20_a_time_to_live_out_of_range_is_zero() -> None:
    wire = bytearray(_with("nestle.com. 300 MX 10 mail.nestle.com.").to_wire())
    at = bytes(wire).index(struct.pack("!I", 300))
    wire[at : at + 4] = b"\xff\xff\xff\xff"
    assert decode_reply(bytes(wire), MX, IDENT).records[0].ttl == 0


def test_rule_19_the_ad_flag_is_read() -> None:
    reply = _with("nestle.com. 300 MX 10 mail.nestle.com.")
    assert not _decode(reply).authentic
    reply.flags |= dns.flags.AD
    assert _decode(reply).authentic
    reply.flags |= dns.flags.AA  # such a server validates nothing (rule 19)
    assert not _decode(reply).authentic
    reply.flags &= ~dns.flags.AA
    reply.use_edns(False)  # nor does one that knows no EDNS
    assert not _decode(reply).authentic


def test_what_a_negative_answer_says() -> None:
    reply = _reply()
    reply.set_rcode(dns.rcode.NXDOMAIN)
    soa = "ns.nestle.com. hostmaster.nestle.com. 1 2 3 4 60"
    reply.authority.append(dns.rrset.from_text("nestle.com.", 300, "IN", "SOA", soa))
    found = _decode(reply)
    assert (found.rcode, found.soa, found.referral) == (3, ("nestle.com", 60), "")


def test_rule_13_a_referral_is_seen() -> None:
    reply = _reply()
    reply.authority.append(dns.rrset.from_text(".", 300, "IN", "NS", "a.root-servers.net."))
    assert _decode(reply).referral
    reply.flags |= dns.flags.AA
    assert not _decode(reply).referral


def test_rule_13_an_extended_error_is_read() -> None:
    reply = _reply()
    reply.use_edns(0, options=[dns.edns.EDEOption(dns.edns.EDECode.make(22), "\x1b[31mlies")])
    reply.set_rcode(dns.rcode.SERVFAIL)
    assert _decode(reply).extended_error == 22


@pytest.mark.parametrize("ident", [0, IDENT ^ 1, 0xFFFF])
def test_another_id_is_not_ours(ident: int) -> None:
    with pytest.raises(UnrelatedMessageError):
        decode_reply(_reply().to_wire(), MX, ident)


@pytest.mark.parametrize(
    "question",
    [Question("liar.example", RecordType.MX), Question("nestle.com", RecordType.A)],
)
def test_another_question_is_not_ours(question: Question) -> None:
    with pytest.raises(UnrelatedMessageError):
        _decode(_reply(question))


def test_a_question_is_no_reply() -> None:
    with pytest.raises(UnrelatedMessageError):
        decode_reply(encode_query(MX, IDENT), MX, IDENT)


def test_a_reply_without_question_is_ours_only_as_an_error() -> None:
    reply = _with("nestle.com. 300 MX 10 mail.nestle.com.")
    reply.question = []
    with pytest.raises(UnrelatedMessageError):
        _decode(reply)
    reply.answer = []
    reply.set_rcode(dns.rcode.REFUSED)
    assert _decode(reply).rcode == 5


def test_rule_15_of_a_truncated_reply_nothing_is_taken() -> None:
    reply = _with("nestle.com. 300 MX 10 mail.nestle.com.", "nestle.com. 300 MX 20 b.nestle.com.")
    reply.flags |= dns.flags.TC
    assert decode_reply(reply.to_wire()[:-9], MX, IDENT) == Reply(rcode=0, truncated=True)


def test_a_reply_that_announces_too_much_is_not_read() -> None:
    wire = bytearray(_reply().to_wire())
    wire[6:8] = struct.pack("!H", 501)
    with pytest.raises(MalformedReplyError, match="announces 501 answer records"):
        decode_reply(bytes(wire), MX, IDENT)


def test_rdata_that_does_not_fit_is_malformed() -> None:
    wire = bytearray(_with("nestle.com. 300 MX 10 mail.example.").to_wire())
    at = bytes(wire).index(struct.pack("!I", 300)) + 4
    for length in (0, 1, 3, 200, 0xFFFF):
        wire[at : at + 2] = struct.pack("!H", length)
        with pytest.raises(MalformedReplyError):
            decode_reply(bytes(wire), MX, IDENT)


def test_a_name_that_points_to_itself_is_malformed() -> None:
    wire = bytearray(_with("nestle.com. 300 MX 10 mail.example.").to_wire())
    at = bytes(wire).index(b"\x04mail")
    wire[at : at + 2] = struct.pack("!H", 0xC000 | at)
    with pytest.raises(MalformedReplyError):
        decode_reply(bytes(wire), MX, IDENT)


_seeds = st.sampled_from(
    [
        _with("nestle.com. 300 MX 10 mail.nestle.com.", "nestle.com. 300 CNAME x.nestle.com."),
        _with("nestle.com. 300 MX 0 ."),
        _reply(),
    ]
)


@given(_seeds, st.data())
def test_octets_changed_at_random_never_surprise(
    reply: dns.message.Message, data: st.DataObject
) -> None:
    reply.use_edns(0, options=[dns.edns.EDEOption(dns.edns.EDECode.DNSSEC_BOGUS)])
    wire = bytearray(reply.to_wire())
    for _round in range(data.draw(st.integers(1, 6))):
        wire[data.draw(st.integers(2, len(wire) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(wire)))
    for octets in (bytes(wire), bytes(wire[:cut])):
        try:
            found = decode_reply(octets, MX, IDENT)
        except (UnrelatedMessageError, MalformedReplyError):
            continue
        assert isinstance(found, Reply)


@given(st.binary(max_size=600))
def test_any_octets_behind_a_good_header_never_surprise(octets: bytes) -> None:
    header = struct.pack("!6H", IDENT, 0x8180, 1, 2, 1, 1)
    try:
        decode_reply(header + octets, MX, IDENT)
    except (UnrelatedMessageError, MalformedReplyError):
        return


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies, "DNSPYTHON_ERROR", "Traceback: no dns")
    with pytest.raises(MissingLibrary, match=r"dnspython >= 2\.6") as caught:
        replies.require_dnspython()
    assert caught.value.details["exception"] == "Traceback: no dns"
