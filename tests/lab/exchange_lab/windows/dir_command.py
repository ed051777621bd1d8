# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The DIR command."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from .commands import FAILED, OK, Builtin, Context, Outcome
from .errors import FILE_NOT_FOUND, PATH_NOT_FOUND, WinError
from .filesystem import FileSystem
from .loops import wildcard

_FREE = 10_737_418_240  # bytes free that a disk without a quota shows


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    path: str
    is_dir: bool
    size: int
    time: float


def list_directory(context: Context) -> Outcome:
    """``dir [/b] [/s] [/a[-]d] [/o[-]n|d|s] [PATTERN]``."""
    switches, words = context.switches_and_words()
    pattern = words[0] if words else "."
    try:
        files, folder, mask = _split(context, pattern)
    except WinError as exc:
        return context.fault(exc.code)
    bare = "b" in switches
    if not bare:
        context.say("volume", folder[0])
        context.say("directory_of", folder)
    try:
        entries = list(_entries(files, folder, mask, deep="s" in switches))
    except WinError as exc:
        if bare and exc.code in {FILE_NOT_FOUND, PATH_NOT_FOUND}:
            context.complain("file_not_found")
            return FAILED
        return context.fault(exc.code)
    shown = _sorted([entry for entry in entries if _wanted(entry, switches)], switches)
    if not shown:
        context.complain("file_not_found")
        return FAILED
    for entry in shown:
        if bare:
            context.out(f"{entry.path if 's' in switches else entry.name}\r\n")
        else:
            context.out(_line(entry))
    if not bare:
        _summary(context, files, shown)
    return OK


def _split(context: Context, pattern: str) -> tuple[FileSystem, str, str]:
    """Return file system, local folder and name pattern of what was typed."""
    folder, backslash, name = pattern.replace("/", "\\").rpartition("\\")
    if not set(name) & {"*", "?"}:
        files, local = context.shell.locate(pattern)
        if files.is_dir(local):
            return files, local, "*"
    files, local = context.shell.locate(folder + backslash or ".")
    return files, local, name or "*"


def _entries(files: FileSystem, folder: str, mask: str, *, deep: bool) -> Iterable[_Entry]:
    base = folder.rstrip("\\")
    paths = files.walk(folder) if deep else (f"{base}\\{name}" for name in files.listdir(folder))
    for path in paths:
        name = path.rpartition("\\")[2]
        if wildcard(name, mask):
            with contextlib.suppress(WinError):  # deleted by somebody else meanwhile
                found = files.stat(path)
                is_dir = files.is_dir(path)
                yield _Entry(name, path, is_dir, 0 if is_dir else found.st_size, found.st_mtime)


def _wanted(entry: _Entry, switches: set[str]) -> bool:
    attributes = next((switch[1:] for switch in switches if switch.startswith("a")), "")
    if "-d" in attributes:
        return not entry.is_dir
    return entry.is_dir if "d" in attributes else True


def _sorted(entries: list[_Entry], switches: set[str]) -> list[_Entry]:
    order = next((switch[1:].lstrip(":") for switch in switches if switch.startswith("o")), "")
    backwards = order.startswith("-")
    match order.lstrip("-")[:1]:
        case "d":
            return sorted(entries, key=lambda entry: entry.time, reverse=backwards)
        case "s":
            return sorted(entries, key=lambda entry: entry.size, reverse=backwards)
        case "n":
            return sorted(entries, key=lambda entry: entry.name.upper(), reverse=backwards)
    return entries


def _line(entry: _Entry) -> str:
    when = datetime.fromtimestamp(entry.time).strftime("%m/%d/%Y  %I:%M %p")
    middle = "    <DIR>         " if entry.is_dir else f"{entry.size:>18,}"
    return f"{when}{middle} {entry.name}\r\n"


def _summary(context: Context, files: FileSystem, entries: list[_Entry]) -> None:
    plain = [entry for entry in entries if not entry.is_dir]
    free = _FREE if files.quota_bytes is None else files.quota_bytes - files.used_bytes()
    context.say("dir_files", len(plain), f"{sum(entry.size for entry in plain):,}")
    context.say("dir_dirs", len(entries) - len(plain), f"{max(0, free):,}")


DIR_BUILTINS: dict[str, Builtin] = {"dir": list_directory}
