# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""imc_delivery as a whole, on a host in memory."""

from __future__ import annotations

import codecs
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    ExchangeError,
    HostUnreachable,
    InvalidInput,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc import backup as host_backup
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.layout import Layout
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.state import Journal
from ansible_collections.postmaster.exchange.plugins.module_utils._run import backups as store
from imc_fake_host import NAME, QUERYEX, FakeHost, PowerCut, Reply, table
from imc_runs import DONE, DONE_ROWS, NESTLE, Runner

FOREIGN = ["partner.corp;10.1.2.3;0", "odd.example;relay.odd.example;7"]


def test_settings_are_made_and_the_service_runs_with_them(run: Runner) -> None:
    host = FakeHost(routes=table(*FOREIGN))
    result = run(host, **DONE)
    assert result["changed"]
    assert result["restarted"]
    assert not result["restart_required"]
    assert host.value == (NAME, "REG_DWORD", "0x1")
    assert host.rows == [*FOREIGN, *DONE_ROWS]
    assert (host.state, host.loaded) == (4, (True, host.routes))
    assert result["service"] == {
        "name": "MSExchangeIMC",
        "state": "running",
        "start_type": "auto",
    }
    assert host.litter() == []


def test_a_second_run_changes_nothing_and_asks_once(run: Runner) -> None:
    host = FakeHost()
    run(host, **DONE)
    before = len(host.lines)
    result = run(host, **DONE)
    assert not result["changed"]
    assert result["backup"] is None
    assert len(host.lines) == before + 1
    assert len(run.backups()) == 1


def test_check_mode_changes_nothing_and_says_what_a_real_run_does(run: Runner) -> None:
    host = FakeHost(routes=table(*FOREIGN), value=(NAME.lower(), "REG_DWORD", "0x1"))
    before = (host.value, host.routes, host.loaded, dict(host.files), set(host.folders))
    foretold = run(host, check=True, **DONE)
    assert (host.value, host.routes, host.loaded, host.files, host.folders) == before
    assert run.backups() == []
    real = run(host, **DONE)
    for key in ("changed", "diff", "registry", "routes", "restarted", "restart_required"):
        assert foretold[key] == real[key]


def test_both_backups_hold_what_was_there(run: Runner) -> None:
    host = FakeHost(routes=table(*FOREIGN))
    before = host.routes
    result = run(host, **DONE)
    (saved,) = run.backups()
    folder = saved.parent
    assert result["backup"] == str(folder)
    assert (folder / "routes.txt").read_bytes() == before
    export = (folder / "parameters.reg").read_bytes()
    assert export.startswith(codecs.BOM_UTF16_LE)
    assert "MSEXCHANGEIMC\\PARAMETERS]" in export.decode("utf-16")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    on_host = [path for path in host.files if path.endswith("routes.txt")]
    assert [host.files[path] for path in on_host] == [before]
    assert all(path.startswith(r"%allusersprofile%\postmaster.exchange") for path in on_host)


def test_registry_alone_needs_no_imccopy(run: Runner) -> None:
    host = FakeHost(imccopy_at="nowhere", routes=table(*FOREIGN))
    result = run(host, resolver_search_list="disabled")
    assert result["changed"]
    assert result["routes"] is None
    assert host.loaded == (True, host.routes)
    assert not any("-save" in line for line in host.lines)


def test_routes_alone_leave_the_registry_alone(run: Runner) -> None:
    host = FakeHost(value=(NAME.upper(), "REG_SZ", "x"))
    run(host, routes=[NESTLE])
    assert host.value == (NAME.upper(), "REG_SZ", "x")
    assert host.rows == DONE_ROWS


@pytest.mark.parametrize("number", ["0x1", "0x2", "0xffffffff"])
def test_any_number_but_zero_switches_the_search_list_off(number: str, run: Runner) -> None:
    host = FakeHost(value=(NAME, "REG_DWORD", number))
    assert not run(host, resolver_search_list="disabled")["changed"]
    assert host.value == (NAME, "REG_DWORD", number)


