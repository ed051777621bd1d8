# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's internet: documentation addresses (RFC 5737) that lead to loopback ports.

So a lab reads like the documentation, and nothing in it can ever reach a real mail server.
"""

from __future__ import annotations

import errno
import socket
import threading
import time
from dataclasses import dataclass

SMTP_PORT = 25


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a listener really is."""

    port: int
    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to connect: who tried, which internet address, and whether it led to a listener."""

    source: str
    address: str
    connected: bool


class Network:
    """Maps internet addresses to listeners on loopback.

    An address that nobody claimed has no route (``OSError``), a refusing one has a host but no
    listener (``ConnectionRefusedError``), a silent one swallows packets (``TimeoutError`` after the
    caller's own patience, in seconds).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[tuple[str, int], Endpoint] = {}
        self._refusing: set[str] = set()
        self._silent: set[str] = set()
        self._attempts: list[Attempt] = []

    def claim(self, address: str, endpoint: Endpoint, *, port: int = SMTP_PORT) -> None:
        """Let ``address`` answer on ``port`` through a loopback endpoint."""
        with self._lock:
            self._refusing.discard(address)
            self._silent.discard(address)
            self._open[address, port] = endpoint

    def refuse(self, address: str) -> None:
        """Let ``address`` be a host on which nothing listens."""
        self._forget(address)
        self._refusing.add(address)

    def silence(self, address: str) -> None:
        """Let packets to ``address`` vanish."""
        self._forget(address)
        self._silent.add(address)

    def _forget(self, address: str) -> None:
        with self._lock:
            self._refusing.discard(address)
            self._silent.discard(address)
            for key in [key for key in self._open if key[0] == address]:
                del self._open[key]

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every connection tried so far, oldest first."""
        with self._lock:
            return tuple(self._attempts)

    def connect(
        self, address: str, *, timeout: float, port: int = SMTP_PORT, source: str = ""
    ) -> socket.socket:
        """Return a connected socket, or raise the ``OSError`` a real network would."""
        with self._lock:
            endpoint = self._open.get((address, port))
            refusing, silent = address in self._refusing, address in self._silent
        if endpoint is not None:
            connection = socket.create_connection((endpoint.host, endpoint.port), timeout)
            self._note(source, address, connected=True)
            return connection
        self._note(source, address, connected=False)
        if silent:
            time.sleep(timeout)
            raise TimeoutError(errno.ETIMEDOUT, f"{address} does not answer")
        if refusing:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"{address} refuses port {port}")
        raise OSError(errno.EHOSTUNREACH, f"no route to {address}")

    def _note(self, source: str, address: str, *, connected: bool) -> None:
        with self._lock:
            self._attempts.append(Attempt(source, address, connected))
