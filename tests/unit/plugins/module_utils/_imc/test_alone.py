# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time on a host, and what a later one owes and finds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base import alive
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    ExchangeError,
    SessionLost,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.host_lock import LeaseLost
from imc_fake_host import FakeHost, PowerCut, table
from imc_runs import DONE, DONE_ROWS, Runner

FOREIGN = ["partner.corp;10.1.2.3;0"]
RUN = r"%allusersprofile%\postmaster.exchange\msexchangeimc"


def host() -> FakeHost:
    return FakeHost(routes=table(*FOREIGN))


def at(words: str, run: Runner) -> int:
    """Return the number of the first command line of a run that holds some words."""
    fake = host()
    run(fake, **DONE)
    return next(number for number, line in enumerate(fake.lines, 1) if words in line)


def cut_off(run: Runner, before: str) -> FakeHost:
    """A host on which the controller lost power before a command line."""
    fake = host()
    fake.power_lasts = at(before, run) - 1
    with pytest.raises(PowerCut):
        run(fake, **DONE)
    fake.power_lasts = None
    return fake


def elsewhere(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be another controller from now on."""
    monkeypatch.setattr(alive, "controller", lambda: "another")
    monkeypatch.setenv("XDG_CACHE_HOME", str(run.base / "other-cache"))


def claims(fake: FakeHost) -> list[str]:
    return [path for path in fake.files if "\\lease" in path]


def test_nothing_is_left_of_a_claim(run: Runner) -> None:
    fake = host()
    run(fake, **DONE)
    assert claims(fake) == []
    assert not any("lease" in folder for folder in fake.folders)
    cache = run.base / "cache" / "postmaster.exchange"
    assert list(cache.iterdir()) == []


def test_nothing_is_left_of_a_claim_whose_command_was_ended_on_its_way(run: Runner) -> None:
    """As a host does after it removes the shell of a broken session."""
    fake = host()

    def ended(_fake: FakeHost) -> None:
        del fake.hooks["ren"]
        raise SessionLost("mail5-a: the connection broke.")

    fake.hooks["ren"] = ended
    assert "nothing was changed" in str(run.fail(fake, **DONE))
    assert claims(fake) == []
    assert not any("lease" in folder for folder in fake.folders)


def test_a_run_at_work_is_not_disturbed(run: Runner) -> None:
    """Another run comes in the middle of the first one's changes."""
    fake, second, errors = host(), FakeHost(), list[ExchangeError]()

    def meanwhile(first: FakeHost) -> None:
        if errors or "stop" not in first.current:
            return
        second.files, second.folders = first.files, first.folders
        second.routes = first.routes
        errors.append(run.fail(second, **DONE))

    fake.hooks["sc"] = meanwhile
    run(fake, **DONE)
    (error,) = errors
    assert isinstance(error, LeaseLost)
    assert "the host is locked by a run on controller" in error.message
    assert "this controller" in error.message
    assert "started 2026-11-23 11:45:00 UTC" in error.message
    assert "Nothing was changed." in error.message
    assert error.details["changed"] is False
    assert len(second.lines) == 1
    assert fake.rows == [*FOREIGN, *DONE_ROWS]


@pytest.mark.parametrize("check", [True, False])
def test_a_controller_that_knows_nothing_waits_for_the_end_of_the_claim(
    check: bool, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = cut_off(run, 'stop "')
    before = dict(fake.files)
    elsewhere(run, monkeypatch)
    for later in (0, 5, 899):
        fake.host_time += timedelta(seconds=later) - timedelta(seconds=later - 1 if later else 0)
        error = run.fail(fake, check=check, **DONE)
        assert isinstance(error, LeaseLost)
        assert "expires at 2026-11-23 12:00:00 UTC" in error.hint
        assert r'rd /s /q "%ALLUSERSPROFILE%\postmaster.exchange\MSExchangeIMC\lease"' in error.hint
        assert fake.files == before
    fake.host_time += timedelta(minutes=15)
    assert "broke off" in run(fake, check=check, **DONE)["warnings"][0]
    if not check:
        assert fake.loaded == (True, fake.routes)
        assert claims(fake) == []


def test_a_host_without_a_clock_is_left_alone_until_somebody_says_so(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeless = host()
    timeless.host_time = None
    timeless.power_lasts = at('stop "', run) - 1
    with pytest.raises(PowerCut):
        run(timeless, **DONE)
    timeless.power_lasts = None
    elsewhere(run, monkeypatch)
    assert "sends no Date header" in run.fail(timeless, **DONE).hint
    for path in claims(timeless):
        del timeless.files[path]
    assert run(timeless, **DONE)["restarted"]


def test_the_same_controller_takes_over_at_once(run: Runner) -> None:
    fake = cut_off(run, 'stop "')
    result = run(fake, **DONE)
    assert result["restarted"]
    assert "broke off" in result["warnings"][0]
    assert claims(fake) == []
    assert list((run.base / "cache" / "postmaster.exchange").iterdir()) == []


def test_a_command_that_may_go_on_is_waited_for(run: Runner) -> None:
    fake = cut_off(run, 'stop "')
    fake.folders.add(rf"{RUN}\lease\busy")
    error = run.fail(fake, **DONE)
    assert "its last command may still run" in error.message
    fake.host_time += timedelta(minutes=16)
    assert run(fake, **DONE)["restarted"]
    assert claims(fake) == []


def test_a_dead_run_that_had_changed_nothing(run: Runner) -> None:
    fake = cut_off(run, "echo postmaster")
    assert len(claims(fake)) == 1
    result = run(fake, check=True, **DONE)
    assert "broke off before its first change" in result["warnings"][0]
    assert len(claims(fake)) == 1
    run(fake, **DONE)
    assert claims(fake) == []
    assert not run(fake, **DONE)["changed"]


def test_a_run_that_was_taken_over_does_nothing_more(run: Runner) -> None:
    """However late it comes: the host ignores its commands."""
    fake = host()

    def taken(first: FakeHost) -> None:
        if "-restore" in first.current:
            for path in claims(first):
                if "_" in path:
                    first.files[rf"{RUN}\lease\{'0' * 16}_unknown_unknown_x"] = first.files.pop(
                        path
                    )

    fake.hooks["imccopy"] = taken
    error = run.fail(fake, **DONE)
    assert isinstance(error, ExchangeError)
    assert "took the host over" in error.message
    assert error.details["state"] == "unknown"
    assert error.details["parts"] == {"route_table": "unknown"}
    assert fake.value is None
    assert fake.state == 4
    assert len(claims(fake)) == 1
    assert [path for path in fake.files if "journal" in path]


def test_two_that_start_at_the_same_moment(run: Runner) -> None:
    """Both saw no claim; the host gives it to one."""
    first, second = host(), host()
    done: list[dict[str, Any]] = []

    def meanwhile(fake: FakeHost) -> None:
        if "lease-" in fake.current and not done:
            second.files, second.folders = fake.files, fake.folders
            done.append({})
            second.hooks["sc"] = lambda _fake: None
            second.power_lasts = 3
            with pytest.raises(PowerCut):
                run(second, **DONE)

    first.hooks["mkdir"] = meanwhile
    error = run.fail(first, **DONE)
    assert isinstance(error, LeaseLost)
    assert "began at the same moment" in error.message
    assert first.rows == FOREIGN
    assert not any("lease-" in path for path in (*first.files, *first.folders))


def test_a_run_that_takes_too_long_changes_nothing_any_more(run: Runner) -> None:
    fake = host()

    def slow(first: FakeHost) -> None:
        first.clock += 200 if "copy" in first.current else 0

    fake.hooks["copy"] = slow
    fake.hooks["type"] = slow
    fake.hooks["reg"] = lambda first: setattr(first, "clock", first.clock + 150)
    error = run.fail(fake, **DONE)
    assert "took too long" in error.message
    assert (fake.value, fake.rows) == (None, FOREIGN)


# -- a restart that is owed


def never(run: Runner, fake: FakeHost, **options: Any) -> dict[str, Any]:
    return run(fake, service_restart="never", **{**DONE, **options})


def test_an_owed_restart_is_remembered_and_done(run: Runner) -> None:
    fake = host()
    assert never(run, fake)["restart_required"]
    for _round in range(2):
        result = never(run, fake)
        assert not result["changed"]
        assert result["restart_required"]
        assert "restart of the service MSExchangeIMC is pending" in result["warnings"][0]
    foretold = run(fake, check=True, **DONE)
    assert (foretold["changed"], foretold["restarted"]) == (True, True)
    assert run(fake, **DONE)["restarted"]
    assert fake.loaded == (True, fake.routes)
    assert not [path for path in fake.files if "pending" in path]
    result = run(fake, **DONE)
    assert (result["changed"], result["restart_required"]) == (False, False)


def test_a_restart_by_somebody_else_pays(run: Runner) -> None:
    fake = host()
    never(run, fake)
    fake.process += 4
    assert run(fake, check=True, **DONE)["changed"] is False
    assert [path for path in fake.files if "pending" in path]
    result = never(run, fake)
    assert (result["changed"], result["restart_required"], result["warnings"]) == (False, False, [])
    assert not [path for path in fake.files if "pending" in path]


def test_a_service_that_does_not_run_owes_nothing(run: Runner) -> None:
    fake = host()
    never(run, fake)
    fake.state = 1
    result = run(fake, **DONE)
    assert (result["changed"], result["restart_required"]) == (False, False)
    assert fake.state == 1


def test_a_debt_outlives_a_run_that_was_rolled_back(run: Runner) -> None:
    fake = host()
    never(run, fake)
    fake.hooks["reg"] = lambda it: (1, b"denied") if "delete" in it.current else None
    error = run.fail(fake, resolver_search_list="enabled", service_restart="never")
    assert error.details["state"] == "old"
    assert never(run, fake)["restart_required"]


@pytest.mark.parametrize("note", [b"", b"garbage", b"postmaster.exchange imc_delivery owes a"])
def test_a_broken_note_of_a_debt_is_a_debt(note: bytes, run: Runner) -> None:
    fake = host()
    run(fake, **DONE)
    fake.files[rf"{RUN}\pending-restart.txt"] = note
    assert never(run, fake)["restart_required"]
    assert run(fake, **DONE)["restarted"]


# -- which backup is the newest


def test_the_newest_backup_is_from_before_the_broken_run(run: Runner) -> None:
    fake = cut_off(run, "reg add")
    assert fake.rows == [*FOREIGN, *DONE_ROWS]
    run(fake, **DONE)
    assert len(run.backups()) == 3  # one is of the run that counted the commands
    run(fake, state="restored", backup="backups")
    assert (fake.value, fake.rows) == (None, FOREIGN)
    assert not run(fake, state="restored", backup="backups")["changed"]


def test_where_that_backup_is_of_another_controller(run: Runner) -> None:
    fake = cut_off(run, "reg add")
    for path in run.backups():
        path.unlink()
    run(fake, **DONE)
    (newest,) = run.backups()
    error = run.fail(fake, state="restored", backup="backups")
    assert "was taken after an interrupted run had begun" in error.message
    assert run(fake, state="restored", backup=str(newest.parent))["changed"]
    assert fake.value is None
    assert fake.rows == [*FOREIGN, *DONE_ROWS]


def test_a_backup_of_a_run_that_was_undone_is_put_aside(run: Runner) -> None:
    fake = host()
    run(fake, **DONE)
    fake.bad_routes = ("aol.com;198.51.100.9;0",)
    aol = {"domain": "aol.com", "addresses": ["198.51.100.9"]}
    error = run.fail(fake, routes=[aol])
    assert error.details["rolled_back"]
    aside = Path(str(error.details["backup"]))
    assert aside.name.endswith("-undone")
    assert (aside / "backup.json").is_file()
    fake.bad_routes = ()
    run(fake, state="restored", backup="backups")
    assert fake.rows == FOREIGN
    assert run(fake, state="restored", backup=str(aside))["changed"]
    assert fake.rows == [*FOREIGN, *DONE_ROWS]


def test_an_interrupted_rollback_goes_on(run: Runner) -> None:
    fake = host()
    run(fake, **DONE)
    fake.power_lasts = len(fake.lines) + at("reg add", run) - 1
    with pytest.raises(PowerCut):
        run(fake, state="restored", backup="backups")
    fake.power_lasts = None
    run(fake, state="restored", backup="backups")
    assert (fake.value, fake.rows) == (None, FOREIGN)
    assert not run(fake, state="restored", backup="backups")["changed"]


def test_a_temporary_file_of_a_broken_run_is_removed(run: Runner) -> None:
    fake = cut_off(run, "-restore")
    assert len(fake.litter()) == 1
    run(fake, **DONE)
    assert fake.litter() == []


@pytest.mark.parametrize("fault", ["lost before", "lost after", "timeout before", "exit 1"])
def test_a_takeover_that_fails_leaves_a_dead_run_known_for_dead(fault: str, run: Runner) -> None:
    fake = cut_off(run, 'stop "')
    fake.faults = {len(fake.lines) + 2: fault}
    run.fail(fake, **DONE)
    fake.faults = {}
    assert run(fake, **DONE)["restarted"]
    assert claims(fake) == []


def test_runs_meet_whatever_folder_their_backups_have(run: Runner) -> None:
    """The lease and the notes of runs do not move with the option host_backup_dir."""
    first = host()
    errors: list[ExchangeError] = []

    def meanwhile(_fake: FakeHost) -> None:
        if errors:
            return
        second = host()
        second.files, second.folders, second.routes = first.files, first.folders, first.routes
        errors.append(LeaseLost("begun"))
        errors.append(run.fail(second, **DONE, host_backup_dir=r"D:\backups"))

    first.hooks["sc"] = lambda fake: meanwhile(fake) if "stop" in fake.current else None
    run(first, **DONE)
    assert isinstance(errors[-1], LeaseLost)
    assert first.rows == [*FOREIGN, *DONE_ROWS]
    other = host()
    assert run(other, **DONE, host_backup_dir=r"D:\backups")["changed"]
    assert [path for path in other.files if path.startswith("d:\\backups\\msexchangeimc\\")]


# -- one that slept


def sleeps(run: Runner, fake: FakeHost, before: str, meanwhile: Callable[[], Any]) -> ExchangeError:
    """Run, and let the controller sleep before a command line until its lease is over."""
    carry_out = fake.run

    def wakes(command: str, **options: Any) -> Any:
        if before in command and fake.run is wakes:
            fake.run = carry_out  # type: ignore[method-assign]
            fake.host_time += timedelta(hours=3)
            meanwhile()
        return carry_out(command, **options)

    fake.run = wakes  # type: ignore[method-assign]
    return run.fail(fake, **DONE)


@pytest.mark.parametrize(
    ("before", "state"), [("echo postmaster", "Nothing was changed"), ("-restore", "the other run")]
)
def test_a_sleeper_that_lost_its_claim_leaves_nothing_behind(
    before: str, state: str, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run has changed the host and ended; then the first one goes on."""
    fake, other = host(), {"domain": "aol.com", "addresses": ["192.0.2.9"]}
    after: dict[str, Any] = {}

    def meanwhile() -> None:
        with monkeypatch.context() as patched:
            elsewhere(run, patched)
            after.update(run(fake, routes=[other]))
        after["files"] = {*fake.files}

    error = sleeps(run, fake, before, meanwhile)
    assert "another run took the host over" in str(error)
    assert state in str(error)
    assert fake.rows == [*FOREIGN, "aol.com;192.0.2.9;0"]
    left = {*fake.files} - after["files"]
    assert not [path for path in left if "journal" in path or "lease" in path or "pmx-" in path]
    assert not any(path.startswith(RUN) and "routes.txt" in path for path in left)


def test_a_service_that_an_administrator_stopped_stays_stopped_after_a_sleeper(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = host()

    def meanwhile() -> None:
        with monkeypatch.context() as patched:
            elsewhere(run, patched)
            run(fake, **DONE)

    sleeps(run, fake, "echo postmaster", meanwhile)
    fake.state, fake.loaded = 1, None
    result = run(fake, **DONE)
    assert (result["changed"], fake.state) == (False, 1)


def test_a_service_that_an_administrator_stops_during_a_run_stays_stopped(run: Runner) -> None:
    fake = host()

    def stopped(it: FakeHost) -> None:
        if it.current.startswith("reg add"):
            it.state, it.loaded = 1, None

    fake.hooks["reg"] = stopped
    result = run(fake, **DONE)
    assert (fake.rows, fake.state) == ([*FOREIGN, *DONE_ROWS], 1)
    assert not result["restarted"]
    assert "stopped from outside" in " ".join(result["warnings"])
    assert [path for path in fake.files if "journal" in path or "lease" in path] == []
    again = run(fake, **DONE)
    assert (again["changed"], fake.state) == (False, 1)
