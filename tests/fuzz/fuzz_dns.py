# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DNS answers, as octets and over sockets."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import dns.flags
import dns.message
import dns.rrset
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.first_pass import (
    FirstPass,
    Limits,
    Pace,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.model import (
    NameServer,
    Patience,
    Question,
    RecordType,
    Stats,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.replies import (
    MAX_RECORDS,
    MalformedReplyError,
    QueryError,
    UnrelatedMessageError,
    decode_reply,
    encode_query,
    library_reply,
    read,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.resolver import (
    Resolver,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.wire import read_plain
from fuzz_registry import calmly, target
from fuzz_values import long_bytes, mutated
from hypothesis import strategies as st

IDENT = 0x1234
_QUESTIONS = [Question("nestle.com", kind) for kind in RecordType]
_RECORDS = {
    "MX": ["nestle.com. 300 MX 10 mail.nestle.com.", "nestle.com. 300 MX 20 192.0.2.1."],
    "A": ["nestle.com. 300 A 192.0.2.25"],
    "AAAA": ["nestle.com. 300 AAAA 2001:db8::25"],
    "CNAME": ["nestle.com. 300 CNAME nestle.com."],
}


def _answer(question: Question, *records: str) -> bytes:
    reply = dns.message.make_response(dns.message.from_wire(encode_query(question, IDENT)))
    reply.flags |= dns.flags.RA | dns.flags.AD
    for record in records:
        owner, ttl, kind, data = record.split(maxsplit=3)
        reply.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", kind, data))
    soa = dns.rrset.from_text("nestle.com.", 60, "IN", "SOA", "ns. root. 1 2 3 4 5")
    reply.authority.append(soa)
    return reply.to_wire()


_SEEDS = [_answer(question, *_RECORDS.get(question.rdtype.name, ())) for question in _QUESTIONS] + [
    _answer(_QUESTIONS[0], *_RECORDS["CNAME"], *_RECORDS["MX"])
]
_NAME = b"\x06nestle\x03com\x00"
_TOKENS = [
    b"\xc0\x0c",  # a pointer to the question's name
    b"\xc0\x00",
    b"\xff\xff",
    _NAME,
    b"\x00\x0f\x00\x01",
    b"\x00\x05\x00\x01",
    b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00",  # OPT
    b"\x3f" + b"a" * 63,
    b"\x00\x0f\x00\x06\x00\x06\x2e\x2e",  # extended error
]


def _decode(wire: bytes) -> None:
    for question in _QUESTIONS:
        try:
            reply = decode_reply(wire, question, IDENT)
        except (UnrelatedMessageError, MalformedReplyError):
            continue
        if (plain := read_plain(wire, question, IDENT)) is not None:
            assert plain == library_reply(wire, question, IDENT)
        assert len(reply.records) <= MAX_RECORDS
        try:
            answer = read(question, reply, "192.0.2.53")
        except QueryError:
            continue
        assert answer.nameserver == "192.0.2.53"


@target("reply, its octets bent", "DNS", mutated(_SEEDS, _TOKENS), examples=500, guided=True)
def _octets(wire: bytes) -> None:
    calmly(_decode, wire)


@st.composite
def _structured(draw: st.DrawFn) -> bytes:
    """A message put together by hand: any counts, and records that point anywhere."""
    number = st.one_of(st.integers(0, 4), st.sampled_from([255, 500, 501, 65535]))
    flags = draw(st.sampled_from([0x8180, 0x8580, 0x8380, 0x8182, 0x8183, 0x81A3, 0x0100, 0xF980]))
    head = [draw(st.sampled_from([IDENT, IDENT, IDENT, 0])), flags]
    head += [1 if draw(st.integers(0, 5)) else draw(number), *(draw(number) for _n in range(3))]
    wire = struct.pack("!6H", *head) + _NAME + struct.pack("!HH", draw(_KINDS), 1)
    for _record in range(draw(st.integers(0, 6))):
        data = draw(_DATA)
        length = len(data) if draw(st.integers(0, 6)) else draw(st.integers(0, 65535))
        fixed = struct.pack("!HHIH", draw(_KINDS), draw(_CLASSES), draw(_TTLS), length)
        wire += draw(_NAMES) + fixed + data
    return wire


_KINDS = st.sampled_from([1, 2, 5, 6, 15, 16, 28, 33, 39, 41, 46, 47, 52, 64, 65, 250, 255, 65280])
_CLASSES = st.sampled_from([1, 1, 1, 3, 255, 1232])
_TTLS = st.sampled_from([0, 300, 2**31, 2**32 - 1])
_POINTERS = st.integers(0, 80).map(lambda to: struct.pack("!H", 0xC000 | to))
_NAMES = st.one_of(
    st.sampled_from([_NAME, b"\x00", b"\xc0\x0c", b"\x01\xff\x00"]),
    _POINTERS,
    st.lists(st.binary(max_size=63), max_size=8).map(
        lambda labels: b"".join(bytes([len(x)]) + x for x in labels) + b"\x00"
    ),
)
_DATA = st.one_of(
    st.binary(max_size=40),
    _NAMES,
    _NAMES.map(lambda name: b"\x00\x0a" + name),
    st.binary(min_size=4, max_size=4),
    st.binary(min_size=16, max_size=16),
)


@target("reply, any counts and pointers", "DNS", _structured(), examples=500, guided=True)
def _structure(wire: bytes) -> None:
    calmly(_decode, wire)


def _largest(piece: bytes) -> bytes:
    """The longest message TCP carries, made of one record."""
    count = (65535 - 12 - len(_NAME) - 4) // max(1, len(piece))
    return (
        struct.pack("!6H", IDENT, 0x8180, 1, 0, count, 0)
        + _NAME
        + b"\x00\x0f\x00\x01"
        + piece * count
    )


@target(
    "reply, 64 kB",
    "DNS",
    st.one_of(
        st.tuples(_NAMES, _KINDS, _DATA).map(
            lambda made: _largest(
                made[0] + struct.pack("!HHIH", made[1], 1, 60, len(made[2])) + made[2]
            )
        ),
        long_bytes(_SEEDS, _TOKENS).map(lambda data: data[:65535]),
    ),
    examples=40,
)
def _large(wire: bytes) -> None:
    calmly(_decode, wire)


# -- over sockets

_PATIENCE = Patience(timeout=0.05, retries=0, lifetime=0.2)
_DATAGRAMS = st.lists(
    st.tuples(st.sampled_from(["own id", "as it is"]), mutated(_SEEDS, _TOKENS, most=2)), max_size=4
)


@target("exchange over UDP", "DNS", _DATAGRAMS, examples=60)
def _udp(datagrams: list[tuple[str, bytes]]) -> None:
    asyncio.run(_over_udp(datagrams))


async def _over_udp(datagrams: list[tuple[str, bytes]]) -> None:
    class Liar(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            for kind, wire in datagrams:
                self.transport.sendto(data[:2] + wire[2:] if kind == "own id" else wire, addr)

    loop = asyncio.get_running_loop()
    transport, _protocol = await loop.create_datagram_endpoint(Liar, ("127.0.0.1", 0))
    try:
        await _follow(transport.get_extra_info("sockname")[1])
    finally:
        transport.close()


async def _follow(port: int) -> None:
    where, question, pace = NameServer("127.0.0.1", port), _QUESTIONS[0], Pace(0)
    first = FirstPass(where, Limits(4, 0.05), pace, lambda _answer: ())
    await asyncio.to_thread(first.ask, [question])
    assert all(told.kind.definite for told in first.known.values())
    assert all(told is None or told.message.isprintable() for told in first.failed.values())
    resolver = Resolver([where], _PATIENCE, asyncio.Semaphore(4), Stats(), pace)
    answer = await asyncio.wait_for(resolver.follow(question), 30)
    for failure in answer.failures:
        assert failure.message.isprintable()


_STREAM = st.tuples(
    st.sampled_from([0, 1, 2]),
    mutated(_SEEDS, _TOKENS, most=2),
    st.one_of(st.none(), st.integers(0, 65535)),
)


@target("exchange over TCP", "DNS", _STREAM, examples=60)
def _tcp(made: tuple[int, bytes, int | None]) -> None:
    asyncio.run(_over_tcp(*made))


async def _over_tcp(cut: int, wire: bytes, length: int | None) -> None:
    class Truncating(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            self.transport.sendto(data[:2] + b"\x83\x80" + data[4:], addr)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readexactly(2)
        asked = await reader.readexactly(struct.unpack("!H", asked)[0])
        told = asked[:2] + wire[2:]
        framed = struct.pack("!H", len(told) if length is None else length) + told
        writer.write(framed[: len(framed) // (cut + 1)])
        writer.close()

    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        try:
            bound.bind(("127.0.0.1", port))
        except OSError:
            server.close()
            return  # the port is somebody's by UDP; there are other examples
        bound.setblocking(False)
        transport, _protocol = await loop.create_datagram_endpoint(Truncating, sock=bound)
        try:
            await _follow(port)
        finally:
            transport.close()
            server.close()
