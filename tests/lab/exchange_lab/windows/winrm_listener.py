# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP listener that speaks WS-Management for somebody: logins, encryption, faults, counters.

WinRM of a host is one such service (``/wsman``), the PowerShell directory of Exchange another.
"""

from __future__ import annotations

import ssl
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from .certificates import Certificate, binding_of
from .faults import Faults
from .winrm_auth import Acceptor, Authenticator, write_user_file
from .winrm_http import HttpServer
from .wsman import Request


class Shells(Protocol):
    """What answers the requests of authenticated users."""

    @property
    def open_count(self) -> int:
        """How many shells are open."""

    def handle(self, request: Request, user: str, *, delegated: bool) -> bytes:
        """Carry out a request; raises SoapFault, or CutConnection to end the connection."""

    def close(self) -> None:
        """End everything that runs."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an administrator sets on a listener (``winrm/config/service``).

    ``basic``: offer Basic. ``allow_unencrypted``: take plaintext over HTTP, without which Basic
    over HTTP is refused. ``negotiate``: offer NTLM and Negotiate, ``scheme`` being the word for it
    (a web server set up for Kerberos alone says so). ``credssp``: offer CredSSP. ``delegates``: any
    logon may be used towards other machines. ``strict_binding``: over HTTPS, take these logins only
    when they are bound to this very TLS end (CbtHardeningLevel Strict). ``certificates`` maps the
    common name of a client's certificate to its user; ``client_ca`` is the file of the authority
    that issued it.
    """

    basic: bool = False
    allow_unencrypted: bool = False
    negotiate: bool = True
    scheme: str = "Negotiate"
    credssp: bool = False
    strict_binding: bool = False
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


class HttpListener:
    """One service on one port. ``users`` are the logins that it takes, with their passwords.

    ``clock`` is what its answers call the date.
    """

    server_type: type[HttpServer] = HttpServer

    def __init__(
        self,
        name: str,
        users: Mapping[str, str],
        shells: Shells,
        *,
        path: str = "/wsman",
        address: str = "127.0.0.1",
        port: int = 0,
        certificate: Certificate | None = None,
        settings: Settings | None = None,
        acceptor: Acceptor | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.certificate = certificate
        self.path = path
        self.faults = Faults()
        self.traffic = Traffic()
        self.closing = threading.Event()
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._users = users
        self._shells = shells
        self._acceptor = acceptor
        self._folder = tempfile.TemporaryDirectory(prefix="winrm-lab-")
        self._user_file = Path(self._folder.name) / "users"
        strict = certificate if self.settings.strict_binding else None
        self._binding = binding_of(strict) if strict else None
        write_user_file(self._user_file, users)
        self.tls: ssl.SSLContext | None = (
            certificate.server_context(self.settings.client_ca) if certificate else None
        )
        self._server = self.server_type((address, port), self)
        self.address, self.port = str(self._server.server_address[0]), self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name=f"winrm-{name}", daemon=True
        )
        self._thread.start()

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return "https" if self.tls else "http"

    @property
    def url(self) -> str:
        """The address clients use."""
        return f"{self.scheme}://{self.address}:{self.port}{self.path}"

    @property
    def open_shells(self) -> int:
        """How many shells are open."""
        return self._shells.open_count

    def handle(self, request: Request, user: str, *, delegated: bool) -> bytes:
        """Carry out a request of an authenticated user."""
        return self._shells.handle(request, user, delegated=delegated)

    def authenticator(self) -> Authenticator:
        """Return the security context for a new connection."""
        return Authenticator(self._users, self._user_file, self._acceptor, self._binding)

    def passwords_changed(self) -> None:
        """Take over what was changed in the users; open connections stay logged in."""
        write_user_file(self._user_file, self._users)

    def stop(self) -> None:
        """Close every connection, end every command, wait for all threads."""
        if self.closing.is_set():
            return
        self.closing.set()
        self._shells.close()
        self._server.shutdown()
        self._server.cut_all()
        self._thread.join(10)
        self._folder.cleanup()
