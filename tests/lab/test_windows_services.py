# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's services and ``sc.exe``."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from exchange_lab.windows.errors import WinError
from exchange_lab.windows.host import LabHost
from exchange_lab.windows.services import (
    DISABLED,
    RUNNING,
    START_PENDING,
    STOP_PENDING,
    STOPPED,
    Service,
    ServiceStartError,
)

NAME = "MSExchangeIMC"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[LabHost]:
    host = LabHost("MAIL5A", tmp_path, time_scale=0.05)
    yield host
    host.close()


def settled(host: LabHost, name: str = NAME) -> int:
    return host.services.wait(name, {RUNNING, STOPPED}, 5)


def error(act: Callable[[], object]) -> int:
    with pytest.raises(WinError) as caught:
        act()
    return caught.value.code


# -- the manager -----------------------------------------------------------------------------


def test_a_start_is_pending_until_the_service_is_up(host: LabHost) -> None:
    release = threading.Event()
    service = host.services.add(Service(NAME, on_start=lambda: _wait(release)))
    assert host.services.start(NAME.lower()).state == START_PENDING
    assert error(lambda: host.services.start(NAME)) == 1056
    assert error(lambda: host.services.stop(NAME)) == 1061
    release.set()
    assert settled(host) == RUNNING
    assert (service.starts, service.win32_exit_code) == (1, 0)


def _wait(event: threading.Event) -> None:
    assert event.wait(5)


def test_a_stop_runs_what_belongs_to_it(host: LabHost) -> None:
    stopped: list[str] = []
    host.services.add(Service(NAME, on_stop=lambda: stopped.append(NAME)))
    assert error(lambda: host.services.stop(NAME)) == 1062
    host.services.start(NAME)
    settled(host)
    host.services.stop(NAME)
    assert settled(host) == STOPPED
    assert stopped == [NAME]


def test_a_service_that_gives_up_is_stopped_with_its_own_code(host: LabHost) -> None:
    def refuse() -> None:
        raise ServiceStartError(4056)

    service = host.services.add(Service(NAME, on_start=refuse))
    host.services.start(NAME)
    assert settled(host) == STOPPED
    assert (service.win32_exit_code, service.service_exit_code) == (1066, 4056)


def test_the_registry_decides_whether_a_service_may_start(host: LabHost) -> None:
    host.services.add(Service(NAME))
    host.registry.set(
        rf"HKLM\SYSTEM\CurrentControlSet\Services\{NAME}", "Start", "REG_DWORD", DISABLED
    )
    assert error(lambda: host.services.start(NAME)) == 1058


def test_dependencies_start_first_and_hold_the_stop(host: LabHost) -> None:
    host.services.add(Service("MSExchangeSA"))
    host.services.add(Service(NAME, depends_on=("MSExchangeSA",)))
    host.services.start(NAME)
    assert settled(host) == RUNNING
    assert settled(host, "MSExchangeSA") == RUNNING
    assert error(lambda: host.services.stop("MSExchangeSA")) == 1051


def test_a_hanging_stop_ends_when_the_process_is_killed(host: LabHost) -> None:
    service = host.services.add(Service(NAME, stop_hangs=True))
    host.services.start(NAME)
    settled(host)
    host.services.stop(NAME)
    assert host.services.wait(NAME, {STOPPED}, 0.1) == STOP_PENDING
    host.services.kill(NAME)
    assert (service.state, service.win32_exit_code) == (STOPPED, 1067)


def test_close_stops_everything_and_leaves_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    host = LabHost("MAIL5A", tmp_path)
    stopped: list[str] = []
    host.services.add(Service("A", on_stop=lambda: stopped.append("A")))
    host.services.add(Service("B", start_delay=60))
    host.services.add(Service("C", stop_hangs=True))
    for name in "ABC":
        host.services.start(name)
    settled(host, "A")
    settled(host, "C")
    host.services.stop("C")
    host.close()
    assert stopped == ["A"]
    assert set(threading.enumerate()) <= before


# -- sc.exe ----------------------------------------------------------------------------------

