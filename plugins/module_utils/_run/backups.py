# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups on the controller: ``BACKUP_DIR/NAME/STAMP/backup.json``, with other files beside it.

``NAME`` is the computer, or the organisation, that the backup is of. Backups are complete on the
disk before the first change there. They hold no secret, and are readable by their owner only, or by
the group that the options name. They are ordered by the time that each records, and used only where
no other user can have written them, see ``Access``.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from .._base import alive, atomic_write
from .._base.access import PRIVATE, Access, denied, why_not_kept
from .._base.errors import ExchangeError, InvalidInput
from .._base.texts import one_line
from .routes import NOTE_LIMIT

FACTS_FILE = "backup.json"
#: The author that a backup records; a test compares it with galaxy.yml.
COLLECTION = "postmaster.exchange 0.3.0"

_FORMAT = 1
# Facts of a backup's history, see ``facts``.
_CONTINUES, _BEFORE, _RESTORED = "continues", "before", "restored"
_MARK = "at-work.lock"

_STAMP_FORMAT = "%Y-%m-%dT%H%M%SZ"
_UNDONE = "-undone"
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d{6}Z)(?:-(\d{1,3}))?\Z", re.ASCII)
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,63}\Z")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)\Z", re.ASCII)
_MOST_IN_A_SECOND = 100
_LONGEST_NAME = 100
_MOST_NAMED = 5
#: How far the clocks of two controllers may be apart.
_SKEW = timedelta(minutes=5)
#: Bytes of backup.json, and of a file beside it, that are read, and so the most that is written.
MOST_BYTES = 64_000_000


class Unusable(ExchangeError):  # noqa: N818 - reads as what it is
    """A backup that cannot be put back; ``reason`` is why, without its place."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message, hint="Choose another backup.")
        self.reason = reason


def parse_run_id(given: str | None) -> str:
    """Check the option run_id, the name of a run in its backups; an empty text means no name.

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
    access: Access = PRIVATE

    @property
    def stamp(self) -> str:
        """When the backup was taken, as its name."""
        return self.path.name


def make_folder(base: Path, owner: str, now: datetime, access: Access = PRIVATE) -> Folder:
    """Make a new empty folder for a backup of ``owner``; ``now`` is in UTC.

    Raises ExchangeError, with nothing made, where it would be lost or others can write to it.
    """
    if why := why_not_kept(base):
        raise ExchangeError(
            f"{owner}: the backup cannot be kept in {base}: {why}.",
            hint="Choose a folder that lasts with backup_dir.",
        )
    parent = folder_of(base, owner)
    name = now.strftime(_STAMP_FORMAT)
    made: list[Path] = []
    try:
        _make_parents(parent, made, access)
        access.check(base, root=True)
        access.check(parent)
        for number in range(1, _MOST_IN_A_SECOND):
            path = parent / (name if number == 1 else f"{name}-{number}")
            with contextlib.suppress(FileExistsError):
                path.mkdir(mode=0o700)
                access.grant(path)
                return Folder(path, tuple(reversed(made)), access)
    except ExchangeError:
        _remove_empty(reversed(made))
        raise
    except PermissionError as error:
        _remove_empty(reversed(made))
        raise denied(parent, f"{owner}: the backup cannot be written to", error) from error
    except OSError as error:
        _remove_empty(reversed(made))
        raise _not_written(parent, owner, error) from error
    raise ExchangeError(f"{owner}: {parent} holds {_MOST_IN_A_SECOND} backups of this second.")


def folder_of(base: Path, owner: str) -> Path:
    """Return the folder of all backups of a computer or an organisation."""
    return base / _folder_name(owner)


def _folder_name(owner: str) -> str:
    """Return a folder's name for an owner: one path component, different for each owner.

    Case does not count. A name that loses letters ends in a digest of all of them, after a
    character that a complete name never contains.
    """
    whole = owner.lower()
    name = re.sub(r"[^a-z0-9._-]", "_", whole).lstrip(".")[:_LONGEST_NAME]
    if name == whole and name:
        return name
    return f"{name}~{hashlib.sha256(whole.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"


