# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's internet and its far mail servers, seen with the standard library's SMTP client."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator

import pytest
from exchange_lab.mail.network import Endpoint, Network
from exchange_lab.mail.smtp_loop import LoopThread
from exchange_lab.mail.smtp_sink import SinkFarm, SmtpSink, Temper

ADDRESS = "192.0.2.25"


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def farm(network: Network) -> Iterator[SinkFarm]:
    with LoopThread() as loops:
        farm = SinkFarm(loops, network)
        yield farm
        farm.close()


def _port(network: Network, address: str) -> int:
    with network.connect(address, timeout=5) as connection:
        port: int = connection.getpeername()[1]
        return port


def _sink(farm: SinkFarm, temper: Temper) -> SmtpSink:
    return farm.add(ADDRESS, "mx1.nestle.com", temper)


def test_an_address_nobody_claimed_has_no_route(network: Network) -> None:
    with pytest.raises(OSError, match="no route"):
        network.connect("192.0.2.99", timeout=5)
    assert [(a.address, a.connected) for a in network.attempts] == [("192.0.2.99", False)]


def test_a_refusing_and_a_silent_address(network: Network) -> None:
    network.refuse("192.0.2.1")
    network.silence("192.0.2.2")
    with pytest.raises(ConnectionRefusedError):
        network.connect("192.0.2.1", timeout=5)
    with pytest.raises(TimeoutError):
        network.connect("192.0.2.2", timeout=0.01)


def test_claiming_an_address_ends_its_silence(network: Network) -> None:
    network.silence(ADDRESS)
    network.claim(ADDRESS, Endpoint(1))
    with pytest.raises(ConnectionRefusedError):  # nothing listens on loopback port 1
        network.connect(ADDRESS, timeout=5)


def test_an_accepting_sink_records_envelope_and_content(farm: SinkFarm, network: Network) -> None:
    sink = _sink(farm, Temper.ACCEPT)
    with smtplib.SMTP("127.0.0.1", _port(network, ADDRESS), "mail.hq.example") as client:
        client.sendmail("a@hq.example", ["b@nestle.com"], b"Message-ID: <1@x>\r\n\r\n.dot\r\n")
    (item,) = farm.wait(lambda items: len(items) == 1)
    assert (item.sender, item.recipients) == ("a@hq.example", ("b@nestle.com",))
    assert item.content == b"Message-ID: <1@x>\r\n\r\n.dot\r\n"
    assert item.message_id == "<1@x>"
    assert item.helo == "mail.hq.example"
    assert sink.received == (item,)


def test_nobody_is_no_recipient(farm: SinkFarm, network: Network) -> None:
    _sink(farm, Temper.ACCEPT)
    with smtplib.SMTP("127.0.0.1", _port(network, ADDRESS), "mail.hq.example") as client:
        client.ehlo()
        client.mail("a@hq.example")
        assert [client.rcpt(name)[0] for name in ("", "bob", "postmaster")] == [501, 501, 250]


@pytest.mark.parametrize(
    ("temper", "said"), [(Temper.BUSY, b"421 mx1.nestle.com"), (Temper.LOOP, b"loops back")]
)
def test_a_sink_that_hangs_up_in_its_greeting(
    farm: SinkFarm, network: Network, temper: Temper, said: bytes
) -> None:
    _sink(farm, temper)
    with network.connect(ADDRESS, timeout=5) as connection, connection.makefile("rb") as reader:
        greeting = reader.read()
    assert greeting.startswith(b"421 ")
    assert said in greeting


def test_a_tarpit_accepts_and_says_nothing(farm: SinkFarm, network: Network) -> None:
    sink = _sink(farm, Temper.TARPIT)
    with network.connect(ADDRESS, timeout=0.2) as connection, pytest.raises(TimeoutError):
        connection.recv(1)
    assert sink.connections == 1


@pytest.mark.parametrize(("temper", "code"), [(Temper.DEFER, 451), (Temper.REJECT, 550)])
def test_a_sink_that_does_not_want_the_recipient(
    farm: SinkFarm, network: Network, temper: Temper, code: int
) -> None:
    _sink(farm, temper)
    with (
        smtplib.SMTP("127.0.0.1", _port(network, ADDRESS)) as client,
        pytest.raises(smtplib.SMTPRecipientsRefused) as refused,
    ):
        client.sendmail("a@hq.example", ["b@nestle.com"], b"\r\n")
    assert refused.value.recipients["b@nestle.com"][0] == code
    assert farm.received == ()


def test_a_temper_can_change_while_the_lab_runs(farm: SinkFarm, network: Network) -> None:
    sink = _sink(farm, Temper.REFUSE)
    with pytest.raises(ConnectionRefusedError):
        network.connect(ADDRESS, timeout=5)
    sink.temper = Temper.ACCEPT
    with smtplib.SMTP("127.0.0.1", _port(network, ADDRESS)) as client:
        client.sendmail("a@hq.example", ["b@nestle.com"], b"\r\n")
    assert len(sink.received) == 1


def test_one_address_is_one_mail_server(farm: SinkFarm) -> None:
    _sink(farm, Temper.ACCEPT)
    with pytest.raises(ValueError, match=ADDRESS):
        _sink(farm, Temper.ACCEPT)


def test_waiting_for_mail_that_never_comes_ends(farm: SinkFarm) -> None:
    with pytest.raises(TimeoutError, match="only 0 arrived"):
        farm.wait(lambda items: len(items) > 0, timeout=0.05)