QUERY = (
    "\r\nSERVICE_NAME: MSExchangeIMC \r\n"
    "        TYPE               : 10  WIN32_OWN_PROCESS  \r\n"
    "        STATE              : 4  RUNNING \r\n"
    "                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)\r\n"
    "        WIN32_EXIT_CODE    : 0  (0x0)\r\n"
    "        SERVICE_EXIT_CODE  : 0  (0x0)\r\n"
    "        CHECKPOINT         : 0x0\r\n"
    "        WAIT_HINT          : 0x0\r\n"
)


def run(host: LabHost, line: str) -> tuple[int, str]:
    done = host.run(line, shell=host.open_shell(code_page=65001))
    assert done.stderr == b"", "sc prints everything to standard output"
    return done.exit_code, done.stdout.decode()


def test_query_of_a_running_service(host: LabHost) -> None:
    host.services.add(Service(NAME, state=RUNNING))
    assert run(host, "sc query msexchangeimc") == (0, QUERY)


def test_start_says_pending_and_query_says_what_became_of_it(host: LabHost) -> None:
    def refuse() -> None:
        raise ServiceStartError(4056)

    host.services.add(Service(NAME, on_start=refuse))
    code, out = run(host, f"sc start {NAME}")
    assert (code, "STATE              : 2  START_PENDING" in out) == (0, True)
    settled(host)
    _skipped, out = run(host, f"sc query {NAME}")
    assert "STATE              : 1  STOPPED" in out
    assert "WIN32_EXIT_CODE    : 1066  (0x42a)" in out
    assert "SERVICE_EXIT_CODE  : 4056  (0xfd8)" in out


@pytest.mark.parametrize(
    ("state", "line", "code", "call"),
    [
        (RUNNING, "sc start MSExchangeIMC", 1056, "StartService"),
        (STOPPED, "sc stop MSExchangeIMC", 1062, "ControlService"),
        (STOPPED, "sc query nosuch", 1060, "EnumQueryServicesStatus:OpenService"),
        (STOPPED, "sc start nosuch", 1060, "StartService: OpenService"),
        (STOPPED, r"sc \\NOSUCH query MSExchangeIMC", 1722, "OpenSCManager"),
    ],
)
def test_failures_are_windows_error_numbers(
    host: LabHost, state: int, line: str, code: int, call: str
) -> None:
    host.services.add(Service(NAME, state=state))
    exit_code, out = run(host, line)
    assert exit_code == code
    assert out.startswith(f"[SC] {call} FAILED {code}:\r\n\r\n")


def test_a_disabled_service_does_not_start_until_configured(host: LabHost) -> None:
    host.services.add(Service(NAME, start_type=DISABLED))
    assert run(host, f"sc start {NAME}")[0] == 1058
    assert "START_TYPE         : 4   DISABLED" in run(host, f"sc qc {NAME}")[1]
    assert run(host, f"sc config {NAME} start= demand")[0] == 0
    assert run(host, f"sc start {NAME}")[0] == 0
    assert settled(host) == RUNNING


def test_another_language_keeps_the_numbers(tmp_path: Path) -> None:
    host = LabHost("MAIL5A", tmp_path, language="de")
    host.services.add(Service(NAME, state=RUNNING))
    code, out = run(host, f"sc query {NAME}")
    assert code == 0
    assert "RUNNING" not in out
    assert "STATE" not in out
    numbers = re.findall(r"^ +\S.*?: (\d+) ", out, re.MULTILINE)
    assert numbers[:2] == ["10", "4"]


def test_another_computer_is_reached(host: LabHost, tmp_path: Path) -> None:
    host.services.add(Service(NAME, state=RUNNING))
    manager = LabHost("MGMT1", tmp_path / "mgmt")
    manager.connect(host)
    assert run(manager, rf"sc \\mail5a query {NAME}") == (0, QUERY)
    shell = manager.open_shell(delegated=False)
    assert manager.run(rf"sc \\MAIL5A stop {NAME}", shell=shell).exit_code == 5
    assert host.services.get(NAME).state == RUNNING