@pytest.mark.parametrize(
    "value",
    [
        (NAME.lower(), "REG_DWORD", "0x1"),
        (NAME, "REG_SZ", "1"),
        (NAME, "REG_DWORD", "0x0"),
        (NAME.swapcase(), "REG_BINARY", "01000000"),
    ],
)
def test_a_wrong_value_is_replaced(value: tuple[str, str, str], run: Runner) -> None:
    host = FakeHost(value=value)
    assert run(host, resolver_search_list="disabled")["changed"]
    assert host.value == (NAME, "REG_DWORD", "0x1")


def test_enabled_deletes_the_value(run: Runner) -> None:
    host = FakeHost(value=(NAME.lower(), "REG_DWORD", "0x1"))
    assert run(host, resolver_search_list="enabled")["changed"]
    assert host.value is None
    assert host.loaded == (False, host.routes)
    assert not run(host, resolver_search_list="enabled")["changed"]


def test_a_value_that_could_not_be_put_back_is_refused(run: Runner) -> None:
    host = FakeHost(value=(NAME, "REG_MULTI_SZ", r"a\0b"))
    error = run.fail(host, resolver_search_list="disabled")
    assert "which a rollback could not restore exactly" in error.message
    assert "Nothing was changed." in error.message
    assert len(host.lines) == 1


# -- the service


@pytest.mark.parametrize(("state", "start_type"), [(1, 2), (1, 4), (7, 2)])
def test_a_service_that_does_not_run_is_left_as_found(
    state: int, start_type: int, run: Runner
) -> None:
    host = FakeHost(state=state, start_type=start_type)
    result = run(host, **DONE)
    assert host.rows == DONE_ROWS
    assert host.state == state
    assert not result["restarted"]
    assert "was left so" in " ".join(result["warnings"])


def test_a_running_service_that_could_not_be_started_again_is_not_stopped(run: Runner) -> None:
    host = FakeHost(start_type=4)
    result = run(host, **DONE)
    assert host.state == 4
    assert result["restart_required"]
    assert "disabled" in " ".join(result["warnings"])


def test_never_restart(run: Runner) -> None:
    host = FakeHost()
    old = host.loaded
    result = run(host, service_restart="never", **DONE)
    assert result["restart_required"]
    assert not result["restarted"]
    assert host.loaded == old
    assert not [path for path in host.files if "journal" in path]
    assert not run(host, service_restart="never", **DONE)["changed"]


def test_event_4056_is_survived(run: Runner) -> None:
    host = FakeHost(routes=table(*FOREIGN), bad_routes=("nestle.com;192.0.2.26;0",))
    old = (host.value, host.routes, host.loaded)
    error = run.fail(host, **DONE)
    assert error.details["rolled_back"] is True
    assert error.details["state"] == "old"
    assert error.details["service"]["state"] == "running"
    assert (host.value, host.routes, host.loaded) == old
    assert host.state == 4
    assert "did not start" in error.message
    assert "nestle.com;192.0.2.26;0" in error.message
    assert "were put back, and the service runs." in error.message
    assert error.hint.startswith(f"The backup is in {run.backups()[0].parent}.")
    assert host.litter() == []


@pytest.mark.parametrize("code", [5, 1051])
def test_a_service_that_does_not_let_itself_be_stopped(code: int, run: Runner) -> None:
    host = FakeHost(routes=table(*FOREIGN))
    old = (host.value, host.routes, host.loaded)

    def deny_stop(fake: FakeHost) -> Reply | None:
        return (code, b"") if "sc stop" in fake.current else None

    host.hooks["sc"] = deny_stop
    error = run.fail(host, **DONE)
    assert f"exit code {code}" in error.message
    assert error.details["rolled_back"] is True
    assert (host.value, host.routes, host.loaded) == old


