# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RFC 8461 section 3.3: a page from a server that may be anything, checked and bounded."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.https import (
    MAX_BODY,
    NoPage,
    get_policy,
    parse_head,
    system_context,
)
from exchange_lab.windows.certificates import TestAuthority
from hypothesis import given
from hypothesis import strategies as st

HOST = "mta-sts.nestle.com"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
BODY = b"version: STSv1\r\n"
WHOLE = HEAD + b"Content-Length: 16\r\n\r\n" + BODY
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

Start = Callable[..., Any]
Fetch = Callable[..., bytes]


@pytest.fixture
def fetch(trusting: ssl.SSLContext) -> Fetch:
    """Return a function that gets the page of a server, with little patience."""

    def go(server: Any, *addresses: str, seconds: float = 3.0) -> bytes:
        return asyncio.run(
            get_policy(
                HOST, addresses or ("127.0.0.1",), seconds, port=server.port, context=trusting
            )
        )

    return go


@pytest.mark.parametrize(
    "answer",
    [
        WHOLE,
        WHOLE + b"more than it said",
        WHOLE.replace(b"HTTP/1.1 200 OK", b"HTTP/1.0 200"),
        WHOLE.replace(b"Content-Type: text", b"content-TYPE:\tText"),
        HEAD + b"\r\n" + BODY,
        CHUNKED + b"5\r\nversi\r\n00B; x=y\r\non: STSv1\r\n\r\n0\r\nTrailer: x\r\n\r\n",
    ],
    ids=["length", "too much", "HTTP/1.0", "case", "to the end", "chunked"],
)
def test_a_page(web_server: Start, fetch: Fetch, answer: bytes) -> None:
    assert fetch(web_server(answer)) == BODY


def test_what_is_asked(web_server: Start, fetch: Fetch) -> None:
    server = web_server(WHOLE)
    fetch(server)
    (request,) = server.requests
    lines = request.decode().split("\r\n")
    assert lines[0] == "GET /.well-known/mta-sts.txt HTTP/1.1"
    assert f"Host: {HOST}" in lines
    assert "Connection: close" in lines


def test_an_answer_that_is_whole_is_not_waited_on(web_server: Start, fetch: Fetch) -> None:
    started = time.monotonic()
    assert fetch(web_server(WHOLE, silent=True), seconds=30) == BODY
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (WHOLE.replace(b"200 OK", b"301 Moved\r\nLocation: https://x.example/"), "redirect 301"),
        (WHOLE.replace(b"200 OK", b"404 Not Found"), "HTTP status 404"),
        (WHOLE.replace(b"200 OK", b"206 Partial"), "HTTP status 206"),
        (WHOLE.replace(b"text/plain", b"text/html"), "'text/html; charset=utf-8'"),
        (WHOLE.replace(b"Content-Type", b"X-Type"), "content type ''"),
        (WHOLE.replace(b"; charset=utf-8", b"\r\nContent-Type: a/b"), "'text/plain, a/b'"),
        (WHOLE.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n"), "'gzip'"),
        (WHOLE.replace(b"HTTP/1.1", b"HTTP/2"), "not HTTP/1.1"),
        (WHOLE.replace(b"Content-Length", b"Content Length"), "not HTTP/1.1"),
        (b"220 mail.example ESMTP\r\n\r\n", "not HTTP/1.1"),
        (WHOLE.replace(b": 16", b": -16"), "'-16'"),
        (WHOLE.replace(b": 16", b": 16\r\nContent-Length: 17"), "'16, 17'"),
        (WHOLE.replace(b": 16", b": 17"), "closes the connection"),
        (WHOLE.replace(b": 16", b": %d" % (MAX_BODY + 1)), "longer than 65536"),
        (HEAD + b"\r\n" + b"x" * (MAX_BODY + 1), "longer than 65536"),
        (HEAD + b"X: " + b"x" * 20_000 + b"\r\n\r\n", "octets of header"),
        (b"x" * 200_000, "octets of header"),
        (b"", "closes the connection"),
        (CHUNKED + b"5\r\nversi\r\n", "closes the connection"),
        (CHUNKED + b"-5\r\nversi\r\n0\r\n\r\n", "broken chunk"),
        (CHUNKED + b"5\r\nversion\r\n0\r\n\r\n", "broken chunk"),
        (CHUNKED + b"5;" + b"x" * 200 + b"\r\nversi\r\n0\r\n\r\n", "broken chunk"),
        (CHUNKED + b"ffffffff\r\n", "longer than 65536"),
        (CHUNKED + b"8000\r\n" + b"x" * 0x8000 + b"\r\n8001\r\n", "longer than 65536"),
        (CHUNKED.replace(b"chunked", b"gzip, chunked") + b"0\r\n\r\n", "framed"),
        (CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n"), "framed"),
    ],
)
def test_no_page(web_server: Start, fetch: Fetch, answer: bytes, why: str) -> None:
    with pytest.raises(NoPage) as failed:
        fetch(web_server(answer))
    assert why in str(failed.value)


