# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One change at a time: locks and notes in a private folder, whatever lies in it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.alive import private_folder
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.lock import (
    REPLICATION,
    OrganisationLock,
    Written,
)

KEY = "first organization@hq.example"
NOW = datetime(2026, 11, 23, 11, 45, tzinfo=UTC)


def turns(folder: Path | None, later: timedelta = timedelta(0)) -> OrganisationLock:
    return OrganisationLock(folder, lambda: NOW + later)


def where(lock: OrganisationLock, key: str = KEY) -> str:
    last = lock.last_written(key)
    return last.domain_controller if last else ""


def test_a_domain_controller_is_remembered_for_as_long_as_replication_takes(tmp_path: Path) -> None:
    assert where(turns(tmp_path)) == ""
    turns(tmp_path).remember(KEY, "dc1.hq.example")
    assert where(turns(tmp_path, REPLICATION)) == "dc1.hq.example"
    assert where(turns(tmp_path, REPLICATION + timedelta(seconds=1))) == ""
    assert where(turns(tmp_path, timedelta(days=-1))) == "dc1.hq.example"  # the clock went back
    assert where(turns(tmp_path), "another@hq.example") == ""
    (note,) = tmp_path.iterdir()
    assert note.stat().st_mode & 0o777 == 0o600


def test_of_what_is_noted_here_and_elsewhere_the_last_counts(tmp_path: Path) -> None:
    turns(tmp_path).remember(KEY, "dc1.hq.example")
    for minutes, expected in ((-1, "dc1.hq.example"), (1, "dc2.hq.example")):
        other = Written("dc2.hq.example", NOW + timedelta(minutes=minutes))
        last = turns(tmp_path).last_written(KEY, other, None)
        assert last is not None
        assert last.domain_controller == expected
    assert turns(None).last_written(KEY, Written("dc2; calc", NOW)) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"5",
        b"[" * 4000,
        b"\xff",
        json.dumps({"organisation": KEY, "written": NOW.isoformat()}).encode(),
        json.dumps(
            {"organisation": KEY, "written": NOW.isoformat(), "domain_controller": "dc1; calc"}
        ).encode(),
        json.dumps(
            {"organisation": "other", "written": NOW.isoformat(), "domain_controller": "dc1"}
        ).encode(),
        json.dumps(
            {"organisation": KEY, "written": "2026-11-23T11:45:00", "domain_controller": "dc1"}
        ).encode(),
        json.dumps({"organisation": KEY, "written": 5, "domain_controller": "dc1"}).encode(),
    ],
)
def test_a_note_that_is_none_is_passed_over(tmp_path: Path, content: bytes) -> None:
    turns(tmp_path).remember(KEY, "dc1.hq.example")
    (note,) = tmp_path.iterdir()
    note.write_bytes(content)
    assert where(turns(tmp_path)) == ""


def test_a_link_or_a_pipe_is_no_note(tmp_path: Path) -> None:
    turns(tmp_path).remember(KEY, "dc1.hq.example")
    (note,) = tmp_path.iterdir()
    elsewhere = note.rename(tmp_path / "elsewhere")
    note.symlink_to(elsewhere)
    assert where(turns(tmp_path)) == ""
    note.unlink()
    os.mkfifo(note)
    assert where(turns(tmp_path)) == ""


