# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A transaction that breaks at every one of its commands, in every way.

After any break the host is as before or as required, or the error reports an unknown state;
nothing of others is lost; the next run gets the host to where it should be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError
from imc_fake_host import NAME, FakeHost, table
from imc_runs import DONE, DONE_ROWS, Runner

FAULTS = (
    "exit 1",
    "lost before",
    "lost after",
    "timeout before",
    "timeout after",
    "gone before",
    "gone after",
)
FOREIGN = ["partner.corp;10.1.2.3;0", "odd.example;relay.odd.example;7"]


def plain() -> FakeHost:
    return FakeHost(routes=table(*FOREIGN))


def misspelled() -> FakeHost:
    return FakeHost(
        value=(NAME.lower(), "REG_SZ", "1"),
        routes=table(FOREIGN[0], "NESTLE.COM;198.51.100.9;0", FOREIGN[1]),
    )


def stopped() -> FakeHost:
    return FakeHost(routes=table(*FOREIGN), state=1)


def behind() -> FakeHost:
    return FakeHost(computer="MAIL4OLD", imccopy_at="runthere", routes=table(*FOREIGN))


SCENES: dict[str, tuple[Callable[[], FakeHost], dict[str, Any]]] = {
    "plain": (plain, DONE),
    "misspelled": (misspelled, DONE),
    "stopped": (stopped, DONE),
    "behind a management host": (
        behind,
        DONE | {"target_computer": "MAIL4OLD", "target_imccopy": "runthere"},
    ),
    "restart not allowed": (plain, DONE | {"service_restart": "never"}),
}


def _commands(make: Callable[[], FakeHost], options: dict[str, Any], run: Runner) -> int:
    host = make()
    run(host, **options)
    return len(host.lines)


def _is_old(host: FakeHost, old: FakeHost) -> bool:
    return (host.value, host.routes) == (old.value, old.routes)


def _is_new(host: FakeHost) -> bool:
    mine = [row for row in host.rows if row not in FOREIGN]
    return mine == DONE_ROWS and host.value == (NAME, "REG_DWORD", "0x1")


def _check_claim(error: ExchangeError, host: FakeHost, old: FakeHost) -> None:
    """Each statement of an error has to be true."""
    claim = error.details.get("state")
    if "othing was changed." in error.message:
        assert _is_old(host, old)
        assert (host.state, host.loaded) == (old.state, old.loaded)
    elif claim == "old":
        assert error.details["rolled_back"]
        assert _is_old(host, old)
        assert (host.state, host.loaded) == (old.state, old.loaded)
    elif claim == "new":
        assert not error.details["rolled_back"]
        assert _is_new(host)
    else:
        assert claim == "unknown"
        assert not error.details["rolled_back"]
        assert "by hand" in error.hint


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("fault", FAULTS)
def test_broken_at_every_command(scene: str, fault: str, run: Runner) -> None:
    make, options = SCENES[scene]
    old = make()
    failures = 0
    for number in range(1, _commands(make, options, run) + 1):
        host = make()
        host.faults = {number: fault}
        try:
            run(host, **options)
        except ExchangeError as error:
            failures += 1
            _check_claim(error, host, old)
        else:
            assert _is_new(host)
        assert [row for row in host.rows if row in FOREIGN] == FOREIGN
        if not fault.startswith("gone"):
            assert host.litter() == [], f"command {number}"

        _next_runs_converge(host, old, options, run)
    assert failures > 3


def _next_runs_converge(
    host: FakeHost, old: FakeHost, options: dict[str, Any], run: Runner
) -> None:
    host.faults, host.unreachable, host.broken = {}, False, False
    result = run(host, **options)
    assert _is_new(host)
    assert host.state == old.state
    if host.state == 4 and "service_restart" not in options:
        assert host.loaded == (True, host.routes)
    assert [row for row in host.rows if row in FOREIGN] == FOREIGN
    assert not run(host, **options)["changed"]
    if not result["restart_required"]:
        assert not [path for path in host.files if "journal" in path]


@pytest.mark.parametrize("fault", FAULTS)
def test_two_faults_in_a_row(fault: str, run: Runner) -> None:
    """The way back breaks, too."""
    old = plain()
    count = _commands(plain, DONE, run)
    claims = set()
    for first in range(1, count + 1):
        for second in range(first + 1, first + 6):
            host = plain()
            host.faults = {first: "exit 1", second: fault}
            try:
                run(host, **DONE)
            except ExchangeError as error:
                _check_claim(error, host, old)
                claims.add(error.details.get("state"))
            assert [row for row in host.rows if row in FOREIGN] == FOREIGN
            _next_runs_converge(host, old, DONE, run)
    # A broken session is opened again and the way back is finished; nothing else can be helped.
    assert claims >= ({"old"} if fault.startswith("lost") else {"old", "unknown"})
