# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups on the controller: ``BACKUP_DIR/NAME/STAMP/backup.json``, with other files beside it.

``NAME`` is the host, or the organisation, that the backup is of. Backups are complete on the disk
before the first change there. They hold no secret, and are readable by their owner only.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .._base import alive
from .._base.errors import ExchangeError, InvalidInput

FACTS_FILE = "backup.json"
#: Who made a backup, as it says itself; a test holds it against galaxy.yml.
COLLECTION = "postmaster.exchange 0.3.0"

_FORMAT = 1
# Facts of a backup's history, see ``facts``.
_CONTINUES, _BEFORE, _RESTORED = "continues", "before", "restored"
_MARK = "at-work.lock"

_STAMP_FORMAT = "%Y-%m-%dT%H%M%SZ"
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d{6}Z)(?:-(\d{1,3}))?\Z")
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,63}\Z")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)\Z", re.ASCII)
_MOST_IN_A_SECOND = 100
#: Bytes of backup.json, and of a file beside it, that are read, and so the most that is written.
MOST_BYTES = 64_000_000


class Unusable(ExchangeError):  # noqa: N818 - reads as what it is
    """A backup that cannot be put back; ``reason`` is why, without its place."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message, hint="Choose another backup.")
        self.reason = reason


def parse_run_id(given: str | None) -> str:
    """Check the option run_id, the name of a run in its backups; nothing stands for none.

    It is on command lines and in folders' listings, so it has neither spaces nor slashes.
    """
    if given and not _RUN.match(given):
        raise InvalidInput(
            "run_id must be 1 to 64 letters, digits and . _ : + -, and begin with a letter or"
            f" digit, not {given!a:.80}."
        )
    return given or ""


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of one backup; ``stamp`` is its name here and on the host.

    ``made`` are the folders above it that were made with it, the innermost first.
    """

    path: Path
    made: tuple[Path, ...] = ()

    @property
    def stamp(self) -> str:
        """When the backup was taken, as its name."""
        return self.path.name


def make_folder(base: Path, host: str, now: datetime) -> Folder:
    """Make a new empty folder for a backup of ``host``; ``now`` is in UTC."""
    parent = folder_of(base, host)
    name = now.strftime(_STAMP_FORMAT)
    made: list[Path] = []
    try:
        _make_parents(parent, made)
        for number in range(1, _MOST_IN_A_SECOND):
            path = parent / (name if number == 1 else f"{name}-{number}")
            with contextlib.suppress(FileExistsError):
                path.mkdir(mode=0o700)
                return Folder(path, tuple(reversed(made)))
    except OSError as error:
        _remove_empty(reversed(made))
        raise _not_written(parent, host, error) from error
    raise ExchangeError(f"{host}: {parent} holds {_MOST_IN_A_SECOND} backups of this second.")


def folder_of(base: Path, host: str) -> Path:
    """Return the folder of all backups of ``host``."""
    return base / _folder_name(host)