def test_the_certificate_has_to_be_for_the_host(web_server: Start, fetch: Fetch) -> None:
    server = web_server(WHOLE, "www.nestle.com")
    with pytest.raises(NoPage, match=r"not valid for mta-sts.nestle.com: Hostname mismatch"):
        fetch(server)
    assert server.requests == []


def test_the_certificate_has_to_be_valid_now(web_server: Start, fetch: Fetch) -> None:
    with pytest.raises(NoPage, match="certificate has expired"):
        fetch(web_server(WHOLE, expired=True))


def test_the_authority_has_to_be_trusted(web_server: Start, fetch: Fetch, tmp_path: Path) -> None:
    other = TestAuthority(tmp_path, "Somebody Else")
    with pytest.raises(NoPage, match=r"not valid for .*certificate"):
        fetch(web_server(WHOLE, issuer=other))


def test_the_system_does_not_trust_the_authority_of_the_tests(web_server: Start) -> None:
    server = web_server(WHOLE)
    with pytest.raises(NoPage, match="not valid for"):
        asyncio.run(get_policy(HOST, ["127.0.0.1"], 3.0, port=server.port))
    context = system_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert not context.hostname_checks_common_name


def test_no_tls(web_server: Start, fetch: Fetch) -> None:
    with pytest.raises(NoPage, match=r"no TLS with 127.0.0.1"):
        fetch(web_server(WHOLE, tls=False, silent=True))


@pytest.mark.parametrize("sent", [b"", HEAD, WHOLE[:-1], CHUNKED + b"5\r\nver"])
def test_silence_is_not_waited_on(web_server: Start, fetch: Fetch, sent: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(NoPage, match=r"127.0.0.1 does not answer within 0.4 s"):
        fetch(web_server(sent, silent=True), seconds=0.4)
    assert time.monotonic() - started < 3


def test_the_next_address_is_tried_where_there_is_no_connection(
    web_server: Start, fetch: Fetch
) -> None:
    assert fetch(web_server(WHOLE), "127.0.0.2", "127.0.0.1") == BODY


def test_what_each_address_did_is_told(web_server: Start, fetch: Fetch) -> None:
    with pytest.raises(NoPage, match=r"127.0.0.2: connection refused; .* 127.0.0.3: connection"):
        fetch(web_server(WHOLE), "127.0.0.2", "127.0.0.3")


def test_an_answer_is_final_whatever_other_addresses_there_are(
    web_server: Start, fetch: Fetch
) -> None:
    server = web_server(WHOLE.replace(b"200 OK", b"503 Busy"))
    with pytest.raises(NoPage, match="HTTP status 503"):
        fetch(server, "127.0.0.1", "127.0.0.1")
    assert len(server.requests) == 1


@given(st.binary(max_size=200))
def test_whatever_comes_as_header_it_is_one_or_none(head: bytes) -> None:
    for wire in (head, HEAD + head + b"\r\n\r\n"):
        try:
            told = parse_head(wire)["content-type"]
        except NoPage as err:
            told = str(err)
        assert told.startswith("text/plain") or told.isprintable()
