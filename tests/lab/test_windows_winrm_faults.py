# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a listener of the lab does wrong when told to, and how it behaves under stress."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import winrm.exceptions
from exchange_lab.windows.client import client, one_command
from exchange_lab.windows.host import LabHost
from exchange_lab.windows.winrm_server import Listener, Settings, WinRMServer

OPEN = Settings(basic=True, allow_unencrypted=True)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[LabHost]:
    host = LabHost("MAIL5A", tmp_path)
    yield host
    host.close()


@pytest.fixture
def basic(host: LabHost) -> Iterator[Listener]:
    before = set(threading.enumerate())
    with WinRMServer() as server:
        yield server.add(host, settings=OPEN)
    assert set(threading.enumerate()) <= before, "no thread may be left"


LINE = ">>C:\\done.txt echo x"


def ran(host: LabHost) -> bool:
    deadline = time.monotonic() + 0.5
    while not host.fs.exists("C:\\done.txt") and time.monotonic() < deadline:
        time.sleep(0.01)
    return host.fs.exists("C:\\done.txt")


_FAULTS: dict[str, tuple[type[Exception], bool]] = {
    "reset": (requests.exceptions.ConnectionError, False),
    "reset_after": (requests.exceptions.ConnectionError, True),
    "drop_after": (requests.exceptions.ConnectionError, True),
    "hang": (requests.exceptions.ReadTimeout, False),
    "hang_after": (requests.exceptions.ReadTimeout, True),
    "truncated": (requests.exceptions.ChunkedEncodingError, True),
    "http500": (winrm.exceptions.WinRMTransportError, False),
    "garbage": (Exception, False),
    "unauthorized": (Exception, False),
}


@pytest.mark.parametrize("transport", ["basic", "ntlm"])
@pytest.mark.parametrize("kind", _FAULTS)
def test_a_fault_happens_once_before_or_after_the_command(
    basic: Listener, host: LabHost, transport: str, kind: str
) -> None:
    error, performed = _FAULTS[kind]
    protocol = client(basic, transport, operation_timeout_sec=1, read_timeout_sec=2)
    shell = protocol.open_shell()
    basic.faults.at("Command", kind)
    with pytest.raises(error):
        protocol.run_command(shell, LINE)
    assert ran(host) is performed
    assert one_command(client(basic, transport), "hostname")[0] == b"MAIL5A\r\n"


def test_a_reset_is_a_reset(basic: Listener) -> None:
    basic.faults.at(1, "reset")
    with pytest.raises(requests.exceptions.ConnectionError, match="reset by peer"):
        client(basic, "basic").open_shell()


def test_faults_are_aimed_by_number_and_by_occurrence(basic: Listener) -> None:
    basic.faults.at(3, "http500")
    basic.faults.at("Receive#2", "http500")
    protocol = client(basic, "basic")
    shell = protocol.open_shell()  # 1
    command = protocol.run_command(shell, "echo a")  # 2
    with pytest.raises(winrm.exceptions.WinRMTransportError):
        protocol.get_command_output_raw(shell, command)  # 3, the first Receive
    with pytest.raises(winrm.exceptions.WinRMTransportError):
        protocol.get_command_output_raw(shell, command)  # the second
    assert protocol.get_command_output_raw(shell, command)[0] == b"a\r\n"
    protocol.close_shell(shell)


def test_a_slow_answer_is_an_answer(basic: Listener) -> None:
    basic.faults.at("Create", "slow", seconds=0.3)
    before = time.monotonic()
    assert one_command(client(basic, "basic"), "hostname")[2] == 0
    assert time.monotonic() - before >= 0.3


def test_stop_is_quick_whatever_goes_on(host: LabHost) -> None:
    before = set(threading.enumerate())
    server = WinRMServer()
    listener = server.add(host, settings=OPEN)
    protocol = client(listener, "basic", operation_timeout_sec=30, read_timeout_sec=60)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "ping -n 600 127.0.0.1>nul")
    errors: list[Exception] = []

    def wait() -> None:
        try:
            protocol.get_command_output_raw(shell, command)
        except Exception as exc:  # noqa: BLE001 - whatever pywinrm makes of it
            errors.append(exc)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.2)
    started = time.monotonic()
    server.stop()
    thread.join(60)
    assert time.monotonic() - started < 30
    assert len(errors) <= 1
    assert set(threading.enumerate()) <= before


def test_many_clients_at_once_have_their_own_shells(basic: Listener) -> None:
    outputs: dict[int, bytes] = {}

    def work(number: int) -> None:
        outputs[number] = one_command(client(basic, "ntlm"), f"echo {number}")[0]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert outputs == {number: f"{number}\r\n".encode() for number in range(8)}
    assert basic.open_shells == 0
