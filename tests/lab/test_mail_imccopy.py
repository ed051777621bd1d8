# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``imccopy`` on a lab host, called as an administrator calls it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from exchange_lab.lab import Lab, Machine
from exchange_lab.mail.imc_model import V40
from exchange_lab.scenario import SIMPLE_HOST, simple

ROWS = ("PARTNER.CORP;10.1.2.3;0", "ODD.EXAMPLE;192.0.2.7;5")
EXTRA = "[Domain]\nDomainInformation=+\n+Default,ISO-8859-1,ISO-8859-1,800,76,0,0,0\n"
SAVE, RESTORE = (
    r"C:\exchsrvr\bin\imccopy -save routes C:\r.txt",
    r"C:\exchsrvr\bin\imccopy -restore routes C:\r.txt",
)


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Lab(simple(replace(SIMPLE_HOST, rows=ROWS, extra=EXTRA, running=False))) as lab:
        yield lab["mail55"]


def saved(machine: Machine) -> bytes:
    return machine.host.fs.read_bytes(r"C:\r.txt")


def test_save_then_restore_changes_nothing(machine: Machine) -> None:
    assert machine.run(SAVE).exit_code == 0
    before = saved(machine)
    assert b"+ODD.EXAMPLE;192.0.2.7;5\r\n" in before
    assert b"[Domain]\r\nDomainInformation=+\r\n+Default," in before
    assert machine.run(RESTORE).exit_code == 0
    assert machine.run(SAVE).exit_code == 0
    assert saved(machine) == before
    assert machine.imccopy.calls == ["-save", "-restore", "-save"]


def test_restore_replaces_the_whole_table(machine: Machine) -> None:
    machine.host.fs.write_bytes(
        r"C:\r.txt", b"[Header]\r\nVersion=1\r\n[Routes]\r\nDeliveryRouting=\r\nDefaultRouting=\r\n"
    )
    assert machine.run(RESTORE).exit_code == 0
    assert machine.imc.connector.rows == ()
    machine.run(SAVE)
    assert b"Domain" not in saved(machine)  # who drops a section has lost it


@pytest.mark.parametrize(
    "command",
    [
        "",
        "-save",
        "-save routes",
        "-save domain C:\\r.txt",
        "-load routes C:\\r.txt",
        "-save a b c",
    ],
)
def test_what_it_does_not_understand_is_an_error_with_usage(machine: Machine, command: str) -> None:
    done = machine.run(rf"C:\exchsrvr\bin\imccopy {command}")
    assert done.exit_code == 1
    assert b"Usage: IMCCOPY -save routes filename" in done.stdout
    assert not machine.host.fs.exists(r"C:\r.txt")


def test_garbage_is_refused_and_changes_nothing(machine: Machine) -> None:
    machine.host.fs.write_bytes(r"C:\r.txt", b"no such format\r\n")
    done = machine.run(RESTORE)
    assert done.exit_code == 1
    assert b"line 1" in done.stderr
    assert machine.imc.connector.rows == ROWS


def test_a_missing_file_and_a_full_disk(machine: Machine) -> None:
    assert machine.run(RESTORE).exit_code == 1
    machine.host.fs.quota_bytes = machine.host.fs.used_bytes() + 5
    done = machine.run(SAVE)
    assert done.exit_code == 1
    assert b"not enough space" in done.stderr


def test_it_can_be_told_to_fail(machine: Machine) -> None:
    machine.imccopy.faults.fail_save = True
    assert machine.run(SAVE).exit_code == 1
    assert not machine.host.fs.exists(r"C:\r.txt")
    machine.imccopy.faults.fail_save = False
    machine.run(SAVE)
    machine.imccopy.faults.fail_restore = True
    assert machine.run(RESTORE).exit_code == 1
    assert machine.imc.connector.rows == ROWS


def test_it_can_be_told_to_take_its_time(machine: Machine) -> None:
    machine.imccopy.faults.delay = 0.2
    began = time.monotonic()
    assert machine.run(SAVE).exit_code == 0
    assert time.monotonic() - began >= 0.2


def test_it_can_be_told_to_lie(machine: Machine) -> None:
    machine.imccopy.faults.corrupt = True
    assert machine.run(SAVE).exit_code == 0
    assert len(saved(machine)) == len(machine.imc.connector.save()) // 2
    machine.host.fs.write_bytes(
        r"C:\r.txt", b"[Header]\r\nVersion=1\r\n[Routes]\r\nDeliveryRouting=\r\n"
    )
    machine.imccopy.faults.deaf = True
    assert machine.run(RESTORE).exit_code == 0
    assert machine.imc.connector.rows == ROWS


@pytest.mark.parametrize("changes", [{"imccopy": None}, {"version": V40}])
def test_a_host_may_be_without_it(changes: dict[str, object]) -> None:
    spec = replace(SIMPLE_HOST, running=False, **changes)  # type: ignore[arg-type]
    with Lab(simple(spec)) as lab:
        assert lab["mail55"].run(SAVE).exit_code == 1


def test_it_can_lie_in_the_path() -> None:
    spec = replace(SIMPLE_HOST, running=False, imccopy=r"C:\Windows\imccopy.exe")
    with Lab(simple(spec)) as lab:
        assert lab["mail55"].run(r"imccopy -save routes C:\r.txt").exit_code == 0
