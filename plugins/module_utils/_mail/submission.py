# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Submission of test messages by SMTP, by a client that a server cannot keep busy.

One connection for all messages; a server that drops it between two messages is asked once more.
A message is either accepted, or has the reply that refused it. ``smtplib`` alone waits anew with
every octet, and collects the lines of a reply without end: here replies are bounded in time and in
length.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import base64
import contextlib
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .._base.errors import ExchangeError, InvalidInput
from .message import Probe, message_bytes
from .smtp_errors import ErrorClass, Origin, SmtpError, parse_reply, printable

#: Octets of one reply; the longest real ones are lists of extensions (RFC 5321 section 4.5.3.1.5
#: gives a line 512).
MAX_REPLY = 32_768
_CODE = 3  # digits


class BoundedSMTP(smtplib.SMTP):
    """Takes a reply only if it is whole within ``timeout`` seconds, and of sensible length."""

    def getreply(self) -> tuple[int, bytes]:
        """Return code and text of a reply; the code is -1 for an invalid reply.

        Raises SMTPServerDisconnected, and the connection is closed then.
        """
        texts: list[bytes] = []
        size = 0
        for line in self._lines(time.monotonic() + self.timeout):
            size += len(line)
            if size > MAX_REPLY:
                raise self._broken("it answers without end")
            texts.append(line[_CODE + 1 :].strip(b" \t\r\n"))
            code = int(line[:_CODE]) if line[:_CODE].isdigit() else -1
            if code < 0 or line[_CODE : _CODE + 1] != b"-":
                break
        return code, b"\n".join(texts)

    def _lines(self, deadline: float) -> Iterator[bytes]:
        """Yield lines as they come in, until the deadline (of the monotonic clock)."""
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("the connection is closed")
        if self.file is None:
            self.file = self.sock.makefile("rb")
        line = b""
        try:
            while True:
                self.sock.settimeout(max(0.001, deadline - time.monotonic()))
                ahead = self.file.peek(1)  # reads at most once
                if not ahead:
                    raise self._broken("it closed the connection")
                piece = self.file.read(ahead.find(b"\n") + 1 or len(ahead))
                line += piece
                if line.endswith(b"\n") or len(line) > MAX_REPLY:
                    self.sock.settimeout(self.timeout)
                    yield line
                    line = b""
                if time.monotonic() > deadline:
                    raise TimeoutError
        except TimeoutError:
            raise self._broken(f"no whole answer came within {self.timeout:g} seconds") from None
        except OSError as error:
            raise self._broken(error.strerror or type(error).__name__) from None

    def _broken(self, why: str) -> smtplib.SMTPServerDisconnected:
        self.close()
        return smtplib.SMTPServerDisconnected(why)


def login_texts(user: str, password: str) -> tuple[str, ...]:
    """Return the forms in which a login travels (RFC 4954): no reply that repeats one is shown."""
    if not password:
        return ()
    plain = f"\0{user}\0{password}".encode()
    encoded = (base64.b64encode(text).decode() for text in (plain, password.encode()))
    return (password, *(text.rstrip("=") for text in encoded))


#: Where a refusal was read; results show it.
SOURCE = "submission"

_MOST = 300  # characters of a server's reply

_LOGIN_OVER_TLS = "Set starttls: most servers offer a login only then."
_NO_LOGIN = "Use a port that accepts such logins, or allow mail from this address without one."
_UNKNOWN_AUTHORITY = "Set ca_cert to the certificate of its authority."
_OTHER_NAME = "Use a host name that is in the server's certificate."
# By OpenSSL's codes for a certificate that cannot be verified (X509_V_ERR_...).
_CERTIFICATE_HINTS = {
    9: "Check the clocks on both sides.",  # not yet valid
    10: "Renew the certificate; check the clocks on both sides.",  # expired
    62: _OTHER_NAME,  # host name
    64: _OTHER_NAME,  # address
}