@pytest.mark.parametrize(("moves", "waited"), [(0, range(20, 30)), (500, range(40, 50))])
def test_a_service_that_is_still_starting_is_left_to_start(
    run: Runner, moves: int, waited: range
) -> None:
    host = FakeHost()
    started: list[int] = []

    def sc(fake: FakeHost) -> Reply | None:
        if "start" in fake.current:
            started.append(1)
        if started and "query" in fake.current and "MSExchangeIMC" in fake.current:
            checkpoint = int(fake.clock) if fake.clock < moves else 0
            return 0, QUERYEX.format(state=2, process=checkpoint).encode()
        return None

    host.hooks["sc"] = sc
    error = run.fail(host, service_timeout=20, **DONE)
    assert any(
        f"did not start within {seconds} seconds: it is start pending" in error.message
        for seconds in waited
    )
    assert "It was left to start, and the new settings stay." in error.message
    assert len(started) == 1
    assert host.rows == DONE_ROWS
    assert host.value is not None
    assert error.details["parts"] == {
        "route_table": "new",
        "registry_value": "new",
        "service": "unknown",
    }
    assert error.details["changed"] is True
    assert not any("journal" in path or "lease" in path for path in (*host.files, *host.folders))
    host.hooks.clear()
    assert run(host, **DONE)["changed"] is False


def test_a_rollback_into_malformed_rows_cannot_help_and_says_so(run: Runner) -> None:
    bad = "anlsf.msbp.co"
    host = FakeHost(routes=table(bad), bad_routes=(bad,))
    refused = run.fail(host, **DONE)
    assert "1 row of the route table is malformed ('anlsf.msbp.co')" in refused.message
    assert "Nothing was changed." in refused.message
    assert refused.details["malformed_rows"] == [bad]
    assert (host.state, host.rows) == (4, [bad])
    error = run.fail(host, force=True, **DONE)
    assert "so no rollback helps: correct them in the Administrator program" in error.message
    assert error.details["rolled_back"] is False
    stopped = FakeHost(routes=table(bad), state=1)
    result = run(stopped, **DONE)
    assert "does not start with such rows (event 4056" in result["warnings"][0]
    assert result["malformed_rows"] == [bad]


def test_a_node_of_a_cluster_is_asked_in_the_same_command_line(run: Runner) -> None:
    host = FakeHost(cluster=True)
    error = run.fail(host, **DONE)
    assert "node of a cluster" in error.message
    assert "Cluster Administrator" in error.hint
    assert len(host.lines) == 1


# -- what others do meanwhile


def test_a_concurrent_edit_stops_the_run(run: Runner) -> None:
    host = FakeHost(routes=table(*FOREIGN))
    theirs = table(*FOREIGN, "theirs.example;192.0.2.99;0")

    def edit(fake: FakeHost) -> Reply | None:
        fake.routes = theirs
        return None

    host.hooks["mkdir"] = edit
    error = run.fail(host, **DONE)
    assert "the route table changed during this run" in error.message
    assert "Nothing was changed." in error.message
    assert host.routes == theirs
    assert host.value is None
    assert run.backups() == []
    assert not host.files
    assert not host.folders


def test_an_edit_right_before_the_write_is_kept(run: Runner) -> None:
    """A row that an administrator enters after the backup, while this run writes its file."""
    host = FakeHost(routes=table("partner.corp;10.1.2.3;0"))

    def edit(_host: FakeHost) -> None:
        if "busy" in host.current:
            host.routes = table("partner.corp;10.1.2.3;0", "new.corp;10.1.2.4;0")

    host.hooks["mkdir"] = edit
    error = run.fail(host, **DONE)
    assert "the route table changed during this run. Nothing was" in error.message
    assert (error.details["changed"], error.details["parts"]) == (False, {})
    assert host.rows == ["partner.corp;10.1.2.3;0", "new.corp;10.1.2.4;0"]
    assert (host.value, host.state) == (None, 4)
    assert not [path for path in host.files if "journal" in path or "pmx-" in path]
    host.hooks.clear()
    assert run(host, **DONE)["changed"]
    assert host.rows == ["partner.corp;10.1.2.3;0", "new.corp;10.1.2.4;0", *DONE_ROWS]


