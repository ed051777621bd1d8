# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP side of a WinRM listener: connections, logins, faults."""

from __future__ import annotations

import base64
import contextlib
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from . import wsman
from .certificates import common_name
from .faults import Fault, Kind
from .winrm_auth import BadSignatureError, LoginRefusedError
from .winrm_seal import is_sealed
from .wsman import NotSoapError, SoapFault

if TYPE_CHECKING:
    from .winrm_listener import HttpListener

_SOAP = "application/soap+xml;charset=UTF-8"
_CERTIFICATE = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
_HTML = "text/html; charset=us-ascii"
_MAX_BODY = 512_000  # bytes of a request, MaxEnvelopeSizekb of a current Windows
_HANDSHAKE_TIMEOUT = 10.0
_GARBAGE = b"\x1f\x8b<html>this is not what you are looking for \xff\xfe"


class HttpServer(ThreadingHTTPServer):
    """Knows its open connections, so that it can cut them; waits for their threads."""

    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], listener: HttpListener) -> None:
        self.listener = listener
        self._open: set[socket.socket] = set()
        self._to_reset: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._here = threading.local()
        super().__init__(address, Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection, in its own thread; TLS is negotiated here."""
        connection: socket.socket = request
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.listener.traffic.count(connections=1)
        self._here.connection = connection
        with self._lock:
            self._open.add(connection)
        try:
            if self.listener.tls is None:
                Handler(connection, client_address, self)
            else:
                self._finish_tls(connection, client_address, self.listener.tls)
        except OSError:
            pass  # the client went away, or does not trust the certificate
        finally:
            with self._lock:
                self._open.discard(connection)

    def _finish_tls(
        self, connection: socket.socket, client_address: Any, tls: ssl.SSLContext
    ) -> None:
        connection.settimeout(_HANDSHAKE_TIMEOUT)
        # A duplicate, so that the socket known to ``cut_all`` stays the one to cut.
        with tls.wrap_socket(connection.dup(), server_side=True) as secured:
            secured.settimeout(None)
            Handler(secured, client_address, self)

    def reset(self) -> None:
        """Let the connection of the current thread end with a TCP reset."""
        connection: socket.socket = self._here.connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with self._lock:
            self._to_reset.add(connection)

    def gone(self) -> bool:
        """Tell whether the client closed the connection of the current thread."""
        connection: socket.socket = self._here.connection
        try:
            readable, _skipped, _skipped = select.select([connection], [], [], 0)
            return bool(readable) and not connection.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):
            return True

    def shutdown_request(self, request: Any) -> None:
        """End a connection; without the polite FIN when it is to be reset."""
        with self._lock:
            reset = request in self._to_reset
            self._to_reset.discard(request)
        if reset:
            request.close()
        else:
            super().shutdown_request(request)

    def cut_all(self) -> None:
        """Cut every open connection and wait for the threads that served them."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class CutConnection(Exception):  # noqa: N818 - an order, not a defect
    """Raised by what carries out a request: let the connection end with a TCP reset."""


class _Cut(Exception):  # noqa: N818 - what happens to the connection
    """The connection ends without a further answer."""


class _Answered(Exception):  # noqa: N818 - the way out once the answer is sent
    """A fault answered the request already."""


class Handler(BaseHTTPRequestHandler):
    """One connection; one security context."""

    protocol_version = "HTTP/1.1"
    server_version = "Microsoft-HTTPAPI/2.0"
    sys_version = ""
    server: HttpServer

    def setup(self) -> None:
        """Prepare the connection."""
        super().setup()
        self.listener = self.server.listener
        self._authenticator = self.listener.authenticator()
        self._refused = False
        self._proof: list[str] = []

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the date by the clock of the host."""
        now = self.listener.clock() if timestamp is None else datetime.fromtimestamp(timestamp, UTC)
        return format_datetime(now.astimezone(UTC), usegmt=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def handle(self) -> None:
        """Serve requests until the connection ends."""
        with contextlib.suppress(_Cut, ConnectionError, ssl.SSLError):
            super().handle()

    def do_GET(self) -> None:
        """Refuse: WinRM takes POST only."""
        self._answer(405)

    def do_POST(self) -> None:
        """Answer one request."""
        self._proof.clear()
        length = self.headers.get("Content-Length", "0")
        body = self.rfile.read(int(length)) if length.isdigit() else b""
        self.listener.traffic.count(received=len(self.requestline) + len(body))
        try:
            if self.path.partition("?")[0].rstrip("/").lower() != self.listener.path.lower():
                self._answer(404)
            elif len(body) > _MAX_BODY:
                self._answer(413)
            elif self._log_in(final=not body) and body:
                self._serve(body)
        except _Answered:
            pass

    # -- logging in --------------------------------------------------------------------------

    def _log_in(self, *, final: bool) -> bool:
        """Deal with the Authorization header; tell whether the request may be carried out.

        Steps of a login are answered here, also the last one when it brings no message.
        """
        scheme, _skipped, value = self.headers.get("Authorization", "").partition(" ")
        token: bytes | None = None
        try:
            token = self._check(scheme.lower(), value.strip())
            complete = self._authenticator.user is not None
        except LoginRefusedError:
            scheme, complete = "", False
        proof = f"{scheme} {base64.b64encode(token).decode()}" if token else ""
        if complete and not final:
            self._proof += [proof] if proof else []
            return True
        self.listener.traffic.note("Auth")
        fault = self.listener.faults.take("Auth")
        self._commit_before(fault)
        self._commit_after(fault)
        if complete:
            self._answer(200, challenges=[proof] if proof else [])
        else:
            self._answer(401, challenges=[proof] if proof else self._offers())
        return False

    def _check(self, scheme: str, value: str) -> bytes | None:
        """Look at the credentials; return the token for the client, if any."""
        authenticator, settings = self._authenticator, self.listener.settings
        if self._refused:
            raise LoginRefusedError("the account was locked meanwhile")
        if scheme in {"ntlm", "negotiate", "kerberos"} and settings.negotiate:
            return authenticator.negotiate(value)
        if scheme == "credssp" and settings.credssp:
            return authenticator.negotiate(value, credssp=True)
        if scheme == "basic" and self._basic_allowed():
            authenticator.basic(value)
            return None
        if scheme == _CERTIFICATE:
            authenticator.user = self._certificate_user()
            return None
        if scheme:
            raise LoginRefusedError(scheme)
        if not authenticator.encrypts:
            authenticator.user = None  # Basic proves itself with every request
        return None

    def _certificate_user(self) -> str:
        """Return the user that the client's certificate stands for."""
        users = self.listener.settings.certificates
        encoded = None
        if isinstance(self.connection, ssl.SSLSocket):
            encoded = self.connection.getpeercert(binary_form=True)
        name = common_name(encoded) if encoded else ""
        if name not in users:
            raise LoginRefusedError("no certificate, or nobody's")
        return users[name]

    def _basic_allowed(self) -> bool:
        settings = self.listener.settings
        return settings.basic and (self.listener.tls is not None or settings.allow_unencrypted)

    def _offers(self) -> list[str]:
        settings = self.listener.settings
        offers = [settings.scheme] if settings.negotiate else []
        offers += ["CredSSP"] if settings.credssp else []
        return offers + (['Basic realm="WSMAN"'] if self._basic_allowed() else [])

    # -- messages ----------------------------------------------------------------------------

    def _serve(self, body: bytes) -> None:
        kind = self.headers.get("Content-Type", "")
        encrypted = is_sealed(kind)
        if not encrypted and not self._plaintext_allowed():
            self.listener.traffic.note("Plaintext")
            self._answer(500)
            return
        try:
            request = wsman.parse(
                self._authenticator.open_message(kind, body) if encrypted else body
            )
        except (BadSignatureError, NotSoapError):
            self.listener.traffic.note("Bad")
            self._answer(400)
            return
        self.listener.traffic.note(request.verb)
        fault = self.listener.faults.take(request.verb)
        self._commit_before(fault)
        status, answer = self._carry_out(request)
        answer_kind = _SOAP
        if encrypted:
            answer_kind, answer = self._authenticator.seal_message(kind, answer)
        self._commit_after(fault, answer)
        self._answer(status, answer, answer_kind, challenges=self._proof)

    def _plaintext_allowed(self) -> bool:
        return self.listener.tls is not None or self.listener.settings.allow_unencrypted

    def _carry_out(self, request: wsman.Request) -> tuple[int, bytes]:
        delegated = self._authenticator.delegated or self.listener.settings.delegates
        user = self._authenticator.user or ""
        try:
            return 200, self.listener.handle(request, user, delegated=delegated)
        except SoapFault as problem:
            return 500, wsman.fault(request, problem)
        except CutConnection:
            self.server.reset()
            raise _Cut from None

    # -- faults ------------------------------------------------------------------------------

    def _commit_before(self, fault: Fault | None) -> None:
        """Do what goes wrong before the request is carried out."""
        match fault.kind if fault else None:
            case Kind.RESET:
                self.server.reset()
                raise _Cut
            case Kind.HANG:
                self._wait(fault.seconds if fault else 0)
                raise _Cut
            case Kind.SLOW:
                self._wait(fault.seconds if fault else 0)
            case Kind.HTTP_500:
                self._answer(500, b"<h1>Internal Server Error</h1>", _HTML)
                raise _Answered
            case Kind.GARBAGE:
                self._answer(200, _GARBAGE, _HTML)
                raise _Answered
            case Kind.UNAUTHORIZED:
                self._refused = True
                self._answer(401, challenges=self._offers())
                raise _Answered

    def _commit_after(self, fault: Fault | None, answer: bytes = b"") -> None:
        """Do what goes wrong when the request has been carried out."""
        match fault.kind if fault else None:
            case Kind.RESET_AFTER:
                self.server.reset()
                raise _Cut
            case Kind.DROP_AFTER:
                raise _Cut
            case Kind.HANG_AFTER:
                self._wait(fault.seconds if fault else 0)
                raise _Cut
            case Kind.TRUNCATED:
                self._answer(200, answer, _SOAP, cut=len(answer) // 2)
                raise _Cut

    def _wait(self, seconds: float) -> None:
        """Wait until time is up, the client gave up, or the listener stops."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.server.gone():
            if self.listener.closing.wait(min(0.05, seconds)):
                raise _Cut

    def _answer(
        self,
        status: int,
        body: bytes = b"",
        content_type: str = "",
        *,
        challenges: Iterable[str] = (),
        cut: int | None = None,
    ) -> None:
        """Send an answer in one piece; ``cut`` sends only so many bytes of the body."""
        self.send_response(status)
        for challenge in challenges:
            self.send_header("WWW-Authenticate", challenge)
        if content_type:
            self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.listener.traffic.count(sent=len(body))
        buffer: list[bytes] = getattr(self, "_headers_buffer", [])
        head = b"".join(buffer) + b"\r\n"
        buffer.clear()
        self.wfile.write(head + (body if cut is None else body[:cut]))