def _folder_name(host: str) -> str:
    """Return the name of a host as the name of a folder, never one that leads elsewhere."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", host).lstrip(".") or "_"


def _make_parents(path: Path, made: list[Path]) -> None:
    """Make a folder and those above it, each for its owner only; ``made`` gets the new ones."""
    if path.is_dir():
        return
    _make_parents(path.parent, made)
    with contextlib.suppress(FileExistsError):  # another run was faster
        path.mkdir(mode=0o700)
        made.append(path)


def _remove_empty(folders: Iterable[Path]) -> None:
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _not_written(path: Path, host: str, error: OSError) -> ExchangeError:
    return ExchangeError(
        f"{host}: the backup cannot be written to {path} ({error.strerror}).",
        hint="Free space there, or choose another folder with backup_dir.",
    )


def facts(now: datetime, *, run: str, restores: bool, continues: str) -> dict[str, Any]:
    """Return what every backup says of itself; ``run`` is which run takes it, if that has a name.

    ``restores`` where the change to come puts a backup back. ``continues`` is the name of an older
    backup where a broken run had changed things already: that holds what was there before.
    """
    return {
        "format": _FORMAT,
        "collection": COLLECTION,
        "taken": now.astimezone(UTC).isoformat(timespec="seconds"),
        "run": run,
        _BEFORE: _RESTORED if restores else "enforced",
        _CONTINUES: continues,
    }


def write(
    folder: Folder, host: str, facts: Mapping[str, object], files: Mapping[str, bytes]
) -> None:
    """Write a backup so that it is on the disk when this returns; the facts last.

    A folder without its facts is no backup. One that could not be read back is not written. On
    failure nothing of the folder is left.
    """
    content = (json.dumps(facts, indent=2, sort_keys=True) + "\n").encode()
    everything = {**files, FACTS_FILE: content}
    if too_long := [name for name, data in everything.items() if len(data) > MOST_BYTES]:
        discard(folder)
        raise ExchangeError(f"{host}: the backup's {too_long[0]} exceeds {MOST_BYTES} bytes.")
    try:
        for name, data in everything.items():
            partial = folder.path / f"{name}.partial"
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(folder.path / name)
        _sync(folder.path)
        _sync(folder.path.parent)
    except OSError as error:
        discard(folder)
        raise _not_written(folder.path, host, error) from error


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def discard(folder: Folder) -> None:
    """Remove a backup that nothing needs, since nothing was changed after it; never raises."""
    with contextlib.suppress(OSError):
        for path in folder.path.iterdir():
            path.unlink()
        _remove_empty((folder.path, *folder.made))


def put_aside(path: Path) -> Path:
    """Rename a backup whose run put back all that it changed: then it is no newest one any more.

    It is found by its name only. Returns the new path, or the old one where that cannot be.
    """
    aside = path.with_name(f"{path.name}-undone")
    try:
        return path.rename(aside)
    except OSError:
        return path


def find(path: Path, host: str, *, kind: str = "this host") -> Path:
    """Return the folder of the backup that ``path`` means.

    ``path`` is such a folder (the folder of the host may be left out), its backup.json, a host's
    folder, or the folder of all hosts; of several backups the newest is meant that no restore made,
    or the one it continues, see ``facts``. In place of the name of a folder there may be that of
    a run: what was there before it is meant.
    ``kind`` is what messages call what the backup is of. Raises ExchangeError when there is none.
    """
    if path.name == FACTS_FILE:
        path = path.parent
    for folder in (path, path.parent / _folder_name(host) / path.name):
        if (folder / FACTS_FILE).is_file():
            return folder
    for folder in (path / _folder_name(host), path):
        if stamps := _before_changes(folder):
            return _first_of(folder, stamps, host)
    for folder in (path.parent / _folder_name(host), path.parent):
        for stamp in _stamps_in(folder):  # the oldest of several is what was before the run
            if about(folder / stamp).run == path.name:
                return folder / stamp
    raise ExchangeError(
        f"{host}: there is no backup of {kind} in {path}.",
        hint=f"Name a folder that holds {FACTS_FILE}, one that holds such folders, or a run.",
        details={"no_backup": True},
    )


# -- broken runs that only their controller knows of


@contextlib.contextmanager
def at_work(folder: Folder, host: str) -> Iterator[None]:
    """Mark a backup as that of a run at work; the mark stays until ``settled`` or ``withdrawn``.

    Raises ExchangeError where the mark cannot be made.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(alive.hold(folder.path / _MARK))
        except OSError as error:
            discard(folder)
            raise _not_written(folder.path, host, error) from error
        yield


def withdrawn(folder: Folder) -> None:
    """Take the mark from a backup: the run put back all that it had changed."""
    alive.forget(folder.path / _MARK)


