# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounds for what a host can do to us before its answer is even read.

What is guaranteed for every answer after ``guard``: its body has at most ``ANSWER_LIMIT`` bytes,
arrives within the read timeout and is not compressed, it redirects nowhere, and it holds no
document type declaration (SOAP forbids one), so no entity is ever expanded. Every HTTP request is
counted. Not bounded is a host that drips its HTTP *headers* byte by byte within the read timeout of
each.

Nothing is imported from requests, pywinrm or pypsrp: their objects are only handed through.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

#: Bytes in one HTTP answer. WinRM keeps to the 150 KB we ask for, or to 500 KB.
ANSWER_LIMIT = 4_194_304
_CHUNK = 65_536
_REDIRECTS = range(300, 400)
_DEFAULT_TIMEOUT = 30.0
_DECLARED_ENCODING = re.compile(rb"""<\?xml[^>]*\sencoding\s*=\s*["']([^"']*)["']""")
_LIKELY_YEARS = (1990, 9000)  # of a host's clock; any other is none to reckon with
_ENCODINGS = frozenset({b"utf-8", b"us-ascii"})


class AnswerRefused(Exception):  # noqa: N818 - never leaves this package
    """An HTTP answer that no service of Windows Remote Management gives, or not in time."""


class Meter:
    """Counts HTTP requests, and the bytes of their answers.

    With a ``deadline`` (of the monotonic clock) no request waits longer than until then, whatever
    timeout it was given, and none is sent after it.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.received = 0
        self.deadline: float | None = None
        self._told: tuple[datetime, float] | None = None

    @property
    def host_time(self) -> datetime | None:
        """What the host's clock shows now (UTC): as its last answer said (RFC 9110 section 6.6.1),
        and the time since. None where no answer told a date.
        """
        if self._told is None:
            return None
        told, at = self._told
        return told + timedelta(seconds=time.monotonic() - at)

    def note_date(self, text: str | None) -> None:
        """Remember the header ``Date`` of an answer that just came."""
        with contextlib.suppress(TypeError, ValueError, IndexError, OverflowError):
            told = parsedate_to_datetime(text or "")
            if told.tzinfo is not None and _LIKELY_YEARS[0] <= told.year <= _LIKELY_YEARS[1]:
                self._told = told.astimezone(UTC), time.monotonic()

    def patience(self, timeout: Any) -> Any:
        """Return a timeout of ``requests`` (seconds, or a pair of them), cut to the deadline."""
        if self.deadline is None:
            return timeout
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise AnswerRefused("later than the deadline")
        pair = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        return tuple(left if each is None else min(float(each), left) for each in pair)


def _bound_body(raw: Any, meter: Meter, seconds: float) -> None:
    """Make urllib3's ``raw`` stop reading in time.

    Its method is replaced, and the object kept: NTLM and Kerberos look for the server's certificate
    (channel binding) in just this type of object.
    """
    read = raw.stream

    def stream(_amount: int = _CHUNK, decode_content: bool | None = None) -> Iterator[bytes]:
        late = threading.Event()
        # A read waits for a whole chunk, and its timeout starts anew with every byte.
        watch = threading.Timer(seconds, _cut, [raw.connection, late])
        watch.daemon = True
        watch.start()
        total = 0
        try:
            for chunk in read(_CHUNK, decode_content=decode_content):
                total += len(chunk)
                meter.received += len(chunk)
                if total > ANSWER_LIMIT:
                    raise AnswerRefused("longer than any answer of WinRM")
                yield chunk
        finally:
            watch.cancel()
            if late.is_set():
                raise AnswerRefused("slower than the read timeout") from None

    raw.stream = stream


def _cut(connection: Any, late: threading.Event) -> None:
    """End a connection that another thread is reading from."""
    late.set()
    with contextlib.suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


class _GuardedAdapter:
    """Stands before an adapter of a ``requests`` session; keeps its connections."""

    def __init__(self, inner: Any, meter: Meter) -> None:
        self._inner = inner
        self._meter = meter

    def send(self, request: Any, **options: Any) -> Any:
        timeout = self._meter.patience(options.get("timeout"))
        request.headers["Accept-Encoding"] = "identity"
        self._meter.requests += 1
        response = self._inner.send(request, **{**options, "timeout": timeout})
        # NTLM sends its next steps over this attribute.
        response.connection = self
        self._meter.note_date(response.headers.get("Date"))
        if response.status_code in _REDIRECTS:
            response.close()
            raise AnswerRefused("a redirect")
        if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            # Nobody asked for it, and old libraries unpack a bomb before they count its bytes.
            response.close()
            raise AnswerRefused("a compressed answer")
        _bound_body(response.raw, self._meter, _seconds(timeout))
        return response

    def close(self) -> None:
        self._inner.close()


def _seconds(timeout: Any) -> float:
    """Return how long an answer may take, by the timeout of its request."""
    longest = timeout[-1] if isinstance(timeout, tuple) else timeout
    return float(longest) if isinstance(longest, (int, float)) else _DEFAULT_TIMEOUT


def check_answer(answer: bytes) -> None:
    """Refuse XML that declares a document type, or an encoding that could hide one."""
    declared = _DECLARED_ENCODING.search(answer[:256])
    if declared and declared[1].lower() not in _ENCODINGS:
        raise AnswerRefused("an encoding other than UTF-8")
    if b"\x00" in answer[:64] or b"<!DOCTYPE" in answer:
        raise AnswerRefused("a document type declaration")


def guard(transport: Any) -> Meter:
    """Put bounds around a pywinrm ``Transport``; once is enough. Returns its counter.

    Bound methods are replaced on this one object: it may belong to Ansible's connection, and the
    connection it holds open carries the state of NTLM, so it cannot be built anew.
    """
    known = getattr(transport, "exchange_meter", None)
    if isinstance(known, Meter):
        return known
    meter = Meter()
    build, encrypt, send = (
        transport.build_session,
        transport.setup_encryption,
        transport.send_message,
    )

    def build_session() -> Any:
        with warnings.catch_warnings():
            # pywinrm's warning about a proxy of the environment shows its URL, password and all.
            warnings.simplefilter("ignore", DeprecationWarning)
            session = build()
        guard_session(session, meter)
        _settle(session)
        return session

    def setup_encryption(session: Any) -> None:
        # Within build(), ahead of the first request.
        guard_session(session, meter)
        encrypt(session)

    def send_message(message: Any) -> bytes:
        try:
            answer: bytes = send(message)
        except Exception as error:
            # pywinrm parses the text of a fault as XML, too.
            text = getattr(error, "response_text", b"")
            check_answer(text.encode("utf-8", "replace") if isinstance(text, str) else b"")
            raise
        check_answer(answer)
        return answer

    transport.exchange_meter = meter
    transport.build_session = build_session
    transport.setup_encryption = setup_encryption
    transport.send_message = send_message
    if transport.session is not None:
        guard_session(transport.session, meter)
        _settle(transport.session)
    return meter


def _settle(session: Any) -> None:
    """Let a session of pywinrm read the environment no more.

    What that says of proxies and trust is in the session since it was built. To read it again for
    each request takes longer than to encrypt the request.
    """
    session.trust_env = False


def guard_session(session: Any, meter: Meter) -> None:
    """Put bounds around a session of ``requests``; once is enough."""
    for prefix, adapter in list(session.adapters.items()):
        if not isinstance(adapter, _GuardedAdapter):
            session.mount(prefix, _GuardedAdapter(adapter, meter))
