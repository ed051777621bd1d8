# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a run of this controller is still alive: it holds the lock of a file until it ends.

The kernel takes the lock from a process that dies, however it dies. So who gets the lock of a
file that is there knows for certain that its run has ended. A file that is not there tells
nothing: its run may be at work on another controller.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path


def private_folder() -> Path | None:
    """Return a folder that only this user can use, made if need be; None where there is none.

    It is in the user's cache, or else in the folder for temporary files.
    """
    user = os.geteuid()
    return next((place for place in _places(user) if _is_private(place, user)), None)


def _places(user: int) -> Iterator[Path]:
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    with contextlib.suppress(RuntimeError):  # a user without a home
        yield Path(cache).expanduser() / "postmaster.exchange"
    with contextlib.suppress(OSError):  # no folder for temporary files, or a full disk
        yield Path(tempfile.gettempdir()) / f"postmaster.exchange-{user}"


def _is_private(folder: Path, user: int) -> bool:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
    except OSError:
        return False
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == user
    return mine and not found.st_mode & 0o077 and os.access(folder, os.W_OK)


def controller() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


def file_of(run: str) -> Path | None:
    """Return the path of a run's file, for ``hold`` and the others; None without a folder."""
    folder = private_folder()
    return folder and folder / f"run-{run}.lock"


@contextlib.contextmanager
def hold(file: Path) -> Iterator[None]:
    """Make a file and hold its lock; the file stays. Raises OSError where that cannot be."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)  # and with it the lock


def has_ended(file: Path) -> bool | None:
    """Whether the run that held this file's lock has ended; None where nothing is known of it."""
    try:
        handle = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    else:
        return True
    finally:
        os.close(handle)


def forget(file: Path) -> None:
    """Remove the file of a run of which nothing is left to be known. Never raises."""
    with contextlib.suppress(OSError):
        file.unlink()
