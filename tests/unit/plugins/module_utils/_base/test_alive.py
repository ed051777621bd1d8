# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock proves that a run has ended, or that it has not."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base import alive


def test_a_run_that_holds_its_file_is_alive(tmp_path: Path) -> None:
    file = tmp_path / "run"
    assert alive.has_ended(file) is None
    with alive.hold(file):
        assert alive.has_ended(file) is False
    assert alive.has_ended(file) is True
    alive.forget(file)
    alive.forget(file)
    assert alive.has_ended(file) is None


def test_a_killed_process_has_ended(tmp_path: Path) -> None:
    file = tmp_path / "run"
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with alive.hold(file):
            os.write(writing, b"x")
            signal.pause()
    os.read(reading, 1)
    assert alive.has_ended(file) is False
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert alive.has_ended(file) is True
    os.close(reading)
    os.close(writing)


def test_the_file_of_another_is_not_taken(tmp_path: Path) -> None:
    file = tmp_path / "run"
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="exists"), alive.hold(file):
        pass
    assert alive.has_ended(file) is None
    assert not (tmp_path / "elsewhere").exists()


def test_without_any_folder_there_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")

    def full() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", full)
    assert alive.file_of("0123") is None
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert alive.file_of("0123") == tmp_path / "postmaster.exchange" / "run-0123.lock"


def _no_locks_below(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let a folder be on a file system without locks, as NFS without its lock service."""
    flock = fcntl.flock
    place = str(folder)

    def refuse(file: Any, operation: int) -> None:
        handle = file if isinstance(file, int) else file.fileno()
        if str(Path(f"/proc/self/fd/{handle}").readlink()).startswith(place):
            raise OSError(errno.ENOLCK, "No locks available")
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", refuse)
    alive._has_locks.cache_clear()


def test_a_run_on_a_file_system_without_locks_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is alive cannot be found out there, so it never counts as ended."""
    _no_locks_below(monkeypatch, tmp_path)
    file = tmp_path / "run"
    with alive.hold(file):
        assert alive.has_ended(file) is None
    assert alive.has_ended(file) is None


def test_a_folder_with_locks_goes_before_one_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, temp = tmp_path / "home", tmp_path / "temp"
    home.mkdir()
    temp.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(temp))
    assert alive.private_folder() == home / "postmaster.exchange"
    _no_locks_below(monkeypatch, home)
    assert alive.private_folder() == temp / f"postmaster.exchange-{os.geteuid()}"
    _no_locks_below(monkeypatch, tmp_path)
    assert alive.private_folder() == home / "postmaster.exchange"
    alive._has_locks.cache_clear()
