# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a name server goes wrong: what it sends instead of, or ahead of, the answer."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import Enum, auto

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

_WITHOUT_EDNS = 512  # octets
_LARGEST = 0xFFFF
_FLOOD = 500  # datagrams
POISON = "203.0.113.66"  # the address that liars give, as text or below an exchange's name


class Fault(Enum):
    """What a server does instead of answering a question as it should."""

    TIMEOUT = auto()  # nothing
    SERVFAIL = auto()
    REFUSED = auto()
    NXDOMAIN = auto()  # although the name is there
    NO_DATA = auto()  # although there are records; without SOA
    LAME = auto()  # a referral to the root
    REFERRAL = auto()  # a referral to the name asked for, as of the zone above
    BOGUS = auto()  # SERVFAIL unless checking is disabled, as a validating resolver
    BOGUS_EXPLAINED = auto()  # SERVFAIL with the extended error "DNSSEC bogus"
    NO_EDNS = auto()  # FORMERR for every question with EDNS
    BADVERS = auto()  # BADVERS for every question with EDNS
    EDNS_LOST = auto()  # nothing for every question with EDNS, as behind some firewalls
    LARGE_LOST = auto()  # nothing where the answer has over 512 octets, as behind some firewalls
    TRUNCATED = auto()  # TC over UDP, the answer over TCP
    TRUNCATED_CLOSED = auto()  # TC over UDP, TCP closed without a word
    TRUNCATED_SILENT = auto()  # TC over UDP, nothing over TCP
    TRUNCATED_TWICE = auto()  # TC over UDP and over TCP
    WRONG_ID = auto()
    WRONG_QUESTION = auto()
    WRONG_SOURCE = auto()  # the answer from another port
    GARBAGE = auto()  # random octets
    FLOOD = auto()  # hundreds of random datagrams
    MALFORMED = auto()  # the right header and question, then a record longer than the message
    SLOW = auto()  # the answer, later


_LIES = frozenset(
    {Fault.WRONG_ID, Fault.WRONG_QUESTION, Fault.WRONG_SOURCE, Fault.GARBAGE, Fault.FLOOD}
)
_RCODES = {
    Fault.SERVFAIL: dns.rcode.SERVFAIL,
    Fault.REFUSED: dns.rcode.REFUSED,
    Fault.NXDOMAIN: dns.rcode.NXDOMAIN,
    Fault.NO_DATA: dns.rcode.NOERROR,
    Fault.BOGUS_EXPLAINED: dns.rcode.SERVFAIL,
}
_TRUNCATED = frozenset(
    {
        Fault.TRUNCATED,
        Fault.TRUNCATED_CLOSED,
        Fault.TRUNCATED_SILENT,
        Fault.TRUNCATED_TWICE,
    }
)


@dataclass(frozen=True, slots=True)
class Sending:
    """One message to be sent, after a delay in seconds."""

    wire: bytes
    delay: float = 0.0
    elsewhere: bool = False  # from another port than the one that was asked


def sendings(
    fault: Fault,
    seconds: float,
    reply: dns.message.Message,
    query: dns.message.Message,
    transport: str,
) -> list[Sending]:
    """Return what to send where ``reply`` would be right; ``seconds`` as in ``set_fault``."""
    if fault is Fault.TIMEOUT or (fault is Fault.EDNS_LOST and query.edns >= 0):
        return []
    if fault in (Fault.EDNS_LOST, Fault.LARGE_LOST):
        octets = wire(reply, query, transport)
        lost = fault is Fault.LARGE_LOST and transport == "udp" and len(octets) > _WITHOUT_EDNS
        return [] if lost else [Sending(octets)]
    if fault is Fault.SLOW:
        return [Sending(wire(reply, query, transport), seconds)]
    if fault in _TRUNCATED:
        return _truncated(fault, reply, query, transport)
    if fault in _LIES:
        truth = Sending(wire(reply, query, transport), seconds)
        return [*_lies(fault, reply), *([truth] if seconds else [])]
    return [Sending(_wrong(fault, reply, query, transport))]


