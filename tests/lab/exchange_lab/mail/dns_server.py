# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An authoritative name server on the loopback interface that can be told to fail and to lie.

::

    with DnsServer({"nestle.com": "@ MX 10 mail\\nmail A 192.0.2.25"}) as server:
        server.set_fault("mail.nestle.com", "A", Fault.SERVFAIL, times=1)
        ...  # ask server.address, server.port
        assert server.count("nestle.com", "MX") == 1
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import dns.exception
import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

from .dns_faults import Fault, Sending, sendings, wire
from .dns_zones import Zones

__all__ = ["DnsServer", "Fault", "Query"]

_PORT_TRIES = 50
_LENGTH_OCTETS = 2


@dataclass(frozen=True, slots=True)
class Query:
    """One question as it came in; ``transport`` is ``udp`` or ``tcp``."""

    name: str
    rdtype: str
    transport: str


@dataclass(slots=True)
class _Planned:
    """A fault with its delay in seconds, and how often it is still to happen (None: always)."""

    fault: Fault
    seconds: float
    times: int | None


class DnsServer:
    """A name server for some zones, in a thread of its own, over UDP and TCP on one port.

    ``zones`` maps origins to master-file text (see ``dns_zones.Zones``). Records are answered in
    the order of the zone; ``rotate`` turns that by one with each answer, as most name servers do,
    and ``pool`` gives only so many addresses. ``authentic`` sets the AD flag and no AA, as a
    validating resolver does for signed names; ``echoes_ad`` copies AD from the question, as
    Samba's server does.
    """

    def __init__(
        self,
        zones: Mapping[str, str],
        port: int = 0,
        *,
        address: str = "127.0.0.1",
        rotate: bool = False,
        authentic: bool = False,
        echoes_ad: bool = False,
        pool: int = 0,
    ) -> None:
        self.address = address
        self.port = port
        self.queries: list[Query] = []
        self.peak = 0  # the most questions that waited for a slow answer at once
        self._zones = Zones(zones)
        self._rotate = rotate
        self._authentic = authentic
        self._echoes_ad = echoes_ad
        self._pool = pool
        self._turns = 0
        self._waiting = 0
        self._faults: dict[tuple[str, str], _Planned] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen; ``port`` is known from then on."""
        udp, tcp = _bind(self.address, self.port)
        self.port = udp.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._serve, args=(self._loop, udp, tcp, ready), daemon=True, name="dns-server"
        )
        self._thread.start()
        ready.wait()

    def stop(self) -> None:
        """Stop listening; calling it twice does no harm."""
        if self._loop is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def set_fault(
        self,
        name: str,
        rdtype: str,
        fault: Fault,
        *,
        seconds: float = 0.0,
        times: int | None = None,
    ) -> None:
        """Let questions go wrong; ``*`` is any name, or any type.

        ``seconds`` is the delay of SLOW; after a lie, a true answer follows after so many seconds
        (0: never). ``times`` limits the fault to the next so many questions.
        """
        self._faults[_key(name), rdtype.upper()] = _Planned(fault, seconds, times)

    def serve(self, zones: Mapping[str, str]) -> None:
        """Answer from these zones from now on, instead of those before."""
        self._zones = Zones(zones)

    def clear_faults(self) -> None:
        """Answer everything as it should be from now on."""
        self._faults.clear()

    def count(
        self, name: str | None = None, rdtype: str | None = None, transport: str | None = None
    ) -> int:
        """Return how many questions came in, of one name, type or transport if given."""
        return sum(
            (name is None or query.name == _key(name))
            and rdtype in (None, query.rdtype)
            and transport in (None, query.transport)
            for query in list(self.queries)
        )

    # From here on: within the thread.

    def _serve(
        self,
        loop: asyncio.AbstractEventLoop,
        udp: socket.socket,
        tcp: socket.socket,
        ready: threading.Event,
    ) -> None:
        asyncio.set_event_loop(loop)
        server = self

        class Datagrams(asyncio.DatagramProtocol):
            def connection_made(self, transport: Any) -> None:
                self.transport = transport

            def datagram_received(self, data: bytes, addr: Any) -> None:
                server._on_datagram(self.transport, data, addr)

        transport, _skipped = loop.run_until_complete(
            loop.create_datagram_endpoint(Datagrams, sock=udp)
        )
        listener = loop.run_until_complete(asyncio.start_server(self._on_stream, sock=tcp))
        ready.set()
        loop.run_forever()
        transport.close()
        listener.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                loop.run_until_complete(task)
        loop.run_until_complete(asyncio.sleep(0))  # closes what was told to close
        loop.close()

    def _on_datagram(self, transport: asyncio.DatagramTransport, octets: bytes, addr: Any) -> None:
        query = self._heard(octets, "udp")
        if query is None:
            return
        for sending in self._sendings(query, "udp"):
            if sending.delay:
                self._waiting += 1
                self.peak = max(self.peak, self._waiting)
                asyncio.get_running_loop().call_later(
                    sending.delay, self._send, transport, sending, addr
                )
            else:
                self._send(transport, sending, addr)

    def _send(self, transport: asyncio.DatagramTransport, sending: Sending, addr: Any) -> None:
        if sending.delay:
            self._waiting -= 1
        if sending.elsewhere:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.bind((self.address, 0))
                other.sendto(sending.wire, addr)
        elif not transport.is_closing():
            transport.sendto(sending.wire, addr)

    async def _on_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(EOFError, ConnectionError):
            while True:
                size = int.from_bytes(await reader.readexactly(_LENGTH_OCTETS))
                query = self._heard(await reader.readexactly(size), "tcp")
                planned = query and self._planned(query)
                if query is None or (planned and planned.fault is Fault.TRUNCATED_CLOSED):
                    break
                for sending in self._sendings(query, "tcp"):
                    await asyncio.sleep(sending.delay)
                    writer.write(len(sending.wire).to_bytes(_LENGTH_OCTETS) + sending.wire)
                await writer.drain()

    def _heard(self, octets: bytes, transport: str) -> dns.message.Message | None:
        try:
            query = dns.message.from_wire(octets)
        except dns.exception.DNSException:
            return None
        if len(query.question) != 1:
            return None
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        self.queries.append(Query(_key(question.name.to_text()), kind, transport))
        return query

    def _planned(self, query: dns.message.Message) -> _Planned | None:
        """Return the fault for a question, if one is planned and not used up."""
        question = query.question[0]
        name, kind = _key(question.name.to_text()), dns.rdatatype.to_text(question.rdtype)
        for key in ((name, kind), (name, "*"), ("*", kind), ("*", "*")):
            planned = self._faults.get(key)
            if planned is not None and planned.times != 0:
                return planned
        return None

    def _sendings(self, query: dns.message.Message, transport: str) -> list[Sending]:
        """Return what to send for one question, and count its fault down."""
        planned = self._planned(query)
        reply = self._answer(query)
        if planned is None:
            return [Sending(wire(reply, query, transport))]
        if planned.times is not None:
            planned.times -= 1
        return sendings(planned.fault, planned.seconds, reply, query, transport)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        reply = self._zones.answer(query)
        if self._authentic:
            reply.flags |= dns.flags.AD
            reply.flags &= ~dns.flags.AA
        if self._echoes_ad:
            reply.flags |= query.flags & dns.flags.AD
        if self._rotate or self._pool:
            self._turns += 1
            turned = [_rotated(rrset, self._turns) for rrset in reply.answer]
            reply.answer = [_first(rrset, self._pool) for rrset in turned]
        return reply


def _key(name: str) -> str:
    return name.rstrip(".").lower() or "."


def _bind(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Return a datagram and a stream socket on the same port; any free one for port 0."""
    for _round in range(_PORT_TRIES):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            udp.bind((address, port))
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tcp.bind((address, udp.getsockname()[1]))
        except OSError:
            udp.close()
            tcp.close()
            if port:
                raise
            continue
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        return udp, tcp
    raise OSError(f"no port of {address} is free for both UDP and TCP")


def _rotated(rrset: dns.rrset.RRset, turns: int) -> dns.rrset.RRset:
    records = deque(rrset)
    records.rotate(turns)
    return dns.rrset.from_rdata_list(rrset.name, rrset.ttl, list(records))


def _first(rrset: dns.rrset.RRset, number: int) -> dns.rrset.RRset:
    """Return so many addresses of a set; 0 are all, and other records stay whole."""
    if not number or rrset.rdtype not in (dns.rdatatype.A, dns.rdatatype.AAAA):
        return rrset
    return dns.rrset.from_rdata_list(rrset.name, rrset.ttl, list(rrset)[:number])
