# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One question, one name server: octets over UDP, or TCP, and what came back.

Every datagram leaves from its own connected socket: the port is random for each question, the
kernel drops what other addresses send, and it reports a closed port at once.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import asyncio
import resource
import socket
import struct
import sys
from collections.abc import Callable

from .model import AnswerKind, NameServer, QueryError, Reply
from .replies import MalformedReplyError, UnrelatedMessageError

# Give up on a server after this many unrelated datagrams, which may be spoofed.
MAX_STRAY = 64
LARGEST_DATAGRAM = 65535
_LENGTH = struct.Struct("!H")

Decoder = Callable[[bytes], Reply]


def most_sockets() -> int:
    """Return how many sockets may be open at once: half of what the system grants a process."""
    files, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if files == resource.RLIM_INFINITY else max(1, files // 2)


async def ask_udp(server: NameServer, query: bytes, decode: Decoder, timeout: float) -> Reply:
    """Send one datagram and return the reply to it; QueryError after ``timeout`` seconds.

    What is not a reply to this question does not end the wait: it may come from anybody.
    """
    stray = 0
    try:
        with open_socket(server, socket.SOCK_DGRAM) as sock:
            sock.connect(endpoint(server))
            sock.send(query)
            async with asyncio.timeout(timeout):
                while stray < MAX_STRAY:
                    wire = await asyncio.get_running_loop().sock_recv(sock, LARGEST_DATAGRAM)
                    try:
                        return decode(wire)
                    except UnrelatedMessageError:
                        stray += 1
    except TimeoutError:
        if not stray:
            raise QueryError(AnswerKind.TIMEOUT, f"no answer within {timeout:.1f} s") from None
    except OSError as err:
        raise QueryError(AnswerKind.UNREACHABLE, reason(err)) from err
    except MalformedReplyError as err:
        raise QueryError(AnswerKind.MALFORMED, str(err)) from err
    raise QueryError(AnswerKind.MALFORMED, stray_text(stray))


async def ask_tcp(server: NameServer, query: bytes, decode: Decoder, timeout: float) -> Reply:
    """Ask over TCP (RFC 7766) and return the reply; QueryError after ``timeout`` seconds."""
    try:
        with open_socket(server, socket.SOCK_STREAM) as sock:
            async with asyncio.timeout(timeout):
                loop = asyncio.get_running_loop()
                await loop.sock_connect(sock, endpoint(server))
                await loop.sock_sendall(sock, _LENGTH.pack(len(query)) + query)
                (length,) = _LENGTH.unpack(await _exactly(sock, _LENGTH.size))
                reply = decode(await _exactly(sock, length))
    except TimeoutError:
        raise QueryError(AnswerKind.TIMEOUT, f"no answer over TCP within {timeout:.1f} s") from None
    except OSError as err:
        raise QueryError(AnswerKind.UNREACHABLE, f"{reason(err)} (TCP)") from err
    except EOFError:
        raise QueryError(
            AnswerKind.MALFORMED, "closed the TCP connection without an answer"
        ) from None
    except (MalformedReplyError, UnrelatedMessageError) as err:
        raise QueryError(AnswerKind.MALFORMED, f"{err} (TCP)") from err
    if reply.truncated:
        raise QueryError(AnswerKind.MALFORMED, "sent a truncated answer over TCP")
    return reply


def open_socket(server: NameServer, kind: socket.SocketKind) -> socket.socket:
    """Return a socket of the server's family that does not block, not yet connected."""
    sock = socket.socket(socket.AF_INET6 if ":" in server.address else socket.AF_INET, kind)
    sock.setblocking(False)
    return sock


def endpoint(server: NameServer) -> tuple[str, int] | tuple[str, int, int, int]:
    """Return what the socket calls take; the zone of a link-local address is an interface."""
    if ":" not in server.address:
        return server.address, server.port
    address, _skipped, zone = server.address.partition("%")
    scope = 0
    if zone:
        scope = int(zone) if zone.isdigit() else socket.if_nametoindex(zone)
    return address, server.port, 0, scope


async def _exactly(sock: socket.socket, length: int) -> bytes:
    loop = asyncio.get_running_loop()
    wire = bytearray()
    while len(wire) < length:
        piece = await loop.sock_recv(sock, length - len(wire))
        if not piece:
            raise EOFError
        wire += piece
    return bytes(wire)


def stray_text(number: int) -> str:
    """Return the reason for a server that sends anything but a reply to the question."""
    return f"sent {number} packets but no reply to the question"


def reason(err: OSError) -> str:
    """Return the system's words for what is wrong."""
    return (err.strerror or type(err).__name__).lower()
