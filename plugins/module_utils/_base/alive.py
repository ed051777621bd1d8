# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Detect runs of this controller that are still alive: each locks a file until it ends.

The kernel takes the lock from a process that dies, however it dies. So a process that gets the lock
of a file that is there has proved that the file's run has ended. A file that is not there proves
nothing: its run may be at work on another controller.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from .atomic_write import NOT_SUPPORTED

#: Errors of a file system without locks, or with its lock service down (NFS, some FUSE).
NO_LOCKS = NOT_SUPPORTED | {errno.ENOLCK}


def private_folder() -> Path | None:
    """Return a folder that only this user can use, and create it if needed; None if impossible.

    It is in the user's cache, or else in the folder for temporary files. One where files can be
    locked goes first, because a home on NFS may have no locks.
    """
    user = os.geteuid()
    places = []
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    with contextlib.suppress(RuntimeError):  # a user without a home
        places.append(Path(cache).expanduser() / "postmaster.exchange")
    with contextlib.suppress(OSError):  # no folder for temporary files, or a full disk
        places.append(Path(tempfile.gettempdir()) / f"postmaster.exchange-{user}")
    without_locks = None
    for place in places:  # the second is made only where the first does not serve
        if _is_private(place, user):
            if _has_locks(place):
                return place
            without_locks = without_locks or place
    return without_locks


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


@lru_cache(maxsize=8)
def _has_locks(folder: Path) -> bool:
    """Return True if files in a folder can be locked, tested with an unnamed file."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def controller() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


def file_of(run: str) -> Path | None:
    """Return the path of a run's file, for ``hold`` and the others; None without a folder."""
    folder = private_folder()
    return folder and folder / f"run-{run}.lock"


@contextlib.contextmanager
def hold(file: Path) -> Iterator[None]:
    """Make a file and hold its lock; the file stays. Raises OSError where it cannot be made.

    Where the file system has no locks it is made without one: ``has_ended`` is None for it there,
    and its run counts as alive until its lease ends.
    """
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        yield
    finally:
        os.close(handle)  # and with it the lock


def has_ended(file: Path) -> bool | None:
    """Return True if the run that held this file's lock has ended, None if that is unknown."""
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
    """Remove the file of a run that is over. Never raises."""
    with contextlib.suppress(OSError):
        file.unlink()
