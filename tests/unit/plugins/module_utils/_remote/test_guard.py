# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that answer whatever they like: bounded in time and size, never an odd exception."""

from __future__ import annotations

import base64
import contextlib
import gzip
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    ExchangeError,
    HostUnreachable,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.guard import (
    ANSWER_LIMIT,
    AnswerRefused,
    Meter,
    check_answer,
    guard,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.options import from_params
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import Completed
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.winrs import (
    WinrsSession,
    connect,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from winrm.protocol import Protocol

Answer = Callable[[BaseHTTPRequestHandler], None]

LAUGHS = (
    '<!DOCTYPE lolz [<!ENTITY l0 "lol">'
    + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    + "]><s>&l11;</s>"
).encode()


class HostileServer:
    """Answers every POST with the given answer."""

    def __init__(self) -> None:
        self.requests = 0
        self.answer: Answer = lambda handler: None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                outer.requests += 1
                with contextlib.suppress(OSError):
                    outer.answer(self)
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def connect(self, timeout: int = 2) -> WinrsSession:
        login = {"user": "operator", "password": "s3cret", "transport": "basic"}
        where = {
            "host": "127.0.0.1",
            "port": self.port,
            "scheme": "http",
            "connect_timeout": timeout,
        }
        options = from_params({**login, **where, "message_encryption": "never"})
        return connect(options, host="mail5-a")


@pytest.fixture
def hostile() -> Iterator[HostileServer]:
    server = HostileServer()
    yield server
    server.stop()


def send(status: int, body: bytes, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(10**12))
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 65536)


def dripping(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    for _round in range(600):
        handler.wfile.write(b"x")
        time.sleep(0.05)


def dripping_chunk(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"ffff\r\n")
    for _round in range(600):
        handler.wfile.write(b"x")
        time.sleep(0.05)


REFUSED = "(redirect, DTD, or too large)"
LATE = "did not answer in time"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (endless, REFUSED),
        (dripping, LATE),
        (dripping_chunk, LATE),
        (send(200, gzip.compress(b"\0" * 60_000_000), Content_Encoding="gzip"), REFUSED),
        (send(200, LAUGHS), REFUSED),
        (send(500, LAUGHS), REFUSED),
        (send(200, LAUGHS.decode().encode("utf-16")), REFUSED),
        (send(500, LAUGHS.decode().encode("utf-16")), "not a valid WinRM response"),
        (send(200, b'<?xml version="1.0" encoding="cp037"?>' + LAUGHS), REFUSED),
        (send(200, b""), "not a valid WinRM response"),
        (send(200, b"<a>" * 1_000_000), "not a valid WinRM response"),
        (send(200, b"<a>" * 500_000 + b"</a>" * 500_000), "not a valid WinRM response"),
        (send(200, b"\xff" * 1000), "not a valid WinRM response"),
        (send(500, b"\xff" * 1000), "not a valid WinRM response"),
        (send(200, b"not gzip", Content_Encoding="gzip"), REFUSED),
        (send(418, b"teapot"), "HTTP status 418"),
        (send(503, b""), "not available now"),
        (send(403, b""), "forbidden"),
        (send(401, b"", WWW_Authenticate="NTLM " + "A" * 60_000), "login was refused"),
    ],
)
def test_no_answer_hangs_or_surprises(
    hostile: HostileServer, answer: Answer, sentence: str
) -> None:
    hostile.answer = answer
    session = hostile.connect()
    begin, used = time.monotonic(), time.process_time()
    with pytest.raises(HostUnreachable, match=re.escape(sentence)) as caught:
        session.run("ver")
    session.close()
    assert time.process_time() - used < 8
    assert time.monotonic() - begin < 25  # what drips would take 30 seconds
    assert caught.value.__context__ is None
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(hostile: HostileServer, status: int) -> None:
    elsewhere = HostileServer()
    try:
        hostile.answer = send(status, b"", Location=f"http://127.0.0.1:{elsewhere.port}/wsman")
        with pytest.raises(HostUnreachable, match="redirect"):
            hostile.connect().run("ver")
        assert (hostile.requests, elsewhere.requests) == (1, 0)
    finally:
        elsewhere.stop()


# -- answers within a session, put in the place of what the network brings


class CannedShell:
    """A shell over a real ``Protocol``; its transport returns the given answers."""

    def __init__(self, receive: Callable[[], bytes]) -> None:
        self._protocol = Protocol("http://mail5-a/wsman", username="u", password="p")
        self._protocol.transport.send_message = self._send  # type: ignore[method-assign]
        self._receive = receive
        self.abandoned = 0

    def _send(self, message: str | bytes) -> bytes:
        text = message if isinstance(message, str) else message.decode()
        if "shell/Command</a:Action>" in text:
            return b"<r><CommandId>1</CommandId></r>"
        if "shell/Receive</a:Action>" in text:
            return self._receive()
        found = re.search("uuid:([0-9a-f-]+)", text)
        return b"<r><RelatesTo>uuid:%s</RelatesTo></r>" % (found[1].encode() if found else b"")

    def open(self) -> tuple[Any, str]:
        guard(self._protocol.transport)
        return self._protocol, "shell"

    def close(self) -> None:
        """Nothing is open."""

    def abandon(self) -> None:
        self.abandoned += 1


