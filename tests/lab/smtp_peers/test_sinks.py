# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's mail servers beside Postfix: what Postfix makes of them, and what both answer."""

from __future__ import annotations

import re
import smtplib
import socket
from dataclasses import dataclass

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.protocol_log import (
    parse_reply,
)

from .conftest import CLOSED, SINKS
from .postfix import Postfix
from .site import PASSWORD, USER

pytestmark = pytest.mark.peers

_STATUS = re.compile(
    r"to=<joe@(?P<domain>[^>]+)>,.* dsn=(?P<dsn>[\d.]+), status=(?P<status>\w+) \((?P<why>.*)\)"
)

# What Postfix logs of each: its own enhanced code, what becomes of the mail, and how that ends.
JUDGED = {
    "accept.example": ("2.0.0", "sent", "250 Message accepted for delivery"),
    "busy-sink.example": (
        "4.0.0",
        "deferred",
        "421 mx.busy-sink.example Service not available, too many connections",
    ),
    "loop.example": ("4.0.0", "deferred", "421 mx.loop.example Mail loops back to this host"),
    "defer.example": (
        "4.0.0",
        "deferred",
        "451 <joe@defer.example>... Sender domain must resolve (in reply to RCPT TO command)",
    ),
    "reject.example": (
        "5.0.0",
        "bounced",
        "550 <joe@reject.example>... User unknown (in reply to RCPT TO command)",
    ),
    CLOSED: ("4.4.1", "deferred", "Connection refused"),
}


def _judged(server: Postfix) -> dict[str, tuple[str, str, str]]:
    return {
        found["domain"]: (found["dsn"], found["status"], found["why"])
        for found in _STATUS.finditer(server.log)
    }


def test_postfix_takes_each_temper_for_what_it_is(server: Postfix) -> None:
    assert set(JUDGED) == {*SINKS, CLOSED}
    with smtplib.SMTP("127.0.0.1", server.ports["cleartext"]) as client:
        client.login(USER, PASSWORD)
        for domain in JUDGED:
            client.sendmail("ann@hq.example", [f"joe@{domain}"], b"Subject: x\r\n\r\nHi\r\n")
    server.wait(lambda it: set(_judged(it)) >= set(JUDGED))
    judged = _judged(server)
    for domain, (dsn, status, end) in JUDGED.items():
        assert judged[domain][:2] == (dsn, status)
        assert judged[domain][2].endswith(end)


@dataclass(frozen=True, slots=True)
class Talk:
    """What a client says, and the code with which each side ends its last reply.

    Both are right where the codes differ; ``why`` says so.
    """

    about: str
    lines: tuple[str, ...]
    postfix: int
    sink: int
    why: str = ""

    def __str__(self) -> str:
        return self.about


ME = "EHLO client.hq.example"
FROM = "MAIL FROM:<a@hq.example>"
TO = "RCPT TO:<bob@nestle.com>"
MESSAGE = "Subject: x\r\n\r\n..\r\n."
_BOTH = "RFC 5321 section 4.2.4 lets a server choose"

