# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""imc_delivery as a whole, on a host in memory."""

from __future__ import annotations

from imc_fake_host import NAME, FakeHost
from imc_runs import DONE, DONE_ROWS, Runner


def test_settings_are_made_and_the_service_runs_with_them(run: Runner) -> None:
    host = FakeHost()
    result = run(host, **DONE)
    assert result["changed"]
    assert result["restarted"]
    assert host.value == (NAME, "REG_DWORD", "0x1")
    assert host.rows == DONE_ROWS
    assert host.loaded == (True, host.routes)
    assert host.state == 4
    assert host.litter() == []
    assert result["service"]["state"] == "running"


def test_a_second_run_changes_nothing_and_asks_once(run: Runner) -> None:
    host = FakeHost()
    run(host, **DONE)
    before = len(host.lines)
    result = run(host, **DONE)
    assert not result["changed"]
    assert len(host.lines) == before + 1
    assert len(run.backups()) == 1