@dataclass(frozen=True, slots=True)
class SmtpOptions:
    """How to reach the host's SMTP listener. ``timeout`` is in seconds, for each step.

    ``password`` never appears in a message of this file: errors quote only the server's replies,
    and these without what they repeat of a login.
    """

    host: str
    port: int = 25
    starttls: bool = False
    user: str = ""
    password: str = ""
    ca_cert: Path | None = None
    validate: bool = True
    timeout: float = 30.0

    def __repr__(self) -> str:
        return f"SmtpOptions({self.host}:{self.port})"

    def cleared(self, said: bytes | str) -> str:
        """Return a server's words on one line, without what they repeat of our login."""
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        for secret in login_texts(self.user, self.password):
            text = text.replace(secret, "***")
        return " ".join(text.split())


@dataclass(frozen=True, slots=True)
class Submission:
    """How messages are handed over: ``method`` is ``auto``, ``pickup`` or ``smtp``.

    ``sender`` is empty for the family's default.
    """

    method: str
    smtp: SmtpOptions
    sender: str = ""


def greeting(host: str, port: int, seconds: float) -> str:
    """Return the first line of an SMTP server, or nothing where none comes within ``seconds``."""
    deadline = time.monotonic() + seconds
    line = b""
    with (
        contextlib.suppress(OSError),
        socket.create_connection((host, port), seconds) as connection,
    ):
        while b"\n" not in line and len(line) <= MAX_REPLY:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            if not (piece := connection.recv(MAX_REPLY)):
                break
            line += piece
        connection.sendall(b"QUIT\r\n")
    return printable(line.partition(b"\n")[0].decode("utf-8", "replace").strip())


class _NoServerError(Exception):
    """No session could be opened; the text is the reason, ``hint`` what to do."""

    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.hint = hint or "Check that the service runs and accepts mail from this address."


def submit(probes: Sequence[Probe], options: SmtpOptions) -> dict[str, SmtpError]:
    """Submit the messages in order; return those that were refused, by tag.

    Raises ExchangeError where not even the first could be offered: no connection, no TLS, no
    login. If the connection breaks, its message is offered once more: the same
    Message-ID may then arrive twice, but no message is skipped.
    """
    refused: dict[str, SmtpError] = {}
    offered = 0
    try:
        while offered < len(probes):
            before = offered
            with _connected(options) as server:
                offered = _offer_from(server, probes, offered, refused, options)
            if offered == before:  # a fresh connection broke at its first message
                raise _NoServerError("the connection broke before a message was accepted")
    except _NoServerError as error:
        if offered == 0:
            raise ExchangeError(
                f"No test message was accepted: SMTP to {options.host} port {options.port} failed, "
                f"{error}.",
                hint=error.hint,
            ) from None
        rest = SmtpError(f"not submitted: {error}", source=SOURCE)
        refused |= {probe.tag: rest for probe in probes[offered:]}
    return refused


def _offer_from(
    server: smtplib.SMTP,
    probes: Sequence[Probe],
    start: int,
    refused: dict[str, SmtpError],
    options: SmtpOptions,
) -> int:
    """Offer the messages from ``start`` on; return the index of the first one not offered."""
    for index in range(start, len(probes)):
        try:
            refusal = _offer(server, probes[index], options)
        except (smtplib.SMTPServerDisconnected, OSError):
            return index
        if refusal is not None:
            refused[probes[index].tag] = refusal
    return len(probes)


def _offer(server: smtplib.SMTP, probe: Probe, options: SmtpOptions) -> SmtpError | None:
    """Offer one message; return why it was refused, or None. Raises if the connection breaks."""
    try:
        server.sendmail(probe.sender, [probe.recipient], message_bytes(probe))
    except smtplib.SMTPRecipientsRefused as error:
        code, said = error.recipients[probe.recipient]
        return _refusal(code, options.cleared(said))
    except smtplib.SMTPResponseException as error:  # sender or data refused
        return _refusal(error.smtp_code, options.cleared(error.smtp_error))
    return None


