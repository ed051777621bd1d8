# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Permissions of files on the controller, trust in files, and places that do not last."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ExchangeError, InvalidInput

_MODE = re.compile(r"0?o?([0-7]{3,4})\Z")
_OWN = 0o700  # what the owner needs of a folder
_OTHERS_WRITE = 0o022

#: AWX has a job's folder at this place in its container; elsewhere it is named so.
_JOB = Path("/runner")
_JOB_NAME = re.compile(r"awx_\d+_")


@dataclass(frozen=True, slots=True)
class Access:
    """Access to a folder of ours and its files: ``mode`` of folders, and their ``group``.

    Without a group, files keep the group of the process.
    """

    mode: int = _OWN
    group: int | None = None

    @property
    def file_mode(self) -> int:
        """The mode of files."""
        return self.mode & 0o666

    def grant(self, path: Path) -> None:
        """Give a new file or folder its mode and group, whatever the umask is. Raises OSError."""
        if self.group is not None:
            os.chown(path, -1, self.group)
        if self.mode != _OWN or self.group is not None:
            path.chmod(self.mode if path.is_dir() else self.file_mode)

    def check(self, path: Path, *, root: bool = False, hint: str = "") -> None:
        """Raise ExchangeError where others may have written a file or folder.

        With ``root`` it may be a link, and belong to root. Raises OSError where it is not there.
        """
        status = path.stat() if root else path.lstat()
        if why := self.why_not(status, root=root):
            raise ExchangeError(
                f"{path} is not trusted: {why}.",
                hint=hint or f"Run as its owner, or correct it with chown and chmod. {_SHARING}",
            )

    def why_not(self, status: os.stat_result, *, root: bool = False) -> str:
        """Return why a file may not be what its owner wrote, or nothing."""
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISLNK(status.st_mode):
            return "it is a link"
        group = os.getegid() if self.group is None else self.group
        shared = bool(self.mode & 0o020) and status.st_gid == group
        owners = {os.geteuid(), *([0] if root else [])}
        if status.st_uid not in owners and not shared and not self.mode & 0o002:
            me = _user(os.geteuid())
            return f"it belongs to {_user(status.st_uid)}, and this process runs as {me}"
        open_to = mode & _OTHERS_WRITE & ~self.mode
        if mode & 0o020 and self.mode & 0o020 and status.st_gid != group:
            open_to |= 0o020
        if open_to:
            who = "everyone" if open_to & 0o002 else f"the group {_group(status.st_gid)}"
            return f"{who} may write to it (mode {mode:04o})"
        return ""


#: Files for their owner only.
PRIVATE = Access()
_SHARING = "backup_mode and backup_group share backups with a group."


def parse_access(params: Mapping[str, Any]) -> Access:
    """Check the options backup_mode and backup_group. Raises InvalidInput."""
    mode, group = params["backup_mode"], params["backup_group"]
    match = _MODE.match(str(mode).strip()) if mode else None
    if mode and (not match or int(match[1], 8) & _OWN != _OWN):
        raise InvalidInput(
            f"backup_mode must be octal and leave its owner all rights, not {mode!a:.40}.",
            hint="Examples: '0700', '2770'.",
        )
    return Access(int(match[1], 8) if match else _OWN, _group_id(group))


def _group_id(group: str | None) -> int | None:
    if not group:
        return None
    try:
        return int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except (KeyError, OverflowError):
        raise InvalidInput(f"backup_group: this machine has no group {group!a:.60}.") from None


def denied(path: Path, what: str, error: OSError) -> ExchangeError:
    """Return the error for something that is there, and cannot be used: it names the permission."""
    return ExchangeError(
        f"{what} {path}: {error.strerror}. {permission(path)}.",
        hint=f"Run as that user, or correct the permissions. {_SHARING}",
    )


def permission(path: Path) -> str:
    """Return owner and mode of a file or folder, or of the innermost readable folder above it."""
    for place in (path, *path.parents):
        with contextlib.suppress(OSError):
            status = place.stat()
            mode = stat.S_IMODE(status.st_mode)
            owner = f"{place} belongs to {_user(status.st_uid)}, group {_group(status.st_gid)}"
            return f"{owner}, mode {mode:04o}; this process runs as {_user(os.geteuid())}"
    return f"This process runs as {_user(os.geteuid())}"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return f"gid {gid}"


def why_not_kept(path: Path) -> str:
    """Return why a file at an absolute path will not last, or nothing."""
    for place in dict.fromkeys((Path(os.path.abspath(path)), Path(os.path.realpath(path)))):  # noqa: PTH100 - links count, too
        if "ansible_collections" in place.parts:
            return "it is inside an installed collection, which an upgrade deletes"
        for folder in (place, *place.parents):
            job = folder == _JOB or _JOB_NAME.match(folder.name)
            if job or (folder.name in {"project", "artifacts"} and _is_job(folder.parent)):
                return "it is in the folder of a job, which is deleted after the job"
    return ""


def _is_job(folder: Path) -> bool:
    """Return True if a folder has the layout of ansible-runner's private data directory."""
    return all((folder / name).is_dir() for name in ("project", "artifacts"))