def run_with(answer: bytes, timeout: float = 0.01) -> Completed:
    session = WinrsSession(CannedShell(lambda: answer), host="mail5-a")
    try:
        return session.run("ver", timeout=timeout)
    finally:
        session.close()


def received(stream: str, exit_code: str = "0") -> bytes:
    return (
        f'<r><Stream Name="stdout">{stream}</Stream><S State="x/CommandState/Done">'
        f"<ExitCode>{exit_code}</ExitCode></S></r>"
    ).encode()


def test_the_canned_shell_can_answer_well() -> None:
    answer = received(base64.b64encode(b"fine").decode(), "3")
    assert run_with(answer, 30) == Completed(3, b"fine", b"")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<r/>",
        b"<r>",
        LAUGHS,
        received("not base64!"),
        received("ü"),
        received("AAAA", "many"),
        received("AAAA", "9" * 5000),
        b'<r><S State="x/CommandState/Done"/></r>',
        b"<r><Stream>AAAA</Stream></r>",
        b'<r><S State="CommandState/Done"/><S State="CommandState/Done"/></r>',
    ],
)
def test_a_strange_answer_to_receive_is_an_error_of_ours(answer: bytes) -> None:
    with pytest.raises(ExchangeError, match=r"^mail5-a: "):
        run_with(answer)


def test_an_exit_code_left_empty_is_no_success() -> None:
    assert run_with(received("AAAA", ""), 30).exit_code == -1


_XML = st.lists(
    st.sampled_from(
        [
            *("<r>", "</r>", "<Stream Name='stdout'>", "<Stream>", "</Stream>", "AAAA", "A", "&x;"),
            *("<S State='CommandState/Done'/>", "<ExitCode>", "</ExitCode>", "1", "-9", "\x00"),
            *("<!DOCTYPE a>", "<?xml version='1.0'?>", "<![CDATA[", "]]>", "<!--", "-->", "ü"),
        ]
    ),
    max_size=12,
).map(lambda pieces: "".join(pieces).encode())


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=100), _XML, _XML.map(lambda x: b"<r>" + x + b"</r>")))
def test_no_answer_raises_anything_else(answer: bytes) -> None:
    with contextlib.suppress(ExchangeError):
        run_with(answer)


def test_an_answer_that_breaks_the_session_costs_its_shell() -> None:
    shell = CannedShell(lambda: b"garbage")
    session = WinrsSession(shell, host="mail5-a")
    with pytest.raises(ExchangeError, match="not a valid WinRM response"):
        session.run("ver")
    session.close()
    assert shell.abandoned == 1


# -- the guard itself


@pytest.mark.parametrize(
    "answer",
    [
        b"<s:Envelope/>",
        b'<?xml version="1.0" encoding="utf-8"?><s/>',
        b"<?xml version='1.0' encoding='UTF-8'?><s/>",
        b'<?xml version="1.0"?><s/>',
        b"",
        b"plain",
    ],
)
def test_ordinary_answers_pass(answer: bytes) -> None:
    check_answer(answer)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_document_type_cannot_hide_in_another_encoding(encoding: str) -> None:
    with pytest.raises(AnswerRefused):
        check_answer(LAUGHS.decode().encode(encoding))


def test_guarding_twice_counts_once() -> None:
    transport = Protocol("http://mail5-a/wsman", username="u", password="p").transport
    meter = guard(transport)
    assert guard(transport) is meter
    adapters = transport.build_session().adapters
    assert guard(transport) is meter
    assert transport.build_session().adapters == adapters


def test_the_limit_is_beyond_what_winrm_sends() -> None:
    assert ANSWER_LIMIT > 512_000 * 4 // 3


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("Mon, 23 Nov 2026 11:45:00 GMT", 2026),
        ("Mon, 23 Nov 2026 11:45:00 +0100", 2026),
        ("Mon, 23 Nov 2026 11:45:00 -0000", None),
        ("Mon, 23 Nov 1601 11:45:00 GMT", None),
        ("Mon, 23 Nov 9999 23:59:59 GMT", None),
        ("Mon, 23 Nov 2026 11:45:00 +9999", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_the_clock_of_a_host(text: str | None, year: int | None) -> None:
    meter = Meter()
    meter.note_date(text)
    assert (meter.host_time and meter.host_time.year) == year


@given(st.text(max_size=60))
def test_any_date_is_a_time_or_none(text: str) -> None:
    meter = Meter()
    meter.note_date(text)
    assert meter.host_time is None or meter.host_time.tzinfo is not None
