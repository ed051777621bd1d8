# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounds for what a host can do to us before its answer is even read.

Guarantees for every answer after ``guard``: its body has at most ``ANSWER_LIMIT`` bytes,
arrives within the read timeout and is not compressed, it redirects nowhere, and it holds no
document type declaration (SOAP forbids one), so no entity is ever expanded. Every HTTP request is
counted. Not bounded is a host that drips its HTTP *headers* byte by byte within the read timeout of
each. Nothing is imported from requests, pywinrm or pypsrp: their objects are handed through.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

#: Bytes in one HTTP answer. WinRM keeps to the 150 KB we ask for, or to 500 KB.
ANSWER_LIMIT = 4_194_304
_CHUNK = 65_536
_REDIRECTS = range(300, 400)
_DEFAULT_TIMEOUT = 30.0
_DECLARED_ENCODING = re.compile(rb"""<\?xml[^>]*\sencoding\s*=\s*["']([^"']*)["']""")
_LIKELY_YEARS = range(1990, 9001)  # of a host's clock
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
        self._date: tuple[datetime, float] | None = None

    @property
    def host_time(self) -> datetime | None:
        """The host's clock now (UTC): the date of its last answer (RFC 9110 section 6.6.1) and the
        time since. None where no answer had a date.
        """
        if self._date is None:
            return None
        date, at = self._date
        return date + timedelta(seconds=time.monotonic() - at)

    def note_date(self, text: str | None) -> None:
        """Remember the header ``Date`` of an answer that just came."""
        with contextlib.suppress(TypeError, ValueError, IndexError, OverflowError):
            date = parsedate_to_datetime(text or "")
            if date.tzinfo is not None and date.year in _LIKELY_YEARS:
                self._date = date.astimezone(UTC), time.monotonic()

    def patience(self, timeout: Any) -> Any:
        """Return a timeout of ``requests`` (seconds, or a pair of them), cut to the deadline."""
        if self.deadline is None:
            return timeout
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise AnswerRefused("later than the deadline")
        pair = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        return tuple(left if each is None else min(float(each), left) for each in pair)


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
        refused = "a redirect" if response.status_code in _REDIRECTS else ""
        if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            # It was not asked for, and old libraries unpack a bomb before they count its bytes.
            refused = "a compressed answer"
        if refused:
            response.close()
            raise AnswerRefused(refused)
        longest = timeout[-1] if isinstance(timeout, tuple) else timeout
        seconds = float(longest) if isinstance(longest, (int, float)) else _DEFAULT_TIMEOUT
        self._bound_body(response.raw, seconds)
        return response

    def _bound_body(self, raw: Any, seconds: float) -> None:
        """Make urllib3's ``raw`` stop reading in time.

        Its method is replaced, and the object kept: NTLM and Kerberos look for the server's
        certificate (channel binding) in just this type of object.
        """
        read = raw.stream
        connection = raw.connection
        late = threading.Event()

        def cut() -> None:
            """End a connection that another thread is reading from."""
            late.set()
            with contextlib.suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)

        def stream(_amount: int = _CHUNK, decode_content: bool | None = None) -> Iterator[bytes]:
            # A read waits for a whole chunk, and its timeout starts anew with every byte.
            watch = threading.Timer(seconds, cut)
            watch.daemon = True
            watch.start()
            total = 0
            try:
                for chunk in read(_CHUNK, decode_content=decode_content):
                    total += len(chunk)
                    self._meter.received += len(chunk)
                    if total > ANSWER_LIMIT:
                        raise AnswerRefused("longer than any answer of WinRM")
                    yield chunk
            finally:
                watch.cancel()
                if late.is_set():
                    raise AnswerRefused("slower than the read timeout") from None

        raw.stream = stream

    def close(self) -> None:
        self._inner.close()


def guard_session(session: Any, meter: Meter) -> None:
    """Put bounds around a session of ``requests``; once is enough."""
    for prefix, adapter in list(session.adapters.items()):
        if not isinstance(adapter, _GuardedAdapter):
            session.mount(prefix, _GuardedAdapter(adapter, meter))


def checked_sender(
    send: Callable[..., bytes], fault_text: Callable[[Exception], object]
) -> Callable[..., bytes]:
    """Return ``send`` of a transport, refusing XML that could grow before the library parses it.

    Both libraries parse the text of a fault, too; ``fault_text`` takes it out of their exceptions.
    """

    def checked(*args: Any, **options: Any) -> bytes:
        try:
            answer = send(*args, **options)
        except Exception as error:
            text = fault_text(error)
            check_answer(text.encode("utf-8", "replace") if isinstance(text, str) else b"")
            raise
        check_answer(answer)
        return answer

    return checked


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
    present = getattr(transport, "exchange_meter", None)
    if isinstance(present, Meter):
        return present
    meter = Meter()
    build, encrypt = transport.build_session, transport.setup_encryption

    def settle(session: Any) -> Any:
        guard_session(session, meter)
        # The session took proxies and trust from the environment when it was built. To read
        # them again for each request takes longer than to encrypt the request.
        session.trust_env = False
        return session

    def build_session() -> Any:
        with warnings.catch_warnings():
            # pywinrm's warning about a proxy of the environment shows its URL, password and all.
            warnings.simplefilter("ignore", DeprecationWarning)
            session = build()
        return settle(session)

    def setup_encryption(session: Any) -> None:
        # Within build(), ahead of the first request.
        guard_session(session, meter)
        encrypt(session)

    transport.exchange_meter = meter
    transport.build_session = build_session
    transport.setup_encryption = setup_encryption
    transport.send_message = checked_sender(
        transport.send_message, lambda error: getattr(error, "response_text", "")
    )
    if transport.session is not None:
        settle(transport.session)
    return meter
