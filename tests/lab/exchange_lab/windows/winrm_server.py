# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WinRM listeners for lab hosts, on loopback: HTTP or HTTPS, Basic, NTLM and Negotiate."""

from __future__ import annotations

import contextlib
import ssl
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from .certificates import Certificate
from .faults import Faults
from .host import LabHost
from .remote_shell import Limits, RemoteShells
from .winrm_auth import Acceptor, Authenticator, write_user_file
from .winrm_http import HttpServer


@dataclass(frozen=True, slots=True)
class Settings:
    """What an administrator sets on a listener (``winrm/config/service``).

    ``basic``: offer Basic. ``allow_unencrypted``: take plaintext over HTTP, without which Basic
    over HTTP is refused. ``negotiate``: offer NTLM and Negotiate. ``delegates``: a logon by
    Negotiate may be used towards other machines (CredSSP or unconstrained delegation).
    ``certificates`` maps the common name of a client's certificate to its user; ``client_ca`` is
    the file of the authority that issued it.
    """

    basic: bool = False
    allow_unencrypted: bool = False
    negotiate: bool = True
    delegates: bool = False
    certificates: Mapping[str, str] = field(default_factory=dict)
    client_ca: Path | None = None


@dataclass(slots=True)
class Traffic:
    """What went over one listener."""

    requests: int = 0
    actions: list[str] = field(default_factory=list)
    bytes_in: int = 0
    bytes_out: int = 0
    connections: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, *, received: int = 0, sent: int = 0, connections: int = 0) -> None:
        """Add to the counters; what was received counts as a request."""
        with self._lock:
            self.requests += 1 if received else 0
            self.bytes_in += received
            self.bytes_out += sent
            self.connections += connections

    def note(self, action: str) -> None:
        """Remember what a request asked for (``Auth`` for a step of the login)."""
        with self._lock:
            self.actions.append(action)

    def reset(self) -> None:
        """Start counting anew."""
        with self._lock:
            self.requests = self.bytes_in = self.bytes_out = self.connections = 0
            self.actions.clear()


class Listener:
    """One host's WinRM on one port. ``shells`` can be shared with another listener of the host."""

    def __init__(
        self,
        host: LabHost,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        certificate: Certificate | None = None,
        settings: Settings | None = None,
        limits: Limits | None = None,
        shells: RemoteShells | None = None,
        acceptor: Acceptor | None = None,
    ) -> None:
        self.host = host
        self.settings = settings or Settings()
        self.certificate = certificate
        self.shells = shells or RemoteShells(host, limits)
        self.faults = Faults()
        self.traffic = Traffic()
        self.closing = threading.Event()
        self._acceptor = acceptor
        self._folder = tempfile.TemporaryDirectory(prefix="winrm-lab-")
        self._user_file = Path(self._folder.name) / "users"
        write_user_file(self._user_file, host.users)
        self.tls: ssl.SSLContext | None = (
            certificate.server_context(self.settings.client_ca) if certificate else None
        )
        self._server = HttpServer((address, port), self)
        self.address, self.port = str(self._server.server_address[0]), self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name=f"winrm-{host.name}", daemon=True
        )
        self._thread.start()

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return "https" if self.tls else "http"

    @property
    def url(self) -> str:
        """The address clients use."""
        return f"{self.scheme}://{self.address}:{self.port}/wsman"

    @property
    def open_shells(self) -> int:
        """How many shells are open."""
        return self.shells.open_count

    def authenticator(self) -> Authenticator:
        """Return the security context for a new connection."""
        return Authenticator(self.host.users, self._user_file, self._acceptor)

    def passwords_changed(self) -> None:
        """Take over what was changed in ``host.users``; open connections stay logged in."""
        write_user_file(self._user_file, self.host.users)

    def stop(self) -> None:
        """Close every connection, end every command, wait for all threads."""
        if self.closing.is_set():
            return
        self.closing.set()
        self.shells.close()
        self._server.shutdown()
        self._server.cut_all()
        self._thread.join(10)
        self._folder.cleanup()


class WinRMServer:
    """The WinRM listeners of a whole lab."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []

    def add(
        self,
        host: LabHost,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        certificate: Certificate | None = None,
        settings: Settings | None = None,
        limits: Limits | None = None,
        acceptor: Acceptor | None = None,
    ) -> Listener:
        """Open a listener for a host; a second one of the same host shares its shells."""
        shells = next((item.shells for item in self.listeners if item.host is host), None)
        listener = Listener(
            host,
            address=address,
            port=port,
            certificate=certificate,
            settings=settings,
            limits=limits,
            shells=shells,
            acceptor=acceptor,
        )
        self.listeners.append(listener)
        return listener

    @property
    def requests_by_host(self) -> Mapping[str, int]:
        """How many requests each host got since the start or ``reset``."""
        counts: dict[str, int] = {}
        for listener in self.listeners:
            counts[listener.host.name] = counts.get(listener.host.name, 0) + (
                listener.traffic.requests
            )
        return counts

    @property
    def open_shells(self) -> int:
        """How many shells are open on all hosts."""
        return sum(shells.open_count for shells in {item.shells for item in self.listeners})

    def reset(self) -> None:
        """Start all counters anew."""
        for listener in self.listeners:
            listener.traffic.reset()

    def stop(self) -> None:
        """Stop all listeners."""
        with contextlib.ExitStack() as stack:
            for listener in self.listeners:
                stack.callback(listener.stop)

    def __enter__(self) -> WinRMServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