def settled(parent: Path) -> None:
    """Take the marks of all runs that ended: things are as a later run was told to make them."""
    for name in _unfinished(parent):
        alive.forget(parent / name / _MARK)


def before_broken_runs(parent: Path) -> str:
    """Return which backup holds what was there before the runs that broke off, or nothing."""
    names = _unfinished(parent)
    return (continues(parent / names[-1]) or names[-1]) if names else ""


def _unfinished(parent: Path) -> list[str]:
    return [name for name in _stamps_in(parent) if alive.has_ended(parent / name / _MARK)]


# -- finding one


def _first_of(folder: Path, stamps: Sequence[str], host: str) -> Path:
    """Return the newest backup, or what was there before the broken run that it came after."""
    first = continues(folder / stamps[-1]) or stamps[-1]
    if (folder / first / FACTS_FILE).is_file():
        return folder / first
    raise ExchangeError(
        f"{host}: the newest backup, {stamps[-1]}, was taken when a broken run had changed things"
        f" already. What was there before is in the backup {first}, which is not in {folder}.",
        hint=f"Take it from the controller of that run; or name {folder / stamps[-1]} to go back to"
        " what that run had left.",
    )


def continues(folder: Path) -> str:
    """Return the name of the backup that this one continues, or nothing."""
    name = _facts(folder).get(_CONTINUES)
    return name if isinstance(name, str) and _STAMP.match(name) else ""


def _before_changes(folder: Path) -> list[str]:
    """Return the names of complete backups that no restore made, the oldest first.

    If those counted, two runs, or two hosts of one organisation, would put back what the other put
    back; and one that is run again, since it was interrupted, would go the wrong way.
    """
    names = _stamps_in(folder)
    return [name for name in names if _facts(folder / name).get(_BEFORE) != _RESTORED]


def read_facts(folder: Path) -> dict[str, Any]:
    """Return the facts of a backup; raises OSError, or ValueError with the reason."""
    facts = _facts(folder, strict=True)
    if facts.get("format") != _FORMAT:
        raise ValueError(f"{FACTS_FILE} is not of the format this version writes")
    return facts


def _facts(folder: Path, *, strict: bool = False) -> dict[str, Any]:
    """Return the facts of a backup, or nothing; ``strict`` raises where they cannot be read."""
    try:
        with (folder / FACTS_FILE).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError(f"{FACTS_FILE} is longer than {MOST_BYTES} bytes")
        facts = json.loads(content)
    except (OSError, ValueError, RecursionError):
        if strict:
            raise
        return {}
    return facts if isinstance(facts, dict) else {}


@dataclass(frozen=True, slots=True)
class About:
    """What a backup says of itself; each is empty where it does not say it, or not credibly.

    ``taken`` is a time in ISO 8601. ``before`` is what the run was going to do: ``enforced`` or
    ``restored``.
    """

    taken: str = ""
    run: str = ""
    before: str = ""


def about(folder: Path) -> About:
    """Return what a backup says of itself; never raises."""
    known = _facts(folder)
    taken, run, before = (known.get(key) for key in ("taken", "run", _BEFORE))
    return About(
        taken=taken if isinstance(taken, str) and _TIME.match(taken) else "",
        run=run if isinstance(run, str) and _RUN.match(run) else "",
        before=before if before in ("enforced", "restored") else "",
    )


def every(base: Path, host: str) -> list[Path]:
    """Return the folders of all complete backups of a host, the newest first."""
    folder = folder_of(base, host)
    return [folder / stamp for stamp in reversed(_stamps_in(folder))]


def _stamps_in(folder: Path) -> list[str]:
    """Return the names of complete backups, the oldest first."""
    try:
        names = [match for match in map(_STAMP.match, os.listdir(folder)) if match]  # noqa: PTH208
    except OSError:
        return []
    names.sort(key=lambda match: (match[1], int(match[2] or 1)))
    return [match[0] for match in names if (folder / match[0] / FACTS_FILE).is_file()]