def test_a_concurrent_edit_of_the_value_stops_the_run(run: Runner) -> None:
    host = FakeHost()

    def edit(fake: FakeHost) -> Reply | None:
        fake.value = (NAME, "REG_DWORD", "0x0")
        return None

    host.hooks["mkdir"] = edit
    error = run.fail(host, **DONE)
    assert "the registry value changed during this run" in error.message
    assert host.value == (NAME, "REG_DWORD", "0x0")


def test_a_run_that_starts_at_the_same_time_stops_the_run(run: Runner) -> None:
    host = FakeHost()
    note = Layout().journal_path.lower()
    theirs = "\r\n".join(Journal("2026-11-23T114500Z", was_running=True).lines()).encode()

    def start(fake: FakeHost) -> Reply | None:
        fake.files[note] = theirs
        return None

    host.hooks["mkdir"] = start
    error = run.fail(host, **DONE)
    assert "another run started" in error.message
    assert error.message.endswith("Nothing was changed.")
    assert host.files == {note: theirs}
    assert (host.value, host.rows, host.state) == (None, [], 4)
    assert run.backups() == []


def test_imccopy_that_says_yes_and_does_nothing(run: Runner) -> None:
    host = FakeHost(routes=table(*FOREIGN))
    old = host.routes

    deaf: list[str] = []

    def deaf_once(fake: FakeHost) -> Reply | None:
        if "-restore" in fake.current and not deaf:
            deaf.append(fake.lines[-1])
            return 0, b""
        return None

    host.hooks["imccopy"] = deaf_once
    error = run.fail(host, **DONE)
    assert "reads back different" in error.message
    assert error.details["rolled_back"] is True
    assert host.routes == old


def test_disk_full_on_the_host(run: Runner) -> None:
    host = FakeHost(routes=table(*FOREIGN))

    def full(fake: FakeHost) -> Reply | None:
        fake.disk_full = True
        return None

    host.hooks["mkdir"] = full
    error = run.fail(host, **DONE)
    assert "not enough space" in error.message.lower()
    assert "Nothing was changed." in error.message
    assert host.rows == FOREIGN
    assert not host.files
    assert run.backups() == []


