# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading files of a host: whole, by their ends, and never more than allowed."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import CommandTimeout
from ansible_collections.postmaster.exchange.plugins.module_utils._imc import files as imc_reader
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.files import Reader
from delivery_fakes import TRACKING, DirectSession, raising
from exchange_lab.windows.host import LabHost

ONE, TWO = f"{TRACKING}\\one.log", f"{TRACKING}\\two.log"


def test_small_files_come_whole_in_one_command(machine: LabHost, session: DirectSession) -> None:
    machine.fs.write_bytes(ONE, b"one\r\nno end")
    machine.fs.write_bytes(TWO, b"")
    reader = Reader(session)

    assert reader.ends({ONE: 11, TWO: 0}, whole=100, lines=1) == {ONE: b"one\r\nno end", TWO: b""}
    assert len(session.lines) == 1


def test_of_a_big_file_come_the_last_lines(machine: LabHost, session: DirectSession) -> None:
    data = b"".join(b"%d\tx\n" % number for number in range(100_000))
    machine.fs.write_bytes(ONE, data)
    reader = Reader(session)
    found = reader.ends({ONE: len(data)}, whole=1_000, lines=3)

    assert found == {ONE: b"99997\tx\r\n99998\tx\r\n99999\tx\r\n"}
    assert len(session.lines) == 2


def test_a_file_that_vanished_is_left_out(machine: LabHost, session: DirectSession) -> None:
    machine.fs.write_bytes(TWO, b"two")

    assert Reader(session).wholes({ONE: 3, TWO: 3}) == {TWO: b"two"}


def test_a_big_file_that_cannot_be_read_is_noted(machine: LabHost, session: DirectSession) -> None:
    machine.fs.write_bytes(ONE, b"x\n" * 1_000)
    machine.fs.lock(ONE)
    reader = Reader(session)

    assert reader.ends({ONE: 2_000}, whole=10, lines=5) == {}
    (warning,) = reader.warnings
    assert warning.startswith(f"{ONE} could not be read (")


def test_files_that_grew_meanwhile_are_left_out_and_noted(
    machine: LabHost, session: DirectSession
) -> None:
    machine.fs.write_bytes(ONE, b"x" * 200_000)
    reader = Reader(session)

    assert reader.wholes({ONE: 10}) == {}
    assert "grew" in reader.warnings[0]


def test_a_slow_host_is_noted_and_the_rest_is_read(machine: LabHost) -> None:
    machine.fs.write_bytes(ONE, b"x" * 10)
    machine.fs.write_bytes(TWO, b"y" * 10)
    session = DirectSession(machine, iter([raising(CommandTimeout("too slow"))]))
    reader = Reader(session)

    assert reader.wholes({ONE: 3_999_999, TWO: 10}) == {TWO: b"y" * 10}
    assert reader.warnings == ["too slow"]


@pytest.mark.parametrize("size", [1, 100, 1_000])
def test_one_command_never_reads_more_than_a_portion(
    size: int, machine: LabHost, session: DirectSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imc_reader, "_PORTION", 1_000)
    paths = {f"{TRACKING}\\f{number}": size for number in range(20)}
    for path in paths:
        machine.fs.write_bytes(path, b"z" * size)

    assert len(Reader(session).wholes(paths)) == 20
    assert len(session.lines) == max(1, 20 * size // 1_000)


def test_a_small_log_that_cannot_be_read_leaves_a_warning(
    machine: LabHost, session: DirectSession
) -> None:
    machine.fs.write_bytes(ONE, b"x\n")
    machine.fs.lock(ONE)
    reader = Reader(session)

    assert reader.ends({ONE: 2}, whole=10, lines=5) == {}
    (warning,) = reader.warnings
    assert warning.startswith(f"{ONE} could not be read (")
