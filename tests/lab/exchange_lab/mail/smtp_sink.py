# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Far mail servers: SMTP sinks, each with an internet address and a temper of its own.

A sink speaks real SMTP (aiosmtpd) on a loopback port; the lab's network leads to it.
"""

from __future__ import annotations

import asyncio
import enum
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP
from aiosmtpd.smtp import Envelope as SmtpEnvelope
from aiosmtpd.smtp import Session as SmtpSession

from .network import Endpoint, Network
from .smtp_loop import LoopThread, port_of


class Temper(enum.Enum):
    """How a far mail server treats who comes."""

    ACCEPT = "accept"
    """Takes every message."""
    BUSY = "busy"
    """Greets with 421 and hangs up (RFC 5321 section 3.8)."""
    LOOP = "loop"
    """Sees its own name come back: greets with 421 and hangs up, as the article's local host."""
    REFUSE = "refuse"
    """The host is there, nothing listens on port 25."""
    SILENT = "silent"
    """Packets vanish: connecting times out."""
    TARPIT = "tarpit"
    """Accepts the connection and never greets."""
    DEFER = "defer"
    """Answers RCPT with 451."""
    REJECT = "reject"
    """Answers RCPT with 550."""
    NO_EHLO = "no ehlo"
    """A firewall that knows no EHLO (Q245787): 500, and then takes every message by HELO."""
    DROP = "drop"
    """Greets, and breaks the connection off at the first command."""


_GREETINGS = {
    Temper.BUSY: "421 {name} Service not available, too many connections",
    Temper.LOOP: "421 {name} Mail loops back to this host",
}
_RECIPIENT_REPLIES = {
    Temper.DEFER: "451 <{recipient}>... Sender domain must resolve",
    Temper.REJECT: "550 <{recipient}>... User unknown",
}


@dataclass(frozen=True, slots=True)
class Received:
    """A message a sink took: its envelope, its content as sent (CRLF), and when (UTC)."""

    address: str
    helo: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    at: datetime

    @property
    def message_id(self) -> str:
        """The Message-ID header with its angle brackets; empty without one."""
        parsed = message_from_bytes(self.content, policy=policy.compat32)
        return str(parsed.get("Message-ID", "")).strip()


class _Rude(asyncio.Protocol):
    """Says one line and hangs up; without a line it keeps the caller waiting."""

    def __init__(self, line: str | None) -> None:
        self._line = line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._line is not None and isinstance(transport, asyncio.Transport):
            transport.write(self._line.encode("ascii") + b"\r\n")
            transport.close()


class _NoEhlo(SMTP):
    """As Q245787 shows it; aiosmtpd finds commands by their names."""

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802
        await self.push("500 Command unrecognized")


class _Breaking(asyncio.Protocol):
    """Greets, and hangs up when spoken to."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            transport.write(f"220 {self._name} ESMTP ready\r\n".encode("ascii"))

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.abort()


class SmtpSink:
    """One far mail server. ``temper`` may be changed at any time and counts for new connections."""

    def __init__(
        self,
        address: str,
        name: str,
        temper: Temper,
        farm: SinkFarm,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.tls = tls
        self.address = address
        self.name = name
        self.connections = 0
        self._temper = temper
        self._farm = farm
        self._server = farm.loops.listen(self._protocol)
        self.temper = temper

    @property
    def temper(self) -> Temper:
        """How it treats who comes."""
        return self._temper

    @temper.setter
    def temper(self, temper: Temper) -> None:
        self._temper = temper
        if temper is Temper.REFUSE:
            self._farm.network.refuse(self.address)
        elif temper is Temper.SILENT:
            self._farm.network.silence(self.address)
        else:
            self._farm.network.claim(self.address, Endpoint(port_of(self._server)))

    @property
    def received(self) -> tuple[Received, ...]:
        """What this sink took so far, oldest first."""
        return tuple(item for item in self._farm.received if item.address == self.address)

    def close(self) -> None:
        """Stop listening."""
        self._farm.loops.close(self._server)

    def _protocol(self) -> asyncio.BaseProtocol:
        self.connections += 1
        if self._temper is Temper.TARPIT:
            return _Rude(None)
        if self._temper is Temper.DROP:
            return _Breaking(self.name)
        if self._temper in _GREETINGS:
            return _Rude(_GREETINGS[self._temper].format(name=self.name))
        kind = _NoEhlo if self._temper is Temper.NO_EHLO else SMTP
        return kind(
            self,
            hostname=self.name,
            ident="ESMTP ready",
            loop=self._farm.loops.loop,
            tls_context=self.tls,
        )

    async def handle_RCPT(  # noqa: N802 - aiosmtpd looks the hook up by this name
        self,
        server: SMTP,
        session: SmtpSession,
        envelope: SmtpEnvelope,
        address: str,
        options: list[str],
    ) -> str:
        """Answer RCPT TO as the temper says."""
        if "@" not in address and address.casefold() != "postmaster":
            return "501 Syntax: RCPT TO: <address>"
        reply = _RECIPIENT_REPLIES.get(self._temper)
        if reply is not None:
            return reply.format(recipient=address)
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return f"250 <{address}>... Recipient ok"

    async def handle_DATA(  # noqa: N802 - aiosmtpd looks the hook up by this name
        self, server: SMTP, session: SmtpSession, envelope: SmtpEnvelope
    ) -> str:
        """Record the message."""
        self._farm.record(
            Received(
                address=self.address,
                helo=session.host_name or "",
                sender=envelope.mail_from or "",
                recipients=tuple(envelope.rcpt_tos),
                content=envelope.original_content or b"",
                at=datetime.now(UTC),
            )
        )
        return "250 Message accepted for delivery"


class SinkFarm:
    """All sinks of a lab, by internet address."""

    def __init__(self, loops: LoopThread, network: Network) -> None:
        self.loops = loops
        self.network = network
        self._sinks: dict[str, SmtpSink] = {}
        self._received: list[Received] = []
        self._news = threading.Condition()

    def add(
        self,
        address: str,
        name: str,
        temper: Temper = Temper.ACCEPT,
        tls: ssl.SSLContext | None = None,
    ) -> SmtpSink:
        """Put a mail server at an internet address; with ``tls`` it offers STARTTLS."""
        if address in self._sinks:
            raise ValueError(f"there is a mail server at {address} already")
        sink = SmtpSink(address, name, temper, self, tls)
        self._sinks[address] = sink
        return sink

    def __getitem__(self, address: str) -> SmtpSink:
        return self._sinks[address]

    @property
    def received(self) -> tuple[Received, ...]:
        """Every message taken by any sink, oldest first."""
        with self._news:
            return tuple(self._received)

    def record(self, item: Received) -> None:
        """Keep a message; called by the sinks."""
        with self._news:
            self._received.append(item)
            self._news.notify_all()

    def wait(
        self, wanted: Callable[[tuple[Received, ...]], bool], timeout: float = 10.0
    ) -> tuple[Received, ...]:
        """Return what was received as soon as ``wanted`` holds; TimeoutError after ``timeout``."""
        deadline = time.monotonic() + timeout
        with self._news:
            while not wanted(tuple(self._received)):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"after {timeout} s only {len(self._received)} arrived")
                self._news.wait(left)
            return tuple(self._received)

    def close(self) -> None:
        """Stop all listeners."""
        for sink in self._sinks.values():
            sink.close()