def test_turns_are_taken_one_after_the_other(tmp_path: Path) -> None:
    order = []

    def work(number: int) -> None:
        with turns(tmp_path).held(KEY, 10):
            order.append((number, "in"))
            time.sleep(0.05)
            order.append((number, "out"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(
        (one[0], one[1], other[1]) == (other[0], "in", "out")
        for one, other in zip(order[::2], order[1::2], strict=True)
    )


class Time:
    """Passing time; each sleep calls ``happens``."""

    def __init__(self, happens: Callable[[float], None]) -> None:
        self.now, self._happens = 0.0, happens

    def sleep(self, _seconds: float) -> None:
        self.now += 100
        self._happens(self.now)


def test_waiting_lasts_for_as_long_as_the_holder_makes_progress(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        holder = stack.enter_context(turns(tmp_path).held(KEY, 300))

        def happens(now: float) -> None:
            if now >= 7 * 24 * 3600:
                stack.close()
            else:
                holder.progress()

        passing = Time(happens)
        waiter = replace(turns(tmp_path), sleep=passing.sleep, monotonic=lambda: passing.now)
        with waiter.held(KEY, 1):
            assert passing.now >= 7 * 24 * 3600


def test_a_holder_whose_process_is_stopped_is_not_waited_for(tmp_path: Path) -> None:
    passing = Time(lambda _now: None)
    waiter = replace(turns(tmp_path), sleep=passing.sleep, monotonic=lambda: passing.now)
    with (
        turns(tmp_path).held(KEY, 1000),
        pytest.raises(ExchangeError, match=f"The process {os.getpid()} .* no progress for 1100 s"),
        waiter.held(KEY, 1),
    ):
        pass


def test_without_locks_the_transaction_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_given: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    with turns(tmp_path).held(KEY, 1) as held:
        held.progress()


def test_other_organisations_do_not_wait(tmp_path: Path) -> None:
    with turns(tmp_path).held(KEY, 0), turns(tmp_path).held("other", 0):
        pass


def test_an_error_gives_the_turn_back(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="x"), turns(tmp_path).held(KEY, 0):
        raise ValueError("x")
    with turns(tmp_path).held(KEY, 0):
        pass


def test_without_a_folder_nothing_is_locked_or_remembered() -> None:
    nowhere = turns(None)
    with nowhere.held(KEY, 0), nowhere.held(KEY, 0):
        nowhere.remember(KEY, "dc1")
    assert where(nowhere) == ""


def test_the_folder_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = private_folder()
    assert folder == tmp_path / "cache" / "postmaster.exchange"
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    second = private_folder()
    assert second == tmp_path / f"postmaster.exchange-{os.geteuid()}"
    second.rmdir()
    second.symlink_to(tmp_path)
    assert private_folder() is None


def test_of_several_hosts_one_tells_something_first(tmp_path: Path) -> None:
    told = turns(tmp_path).first_to_show
    assert told(KEY, "run-1", "a diff", "ex19-a") == "ex19-a"
    assert told(KEY, "run-1", "a diff", "ex19-b") == "ex19-a"
    assert told(KEY, "run-1", "a diff", "ex19-a") == "ex19-a"
    assert told(KEY, "run-1", "another", "ex19-b") == "ex19-b"
    assert told("another@hq.example", "run-1", "a diff", "ex19-b") == "ex19-b"
    assert told(KEY, "run-2", "a diff", "ex19-b") == "ex19-b"
    assert turns(None).first_to_show(KEY, "run-2", "a diff", "ex19-a") == "ex19-a"


def test_hosts_at_the_same_moment_agree_on_the_first(tmp_path: Path) -> None:
    names = [f"ex{number}" for number in range(16)]
    with ThreadPoolExecutor(len(names)) as pool:
        found = list(
            pool.map(lambda name: turns(tmp_path).first_to_show(KEY, "run", "a diff", name), names)
        )
    assert len(set(found)) == 1


@pytest.mark.parametrize(
    "content", [b"{", b"5", b"[]", b"\xff", b"[" * 4000, b'{"run": "run", "hosts": {"a": 5}}']
)
def test_what_is_no_note_of_who_told_is_passed_over(tmp_path: Path, content: bytes) -> None:
    turns(tmp_path).first_to_show(KEY, "run", "a diff", "ex19-a")
    (note,) = tmp_path.iterdir()
    note.write_bytes(content)
    assert turns(tmp_path).first_to_show(KEY, "run", "a diff", "ex19-b") == "ex19-b"
    assert turns(tmp_path).first_to_show(KEY, "run", "a diff", "ex19-a") == "ex19-b"
