# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Submission over real SMTP connections on the loopback."""

from __future__ import annotations

import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    ExchangeError,
    InvalidInput,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.message import (
    Probe,
    Target,
    compose,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.submission import (
    SmtpOptions,
    submit,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from exchange_lab.mail.smtp_loop import LoopThread, port_of

PASSWORD = "correct-horse-battery"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


class Inbox:
    """Takes mail, but refuses what ``refuse`` names, hangs up at a connection's n-th mail."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.helo: list[str] = []
        self.refuse: dict[str, str] = {}
        self.offered: Counter[Session] = Counter()
        self.hang_up_at: int | None = None

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.offered[session] += 1
        if self.offered[session] == self.hang_up_at and server.transport is not None:
            server.transport.close()
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if reply := self.refuse.get(address):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.taken.append(envelope)
        self.helo.append(str(session.host_name))
        return "250 OK"


def login(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
) -> AuthResult:
    return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


Listen = Callable[..., int]


@pytest.fixture
def loops() -> Iterator[LoopThread]:
    with LoopThread() as running:
        yield running


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def listen(loops: LoopThread, inbox: Inbox) -> Listen:
    def start(**settings: object) -> int:
        server = loops.listen(lambda: SMTP(inbox, loop=loops.loop, **settings))  # type: ignore[arg-type]
        return port_of(server)

    return start


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, private = tmp_path / "ca.pem", tmp_path / "key.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file, private)
    return file, context


def probes(*names: str) -> list[Probe]:
    targets = [Target(name, f"postmaster@{name}") for name in names]
    return compose(targets, sender="mx@hq.example", subject="test", now=NOW, run_tag="t")


def options(port: int, timeout: float = 5.0, **more: Any) -> SmtpOptions:
    return SmtpOptions(host="127.0.0.1", port=port, timeout=timeout, **more)


def test_every_message_arrives_with_its_own_envelope(listen: Listen, inbox: Inbox) -> None:
    assert submit(probes("a.example", "b.example"), options(listen())) == {}

    assert [(one.mail_from, one.rcpt_tos) for one in inbox.taken] == [
        ("mx@hq.example", ["postmaster@a.example"]),
        ("mx@hq.example", ["postmaster@b.example"]),
    ]
    assert b"Message-ID: <t-0002@hq.example>\r\n" in (inbox.taken[1].original_content or b"")
    assert inbox.helo == ["[127.0.0.1]", "[127.0.0.1]"]


def test_a_refused_recipient_does_not_stop_the_others(listen: Listen, inbox: Inbox) -> None:
    inbox.refuse = {"postmaster@a.example": "550 5.7.1 relaying prohibited"}
    refused = submit(probes("a.example", "b.example"), options(listen()))

    assert list(refused) == ["t-0001"]
    error = refused["t-0001"]
    assert (error.code, error.enhanced, error.text) == (550, "5.7.1", "relaying prohibited")
    assert len(inbox.taken) == 1


def test_a_server_that_hangs_up_between_messages_is_called_again(
    listen: Listen, inbox: Inbox
) -> None:
    inbox.hang_up_at = 2
    assert submit(probes("a.example", "b.example", "c.example"), options(listen())) == {}

    assert [one.rcpt_tos for one in inbox.taken] == [
        ["postmaster@a.example"],
        ["postmaster@b.example"],
        ["postmaster@c.example"],
    ]


def serve_once(*replies: bytes) -> int:
    """A server for one connection that answers each line with the next reply, then hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _skipped = listener.accept()
        listener.close()
        with connection, connection.makefile("rb") as lines:
            for reply in replies:
                connection.sendall(reply)
                lines.readline()

    threading.Thread(target=serve, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


def test_a_server_that_goes_away_for_good_leaves_the_rest_unsubmitted() -> None:
    # Greeting, EHLO, MAIL refused, RSET, and then the server stops listening.
    port = serve_once(b"220 hi\r\n", b"250 hi\r\n", b"552 too large\r\n", b"250 ok\r\n")
    refused = submit(probes("a.example", "b.example"), options(port))

    assert refused["t-0001"].code == 552
    assert refused["t-0002"].text.startswith("not submitted: ")


@pytest.mark.parametrize(
    ("replies", "why"),
    [
        ((b"421 busy\r\n",), "421 busy"),
        ((b"garbage\r\n",), "not as a mail server"),
        ((b"",), "no whole answer came within 0.5 seconds"),
        ((b"220 hi\r\n", b"250 hi\r\n"), "broke before a message was accepted"),
    ],
)
def test_a_server_that_takes_nothing_is_an_error_and_says_that_nothing_was_sent(
    replies: tuple[bytes, ...], why: str
) -> None:
    with pytest.raises(ExchangeError, match="No test message was accepted") as caught:
        submit(probes("a.example"), options(serve_once(*replies), timeout=0.5))

    assert why in str(caught.value)


def test_nobody_listening_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ExchangeError, match="refused"):
        submit(probes("a.example"), options(port))


def test_starttls_with_a_trusted_certificate_and_login(
    listen: Listen, inbox: Inbox, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    ca_cert, context = certificate
    port = listen(tls_context=context, authenticator=login, auth_required=True)
    more: dict[str, Any] = {
        "starttls": True,
        "ca_cert": ca_cert,
        "user": "mx",
        "password": PASSWORD,
    }

    assert submit(probes("a.example"), options(port, **more)) == {}
    assert len(inbox.taken) == 1


def test_an_untrusted_certificate_is_refused_unless_told_otherwise(
    listen: Listen, inbox: Inbox, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    port = listen(tls_context=certificate[1])
    with pytest.raises(ExchangeError, match="not trusted"):
        submit(probes("a.example"), options(port, starttls=True))
    assert inbox.taken == []

    submit(probes("a.example"), options(port, starttls=True, validate=False))
    assert len(inbox.taken) == 1


def test_a_broken_ca_file_is_named(tmp_path: Path, listen: Listen) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate")
    port = listen(tls_context=ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
    with pytest.raises(InvalidInput, match="ca\\.pem"):
        submit(probes("a.example"), options(port, starttls=True, ca_cert=broken))


def test_a_server_without_starttls_or_login_says_so(listen: Listen) -> None:
    with pytest.raises(ExchangeError, match="does not offer STARTTLS") as caught:
        submit(probes("a.example"), options(listen(), starttls=True))
    assert "Leave out starttls" in (caught.value.hint or "")
    with pytest.raises(ExchangeError, match="does not offer a login") as caught:
        submit(probes("a.example"), options(listen(), user="mx", password=PASSWORD))
    assert "Set starttls" in (caught.value.hint or "")


def test_a_certificate_for_another_name_is_not_cured_by_another_authority(
    listen: Listen, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    ca_file, context = certificate
    wanted = SmtpOptions("localhost", listen(tls_context=context), True, ca_cert=ca_file)
    with pytest.raises(ExchangeError, match="is not trusted: Hostname mismatch") as caught:
        submit(probes("a.example"), wanted)
    assert "a host name that is in the server's certificate" in (caught.value.hint or "")


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("password", ["wrong-horse", "n\u00e4ver-ascii"])
def test_no_message_ever_holds_the_password(listen: Listen, password: str) -> None:
    port = listen(authenticator=login, auth_require_tls=False, auth_required=True)
    with pytest.raises(ExchangeError) as caught:
        submit(probes("a.example"), options(port, user="mx", password=password))

    shown = f"{caught.value} {caught.value.details} {caught.value.__cause__}"
    assert password not in shown
    assert password not in repr(options(port, user="mx", password=password))