def test_disk_full_on_the_controller(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    host = FakeHost(routes=table(*FOREIGN))
    error = run.fail(host, **DONE)
    assert "No space left on device" in error.message
    assert "Nothing was changed." in error.message
    assert (host.rows, host.value) == (FOREIGN, None)
    assert not host.files
    assert run.backups() == []


# -- what cannot be done


def test_backup_dir_that_is_no_folder(run: Runner) -> None:
    host = FakeHost()
    (run.base / "backups").write_text("a file")
    error = run.fail(host, **DONE)
    assert "the backup cannot be written to" in error.message
    assert error.message.endswith("Nothing was changed.")
    assert error.details["changed"] is False
    assert (host.files, host.folders, host.rows) == ({}, set(), [])


def test_no_connector_at_all(run: Runner) -> None:
    host = FakeHost(installed=False)
    error = run.fail(host, **DONE)
    assert "the Internet Mail Connector is not installed" in error.message
    assert "missing_service: skip" in error.hint
    result = run(host, missing_service="skip", **DONE)
    assert result["skipped"]
    assert not result["changed"]


@pytest.mark.parametrize(("code", "reason"), [(5, "access is denied"), (1722, "RPC server")])
def test_what_cannot_be_seen_is_not_taken_for_absent(code: int, reason: str, run: Runner) -> None:
    host = FakeHost(sc_exit=code)
    error = run.fail(host, missing_service="skip", **DONE)
    assert reason in error.message
    assert f"exit code {code}" in error.message


def test_no_imccopy_sets_the_value_and_returns_a_worksheet(run: Runner) -> None:
    host = FakeHost(imccopy_at="nowhere", routes=table(*FOREIGN))
    error = run.fail(host, **DONE)
    assert host.value == (NAME, "REG_DWORD", "0x1")
    assert host.loaded == (True, host.routes)
    assert host.rows == FOREIGN
    assert error.details["worksheet"] == [
        {"action": "enter", "domain": "nestle.com", "address": "192.0.2.25"},
        {"action": "enter", "domain": "nestle.com", "address": "192.0.2.26"},
    ]
    assert "enter   nestle.com  192.0.2.25\nenter   nestle.com  192.0.2.26" in str(error)
    assert error.details["changed"] is True
    result = run(host, missing_imccopy="warn", **DONE)
    assert not result["changed"]
    assert "enter   nestle.com  192.0.2.25" in result["warnings"][0]


def test_no_imccopy_and_nothing_known_needs_no_hand(run: Runner) -> None:
    host = FakeHost(imccopy_at="nowhere")
    route = {"domain": "slow.example", "status": "temporary_failure", "addresses": []}
    result = run(host, routes=[route])
    assert result["worksheet"] == []
    assert "are unknown" in result["warnings"][0]


@pytest.mark.parametrize("place", ["imccopy", r'"C:\exchsrvr\bin\imccopy.exe"'])
def test_imccopy_is_found_where_it_usually_lies_with_one_command(place: str, run: Runner) -> None:
    host = FakeHost(imccopy_at=place.strip('"'), routes=table(*DONE_ROWS))
    run(host, check=True, **DONE)
    assert len(host.lines) == 1


def test_a_folder_that_every_user_can_write_to_is_no_place_for_imccopy(run: Runner) -> None:
    """Of Windows NT and 2000 that is the root of the disk, which only an option may name."""
    root = r"C:\imccopy.exe"
    host = FakeHost(imccopy_at=root, routes=table(*DONE_ROWS))
    assert "imccopy was not found" in run.fail(host, check=True, **DONE).message
    assert not any("C:\\imccopy" in line for line in host.lines)
    run(host, check=True, imccopy=root, **DONE)


def test_imccopy_beside_root_dir_takes_a_second_look(run: Runner) -> None:
    host = FakeHost(
        root_dir=r"E:\mail\exchsrvr\imcdata", imccopy_at=r"E:\mail\exchsrvr\bin\imccopy.exe"
    )
    run(host, **DONE)
    assert host.rows == DONE_ROWS
    assert host.litter() == []


def test_an_imccopy_that_was_named_has_to_be_there(run: Runner) -> None:
    host = FakeHost(imccopy_at="imccopy")
    error = run.fail(host, imccopy=r"D:\tools\imccopy.exe", **DONE)
    assert r"imccopy was not found at D:\tools\imccopy.exe" in error.message
    assert host.value is None


def test_an_imccopy_that_fails_is_not_taken_for_absent(run: Runner) -> None:
    host = FakeHost()
    host.hooks["imccopy"] = lambda _fake: (1, b"cannot bind to the directory\r\n")
    error = run.fail(host, missing_imccopy="warn", **DONE)
    assert "cannot bind to the directory" in error.message
    assert host.value is None


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (table("caf\xe9.example;192.0.2.1;0"), "line 6"),
        (table("100%.example;192.0.2.1;0"), "line 6"),
        (table("a.example;192.0.2.1;0").replace(b"\r\n", b"\n"), "line 1"),
        (table() + b"[Other]\r\nX=a & b\r\n", "line 8"),
    ],
)
def test_a_table_that_cannot_be_written_back_is_not_changed(
    content: bytes, line: str, run: Runner
) -> None:
    host = FakeHost(routes=content)
    error = run.fail(host, **DONE)
    assert line in error.message
    assert "Nothing was changed." in error.message
    assert (host.routes, host.value) == (content, None)
    assert run.fail(host, check=True, **DONE).message == error.message
    # Where it needs no change, there is nothing to refuse.
    absent = [{"domain": "nestle.com"}]
    assert run(host, resolver_search_list="disabled", routes=absent, state="absent")["changed"]
    assert host.routes == content