def _make_parents(path: Path, made: list[Path], access: Access) -> None:
    """Make a folder and those above it, each with its access; ``made`` gets the new ones."""
    if path.is_dir():
        return
    _make_parents(path.parent, made, access)
    with contextlib.suppress(FileExistsError):  # another run was faster
        path.mkdir(mode=0o700)
        made.append(path)
        access.grant(path)


def _remove_empty(folders: Iterable[Path]) -> None:
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _not_written(path: Path, host: str, error: OSError) -> ExchangeError:
    return ExchangeError(
        f"{host}: the backup cannot be written to {path} ({error.strerror}).",
        hint="Free space there, or choose another folder with backup_dir.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The facts that every backup records about the change it precedes.

    ``owner`` is what it is of, and ``host`` the inventory's name that led there. ``run`` is the run
    that takes it, if that has a name, and ``note`` why it is made. ``restores`` is the backup that
    the change puts back, if it does. ``continues`` is the name of an older backup where a broken
    run had changed things already: that holds what was there before.
    """

    owner: str
    host: str
    run: str = ""
    note: str = ""
    restores: Path | None = None
    continues: str = ""

    def facts(self, now: datetime) -> dict[str, Any]:
        """Return it as backup.json has it."""
        return {
            "format": _FORMAT,
            "collection": COLLECTION,
            "taken": now.astimezone(UTC).isoformat(timespec="seconds"),
            "of": self.owner,
            "host": self.host,
            "run": self.run,
            "note": self.note,
            _BEFORE: _RESTORED if self.restores else "enforced",
            "restored_run": about(self.restores).run if self.restores else "",
            _CONTINUES: self.continues,
        }


def write(
    folder: Folder, host: str, facts: Mapping[str, object], files: Mapping[str, bytes]
) -> None:
    """Write a backup so that it is on the disk when this returns; the facts last.

    A folder without its facts does not count as a backup. A file too long to read back is refused.
    A failure leaves nothing of the folder.
    """
    content = (json.dumps(facts, indent=2, sort_keys=True) + "\n").encode()
    everything = {**files, FACTS_FILE: content}
    if too_long := [name for name, data in everything.items() if len(data) > MOST_BYTES]:
        discard(folder)
        raise ExchangeError(f"{host}: the backup's {too_long[0]} exceeds {MOST_BYTES} bytes.")
    try:
        for name, data in everything.items():
            put_file(folder.path / name, data, folder.access)
        atomic_write.sync_folder(folder.path.parent)
    except OSError as error:
        discard(folder)
        raise _not_written(folder.path, host, error) from error


def put_file(path: Path, data: bytes, access: Access) -> None:
    """Write a file of a backup in one step. Raises OSError."""
    atomic_write.replace(path, [data], mode=0o600)
    access.grant(path)


def grant(folder: Folder) -> None:
    """Give all files of a backup their mode and group. Never raises."""
    with contextlib.suppress(OSError):
        for path in folder.path.iterdir():
            folder.access.grant(path)


def discard(folder: Folder) -> None:
    """Remove a backup that nothing needs, since nothing was changed after it; never raises."""
    with contextlib.suppress(OSError):
        for path in folder.path.iterdir():
            path.unlink()
        _remove_empty((folder.path, *folder.made))


def put_aside(path: Path) -> Path:
    """Rename the backup of a run that put back all its changes: it no longer counts as the newest.

    Only its name finds it then. Returns the new path, or the old one if renaming fails.
    """
    aside = path.with_name(f"{path.name}{_UNDONE}")
    try:
        return path.rename(aside)
    except OSError:
        return path


# -- what there is


@dataclass(frozen=True, slots=True)
class Entry:
    """A complete backup with the facts it records, which are empty if it cannot be read.

    The whole of it is not kept, since there may be thousands of large ones.
    """

    path: Path
    about: About
    readable: bool
    domain_controller: str = ""

    @classmethod
    def of(cls, path: Path) -> Entry:
        """Read a backup."""
        known = _facts(path)
        where = known.get("domain_controller")
        return cls(path, _about(known), bool(known), where if isinstance(where, str) else "")

    @property
    def undone(self) -> bool:
        """Whether its run put back all that it changed."""
        return self.path.name.endswith(_UNDONE)

    @property
    def order(self) -> tuple[datetime, int]:
        """The recorded time and its number within the second; its name gives the time otherwise."""
        stamp = _STAMP.match(self.path.name.removesuffix(_UNDONE))
        if stamp is None:
            raise ValueError(f"{self.path} is not a backup")
        taken = self.about.time or datetime.strptime(stamp[1], _STAMP_FORMAT).replace(tzinfo=UTC)
        return taken, int(stamp[2] or 1)


@dataclass(frozen=True, slots=True)
class Shelf:
    """The backups in one folder of all backups, as far as they are to be believed at a moment."""

    base: Path
    access: Access = PRIVATE
    now: datetime | None = None

    def entries(self, folder: Path, *, undone: bool = False) -> list[Entry]:
        """Return the complete backups in a folder, the oldest first, none of the future.

        Raises ExchangeError where the folder cannot be read, or others may have written to it.
        """
        found = sorted(self._all(folder, undone=undone), key=lambda entry: entry.order)
        latest = None if self.now is None else self.now + _SKEW
        return [entry for entry in found if latest is None or entry.order[0] <= latest]

    def _all(self, folder: Path, *, undone: bool) -> Iterator[Entry]:
        names = _names_in(folder)
        stamps = [n for n in names if _STAMP.match(n.removesuffix(_UNDONE) if undone else n)]
        if stamps:
            self._check(*([self.base] if folder.parent == self.base else []), folder)
        for name in stamps:
            path = folder / name
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                self._check(path, path / FACTS_FILE)
                yield Entry.of(path)

    def _check(self, *paths: Path) -> None:
        try:
            for path in paths:
                self.access.check(path, root=path == self.base)
        except PermissionError as error:
            raise denied(paths[-1], "The backup cannot be read:", error) from error

    def named(self, folder: Path) -> bool:
        """True for the folder of a complete backup; raises if other users can write it."""
        try:
            (folder / FACTS_FILE).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise denied(folder, "The backup cannot be read:", error) from error
        self._check(folder.parent, folder, folder / FACTS_FILE)
        return True

    def owners(self) -> list[Path]:
        """Return the folders of all computers and organisations."""
        folders = [self.base / name for name in sorted(_names_in(self.base))]
        return [folder for folder in folders if folder.is_dir() and not folder.is_symlink()]


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise denied(folder, "The backups cannot be read:", error) from error


def every(base: Path, owner: str, access: Access = PRIVATE) -> list[Path]:
    """Return the folders of all complete backups of an owner, the newest first."""
    found = Shelf(base, access).entries(folder_of(base, owner))
    return [entry.path for entry in reversed(found)]


def find(
    path: Path,
    owner: str,
    *,
    kind: str = "this host",
    host: str = "",
    shelf: Shelf | None = None,
) -> Path:
    """Return the folder of the backup that ``path`` means.

    ``path`` is such a folder (the folder of the owner may be left out), its backup.json, an owner's
    folder, or the folder of all; of several backups the newest is meant that no restore made, or
    the one it continues, see ``Origin``. In place of the name of a folder there may be that of a
    run: what was there before it is meant.
    ``kind`` is what messages call what the backup is of, and ``host`` the inventory's name for it.
    Raises ExchangeError if none is found; its message lists the folders with backups of ``host``.
    """
    shelf = shelf or Shelf(path)
    if path.name == FACTS_FILE:
        path = path.parent
    for folder in (path, path.parent / _folder_name(owner) / path.name):
        if shelf.named(folder):
            return folder
    for folder in (path / _folder_name(owner), path):
        # If those of restores counted, two runs, or two hosts of one organisation, would put back
        # what the other put back; and one that is run again would go the wrong way.
        entries = shelf.entries(folder)
        if entries := [entry for entry in entries if entry.about.before != _RESTORED]:
            return _first_of(shelf, folder, entries[-1], owner)
    for folder in (path.parent / _folder_name(owner), path.parent):
        entries = shelf.entries(folder)
        for entry in entries:  # the oldest of several is what was before the run
            if entry.about.run == path.name:
                return _first_of(shelf, folder, entry, owner)
        if unread := [entry.path for entry in entries if not entry.readable]:
            raise Unusable(
                f"{owner}: the backup in {unread[-1]} cannot be read, and may be that of"
                f" {path.name}.",
                reason="it cannot be read",
            )
    raise _no_backup(path, owner, kind, host)


def _no_backup(path: Path, owner: str, kind: str, host: str) -> ExchangeError:
    """Return the error, with the names under which there are backups."""
    base = path if path.is_dir() else path.parent
    others: dict[str, None] = {}
    for folder in Shelf(base).owners():
        for stamp in filter(_STAMP.match, _names_in(folder)):
            known = _about(_facts(folder / stamp))
            if host and known.host.lower() == host.lower() and known.of:
                others[known.of] = None
    also = f" Under this name there are backups of {_listed(others)}." if others else ""
    return ExchangeError(
        f"{owner}: no backup of {kind} was found in {path}.{also}",
        hint=f"Name a folder that holds {FACTS_FILE}, one that holds such folders, or a run.",
        details={"no_backup": True},
    )


def _listed(names: Iterable[str]) -> str:
    given = list(names)
    more = len(given) - _MOST_NAMED
    return ", ".join(given[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _first_of(shelf: Shelf, folder: Path, entry: Entry, owner: str) -> Path:
    """Return a backup, or what was there before the broken run that it came after."""
    first = entry.about.continues
    if not first:
        return entry.path
    if shelf.named(folder / first):
        return folder / first
    raise ExchangeError(
        f"{owner}: the backup {entry.path.name} was taken after an interrupted run had begun."
        f" The original state is in the backup {first}, which is missing from {folder}.",
        hint=f"Copy it from the controller of that run, or name {entry.path} to restore the state"
        " that the run left.",
    )


# -- the last run


@dataclass(frozen=True, slots=True)
class LastRun:
    """The run that a rollback without a name undoes; ``of`` is what it changed, by its names."""

    id: str
    began: datetime
    of: tuple[str, ...]
    hosts: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as a result has it."""
        began = self.began.strftime("%Y-%m-%d %H:%M UTC")
        return {"run": self.id, "began": began, "of": list(self.of), "hosts": list(self.hosts)}


def last_run(shelf: Shelf) -> LastRun:
    """Return the last run that changed anything, from the backups of all.

    Raises ExchangeError if no backup exists, or if several runs could be the last.
    """
    undone = [e for folder in shelf.owners() for e in shelf.entries(folder, undone=True)]
    found = sorted(undone, key=lambda entry: entry.order)
    runs = [entry for entry in found if entry.about.before != _RESTORED]
    if not runs:
        raise ExchangeError(
            f"No backup was found in {shelf.base}.",
            hint="Set mx_delivery_backup_dir to the folder of the backups.",
            details={"no_backup": True},
        )
    newest = runs[-1]
    name = newest.about.run
    if not name:
        raise _unclear(f"The newest backup, {newest.path}, does not name its run")
    mine = [entry for entry in runs if entry.about.run == name]
    began = mine[0].order
    if others := [e.about.run or e.path.name for e in runs if e.order > began and e not in mine]:
        raise _unclear(f"The runs {name} and {_listed(dict.fromkeys(others))} overlap")
    later = [e for e in found if e.about.before == _RESTORED and e.order > mine[-1].order]
    if others := [e.about.restored_run for e in later if e.about.restored_run not in ("", name)]:
        raise _unclear(f"After the last run, {name}, the run {others[-1]} was undone")
    standing = [entry for entry in mine if not entry.undone]
    if not standing:
        before = next((e.about.run for e in reversed(runs) if e.about.run not in ("", name)), "")
        hint = f" The run before it is {before}" if before else ""
        raise _unclear(f"The last run, {name}, put back all that it had changed.{hint}")
    of = dict.fromkeys(entry.about.of for entry in standing)
    hosts = dict.fromkeys(entry.about.host for entry in standing)
    return LastRun(name, began[0], tuple(of), tuple(hosts))


def _unclear(why: str) -> ExchangeError:
    return ExchangeError(
        f"{why}.",
        hint="Set mx_delivery_backup to the run or backup to go back to (-e mx_delivery_list=true"
        " lists them).",
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
    """Remove the marks of all runs that ended, after a later run reached its required state."""
    for name in _unfinished(parent):
        alive.forget(parent / name / _MARK)


def before_broken_runs(parent: Path) -> str:
    """Return which backup holds what was there before the runs that broke off, or nothing."""
    names = _unfinished(parent)
    return (about(parent / names[-1]).continues or names[-1]) if names else ""


def _unfinished(parent: Path) -> list[str]:
    """Return the names of the backups of interrupted runs, oldest first."""
    marked = filter(_STAMP.match, _names_in(parent))
    paths = [parent / name for name in marked if alive.has_ended(parent / name / _MARK)]
    found = (Entry.of(path) for path in paths if (path / FACTS_FILE).is_file())
    return [entry.path.name for entry in sorted(found, key=lambda entry: entry.order)]


# -- the facts of a backup


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
    except PermissionError as error:
        raise denied(folder / FACTS_FILE, "The backup cannot be read:", error) from error
    except (OSError, ValueError, RecursionError):
        if strict:
            raise
        return {}
    return facts if isinstance(facts, dict) else {}


@dataclass(frozen=True, slots=True)
class About:
    """The facts that a backup records; a missing or implausible one is empty.

    ``note`` is why its run was made, as one line.

    ``taken`` is a time in ISO 8601. ``before`` is what the run was going to do: ``enforced`` or
    ``restored``, and ``restored_run`` which run that undid. ``of`` and ``host`` are what it is of,
    and the inventory's name then.
    """

    taken: str = ""
    run: str = ""
    before: str = ""
    restored_run: str = ""
    continues: str = ""
    of: str = ""
    host: str = ""
    note: str = ""

    @property
    def time(self) -> datetime | None:
        """When it was taken."""
        try:
            return datetime.fromisoformat(self.taken).astimezone(UTC) if self.taken else None
        except (ValueError, OverflowError):
            return None


def about(folder: Path) -> About:
    """Return the facts that a backup records."""
    return _about(_facts(folder))


def _about(known: Mapping[str, Any]) -> About:
    def text(name: str, form: re.Pattern[str] | None = None) -> str:
        value = known.get(name)
        return value if isinstance(value, str) and (form is None or form.match(value)) else ""

    before = text(_BEFORE)
    return About(
        taken=text("taken", _TIME),
        run=text("run", _RUN),
        before=before if before in ("enforced", _RESTORED) else "",
        restored_run=text("restored_run", _RUN),
        continues=text(_CONTINUES, _STAMP),
        of=text("of")[:_LONGEST_NAME],
        host=text("host")[:_LONGEST_NAME],
        note=one_line(text("note"), NOTE_LIMIT),
    )


def facts_since(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the facts of the backups taken after one beside it, as far as they can be read."""
    paths = [folder.parent / name for name in _names_in(folder.parent) if _STAMP.match(name)]
    entries = {path: Entry.of(path) for path in paths}
    if folder in entries:
        first = entries[folder].order
        later = [entry for entry in entries.values() if entry.order > first]
        yield from (_facts(x.path) for x in sorted(later, key=lambda entry: entry.order))