TALKS = [
    Talk("greeting", (), 220, 220),
    Talk("EHLO", (ME,), 250, 250),
    Talk("HELO", ("HELO client.hq.example",), 250, 250),
    Talk("EHLO without a name", ("EHLO",), 501, 501),
    Talk("HELO without a name", ("HELO",), 501, 501),
    Talk("EHLO twice", (ME, ME), 250, 250),
    Talk("a command that is none", ("BOGUS x",), 500, 500),
    Talk("a line that is too long", (ME, "x" * 3000), 500, 500),
    Talk("a message", (ME, FROM, TO, "DATA", MESSAGE), 250, 250),
    Talk("two recipients", (ME, FROM, TO, "RCPT TO:<postmaster@nestle.com>"), 250, 250),
    Talk("no sender, as of a report", (ME, "MAIL FROM:<>"), 250, 250),
    Talk("8BITMIME", (ME, f"{FROM} BODY=8BITMIME"), 250, 250),
    Talk("too long a message", (ME, f"{FROM} SIZE=99999999999"), 552, 552),
    Talk("a parameter that is none", (ME, f"{FROM} BOGUS=1"), 555, 555),
    Talk("MAIL TO", (ME, "MAIL TO:<a@hq.example>"), 501, 501),
    Talk("RCPT FROM", (ME, FROM, "RCPT FROM:<bob@nestle.com>"), 501, 501),
    Talk("RCPT to nobody", (ME, FROM, "RCPT TO:<>"), 501, 501),
    Talk("RCPT before MAIL", (ME, TO), 503, 503),
    Talk("DATA before MAIL", (ME, "DATA"), 503, 503),
    Talk("MAIL twice", (ME, FROM, FROM), 503, 503),
    Talk("RCPT after RSET", (ME, FROM, TO, "RSET", TO), 503, 503),
    Talk("NOOP", ("NOOP",), 250, 250),
    Talk("RSET", (ME, "RSET"), 250, 250),
    Talk("QUIT", ("QUIT",), 221, 221),
    Talk("DATA before RCPT", (ME, FROM, "DATA"), 554, 503, "RFC 5321 section 3.3 allows both"),
    Talk("MAIL before EHLO", (FROM,), 250, 503, "smtpd_helo_required is off by default"),
    Talk("VRFY", (ME, "VRFY bob"), 554, 252, "RFC 5321 section 7.3 lets a server keep quiet"),
    Talk("EXPN", (ME, "EXPN bob"), 500, 502, _BOTH),
    Talk("HELP", (ME, "HELP"), 500, 250, "RFC 5321 section 4.1.1.8: HELP is a SHOULD"),
    Talk("STARTTLS that is not offered", (ME, "STARTTLS"), 502, 454, "RFC 3207 section 4 has 454"),
    Talk(
        "AUTH that is not offered",
        (ME, "AUTH PLAIN AGEAYg=="),
        503,
        538,
        "RFC 4954 section 6 has 538",
    ),
]


def _last_reply(port: int, lines: tuple[str, ...]) -> str:
    """Say some lines, each after the reply to the one before; return the last line of the last."""
    reply = ""
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        reader = connection.makefile("rb")
        for line in ("", *lines):
            connection.sendall(f"{line}\r\n".encode() if line else b"")
            reply = "   -"
            while reply[3:4] == "-":
                reply = reader.readline().decode().rstrip("\r\n")
    return reply


@pytest.mark.parametrize("talk", TALKS, ids=str)
def test_both_answer_by_the_same_codes(
    server: Postfix, sink_ports: dict[str, int], talk: Talk
) -> None:
    theirs = _last_reply(server.ports["mx"], talk.lines)
    ours = _last_reply(sink_ports["accept.example"], talk.lines)
    assert (int(theirs[:3]), int(ours[:3])) == (talk.postfix, talk.sink)
    assert bool(talk.why) == (talk.postfix != talk.sink)


@pytest.mark.parametrize(
    ("recipient", "sink"),
    [("nobody@nestle.com", "reject.example"), ("postmaster@busy.example", "defer.example")],
)
def test_a_refusal_of_either_is_read_alike(
    server: Postfix, sink_ports: dict[str, int], recipient: str, sink: str
) -> None:
    """The lab's servers are of the age of Exchange 5.5: no enhanced codes (RFC 2034)."""
    lines = (ME, FROM, f"RCPT TO:<{recipient}>")
    theirs = parse_reply(_last_reply(server.ports["mx"], lines))
    ours = parse_reply(_last_reply(sink_ports[sink], lines))
    assert theirs is not None
    assert ours is not None
    assert theirs.temporary == ours.temporary
    assert (theirs.enhanced or "")[:1] == str(theirs.code)[:1] == str(ours.code)[:1]
    assert ours.enhanced is None
    assert recipient in theirs.text
    assert recipient in ours.text
