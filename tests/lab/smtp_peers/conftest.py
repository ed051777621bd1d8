# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Postfix for all these tests, with the lab's mail servers behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from exchange_lab.mail.network import Network
from exchange_lab.mail.smtp_loop import LoopThread
from exchange_lab.mail.smtp_sink import SinkFarm, Temper
from exchange_lab.windows.certificates import TestAuthority
from peer_programs import free_port

from .policy import Greylist, greylisting
from .postfix import Postfix, postfix
from .site import listeners, prepare, settings

# Far servers of the lab, by the domain whose mail Postfix hands them.
SINKS = {
    "accept.example": Temper.ACCEPT,
    "busy-sink.example": Temper.BUSY,
    "loop.example": Temper.LOOP,
    "defer.example": Temper.DEFER,
    "reject.example": Temper.REJECT,
}
CLOSED = "closed.example"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    """Who issues the certificates of Postfix."""
    return TestAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of an authority that issued nothing here."""
    return TestAuthority(tmp_path_factory.mktemp("stranger"), "Somebody Else").ca_file


@pytest.fixture(scope="session")
def greylist_and_port() -> Iterator[tuple[Greylist, int]]:
    """The greylisting service."""
    with greylisting() as running:
        yield running


@pytest.fixture
def greylist(greylist_and_port: tuple[Greylist, int]) -> Greylist:
    """What the greylisting service has seen: nothing when a test begins."""
    greylist_and_port[0].seen.clear()
    return greylist_and_port[0]


@pytest.fixture(scope="session")
def sinks() -> Iterator[SinkFarm]:
    """The lab's far mail servers."""
    with LoopThread() as loops:
        farm = SinkFarm(loops, Network())
        for number, (domain, temper) in enumerate(SINKS.items(), 1):
            farm.add(f"192.0.2.{number}", f"mx.{domain}", temper)
        yield farm
        farm.close()


@pytest.fixture(scope="session")
def sink_ports(sinks: SinkFarm) -> dict[str, int]:
    """The loopback port of each of these servers, by domain."""
    ports = {}
    for number, domain in enumerate(SINKS, 1):
        with sinks.network.connect(f"192.0.2.{number}", timeout=5) as connection:
            ports[domain] = connection.getpeername()[1]
    return ports


@pytest.fixture(scope="session")
def server(
    authority: TestAuthority, greylist_and_port: tuple[Greylist, int], sink_ports: dict[str, int]
) -> Iterator[Postfix]:
    """Postfix."""
    main = settings(greylist_and_port[1], {**sink_ports, CLOSED: free_port()})
    with postfix(main, listeners(authority), prepare) as running:
        yield running
