# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows files on a real directory: drive letters, backslashes, names without regard to case.

Every failure is a ``WinError`` with the number Windows would give.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from .errors import (
    ACCESS_DENIED,
    ALREADY_EXISTS,
    DISK_FULL,
    FILE_NOT_FOUND,
    INVALID_NAME,
    NOT_EMPTY,
    PATH_NOT_FOUND,
    SHARING_VIOLATION,
    WinError,
)

_SHORT_NAME = re.compile(r"^([^~.]{1,6})~(\d)(\.[^.]{1,3})?$")
_FORBIDDEN = re.compile(r'[<>"|?*\x00-\x1f:]')
_DEVICES = {"nul", "con", "prn", "aux"}


def is_device(winpath: str) -> bool:
    """Tell whether the last part of the path names a device such as NUL."""
    return winpath.replace("/", "\\").rpartition("\\")[2].partition(".")[0].lower() in _DEVICES


def normalise(winpath: str, cwd: str = "C:\\") -> str:
    r"""Return ``X:\a\b`` for an absolute, drive-relative or relative path; ``..`` is resolved.

    Raises WinError(123) for what cannot be a name.
    """
    path = winpath.replace("/", "\\")
    if re.match(r"^[A-Za-z]:", path):
        drive, rest = path[0].upper(), path[2:]
        if not rest.startswith("\\") and cwd[:1].upper() == drive:
            rest = f"{cwd[2:]}\\{rest}"
    elif path.startswith("\\"):
        drive, rest = cwd[0].upper(), path
    else:
        drive, rest = cwd[0].upper(), f"{cwd[2:]}\\{path}"
    parts: list[str] = []
    for part in rest.split("\\"):
        if part == "..":
            del parts[-1:]
        elif name := part.rstrip(" ."):
            if _FORBIDDEN.search(name):
                raise WinError(INVALID_NAME, winpath)
            parts.append(name)
    return f"{drive}:\\" + "\\".join(parts)


