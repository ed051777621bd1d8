# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail servers that mean no good: they talk without end, drip, or repeat our password."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.message import (
    Target,
    compose,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.submission import (
    SmtpOptions,
    submit,
)

PASSWORD = "correct-horse-battery"
PROBES = compose(
    [Target("a.example", "x@a.example")],
    sender="postmaster@hq.example",
    subject="Delivery test",
    now=datetime(2026, 11, 23, tzinfo=UTC),
    run_tag="t",
)
EHLO = b"250-hi\r\n250 AUTH PLAIN LOGIN CRAM-MD5\r\n"
Serve = Callable[[Callable[[socket.socket], None]], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server that does something with its first connection; return its port."""
    threads: list[threading.Thread] = []

    def start(converse: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))

        def run() -> None:
            with listener, contextlib.suppress(OSError):
                connection, _address = listener.accept()
                connection.settimeout(30)
                with connection:
                    converse(connection)

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()
        port: int = listener.getsockname()[1]
        return port

    yield start
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "the client did not hang up"


def options(port: int, *, login: bool = False, timeout: float = 20) -> SmtpOptions:
    user, password = ("user", PASSWORD) if login else ("", "")
    return SmtpOptions("127.0.0.1", port, user=user, password=password, timeout=timeout)


@pytest.mark.parametrize("piece", [b"220-more\r\n", b"2" * 100, b"220-" + b"x" * 8000 + b"\r\n"])
def test_a_reply_without_end_is_cut(serve: Serve, piece: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        while True:
            connection.sendall(piece * 10)

    with pytest.raises(ExchangeError, match="answers without end"):
        submit(PROBES, options(serve(talk)))


def test_a_reply_that_drips_has_to_be_whole_within_the_timeout(serve: Serve) -> None:
    told = threading.Event()

    def drip(connection: socket.socket) -> None:
        while not told.wait(0.05):
            connection.sendall(b"2")

    try:
        with pytest.raises(ExchangeError, match="no whole answer came within 1 seconds"):
            submit(PROBES, options(serve(drip), timeout=1))
    finally:
        told.set()


def script(*replies: bytes) -> Callable[[socket.socket], None]:
    def converse(connection: socket.socket) -> None:
        for reply in replies:
            connection.sendall(reply)
            connection.recv(65536)

    return converse


@pytest.mark.parametrize("challenge", [b"x", b"=", b"\xff\xfe", b"A"])
def test_a_login_challenge_that_is_no_base64_is_an_error(serve: Serve, challenge: bytes) -> None:
    port = serve(script(b"220 hi\r\n", EHLO, b"334 " + challenge + b"\r\n", b"535 no\r\n"))
    with pytest.raises(ExchangeError, match="No test message was accepted"):
        submit(PROBES, options(port, login=True))


PLAIN = base64.b64encode(f"\0user\0{PASSWORD}".encode())


@pytest.mark.parametrize(
    "echo", [PASSWORD.encode(), base64.b64encode(PASSWORD.encode()), PLAIN, PLAIN.rstrip(b"=")]
)
def test_a_server_that_repeats_the_login_is_not_quoted(serve: Serve, echo: bytes) -> None:
    refusal = b"535 5.7.8 you said AUTH PLAIN " + echo + b"\r\n"
    only_plain = b"250-hi\r\n250 AUTH PLAIN\r\n"
    with pytest.raises(ExchangeError, match=r"login was refused: 535 5\.7\.8 you said") as caught:
        submit(PROBES, options(serve(script(b"220 hi\r\n", only_plain, refusal)), login=True))
    assert echo.decode().rstrip("=") not in str(caught.value)


def test_nor_is_one_that_repeats_it_when_it_refuses_a_message(serve: Serve) -> None:
    replies = (b"220 hi\r\n", b"250-hi\r\n250 AUTH PLAIN\r\n", b"235 in\r\n")
    refusal = b"554 5.7.1 spam from " + PLAIN + b"\r\n"
    port = serve(script(*replies, refusal, b"250 ok\r\n", b"221 bye\r\n"))
    (refused,) = submit(PROBES, options(port, login=True)).values()
    assert refused.text == "spam from ***"