def wire(reply: dns.message.Message, query: dns.message.Message, transport: str) -> bytes:
    """Return the octets of a reply, with TC instead of records where it is too long for UDP."""
    limit = max(_WITHOUT_EDNS, query.payload) if transport == "udp" else _LARGEST
    try:
        return reply.to_wire(max_size=limit, want_shuffle=False)
    except dns.exception.TooBig:
        return _cut(reply)


def _cut(reply: dns.message.Message) -> bytes:
    short = dns.message.Message(id=reply.id)
    short.flags = reply.flags | dns.flags.TC
    short.question = reply.question
    return short.to_wire()


def _truncated(
    fault: Fault, reply: dns.message.Message, query: dns.message.Message, transport: str
) -> list[Sending]:
    if transport == "udp" or fault is Fault.TRUNCATED_TWICE:
        return [Sending(_cut(reply))]
    if fault is Fault.TRUNCATED_SILENT:
        return []
    return [Sending(wire(reply, query, transport))]


def _lies(fault: Fault, reply: dns.message.Message) -> list[Sending]:
    """Return what a liar sends: somebody else's address in something that looks like a reply."""
    if fault is Fault.GARBAGE:
        return [Sending(secrets.token_bytes(40))]
    if fault is Fault.FLOOD:
        return [Sending(secrets.token_bytes(40)) for _round in range(_FLOOD)]
    lie = _poisoned(reply)
    if fault is Fault.WRONG_ID:
        octets = bytearray(lie.to_wire())
        octets[1] ^= 0xFF
        return [Sending(bytes(octets))]
    if fault is Fault.WRONG_QUESTION:
        asked = reply.question[0]
        name = dns.name.from_text("liar.invalid")
        lie.question = [dns.rrset.RRset(name, asked.rdclass, asked.rdtype)]
    return [Sending(lie.to_wire(), elsewhere=fault is Fault.WRONG_SOURCE)]


def _poisoned(reply: dns.message.Message) -> dns.message.Message:
    """Return a reply to the same question that leads somewhere else."""
    asked = reply.question[0]
    lie = dns.message.Message(id=reply.id)
    lie.flags = reply.flags
    lie.question = reply.question
    data = {"A": POISON, "MX": f"0 {POISON}.liar.invalid."}.get(asked.rdtype.name)
    if data:
        lie.answer.append(dns.rrset.from_text(asked.name, 300, "IN", asked.rdtype, data))
    return lie


def _wrong(
    fault: Fault, reply: dns.message.Message, query: dns.message.Message, transport: str
) -> bytes:
    """Return one reply that is wrong in itself."""
    if fault is Fault.MALFORMED:
        # one answer record is announced, with 99 octets of data that do not follow
        octets = bytearray(_cut(reply))
        octets[2] &= ~0x02 & 0xFF
        octets[6:8] = b"\x00\x01"
        rdtype = int(reply.question[0].rdtype).to_bytes(2)
        return bytes(octets) + b"\xc0\x0c" + rdtype + b"\x00\x01\x00\x00\x01\x2c\x00\x63\x01"
    if (fault in (Fault.NO_EDNS, Fault.BADVERS) and query.edns < 0) or (
        fault is Fault.BOGUS and query.flags & dns.flags.CD
    ):
        return wire(reply, query, transport)
    wrong = dns.message.make_response(query)
    if fault in (Fault.LAME, Fault.REFERRAL):
        zone = "." if fault is Fault.LAME else query.question[0].name
        root_servers = dns.rrset.from_text(zone, 300, "IN", "NS", "a.root-servers.net.")
        wrong.authority.append(root_servers)
    elif fault is Fault.NO_EDNS:
        wrong.use_edns(False)
        wrong.set_rcode(dns.rcode.FORMERR)
    elif fault is Fault.BADVERS:
        wrong.set_rcode(dns.rcode.BADVERS)
    else:
        wrong.set_rcode(_RCODES.get(fault, dns.rcode.SERVFAIL))
    if fault is Fault.BOGUS_EXPLAINED:
        explained = dns.edns.EDEOption(dns.edns.EDECode.DNSSEC_BOGUS, "no valid signature")
        wrong.use_edns(0, options=[explained])
    return wrong.to_wire()
