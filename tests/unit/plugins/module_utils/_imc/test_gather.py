# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at a host reads its state, and never mistakes a failure for absence."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    CommandTimeout,
    ExchangeError,
    HostUnreachable,
    SessionLost,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.gather import gather
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.host import (
    ATTENDANT_KEY,
    SETUP_KEY,
    UNKNOWN_HOST,
    ImcHost,
    MissingService,
    ServiceState,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.layout import Layout
from imc_fake_host import NAME, FakeHost, Reply, table

LAYOUT = Layout()


def test_everything_in_one_command_and_nothing_left_behind() -> None:
    host = FakeHost(routes=table("a.example;192.0.2.1;0"), value=(NAME.lower(), "REG_DWORD", "0x1"))
    state = gather(host, LAYOUT, known=UNKNOWN_HOST)
    assert len(host.lines) == 1
    assert state.service.state is ServiceState.RUNNING
    assert state.service.start_words == "auto"
    assert state.value
    assert state.value.name == NAME.lower()
    assert state.table
    assert state.table.content == host.routes
    assert state.table.inexact == ""
    assert state.root_dir == r"C:\exchsrvr\imcdata"
    assert (state.build, state.tracking_folder) == (2653, r"C:\exchsrvr\tracking.log")
    assert state.journal is None
    assert (host.files, host.folders) == ({}, set())


def test_what_no_run_changes_is_asked_at_the_first_look_and_only_where_it_is_not_known() -> None:
    first, told, later = FakeHost(), FakeHost(), FakeHost()
    known = ImcHost(build=2650, tracking_dir=r"D:\logs")
    gather(first, LAYOUT, known=UNKNOWN_HOST)
    state = gather(told, LAYOUT, known=known)
    gather(later, LAYOUT)
    assert (state.build, state.tracking_folder) == (2650, r"D:\logs")
    for key in (SETUP_KEY, ATTENDANT_KEY):
        asked = [key in host.lines[0] for host in (first, told, later)]
        assert asked == [True, False, False]


def test_a_folder_that_no_command_line_can_carry_is_not_handed_on() -> None:
    host = FakeHost(root_dir="C:\\%PATH%\\imcdata")
    state = gather(host, LAYOUT, known=UNKNOWN_HOST)
    assert state.tracking_folder == ""
    assert state.root_dir  # as the host has it


def test_a_table_that_is_not_wanted_is_not_read() -> None:
    host = FakeHost()
    state = gather(host, LAYOUT, with_table=False)
    assert (state.table, state.no_imccopy) == (None, False)
    assert "imccopy" not in host.lines[0]


@pytest.mark.parametrize("fault", ["lost after", "timeout after", "lost before", "timeout before"])
def test_no_temporary_file_survives_an_error(fault: str) -> None:
    host = FakeHost(faults={1: fault})
    with pytest.raises((SessionLost, CommandTimeout)):
        gather(host, LAYOUT)
    assert "del" in host.lines[-1]
    assert host.litter() == []


def test_a_host_that_was_never_reached_is_not_cleaned_up() -> None:
    host = FakeHost(unreachable=True)
    with pytest.raises(HostUnreachable):
        gather(host, LAYOUT)
    assert len(host.lines) == 1


def test_a_temporary_file_that_cannot_be_removed_is_reported() -> None:
    host = FakeHost()
    host.hooks["del"] = lambda _fake: (0, b"Access is denied.\r\n")
    with pytest.raises(ExchangeError, match="may be left on mail5-a") as caught:
        gather(host, LAYOUT)
    assert "pmx-" in str(caught.value.details["left_behind"])


@pytest.mark.parametrize("code", [5, 1722, 1, 1060])
def test_only_1060_means_not_installed(code: int) -> None:
    host = FakeHost(sc_exit=code)
    with pytest.raises(ExchangeError) as caught:
        gather(host, LAYOUT)
    assert isinstance(caught.value, MissingService) == (code == 1060)


@pytest.mark.parametrize(
    ("computer", "code", "delegation"),
    [("MAIL4OLD", 5, True), ("MAIL4OLD", 1326, True), ("MAIL4OLD", 1722, False), ("", 5, False)],
)
def test_a_logon_that_ends_at_the_management_host(
    computer: str, code: int, delegation: bool
) -> None:
    with pytest.raises(ExchangeError) as caught:
        gather(FakeHost(sc_exit=code), Layout(computer=computer))
    assert ("CredSSP, Kerberos with delegation" in caught.value.hint) == delegation


@pytest.mark.parametrize(
    ("part", "reply", "reason"),
    [
        ("sc query", (0, b""), "shows no state"),
        ("sc query", (0, b"garbage: 5\r\n"), "shows no state"),
        ("reg query", (1, b"Access is denied"), "cannot be read"),
        ("reg query", (0, b""), "cannot be read"),
        ("Parameters", (1, b"Zugriff verweigert"), "cannot be read"),
        ("imccopy", (1, b"no"), "could not save"),
        ("imccopy", (0, b"done"), "could not save"),
        ("imccopy", (5, b""), "exit code 5"),
    ],
)
def test_silence_and_nonsense_are_errors(part: str, reply: Reply, reason: str) -> None:
    host = FakeHost()
    for program in ("sc", "reg", "imccopy"):
        host.hooks[program] = lambda fake: reply if part in fake.current else None
    with pytest.raises(ExchangeError, match=reason):
        gather(host, LAYOUT)


def test_exchange_setup_that_cannot_be_read_is_no_error() -> None:
    host = FakeHost()
    host.hooks["reg"] = lambda fake: (1, b"") if "Setup" in fake.current else None
    assert gather(host, LAYOUT, known=UNKNOWN_HOST).build is None


def test_bytes_that_got_lost_on_the_way_are_noticed() -> None:
    host = FakeHost()
    host.hooks["type"] = lambda fake: (0, fake.routes.replace(b"Version", b"V"))
    table_read = gather(host, LAYOUT).table
    assert table_read
    assert "bytes arrived of" in table_read.inexact
