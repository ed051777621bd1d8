# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sending half of SMTP as the Transport service speaks it, over the lab's network."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .last_error import Trouble

if TYPE_CHECKING:
    from ..mail.network import Network


class Unreachable(Exception):  # noqa: N818 - an outcome
    """No talk was possible; ``said`` is the far server's reply, or why its certificate failed."""

    def __init__(self, trouble: Trouble, said: str = "") -> None:
        super().__init__(said or trouble.value)
        self.trouble = trouble
        self.said = said


@dataclass(frozen=True, slots=True)
class Checks:
    """How the far certificate is checked: by no rule, by its chain, or by a name too.

    ``authorities`` are the certificates that are trusted, as PEM text. Without a name only the
    chain counts.
    """

    authorities: str = ""
    name: str = ""

    def context(self) -> ssl.SSLContext:
        """The context for a connection."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = bool(self.name)
        context.verify_mode = ssl.CERT_REQUIRED
        if self.authorities:
            context.load_verify_locations(cadata=self.authorities)
        return context


@dataclass(frozen=True, slots=True)
class Letter:
    """What is handed over, and how."""

    helo: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    require_tls: bool = False
    ignore_starttls: bool = False
    force_helo: bool = False
    checks: Checks | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The far server's last word on one recipient, line by line."""

    code: int
    lines: tuple[str, ...]

    @property
    def delivered(self) -> bool:
        """Taken."""
        return self.code < 400

    @property
    def failed(self) -> bool:
        """Refused for good."""
        return self.code >= 500

    def __str__(self) -> str:
        """As Exchange writes it: in one line, each of its lines with the code."""
        *earlier, last = self.lines
        return " ".join([*(f"{self.code}-{line}" for line in earlier), f"{self.code} {last}"])


def _verdict(code: int, text: bytes) -> Verdict:
    return Verdict(code, tuple(text.decode("utf-8", "replace").split("\n")))


class _Client(smtplib.SMTP):
    """smtplib over the lab's network, or without one over loopback."""

    def __init__(self, network: Network | None, source: str, patience: float) -> None:
        self._network = network
        self._source = source
        super().__init__(local_hostname=source, timeout=patience)

    def talk_to(self, host: str, port: int) -> tuple[int, bytes]:
        """Connect and return the greeting; smtplib learns the name for TLS only as it is made."""
        self._host = host
        return self.connect(host, port)

    def expect_name(self, name: str) -> None:
        """Let the certificate be made out to that name; smtplib hands it to TLS."""
        self._host = name or self._host

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        if self._network is None:
            return socket.create_connection((host, port), timeout)
        return self._network.connect(host, timeout=timeout, port=port, source=self._source)


def hand_over(
    letter: Letter, address: str, port: int, network: Network | None, patience: float
) -> dict[str, Verdict]:
    """Deliver to one address; the verdict for each recipient. Raises Unreachable."""
    client = _Client(network, letter.helo, patience)
    try:
        return _talk(client, letter, address, port)
    except ConnectionRefusedError as error:
        raise Unreachable(Trouble.REFUSED) from error
    except TimeoutError as error:
        raise Unreachable(Trouble.TIMED_OUT) from error
    except ssl.SSLCertVerificationError as error:
        reason = "SubjectMismatch" if "ostname mismatch" in str(error) else "untrustedroot"
        raise Unreachable(Trouble.CERTIFICATE, reason) from error
    except smtplib.SMTPServerDisconnected as error:
        silent = "timed out" in str(error)
        raise Unreachable(Trouble.SILENT if silent else Trouble.RESET) from error
    except (OSError, smtplib.SMTPException) as error:
        raise Unreachable(Trouble.NO_WAY) from error
    finally:
        client.close()


def _talk(client: _Client, letter: Letter, address: str, port: int) -> dict[str, Verdict]:
    greeting = client.talk_to(address, port)
    _expect(greeting)
    _expect(client.helo() if letter.force_helo else client.ehlo())
    _start_tls(client, letter)
    _expect(client.mail(letter.sender))
    verdicts = {name: _verdict(*client.rcpt(name)) for name in letter.recipients}
    taken = [name for name, verdict in verdicts.items() if verdict.delivered]
    if taken:
        content = _send_content(client, letter.content)
        if not content.delivered:
            verdicts.update(dict.fromkeys(taken, content))
    with contextlib.suppress(OSError, smtplib.SMTPException):
        client.quit()  # the letter has its fate by now, whatever becomes of the farewell
    return verdicts


def _send_content(client: _Client, content: bytes) -> Verdict:
    try:
        return _verdict(*client.data(content))
    except smtplib.SMTPDataError as error:
        text = error.smtp_error
        return _verdict(error.smtp_code, text if isinstance(text, bytes) else text.encode())


def _start_tls(client: _Client, letter: Letter) -> None:
    if letter.ignore_starttls or not client.has_extn("starttls"):
        if letter.require_tls:
            raise Unreachable(Trouble.REPLY, "451 5.7.3 STARTTLS is required to send mail")
        return
    if letter.checks is None:
        # Opportunistic TLS takes any certificate.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context = letter.checks.context()
        client.expect_name(letter.checks.name)
    _expect(client.starttls(context=context))
    _expect(client.ehlo())


def _expect(reply: tuple[int, bytes]) -> None:
    verdict = _verdict(*reply)
    if not verdict.delivered:
        raise Unreachable(Trouble.REPLY, str(verdict))