def _refusal(code: int, words: str) -> SmtpError:
    reply = parse_reply(f"{code} {words}", origin=Origin.THIS_HOST, source=SOURCE)
    if reply is None:  # a code outside 4xx and 5xx where a refusal was due
        text = printable(words, _MOST)
        return SmtpError(text, ErrorClass.REFUSED, code=code, source=SOURCE)
    return reply


@contextlib.contextmanager
def _connected(options: SmtpOptions) -> Iterator[smtplib.SMTP]:
    """Yield a server that greeted us, after STARTTLS and login; it is left with QUIT."""
    try:
        # The constructor connects: only so does smtplib know which name a certificate must have.
        server = BoundedSMTP(
            options.host, options.port, local_hostname="localhost", timeout=options.timeout
        )
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        raise _no_server(error, options) from None
    try:
        _introduce(server, options)
        yield server
        with contextlib.suppress(smtplib.SMTPException, OSError):
            server.quit()
    finally:
        server.close()


def _introduce(server: smtplib.SMTP, options: SmtpOptions) -> None:
    try:
        server.local_hostname = _own_name(server)
        server.ehlo_or_helo_if_needed()
        if options.starttls:
            server.starttls(context=_tls(options))
            server.ehlo()
        if options.user:
            server.login(options.user, options.password)
    except (smtplib.SMTPException, OSError, ValueError) as error:
        # Never chained: some of these exceptions hold what was sent, a password too.
        raise _no_server(error, options) from None


def _no_server(error: Exception, options: SmtpOptions) -> _NoServerError:
    """Return why no session was opened, in one clause, and what to do."""
    hint = ""
    match error:
        case smtplib.SMTPAuthenticationError():
            why = f"the login was refused: {_said(error, options)}"
            hint = "Check user and password, and that this account may submit mail."
        case smtplib.SMTPNotSupportedError() if "AUTH" in str(error):
            why = "the server does not offer a login"
            hint = _NO_LOGIN if options.starttls else _LOGIN_OVER_TLS
        case smtplib.SMTPNotSupportedError():
            why = "the server does not offer STARTTLS"
            hint = "Leave out starttls, or use a port that offers it."
        case smtplib.SMTPResponseException(smtp_code=code) if code > 0:
            why = f"it answered {_said(error, options)}"
        case smtplib.SMTPResponseException():
            why = "the host answered, but not as a mail server"
        case ssl.SSLCertVerificationError():
            why = f"its certificate is not trusted: {error.verify_message}"
            hint = _CERTIFICATE_HINTS.get(error.verify_code, _UNKNOWN_AUTHORITY)
        case UnicodeError():
            why = "host, user name and password must be ASCII"
        case ValueError():  # invalid base64
            why = "its login challenge is malformed"
        case smtplib.SMTPException() if "authentication method" in str(error):
            why = "the server offers no login by CRAM-MD5, PLAIN or LOGIN"
            hint = _NO_LOGIN
        case _:
            why = printable(options.cleared(str(error)), _MOST) or type(error).__name__
    return _NoServerError(why, hint)


def _own_name(server: smtplib.SMTP) -> str:
    """Return our address as a literal (RFC 5321 section 4.1.4).

    A name would take a look-up, which can hang for long where the controller is in no DNS.
    """
    if server.sock is None:
        return "localhost"
    address = str(server.sock.getsockname()[0])
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _tls(options: SmtpOptions) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(
            cafile=None if options.ca_cert is None else str(options.ca_cert)
        )
    except (OSError, ssl.SSLError) as error:
        raise InvalidInput(
            f"The file {options.ca_cert} (ca_cert) cannot be used: {error}"
        ) from None
    if not options.validate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _said(error: smtplib.SMTPResponseException, options: SmtpOptions) -> str:
    return printable(f"{error.smtp_code} {options.cleared(error.smtp_error)}", _MOST)