class FileSystem:
    r"""The drives of one host; drive ``C`` is the folder ``C`` under ``root``.

    ``quota_bytes`` limits the sum of all file sizes: what still fits is written, then the disk is
    full, as a FAT volume does. Paths given to ``protect`` (with all below) refuse changes, paths
    given to ``lock`` are in use by another process.
    """

    def __init__(self, root: Path, *, drives: str = "C") -> None:
        self.root = root
        self.quota_bytes: int | None = None
        self._lock = threading.RLock()
        self._protected: set[str] = set()
        self._in_use: set[str] = set()
        for drive in drives:
            (root / drive.upper()).mkdir(parents=True, exist_ok=True)

    # -- names -------------------------------------------------------------------------------

    def resolve(self, winpath: str) -> Path:
        """Return the real path, matching existing names without case; it need not exist."""
        canonical = normalise(winpath)
        real = self.root / canonical[0]
        if not real.is_dir():
            raise WinError(PATH_NOT_FOUND, winpath)
        for part in filter(None, canonical[3:].split("\\")):
            real = self._child(real, part)
        return real

    @staticmethod
    def _child(folder: Path, name: str) -> Path:
        exact = folder / name
        if exact.exists() or not folder.is_dir():
            return exact
        wanted = name.casefold()
        entries = sorted(folder.iterdir())
        found = next((e for e in entries if e.name.casefold() == wanted), None)
        return found or FileSystem._short_name(entries, wanted) or exact

    @staticmethod
    def _short_name(entries: list[Path], wanted: str) -> Path | None:
        """Find what an 8.3 name such as ``ADMINI~1`` stands for."""
        match = _SHORT_NAME.match(wanted)
        if match is None:
            return None
        stem, number, suffix = match[1], int(match[2]), match[3] or ""
        long_names = [
            entry
            for entry in entries
            if entry.name.casefold().replace(" ", "").startswith(stem)
            and entry.suffix.casefold()[:4] == suffix
        ]
        return long_names[number - 1] if 0 < number <= len(long_names) else None

    def spelling(self, winpath: str) -> str:
        """Return the canonical path with the letters' case as stored on disk."""
        canonical = normalise(winpath)
        real = self.resolve(canonical)
        relative = real.relative_to(self.root / canonical[0])
        return f"{canonical[0]}:\\" + "\\".join(relative.parts)

    # -- questions ---------------------------------------------------------------------------

    def exists(self, winpath: str) -> bool:
        """Tell whether a file or folder of this name exists; False for an impossible name."""
        try:
            return self.resolve(winpath).exists()
        except WinError:
            return False

    def is_dir(self, winpath: str) -> bool:
        """Tell whether the path is an existing folder."""
        return self.exists(winpath) and self.resolve(winpath).is_dir()

    def is_file(self, winpath: str) -> bool:
        """Tell whether the path is an existing file."""
        return self.exists(winpath) and self.resolve(winpath).is_file()

    def listdir(self, winpath: str) -> list[str]:
        """Return the names in a folder in NTFS order (sorted without case)."""
        with self._lock:
            real = self._existing(winpath)
            if not real.is_dir():
                raise WinError(FILE_NOT_FOUND, winpath)
            return sorted((entry.name for entry in real.iterdir()), key=str.upper)

    def stat(self, winpath: str) -> os.stat_result:
        """Return size and times of an existing file or folder."""
        try:
            return self._existing(winpath).stat()
        except FileNotFoundError as exc:  # deleted by somebody else meanwhile
            raise WinError(FILE_NOT_FOUND, winpath) from exc

    def walk(self, winpath: str) -> Iterator[str]:
        """Yield every path below a folder, folders before what is in them."""
        for name in self.listdir(winpath):
            path = f"{normalise(winpath).rstrip(chr(92))}\\{name}"
            yield path
            if self.is_dir(path):
                yield from self.walk(path)

    def used_bytes(self) -> int:
        """Return the sum of all file sizes, which ``quota_bytes`` limits."""
        total = 0
        for folder, _folders, files in os.walk(self.root):
            total += sum((Path(folder) / name).stat().st_size for name in files)
        return total

    # -- contents ----------------------------------------------------------------------------

    def read_bytes(self, winpath: str) -> bytes:
        """Return a file's content."""
        with self._lock:
            real = self._existing(winpath)
            if real.is_dir():
                raise WinError(ACCESS_DENIED, winpath)
            self._check_use(winpath)
            return real.read_bytes()

    def write_bytes(self, winpath: str, data: bytes) -> None:
        """Replace a file's content; its folder must exist."""
        self._write(winpath, data, append=False)

    def append(self, winpath: str, data: bytes) -> None:
        """Add to a file, made if missing; its folder must exist."""
        self._write(winpath, data, append=True)

    def _write(self, winpath: str, data: bytes, *, append: bool) -> None:
        with self._lock:
            real = self.resolve(winpath)
            if not real.parent.is_dir():
                raise WinError(PATH_NOT_FOUND, winpath)
            if real.is_dir():
                raise WinError(ACCESS_DENIED, winpath)
            self._check_change(winpath)
            if not append or not real.exists():
                real.write_bytes(b"")
            fits = self._fitting(len(data))
            with real.open("ab") as file:
                file.write(data[:fits])
            if fits < len(data):
                raise WinError(DISK_FULL, winpath)

    def _fitting(self, wanted: int) -> int:
        if self.quota_bytes is None or wanted == 0:
            return wanted
        return min(wanted, max(0, self.quota_bytes - self.used_bytes()))

    # -- changes -----------------------------------------------------------------------------

    def mkdir(self, winpath: str, *, parents: bool = True) -> None:
        """Make a folder (and those above it); WinError(183) when the name is taken."""
        with self._lock:
            real = self.resolve(winpath)
            if real.exists():
                raise WinError(ALREADY_EXISTS, winpath)
            self._check_change(winpath)
            if not parents and not real.parent.is_dir():
                raise WinError(PATH_NOT_FOUND, winpath)
            try:
                real.mkdir(parents=True)
            except OSError as exc:
                raise WinError(PATH_NOT_FOUND, winpath) from exc

    def delete(self, winpath: str) -> None:
        """Delete a file."""
        with self._lock:
            real = self._existing(winpath)
            if real.is_dir():
                raise WinError(ACCESS_DENIED, winpath)
            self._check_change(winpath)
            real.unlink()

    def rmdir(self, winpath: str, *, recursive: bool = False) -> None:
        """Remove a folder; WinError(145) when it is not empty and not ``recursive``."""
        with self._lock:
            real = self._existing(winpath)
            if not real.is_dir():
                raise WinError(FILE_NOT_FOUND, winpath)
            self._check_change(winpath)
            if any(real.iterdir()) and not recursive:
                raise WinError(NOT_EMPTY, winpath)
            shutil.rmtree(real)

    def move(self, source: str, target: str) -> None:
        """Move or rename a file or folder; an existing target file is replaced."""
        with self._lock:
            real = self._existing(source)
            goal = self.resolve(target)
            self._check_change(source)
            self._check_change(target)
            if not goal.parent.is_dir():
                raise WinError(PATH_NOT_FOUND, target)
            if goal.is_dir() and goal != real:
                raise WinError(ACCESS_DENIED, target)
            spelled = goal.parent / normalise(target).rpartition("\\")[2]
            if goal.exists() and goal != real:
                goal.unlink()
            real.rename(spelled)

    # -- what stands in the way --------------------------------------------------------------

    def protect(self, winpath: str) -> None:
        """Make a path and everything below it read-only (changes fail with WinError 5)."""
        self._protected.add(normalise(winpath).upper())

    def unprotect(self, winpath: str) -> None:
        """Undo ``protect``."""
        self._protected.discard(normalise(winpath).upper())

    def lock(self, winpath: str) -> None:
        """Let another process hold the file open without sharing (WinError 32)."""
        self._in_use.add(normalise(winpath).upper())

    def unlock(self, winpath: str) -> None:
        """Undo ``lock``."""
        self._in_use.discard(normalise(winpath).upper())

    def _check_use(self, winpath: str) -> None:
        if normalise(winpath).upper() in self._in_use:
            raise WinError(SHARING_VIOLATION, winpath)

    def _check_change(self, winpath: str) -> None:
        self._check_use(winpath)
        path = normalise(winpath).upper()
        for held in self._protected:
            if path == held or path.startswith(held.rstrip("\\") + "\\"):
                raise WinError(ACCESS_DENIED, winpath)

    def _existing(self, winpath: str) -> Path:
        real = self.resolve(winpath)
        if not real.exists():
            code = FILE_NOT_FOUND if real.parent.is_dir() else PATH_NOT_FOUND
            raise WinError(code, winpath)
        return real
