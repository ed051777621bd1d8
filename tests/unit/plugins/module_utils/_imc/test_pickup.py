# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages into the Pickup folder: whole or not at all, and nothing left behind."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    ExchangeError,
    SessionLost,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.pickup import (
    file_lines,
    submit,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import Completed
from delivery_fakes import ROOT, DirectSession, imc_host, probe, raising
from exchange_lab.windows.host import LabHost

PICKUP = f"{ROOT}\\Pickup"


def content(number: int = 1) -> bytes:
    return "".join(f"{x}\r\n" for x in file_lines(probe("nestle.com", number))).encode()


def everything(machine: LabHost) -> list[str]:
    return [path for path in machine.fs.walk(ROOT) if machine.fs.is_file(path)]


def after(commands: int, fault: Callable[[str], None]) -> Iterator[Callable[[str], None] | None]:
    return iter([*itertools.repeat(None, commands), fault])


def test_a_message_lies_in_pickup_byte_for_byte(machine: LabHost, session: DirectSession) -> None:
    assert submit(session, imc_host(), [probe("nestle.com")]) == {}

    (path,) = everything(machine)
    assert path.startswith(PICKUP)
    assert machine.fs.read_bytes(path) == content()
    assert content().startswith(
        b"X-Sender: postmaster@hq.example\r\nX-Receiver: postmaster@nestle.com\r\nFrom: "
    )


def test_one_message_costs_two_commands(session: DirectSession) -> None:
    submit(session, imc_host(), [probe("nestle.com")])

    assert len(session.lines) == 2


def test_many_messages_share_commands(machine: LabHost, session: DirectSession) -> None:
    probes = [probe(f"d{n}.example", n) for n in range(1, 31)]
    assert submit(session, imc_host(), probes) == {}

    assert len(machine.fs.listdir(PICKUP)) == 30
    assert len(session.lines) < 20


def test_the_service_never_finds_half_a_message(machine: LabHost) -> None:
    """At no command does Pickup hold anything but whole messages."""

    def look(_command: str) -> None:
        for name in machine.fs.listdir(PICKUP):
            assert machine.fs.read_bytes(f"{PICKUP}\\{name}") in whole

    probes = [probe("nestle.com", n) for n in range(1, 11)]
    whole = {content(n) for n in range(1, 11)}
    session = DirectSession(machine, itertools.repeat(look))
    submit(session, imc_host(), probes)

    assert len(machine.fs.listdir(PICKUP)) == 10


@pytest.mark.parametrize("room", [0, 1, 100, 400, 900])
def test_a_full_disk_sends_nothing_and_leaves_nothing(
    room: int, machine: LabHost, session: DirectSession
) -> None:
    machine.fs.quota_bytes = machine.fs.used_bytes() + room
    with pytest.raises(ExchangeError, match="Nothing was sent"):
        submit(session, imc_host(), [probe("nestle.com", n) for n in (1, 2, 3)])

    assert everything(machine) == []


@pytest.mark.parametrize("commands", [0, 1])
def test_a_session_lost_before_the_move_sends_nothing(commands: int, machine: LabHost) -> None:
    session = DirectSession(machine, after(commands, raising(SessionLost("gone"))))
    probes = [probe("nestle.com", n) for n in range(1, 8)]
    with pytest.raises(SessionLost):
        submit(session, imc_host(), probes)

    assert everything(machine) == []


def test_a_session_lost_at_the_move_is_reopened_and_nothing_is_sent_twice(
    machine: LabHost,
) -> None:
    def half(command: str) -> None:
        machine.run(command)  # the host did it; only the answer is lost
        raise SessionLost("gone")

    session = DirectSession(machine, after(1, half))
    assert submit(session, imc_host(), [probe("nestle.com")]) == {}

    assert session.reopened == 1
    assert len(everything(machine)) == 1


def test_a_session_lost_for_good_at_the_move_says_that_mail_may_be_sent(machine: LabHost) -> None:
    lost = raising(SessionLost("gone."))
    session = DirectSession(machine, itertools.chain(after(1, lost), itertools.repeat(lost)))
    with pytest.raises(SessionLost, match="may have been sent") as caught:
        submit(session, imc_host(), [probe("nestle.com")])

    assert caught.value.details["left_behind"]


def test_what_cannot_be_moved_is_refused_and_removed(
    machine: LabHost, session: DirectSession
) -> None:
    machine.fs.rmdir(PICKUP)
    refused = submit(session, imc_host(), [probe("nestle.com"), probe("aol.com", 2)])

    assert sorted(refused) == [probe("nestle.com").tag, probe("aol.com", 2).tag]
    assert "could not be moved into Pickup" in refused[probe("nestle.com").tag].text
    assert everything(machine) == []


def test_a_shell_that_writes_something_else_sends_nothing(machine: LabHost) -> None:
    class Spoilt(DirectSession):
        def run(self, command: str, **limits: float) -> Completed:
            return super().run(command.replace("^<", "(").replace("^>", ")"))

    session = Spoilt(machine)
    with pytest.raises(ExchangeError, match="something else"):
        submit(session, imc_host(), [probe("nestle.com")])

    assert everything(machine) == []


def test_a_host_behind_another_one_gets_its_messages_over_its_share(
    machine: LabHost, tmp_path: Path
) -> None:
    manager = LabHost("mgmt1", tmp_path / "mgmt1", time_scale=0.01)
    manager.connect(machine)
    session = DirectSession(manager)
    assert submit(session, imc_host(computer="MAIL55"), [probe("nestle.com")]) == {}

    assert machine.fs.read_bytes(everything(machine)[0]) == content()