def test_what_imccopy_saves_has_to_be_a_routes_file(run: Runner) -> None:
    host = FakeHost(routes=table(*FOREIGN)[:70])
    error = run.fail(host, **DONE)
    assert "not the documented routes file" in error.message
    assert host.value is None


def test_many_rows(run: Runner) -> None:
    rows = [f"d{number}.example;192.0.2.{number % 250 + 1};0" for number in range(5000)]
    host = FakeHost(routes=table(*rows))
    result = run(host, **DONE)
    assert host.rows == [*rows, *DONE_ROWS]
    assert result["warnings"] == []  # no table is too long for 5.5 SP4
    assert not run(host, max_routes=0, **DONE)["warnings"]


def test_bad_options_ask_nothing_of_the_host(run: Runner) -> None:
    host = FakeHost()
    error = run.fail(host, routes=[{"domain": "a&b", "addresses": ["192.0.2.1"]}])
    assert isinstance(error, InvalidInput)
    assert "Nothing was changed." in error.message
    assert host.lines == []


def test_a_host_that_cannot_be_reached(run: Runner) -> None:
    error = run.fail(FakeHost(unreachable=True), **DONE)
    assert isinstance(error, HostUnreachable)
    assert "Nothing was changed." in error.message


# -- restored


def _restored(run: Runner, **options: Any) -> tuple[FakeHost, FakeHost]:
    host = FakeHost(routes=table(*FOREIGN), value=(NAME.lower(), "REG_DWORD", "0x0"))
    old = FakeHost(routes=host.routes, value=host.value)
    backup = run(host, **DONE)["backup"]
    assert host.rows == [*FOREIGN, *DONE_ROWS]
    result = run(host, state="restored", backup=options.pop("backup", backup), **options)
    assert result["changed"]
    assert result["restored_from"] == backup
    assert not run(host, state="restored", backup=backup)["changed"]
    return host, old


def test_a_backup_is_put_back_to_the_letter(run: Runner) -> None:
    host, old = _restored(run)
    assert (host.value, host.routes) == (old.value, old.routes)
    assert host.loaded == (False, old.routes)
    assert len(run.backups()) == 2


@pytest.mark.parametrize("path", ["backups", "backups/mail5-a"])
def test_the_newest_backup_of_this_host_is_meant(path: str, run: Runner) -> None:
    host, old = _restored(run, backup=path)
    assert (host.value, host.routes) == (old.value, old.routes)


def test_a_backup_of_the_registry_alone_leaves_the_table_alone(run: Runner) -> None:
    host = FakeHost(imccopy_at="nowhere", routes=table(*FOREIGN))
    backup = run(host, resolver_search_list="disabled")["backup"]
    run(host, state="restored", backup=backup)
    assert host.value is None
    assert host.rows == FOREIGN


def test_a_backup_of_another_host_is_refused(run: Runner) -> None:
    backup = run(FakeHost(), **DONE)["backup"]
    other = FakeHost(host="mail5-b")
    error = run.fail(other, state="restored", backup=backup)
    assert "its computer is 'MAIL5-A', but this host's is 'MAIL5-B'" in error.message

    assert (other.rows, other.value, len(other.lines)) == ([], None, 1)


# -- interrupted runs


def _interrupted(run: Runner, number: int, **options: Any) -> FakeHost:
    """A host on which the controller lost power after a command."""

    host = FakeHost(routes=table(*FOREIGN), power_lasts=number)
    with pytest.raises(PowerCut):
        run(host, **DONE, **options)
    host.power_lasts = None
    return host


def _lines_of_a_run(run: Runner) -> list[str]:
    host = FakeHost(routes=table(*FOREIGN))
    run(host, **DONE)
    return host.lines


