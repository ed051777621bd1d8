# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are either there whole and new, or as they were. The one place for it."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

from .errors import ExchangeError

#: A new file is for its owner and group at most; the user's umask takes more away.
PRIVATE_MODE = 0o640
_BUFFER = 1 << 20  # octets
#: Some file systems cannot do what was asked, as FUSE, SMB or NFS.
NOT_SUPPORTED = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


def write(path: Path, texts: Iterable[str], what: str, *, mode: int = PRIVATE_MODE) -> Path:
    """Write a text in pieces to a file, as UTF-8, and return where it is.

    Folders are made. A file that is there keeps its mode. Raises ExchangeError, with an older file
    still there; ``what`` begins its sentence, as in "The report".
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, (text.encode() for text in texts), mode=mode)
    except IsADirectoryError as error:
        raise ExchangeError(
            f"{what} cannot be written to {path}: {error.strerror}.",
            hint="Use a different file name.",
        ) from error
    except OSError as error:
        raise ExchangeError(
            f"{what} could not be written to {path}: {error.strerror or error}.",
            hint="An older file is unchanged.",
        ) from error
    return Path(os.path.abspath(path))  # noqa: PTH100 - a link on the way stays what it is


def replace(path: Path, pieces: Iterable[bytes], *, mode: int) -> None:
    """Put a file in the place of ``path`` in one step, complete on the disk before. Raises OSError.

    Nothing is ever written through a link, which another user may have put there: a link, a folder
    or a device is IsADirectoryError, with words of its own. A file that is there keeps its mode,
    and its owner where that is allowed; a new one gets ``mode`` less the umask.
    """
    present: os.stat_result | None = None
    with contextlib.suppress(FileNotFoundError):
        present = path.lstat()
    if present is not None and not stat.S_ISREG(present.st_mode):
        kind = "a link" if stat.S_ISLNK(present.st_mode) else "a folder or device, not a file"
        raise IsADirectoryError(errno.EISDIR, f"it is {kind}")
    beside = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        with open(os.open(beside, flags, mode), "wb", _BUFFER) as file:  # noqa: PTH123
            if present is not None:
                with contextlib.suppress(OSError):
                    os.fchown(file.fileno(), present.st_uid, present.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(present.st_mode))
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names in a folder last through a loss of power, where its file system can.

    Where it cannot, the files themselves are complete on the disk all the same. Raises OSError.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NOT_SUPPORTED:
            raise
    finally:
        os.close(handle)
