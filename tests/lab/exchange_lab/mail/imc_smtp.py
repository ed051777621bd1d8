# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sending half of SMTP as the IMC speaks it, with its protocol log.

The form of the log is that of the excerpts in Q198981 and Q228725; its levels are in Q154505.
"""

from __future__ import annotations

import contextlib
import enum
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from .network import Network

_REPLY = re.compile(rb"(\d{3})([ -]?)(.*)")
_LONGEST_LINE = 4096


class NoContact(Exception):  # noqa: N818 - an outcome
    """No SMTP server could be talked to, or the talk broke off before it was over."""


class Silence(NoContact):
    """The server took the connection and never greeted (Q182821)."""


class Fate(enum.Enum):
    """What became of one recipient in one attempt."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Result:
    """The fate of a recipient, with the far server's reply line."""

    fate: Fate
    reply: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply: its code and all of its lines."""

    code: int
    lines: tuple[str, ...]

    @property
    def fate(self) -> Fate:
        """What the code means for a recipient."""
        if self.code >= 500:
            return Fate.FAILED
        return Fate.DELIVERED if self.code < 400 else Fate.DEFERRED

    def result(self) -> Result:
        """Return fate and last line together."""
        return Result(self.fate, self.lines[-1])


def stamp(now: datetime) -> str:
    """Return the time as the protocol log writes it, for example ``4/5/99 10:22:41 AM``."""
    hour = now.hour % 12 or 12
    half = "AM" if now.hour < 12 else "PM"
    return f"{now.month}/{now.day}/{now:%y} {hour}:{now:%M:%S} {half}"


class ProtocolLog:
    """The log of one connection; replies of the far server stand behind ``IO: |``.

    ``arrows`` is the form without times (Q245787). ``again`` writes each reply a second time, as
    level 5 does.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        now: Callable[[], datetime],
        close: Callable[[], None] = lambda: None,
        *,
        arrows: bool = False,
        again: bool = False,
    ) -> None:
        self._write = write
        self._now = now
        self.close = close
        self._arrows = arrows
        self._again = again

    def line(self, text: str, arrow: str = "") -> None:
        """Write one line."""
        head = f"{arrow} " if arrow else ""
        start = head if self._arrows else f"{stamp(self._now())} : "
        self._write(f"{start}{text}\r\n".encode("latin-1", "replace"))

    def said(self, command: str) -> None:
        """Write what this side says."""
        self.line(command, ">>>")

    def heard(self, reply: str) -> None:
        """Write what the other side says."""
        self.line(f"IO: |{reply}", "<<<")

    def reply(self, lines: Sequence[str]) -> None:
        """Write a reply that is complete."""
        if self._again:
            for line in lines:
                self.line(line, "<<<")


class Dialogue:
    """One SMTP connection; every method raises NoContact when the line breaks."""

    def __init__(self, connection: socket.socket, log: ProtocolLog) -> None:
        self._socket = connection
        self._reader = connection.makefile("rb")
        self._log = log

    def read(self) -> Reply:
        """Read a reply of one or more lines."""
        lines: list[str] = []
        while True:
            try:
                raw = self._reader.readline(_LONGEST_LINE)
            except OSError as exc:
                raise NoContact(str(exc)) from exc
            match = _REPLY.fullmatch(raw.rstrip(b"\r\n"))
            if match is None:
                raise NoContact("the connection was closed" if not raw else "not an SMTP reply")
            lines.append(raw.rstrip(b"\r\n").decode("latin-1"))
            self._log.heard(lines[-1])
            if match[2] != b"-":
                self._log.reply(lines)
                return Reply(int(match[1]), tuple(lines))

    def say(self, command: str) -> Reply:
        """Send a command and read its reply."""
        self._log.said(command)
        self._send(command.encode("latin-1", "replace") + b"\r\n")
        return self.read()

    def send_content(self, content: bytes) -> Reply:
        """Send the message, dots stuffed (RFC 5321 section 4.5.2), and read the reply."""
        body = re.sub(rb"(?m)^\.", b"..", content)
        self._send(body + (b"" if body.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        return self.read()

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as exc:
            raise NoContact(str(exc)) from exc

    def close(self) -> None:
        """Hang up; never raises."""
        with contextlib.suppress(OSError):
            self._reader.close()
        with contextlib.suppress(OSError):
            self._socket.close()


@dataclass(frozen=True, slots=True)
class Job:
    """What to hand to a far server."""

    helo: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes


class Courier:
    """Carries messages to internet addresses; ``hang_up`` ends a talk from another thread."""

    def __init__(self, network: Network, patience: float, banner: float | None = None) -> None:
        self._network = network
        self._patience = patience
        self._banner = patience if banner is None else banner
        self._current: socket.socket | None = None

    def hang_up(self) -> None:
        """Break off the connection that is open now."""
        current = self._current
        if current is not None:
            with contextlib.suppress(OSError):
                current.shutdown(socket.SHUT_RDWR)

    def carry(self, job: Job, address: str, log: ProtocolLog) -> dict[str, Result]:
        """Return the fate of each recipient; raises NoContact when there was no server to ask."""
        try:
            connection = self._network.connect(address, timeout=self._patience, source=job.helo)
        except OSError as exc:
            raise NoContact(str(exc)) from exc
        self._current = connection
        log.line(f"A connection to {address} was established.")
        dialogue = Dialogue(connection, log)
        try:
            return self._talk(dialogue, connection, job)
        finally:
            self._current = None
            dialogue.close()

    def _greeting(self, dialogue: Dialogue, connection: socket.socket) -> Reply:
        connection.settimeout(self._banner)
        try:
            greeting = dialogue.read()
        except NoContact as exc:
            if isinstance(exc.__cause__, TimeoutError):
                raise Silence("the server does not greet") from exc
            raise
        connection.settimeout(self._patience)
        return greeting

    def _talk(self, dialogue: Dialogue, connection: socket.socket, job: Job) -> dict[str, Result]:
        if self._greeting(dialogue, connection).code != 220:
            raise NoContact("the server does not want to talk")
        if dialogue.say(f"EHLO {job.helo}").code >= 400 and (
            dialogue.say(f"HELO {job.helo}").code >= 400
        ):
            raise NoContact("the server does not want to talk to this host")
        opened = dialogue.say(f"MAIL FROM:<{job.sender}>")
        if opened.fate is not Fate.DELIVERED:
            return dict.fromkeys(job.recipients, opened.result())
        results = {name: dialogue.say(f"RCPT TO:<{name}>").result() for name in job.recipients}
        accepted = [name for name, result in results.items() if result.fate is Fate.DELIVERED]
        if accepted:
            reply = dialogue.say("DATA")
            if reply.code == 354:
                reply = dialogue.send_content(job.content)
            results.update(dict.fromkeys(accepted, reply.result()))
        self._say_goodbye(dialogue)
        return results

    @staticmethod
    def _say_goodbye(dialogue: Dialogue) -> None:
        # The message has its fate by now: a server that hangs up without a word changes nothing.
        with contextlib.suppress(NoContact):
            dialogue.say("QUIT")