def test_a_service_that_a_broken_run_stopped_is_started_again(run: Runner) -> None:
    lines = _lines_of_a_run(run)
    stop = next(number for number, line in enumerate(lines, 1) if 'stop "MSExchangeIMC"' in line)
    host = _interrupted(run, stop)
    assert host.state != 4
    foretold = run(host, check=True, **DONE)
    assert foretold["changed"]
    assert foretold["restarted"]
    assert "An earlier run broke off" in foretold["warnings"][0]
    result = run(host, **DONE)
    assert result["restarted"]
    assert (host.state, host.loaded) == (4, (True, host.routes))
    assert not run(host, **DONE)["changed"]


def test_wherever_a_run_was_cut_off_the_next_one_converges(run: Runner) -> None:
    for number in range(1, len(_lines_of_a_run(run))):
        host = _interrupted(run, number)
        run(host, **DONE)
        assert host.rows == [*FOREIGN, *DONE_ROWS]
        assert (host.state, host.loaded) == (4, (True, host.routes)), f"after command {number}"
        assert not run(host, **DONE)["changed"]
        assert not [path for path in host.files if "journal" in path]


def test_a_restart_that_may_not_be_done_stays_due(run: Runner) -> None:
    lines = _lines_of_a_run(run)
    stop = next(number for number, line in enumerate(lines, 1) if 'stop "MSExchangeIMC"' in line)
    host = _interrupted(run, stop)
    for _round in range(2):
        result = run(host, service_restart="never", **DONE)
        assert not result["changed"]
        assert result["restart_required"]
    assert run(host, **DONE)["restarted"]
    assert host.state == 4


def test_a_recovery_that_fails_says_how_to_go_back(run: Runner) -> None:
    lines = _lines_of_a_run(run)
    stop = next(number for number, line in enumerate(lines, 1) if 'stop "MSExchangeIMC"' in line)
    host = _interrupted(run, stop)
    host.bad_routes = ("nestle.com;192.0.2.25;0",)
    error = run.fail(host, **DONE)
    assert "No setting was changed by this run" in error.message
    stamp = error.hint.rstrip(".").split()[-1]
    assert stamp in {path.parent.name for path in run.backups()}
    run(host, state="restored", backup=f"backups/{stamp}")
    assert (host.rows, host.state) == (FOREIGN, 4)


# -- behind a management host


def test_a_computer_behind_a_management_host(run: Runner) -> None:
    host = FakeHost(computer="MAIL4OLD", imccopy_at="runthere", routes=table(*FOREIGN))
    target = {"target_computer": "MAIL4OLD", "target_imccopy": "runthere {arguments}"}
    result = run(host, **DONE, **target)
    assert host.rows == [*FOREIGN, *DONE_ROWS]
    assert host.loaded == (True, host.routes)
    assert host.litter() == []
    folder = run.backups()[0].parent
    assert "RootDir" in (folder / "parameters.reg").read_text("utf-16")
    assert result["backup"] == str(folder)
    assert not run(host, **DONE, **target)["changed"]
    assert any(r"\mail4old\2" in path for path in host.files)


def test_the_way_back_of_a_computer_behind_a_management_host(run: Runner) -> None:
    host = FakeHost(
        computer="MAIL4OLD",
        imccopy_at="runthere",
        routes=table(*FOREIGN),
        bad_routes=("nestle.com;192.0.2.25;0",),
    )
    old = host.routes
    error = run.fail(host, target_computer="MAIL4OLD", target_imccopy="runthere", **DONE)
    assert error.details["rolled_back"] is True
    assert (host.routes, host.state) == (old, 4)
    assert host.litter() == []


def test_without_a_command_for_it_there_is_no_imccopy_behind_a_management_host(run: Runner) -> None:
    host = FakeHost(computer="MAIL4OLD", imccopy_at="runthere")
    error = run.fail(host, target_computer="MAIL4OLD", **DONE)
    assert "imccopy was not found for MAIL4OLD" in error.message
    assert host.value == (NAME, "REG_DWORD", "0x1")


def test_errors_are_sentences_for_a_person(run: Runner) -> None:
    for host in (FakeHost(installed=False), FakeHost(sc_exit=5), FakeHost(routes=b"x")):
        error = run.fail(host, **DONE)
        assert isinstance(error, ExchangeError)
        assert error.message.startswith("mail5-a: ")
        assert error.message.endswith(".")


