# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SMTP listener (Receive connector) of a server, on a loopback port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiosmtpd.smtp import SMTP, Envelope, Session

from ..mail.smtp_loop import port_of

if TYPE_CHECKING:
    import asyncio

    from ..mail.smtp_loop import LoopThread
    from .transport import TransportService


class Submission:
    """Takes mail for a Transport service, from anybody on loopback."""

    def __init__(self, service: TransportService, loops: LoopThread) -> None:
        self._service = service
        self._loops = loops
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """The loopback port; after closing it refuses connections."""
        if self._port == 0:
            raise RuntimeError("the listener was never opened")
        return self._port

    def open(self) -> None:
        """Begin to listen."""
        self._server = self._loops.listen(self._protocol)
        self._port = port_of(self._server)

    def close(self) -> None:
        """Stop listening."""
        server, self._server = self._server, None
        if server is not None:
            self._loops.close(server)

    def _protocol(self) -> SMTP:
        return SMTP(
            self,
            hostname=self._service.server.fqdn,
            ident="Microsoft ESMTP MAIL Service ready",
            loop=self._loops.loop,
        )

    async def handle_DATA(  # noqa: N802 - aiosmtpd looks the hook up by this name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Hand the message to the service."""
        peer = session.peer[0] if isinstance(session.peer, tuple) else ""
        message = self._service.submit(
            envelope.mail_from or "",
            tuple(envelope.rcpt_tos),
            envelope.original_content or b"",
            str(peer),
        )
        queued = f"[InternalId={message.internal_id}] Queued mail for delivery"
        return f"250 2.6.0 {message.message_id} {queued}"
