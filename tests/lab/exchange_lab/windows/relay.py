# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody in the middle of a connection: listens, or ends its TLS with another certificate."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from .certificates import Certificate

_CHUNK = 65_536


class Relay:
    """Passes connections on to a port of localhost, and keeps what went over them.

    With a ``certificate`` it is a TLS server itself, and a client of the TLS server behind.
    ``sent`` and ``answered`` are the bytes of clients and server, as readable as they are to it.
    """

    def __init__(self, port: int, certificate: Certificate | None = None) -> None:
        self._target = port
        self._tls = certificate.server_context() if certificate else None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self.port = int(self._listener.getsockname()[1])
        self.sent, self.answered = bytearray(), bytearray()

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _end(self._listener)
        with self._lock:
            connections, threads = list(self._open), list(self._threads)
        for connection in connections:
            _shut(connection)
        for thread in threads:
            thread.join(10)

    def _spawn(self, function: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=function, args=args, daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _address = self._listener.accept()
                self._spawn(self._pair, connection)

    def _pair(self, client: socket.socket) -> None:
        """Serve one connection; it is one thread's, for TLS sockets are not made for two."""
        with contextlib.suppress(OSError):
            server = socket.create_connection(("127.0.0.1", self._target), 10)
            if self._tls is not None:
                client.settimeout(10)
                client = self._tls.wrap_socket(client, server_side=True)
                server = _trusting().wrap_socket(server)
            with self._lock:
                self._open += [client, server]
            self._pass(client, server)
        _end(client)

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        ways = {client: (server, self.sent), server: (client, self.answered)}
        try:
            while True:
                held = [one for one in ways if isinstance(one, ssl.SSLSocket) and one.pending()]
                for source in held or select.select(list(ways), [], [])[0]:
                    target, kept = ways[source]
                    with contextlib.suppress(ssl.SSLWantReadError):  # a part of a record
                        source.settimeout(0)
                        data = source.recv(_CHUNK)
                        if not data:
                            return
                        kept += data
                        target.settimeout(10)
                        target.sendall(data)
        finally:
            _end(server)


def _trusting() -> ssl.SSLContext:
    """Who is in the middle does not care whose certificate the server shows."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _shut(connection: socket.socket) -> None:
    """Wake the thread that waits for a connection, which closes it (also where it does TLS)."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _end(connection: socket.socket) -> None:
    _shut(connection)
    with contextlib.suppress(OSError):
        connection.close()
