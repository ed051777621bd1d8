# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The web server in front of a server's ``/PowerShell`` endpoint."""

from __future__ import annotations

import base64
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from .faults import DropConnection

if TYPE_CHECKING:
    import ssl
    from types import TracebackType
    from typing import Self

    from .endpoint import PowerShellEndpoint

CONTENT_TYPE = "application/soap+xml;charset=UTF-8"


class PowerShellServer:
    """Serves one endpoint on a loopback port; a context manager."""

    def __init__(
        self, endpoint: PowerShellEndpoint, *, port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.endpoint = endpoint

        class Handler(_Handler):
            owner = self

        self._http = _Http(("127.0.0.1", port), Handler)
        if tls is not None:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._http.server_address[1])

    def start(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving and close the port."""
        self._http.shutdown()
        self._http.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Http(ThreadingHTTPServer):
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    owner: PowerShellServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def do_POST(self) -> None:
        """Answer a request."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        user = self._user()
        if self.path.strip("/").lower() != "powershell":
            self._answer(404, b"")
        elif user is None:
            self._answer(401, b"")
        else:
            self._handle(body, user)

    def _handle(self, body: bytes, user: str) -> None:
        try:
            status, answer = self.owner.endpoint.handle(body, user)
        except DropConnection:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._answer(status, answer)

    def _user(self) -> str | None:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        user, _, password = base64.b64decode(token).decode().partition(":")
        known = self.owner.endpoint.organisation.users.get(user)
        return user if known is not None and known == password else None

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="PowerShell"')
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
