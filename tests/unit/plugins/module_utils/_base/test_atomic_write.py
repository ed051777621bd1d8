# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files are whole, or as they were; never written through links, and never opened up."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base import atomic_write
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_for_its_owner_and_group_at_most(tmp_path: Path) -> None:
    path = atomic_write.write(tmp_path / "a" / "report.html", ["grün ", "und blau\n"], "The report")
    assert path.read_bytes() == "grün und blau\n".encode()
    assert mode(path) == 0o640
    os.umask(0o077)
    assert mode(atomic_write.write(tmp_path / "private", ["x"], "The report")) == 0o600
    os.umask(0o022)
    assert mode(atomic_write.write(tmp_path / "lock", ["x"], "The lock", mode=0o666)) == 0o644


@pytest.mark.parametrize("had", [0o600, 0o640, 0o664, 0o444])
def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path, had: int) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    path.chmod(had)
    atomic_write.write(path, ["new"], "The report")
    assert (path.read_text(), mode(path)) == ("new", had)


def test_the_owner_stays_where_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    path.chmod(0o600)
    asked: list[Any] = []

    def refuse(*owner: Any) -> None:
        asked.append(owner[1:])
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    atomic_write.write(path, ["new"], "The report")
    assert asked == [(os.getuid(), path.stat().st_gid)]
    assert mode(path) == 0o600


@pytest.mark.parametrize("dangling", [False, True])
def test_nothing_is_written_through_a_link(tmp_path: Path, dangling: bool) -> None:
    """Another user may have put it there, to a file that only we can write to."""
    precious = tmp_path / "precious"
    if not dangling:
        precious.write_text("precious")
        precious.chmod(0o600)
    link = tmp_path / "report.html"
    link.symlink_to(precious)
    with pytest.raises(ExchangeError, match=r"report\.html: it is a link"):
        atomic_write.write(link, ["new"], "The report")
    assert link.is_symlink()
    if dangling:
        assert not precious.exists()
    else:
        assert (precious.read_text(), mode(precious)) == ("precious", 0o600)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match="it is a folder or device, not a file"):
        atomic_write.write(tmp_path, ["new"], "The report")
    with pytest.raises(ExchangeError, match="it is a folder or device, not a file"):
        atomic_write.write(Path("/dev/null"), ["new"], "The report")


def test_what_fails_on_the_way_leaves_the_old_file_and_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def texts() -> Iterator[str]:
        yield "half"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(
        ExchangeError, match=r"The report could not be written to .*: No space left on device\."
    ) as caught:
        atomic_write.write(path, texts(), "The report")
    assert "An older file is unchanged" in caught.value.hint
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [
        ("report.html", "old")
    ]


def _without_folder_sync(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    sync = os.fsync

    def fsync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_that_cannot_sync_folders_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    _without_folder_sync(monkeypatch, number)
    assert atomic_write.write(tmp_path / "a", ["x"], "The report").read_text() == "x"


def test_a_disk_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _without_folder_sync(monkeypatch, errno.EIO)
    with pytest.raises(ExchangeError, match="Input/output error"):
        atomic_write.write(tmp_path / "a", ["x"], "The report")