@pytest.mark.parametrize(("where", "limit"), [(store, "MOST_BYTES"), (host_backup, "_MOST_ROUTES")])
def test_a_backup_at_its_limit_is_restored_and_a_larger_one_refused_before_the_change(
    run: Runner, monkeypatch: pytest.MonkeyPatch, where: ModuleType, limit: str
) -> None:
    done = run(FakeHost(routes=table(*FOREIGN)), **DONE)
    files = [path.stat().st_size for path in Path(done["backup"]).iterdir()]
    size = len(table(*FOREIGN)) if where is host_backup else max(files)
    monkeypatch.setattr(where, limit, size - 1)
    host = FakeHost(routes=table(*FOREIGN))
    before, known = (host.value, host.routes), run.backups()
    with pytest.raises(ExchangeError, match=r"(exceeds|is longer than) .*Nothing was changed"):
        run(host, **DONE)
    assert (host.value, host.routes, host.litter()) == (*before, [])
    assert run.backups() == known
    monkeypatch.setattr(where, limit, size)
    done = run(host, **DONE)
    monkeypatch.setattr(where, limit, 2 * size)  # what is there now is saved as well
    assert run(host, state="restored", backup=done["backup"])["changed"]
    assert host.rows == FOREIGN


def test_two_names_of_one_computer_are_one_history(run: Runner) -> None:
    """An inventory calls it otherwise, or reaches it through a management host."""
    host = FakeHost(own_name="MAIL55")
    first = run(host, **DONE)["backup"]
    host.host = "mail.hq.example"
    run(host, **{**DONE, "state": "absent"})
    assert {path.parent.parent.name for path in run.backups()} == {"mail55"}
    behind = FakeHost("mgmt1", computer="MAIL55", routes=host.routes, value=host.value)
    there = {"target_computer": "MAIL55", "target_imccopy": "imccopy"}
    run(behind, state="restored", backup=first, **there)
    assert (behind.rows, behind.value) == ([], None)


def test_a_name_that_leads_to_another_computer_gets_nothing_back(run: Runner) -> None:
    run(FakeHost("mail55"), **DONE)
    other = FakeHost("mail55", own_name="MAIL50", routes=table("aol.com;192.0.2.9;0"))
    error = run.fail(other, state="restored", backup="backups")
    assert "MAIL50: no backup of this host was found" in error.message
    assert "Under this name there are backups of MAIL55." in error.message
    assert other.rows == ["aol.com;192.0.2.9;0"]


def test_a_computer_without_a_name_is_not_changed(run: Runner) -> None:
    host = FakeHost(own_name="?")
    assert "own name cannot be read" in run.fail(host, **DONE).message
    assert host.rows == []


def test_many_missing_domains_at_once_are_removed_by_force_only(run: Runner) -> None:
    names = [f"d{number}.example" for number in range(4)]
    rows = [f"{name};192.0.2.1;0" for name in names]
    host = FakeHost(routes=table(*FOREIGN, *rows))
    gone = [{"domain": name, "status": "no_such_domain"} for name in (*names, "typo.example")]
    remove = {"missing_domain": "remove"}
    seen = run(host, check=True, routes=gone, **remove)
    assert (seen["would_refuse"], seen["removed_domains"]) == (True, names)
    assert seen["unpinned"] == ["typo.example"]
    with pytest.raises(ExchangeError, match=r"4 removals .* max_removed_domains \(3\)") as caught:
        run(host, routes=gone, **remove)
    assert "Nothing was changed" in str(caught.value)
    assert host.rows == [*FOREIGN, *rows]
    assert run(host, routes=gone[1:], **remove)["removed_domains"] == names[1:]
    host = FakeHost(routes=table(*FOREIGN, *rows))
    assert run(host, routes=gone, **remove, force=True)["changed"]
    assert host.rows == FOREIGN
