# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Transport service's half of SMTP: TLS where the far server offers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from exchange_lab.mail.network import Endpoint, Network
from exchange_lab.mail.smtp_loop import LoopThread, port_of
from exchange_lab.org.smtp_out import Letter, Unreachable, hand_over
from exchange_lab.windows.certificates import TestAuthority

ADDRESS = "192.0.2.25"
LETTER = Letter("ex19.hq.example", "a@hq.example", ("b@nestle.com",), b"Subject: x\r\n\r\nHi\r\n")


class Inbox:
    """Notes whether each message came over TLS."""

    def __init__(self) -> None:
        self.secured: list[bool] = []

    async def handle_DATA(  # noqa: N802 - aiosmtpd looks the hook up by this name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.secured.append(session.ssl is not None)
        return "250 OK"


Send = Callable[[Letter, bool], bool]


@pytest.fixture
def send(tmp_path: Path) -> Send:
    """Return a function that hands a letter to a server with or without TLS."""

    def go(letter: Letter, offered: bool) -> bool:
        context = TestAuthority(tmp_path).issue(ADDRESS).server_context() if offered else None
        network, inbox = Network(), Inbox()
        with LoopThread() as loops:
            server = loops.listen(
                lambda: SMTP(inbox, loop=loops.loop, tls_context=context, hostname="mx")
            )
            network.claim(ADDRESS, Endpoint(port_of(server)))
            (verdict,) = hand_over(letter, ADDRESS, 25, network, 10.0).values()
            loops.close(server)
        assert verdict.delivered
        (secured,) = inbox.secured
        return secured

    return go


def test_tls_is_used_where_it_is_offered(send: Send) -> None:
    assert send(LETTER, True)
    assert not send(LETTER, False)


def test_tls_can_be_ignored_or_demanded(send: Send) -> None:
    shy = replace(LETTER, ignore_starttls=True)
    strict = replace(LETTER, require_tls=True)
    assert not send(shy, True)
    assert send(strict, True)
    with pytest.raises(Unreachable, match="STARTTLS is required"):
        send(strict, False)
