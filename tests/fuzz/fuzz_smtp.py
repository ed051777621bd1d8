# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SMTP replies of a hostile server, over a real connection."""

from __future__ import annotations

import contextlib
import socket
import threading
from datetime import UTC, datetime

from ansible_collections.postmaster.exchange.plugins.module_utils._mail.message import (
    Target,
    compose,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.submission import (
    SmtpOptions,
    submit,
)
from fuzz_registry import calmly, target
from fuzz_values import NASTY
from hypothesis import strategies as st

PASSWORD = "correct-horse-battery"
_PROBES = compose(
    [Target("nestle.com", "a@nestle.com"), Target("aol.com", "b@aol.com")],
    sender="postmaster@hq.example",
    subject="Delivery test",
    now=datetime(2026, 11, 23, tzinfo=UTC),
    run_tag="delivery-test-0123456789abcdef01234567",
)
_CODES = [220, 250, 251, 235, 334, 354, 421, 450, 501, 535, 550, 554]
_GOOD = [b"%d ok\r\n" % code for code in _CODES] + [
    b"250-hostile\r\n250-AUTH PLAIN LOGIN CRAM-MD5\r\n250-SIZE 99\r\n250 STARTTLS\r\n",
    b"250-hostile\r\n250 AUTH CRAM-MD5\r\n",
    b"250-hostile\r\n250 AUTH LOGIN\r\n",
    b"250-hostile\r\n250 AUTH\r\n",
    b"334 VXNlcm5hbWU6\r\n",
    b"334 x\r\n",
    b"334 =\r\n",
]
_BAD = [
    b"250",
    b"25",
    b"999 x\r\n",
    b"250-" + b"x" * 5 + b"\r\n251 y\r\n",
    b"-50 x\r\n",
    b"   \r\n",
    b"\r\n" * 50,
    b"250-x\r\n" * 100_000,
    b"x" * 100_000,
    b"250 " + b"\xff" * 5000 + b"\r\n",
    "\u0665\u0665\u0660 x\r\n".encode(),
    b"535 bad login correct-horse-battery AHVzZXIAY29ycmVjdC1ob3JzZS1iYXR0ZXJ5\r\n",
    *NASTY,
]
# In this order a whole conversation works, so that later steps are reached too.
_POLITE = [
    b"220 hostile ESMTP\r\n",
    b"250-hostile\r\n250 AUTH PLAIN LOGIN CRAM-MD5\r\n",
    b"334 PDEyMzQ1QGhvc3RpbGU+\r\n",
    b"235 in\r\n",
    b"250 ok\r\n",
    b"250 ok\r\n",
    b"354 go\r\n",
    b"250 taken\r\n",
]


@st.composite
def _scripts(draw: st.DrawFn) -> list[bytes]:
    """Replies to one command after the other; in the end the connection is closed."""
    replies = list(_POLITE)
    replies[3:3] = [b"334 x\r\n"] * draw(st.sampled_from([0, 0, 1, 9]))
    for _number in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(replies) - 1))
        replies[at] = draw(st.sampled_from(_GOOD + _BAD) | st.binary(max_size=30))
    return replies


def _serve(listener: socket.socket, replies: list[bytes]) -> None:
    """Play the script on each connection until the listener is closed."""
    with contextlib.suppress(OSError):
        while True:
            connection, _address = listener.accept()
            connection.settimeout(10)
            with connection, contextlib.suppress(OSError):
                for number, reply in enumerate(replies):
                    if number and not connection.recv(65536):
                        break
                    connection.sendall(reply)
                    if not reply.endswith(b"\n"):
                        break  # else both would wait for the other


@target(
    "replies of an SMTP server",
    "SMTP",
    st.tuples(_scripts(), st.booleans()),
    examples=150,
    each=[([reply, *_POLITE[1:]], True) for reply in _BAD]
    + [([_POLITE[0], reply, *_POLITE[2:]], True) for reply in _BAD + _GOOD]
    + [([*_POLITE[:2], reply, *_POLITE[3:]], True) for reply in _BAD + _GOOD],
)
def _replies(made: tuple[list[bytes], bool]) -> None:
    script, login = made
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=_serve, args=(listener, script), daemon=True)
        server.start()
        options = SmtpOptions(
            "127.0.0.1",
            listener.getsockname()[1],
            user="user" if login else "",
            password=PASSWORD if login else "",
            timeout=10,
        )
        found = calmly(submit, _PROBES, options)
        listener.shutdown(socket.SHUT_RDWR)
    server.join(20)
    assert not server.is_alive()
    if login:
        said = str(found)
        assert PASSWORD not in said
        assert "AHVzZXIAY29ycmVjdC1ob3JzZS1iYXR0ZXJ5" not in said
    for refusal in found.values() if isinstance(found, dict) else ():
        assert refusal.text.isprintable()
        assert len(refusal.text) <= 600
