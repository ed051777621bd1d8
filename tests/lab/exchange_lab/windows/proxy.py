# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web proxy that tunnels (RFC 9110 section 9.3.6), as far as an administrator allows."""

from __future__ import annotations

import base64
import contextlib
import select
import socket
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

_CHUNK = 65_536
_PATIENCE = 10.0


class Proxy:
    """Takes CONNECT and nothing else; started and ended by ``with``.

    Names are found in ``addresses`` only, so that nothing leads out of the lab. With a ``login``
    (``user:password``) it wants that one. ``tunnels`` are the places asked for, ``host:port``.
    """

    def __init__(
        self, addresses: Mapping[str, tuple[str, int]] | None = None, *, login: str = ""
    ) -> None:
        self.tunnels: list[str] = []
        self.addresses = dict(addresses or {})
        self._login = f"Basic {base64.b64encode(login.encode()).decode()}" if login else ""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.port = int(self._server.server_address[1])

    def admits(self, shown: str) -> bool:
        """Tell whether a client may use it by what it shows."""
        return not self._login or shown == self._login

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join(_PATIENCE)
        self._server.server_close()


def _handler_of(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _PATIENCE

        def do_CONNECT(self) -> None:
            """Tunnel to the place that is asked for."""
            proxy.tunnels.append(self.path)
            if not proxy.admits(self.headers.get("Proxy-Authorization", "")):
                self._refuse(407, "Proxy Authentication Required")
            elif self.path not in proxy.addresses:
                self._refuse(403, "Forbidden")
            else:
                self._tunnel(proxy.addresses[self.path])

        def _tunnel(self, address: tuple[str, int]) -> None:
            try:
                there = socket.create_connection(address, _PATIENCE)
            except OSError:
                self._refuse(502, "Bad Gateway")
                return
            with there, contextlib.suppress(OSError):
                self.send_response(200, "Connection established")
                self.end_headers()
                _splice(self.connection, there)
            self.close_connection = True

        def _refuse(self, status: int, words: str) -> None:
            self.send_response(status, words)
            if status == 407:
                self.send_header("Proxy-Authenticate", 'Basic realm="lab"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Keep quiet."""

    return Handler


def _splice(one: socket.socket, other: socket.socket) -> None:
    """Pass bytes on, both ways, until one side ends."""
    ways = {one: other, other: one}
    while True:
        for source in select.select(list(ways), [], [])[0]:
            data = source.recv(_CHUNK)
            if not data:
                return
            ways[source].sendall(data)
