# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The IMC's own SMTP listener: mail that is submitted to the host, with or without TLS and AUTH."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from ..windows.errors import WinError
from .imc_model import Site
from .imc_smtp import ProtocolLog
from .smtp_loop import LoopThread

Submit = Callable[[str, tuple[str, ...], bytes], str]


@dataclass(frozen=True, slots=True)
class Submission:
    """Who may submit: ``tls`` offers STARTTLS, ``users`` demands AUTH (and TLS, if offered)."""

    tls: ssl.SSLContext | None = None
    users: Mapping[str, str] = field(default_factory=dict)


class Listener:
    """Port 25 of the host. The loopback port stays the same while the service is stopped."""

    def __init__(
        self,
        loops: LoopThread,
        site: Site,
        submission: Submission,
        submit: Submit,
        *,
        greeting: str = "Microsoft Exchange Internet Mail Service ready",
        prohibits: Callable[[str], bool] = lambda _recipient: False,
        log: Callable[[], ProtocolLog] | None = None,
    ) -> None:
        self._greeting = greeting
        self._prohibits = prohibits
        self._log = log
        self._loops = loops
        self._site = site
        self._submission = submission
        self._submit = submit
        self._server: asyncio.Server | None = None
        # A bound socket that does not listen: it keeps the port ours and refuses connections.
        self._place = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._place.bind(("127.0.0.1", 0))

    @property
    def port(self) -> int:
        """The loopback port."""
        port: int = self._place.getsockname()[1]
        return port

    def open(self) -> None:
        """Begin to listen."""
        self._server = self._loops.listen(self._protocol, self.port, reuse_port=True)

    def close(self) -> None:
        """Refuse connections from now on."""
        server, self._server = self._server, None
        if server is not None:
            self._loops.close(server)

    def release(self) -> None:
        """Give the port back."""
        self.close()
        self._place.close()

    def _protocol(self) -> SMTP:
        users, tls = self._submission.users, self._submission.tls
        return SMTP(
            self,
            hostname=self._site.fqdn,
            ident=self._greeting,
            tls_context=tls,
            authenticator=self._check_login if users else None,
            auth_required=bool(users),
            auth_require_tls=tls is not None,
            loop=self._loops.loop,
        )

    def _check_login(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        known = self._submission.users.get(data.login.decode("utf-8", "replace"))
        return AuthResult(
            success=known is not None and known.encode() == data.password, handled=False
        )

    async def handle_EHLO(  # noqa: N802 - aiosmtpd looks the hook up by this name
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        """Refuse a caller that says this host's own name: mail that loops (Q150969)."""
        if hostname.casefold() == self._site.fqdn.casefold():
            return [f"421 {self._site.fqdn} Mail loops back to this host"]
        session.host_name = hostname
        return responses

    async def handle_HELO(  # noqa: N802 - aiosmtpd looks the hook up by this name
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str
    ) -> str:
        """Refuse a caller that says this host's own name."""
        if hostname.casefold() == self._site.fqdn.casefold():
            return f"421 {self._site.fqdn} Mail loops back to this host"
        session.host_name = hostname
        return f"250 {self._site.fqdn}"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd looks the hook up by this name
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Refuse other domains where the restrictions say so (Q193922)."""
        if self._prohibits(address):
            return "550 Relaying is prohibited"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd looks the hook up by this name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Hand the message to the connector."""
        content = envelope.original_content or b""
        self._note(session, envelope)
        try:
            self._submit(envelope.mail_from or "", tuple(envelope.rcpt_tos), content)
        except WinError as exc:
            return f"452 {exc}"
        return "250 OK"

    def _note(self, session: Session, envelope: Envelope) -> None:
        """Write the connection of somebody else into the protocol log (Q154505)."""
        if self._log is None:
            return
        log = self._log()
        log.line(f"A connection was accepted from {session.host_name}.")
        log.heard(f"MAIL FROM:<{envelope.mail_from or ''}>")
        log.said("250 OK")
        for recipient in envelope.rcpt_tos:
            log.heard(f"RCPT TO:<{recipient}>")
            log.said("250 OK")
        log.close()
