# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One page over HTTPS, as RFC 8461 section 3.3 demands it: asked of an address, checked by name.

Nothing here looks up a name: the connection goes to an address that the caller found, and the
certificate has to be valid for the host. No redirect is followed, no proxy used, nothing cached.
All that comes in is bounded in length and in time.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import Mapping, Sequence
from functools import cache

from .names import shown

PATH = "/.well-known/mta-sts.txt"
PORT = 443
MAX_BODY = 65_536  # octets, RFC 8461 section 3.3
MAX_HEAD = 16_384  # octets of status line and header
_MAX_CHUNK_LINE = 100  # octets of the line ahead of a chunk
_OK = 200
_REDIRECTS = range(300, 400)

_STATUS = re.compile(rb"HTTP/1\.[01] (?P<code>[0-9]{3})(?: [^\r\n\x00]*)?")
_FIELD = re.compile(rb"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(?P<value>[^\r\n\x00]*)")
_CHUNK = re.compile(rb"(?P<size>[0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n\x00]*)?\r\n")
_LENGTH = re.compile(r"[0-9]{1,10}")


class NoPage(Exception):  # noqa: N818 - a finding, not a fault
    """There is no page to be had; the text says why."""


@cache
def system_context() -> ssl.SSLContext:
    """Return what checks certificates against the authorities this system trusts.

    The name has to stand among the alternative names of the certificate: a common name does not
    count (RFC 8461 section 3.3).
    """
    context = ssl.create_default_context()
    context.hostname_checks_common_name = False
    context.set_alpn_protocols(["http/1.1"])
    return context


async def get_policy(
    host: str,
    addresses: Sequence[str],
    seconds: float,
    *,
    port: int = PORT,
    context: ssl.SSLContext | None = None,
) -> bytes:
    """Return the body of the policy page of ``host``, which lives at ``addresses``.

    The next address is tried only where there is no connection to one, or no answer in its share
    of ``seconds``. Raises NoPage, and nothing else that a server can bring about.
    """
    trusted = context or system_context()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    reasons = []
    for number, address in enumerate(addresses):
        share = max(0.0, deadline - loop.time()) / (len(addresses) - number)
        try:
            async with asyncio.timeout(share):
                return await _get(host, address, port, trusted)
        except TimeoutError:
            reasons.append(f"{address} does not answer within {share:.1f} s")
        except ssl.SSLCertVerificationError as err:
            why = err.verify_message.rstrip(".")
            raise NoPage(f"the certificate of {address} is not valid for {host}: {why}") from err
        except ssl.SSLError as err:
            raise NoPage(f"no TLS with {address}: {err.reason or 'broken'}") from err
        except OSError as err:
            what = os.strerror(err.errno) if err.errno else type(err).__name__
            reasons.append(f"no connection to {address}: {what.lower()}")
    raise NoPage("; ".join(reasons) or f"{host} has no address")


async def _get(host: str, address: str, port: int, context: ssl.SSLContext) -> bytes:
    reader, writer = await asyncio.open_connection(
        address, port, ssl=context, server_hostname=host, limit=MAX_HEAD
    )
    try:
        writer.write(_request(host))
        return await _read(reader)
    except asyncio.IncompleteReadError:
        raise NoPage(f"{address} closes the connection within its answer") from None
    except asyncio.LimitOverrunError:
        raise NoPage(f"{address} answers with more than {MAX_HEAD} octets of header") from None
    finally:
        writer.transport.abort()  # a polite end would wait for the other side


def _request(host: str) -> bytes:
    lines = (
        f"GET {PATH} HTTP/1.1",
        f"Host: {host}",
        "User-Agent: postmaster.exchange",
        "Accept: text/plain",
        "Accept-Encoding: identity",
        "Connection: close",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii")


async def _read(reader: asyncio.StreamReader) -> bytes:
    header = parse_head(await reader.readuntil(b"\r\n\r\n"))
    coding = header.get("transfer-encoding")
    length = header.get("content-length")
    if coding is not None:
        if coding.lower() != "chunked" or length is not None:
            raise NoPage("the answer is framed in a way that HTTP/1.1 does not allow")
        return await _chunks(reader)
    if length is None:
        return await _to_the_end(reader)
    if not _LENGTH.fullmatch(length):
        raise NoPage(f"the answer has the Content-Length {shown(length)}")
    return await reader.readexactly(_bounded(int(length)))


def parse_head(head: bytes) -> Mapping[str, str]:
    """Return the header, by names in lower case, of an answer that brings a text.

    Raises NoPage for every other answer, redirects included.
    """
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    status = _STATUS.fullmatch(first)
    fields = [_FIELD.fullmatch(line) for line in lines]
    if status is None or not all(fields):
        raise NoPage("the answer is not HTTP/1.1")
    code = int(status["code"])
    if code in _REDIRECTS:
        raise NoPage(f"the answer is the redirect {code}, which RFC 8461 forbids to follow")
    if code != _OK:
        raise NoPage(f"the answer has the HTTP status {code}")
    header: dict[str, str] = {}
    for field in fields:
        if field is not None:
            name = field["name"].decode("ascii").lower()
            value = field["value"].decode("latin-1").strip(" \t")
            header[name] = f"{header[name]}, {value}" if name in header else value
    kind = header.get("content-type", "")
    if kind.partition(";")[0].strip(" \t").lower() != "text/plain":
        raise NoPage(f"the answer has the content type {shown(kind)}, not text/plain")
    if header.get("content-encoding", "identity").lower() != "identity":
        raise NoPage(f"the answer is encoded as {shown(header['content-encoding'])}")
    return header


def _bounded(length: int) -> int:
    if length > MAX_BODY:
        raise NoPage(f"the answer is longer than {MAX_BODY} octets")
    return length


async def _to_the_end(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while piece := await reader.read(MAX_HEAD):
        body += piece
        _bounded(len(body))
    return bytes(body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    """Return a chunked body (RFC 9112 section 7.1); what trails it is not read."""
    body = bytearray()
    while True:
        line = await reader.readuntil(b"\r\n")
        match = _CHUNK.fullmatch(line)
        if match is None or len(line) > _MAX_CHUNK_LINE:
            raise NoPage("the answer has a broken chunk")
        size = int(match["size"], 16)
        if not size:
            return bytes(body)
        _bounded(len(body) + size)
        body += await reader.readexactly(size)
        if await reader.readexactly(2) != b"\r\n":
            raise NoPage("the answer has a broken chunk")
