# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes that no test message has proved yet, noted beside their backups.

``untested.json`` is written before the first change, so it also outlives a run that is killed. Each
later run that shares the folder finds it, tests its domains, and takes out those that arrived.
While a run tests them it holds the lock of ``testing.lock``.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .._base import alive, atomic_write
from .._base.errors import ExchangeError, InvalidInput
from .._pairs.names import parse_domain

NOTE, _MARK = "untested.json", "testing.lock"
_FORMAT = 1
_LONGEST = 16_000_000  # bytes of a note
_LONGEST_TEXT = 500  # characters of a reason, or of a name of a run or host

#: How a run uses the notes: ``show`` them; ``keep`` them except of changes that it rolls back;
#: ``test`` their domains, and note its own change; ``forget`` them, as tests are switched off.
Use = Literal["show", "keep", "test", "forget"]

#: Verdicts of a test message after which nothing is left to prove: it arrived, it was handed to
#: the next relay, or the host has no way to send one (Exchange 4.0).
_PROVED = frozenset({"delivered", "relayed", "not_tested"})


@dataclass(frozen=True, slots=True)
class ProofPolicy:
    """How a run treats what is not proved.

    ``domains`` are those that get a test message after a change; None means all changed ones.
    """

    use: Use
    domains: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Unproved:
    """A domain with a changed way and no delivered test message since.

    ``run`` and ``since`` (ISO 8601) are of the change. ``verdict`` and ``reason`` are those of the
    last test message, empty without one. ``left_to`` is the run that tests it now.
    """

    domain: str
    backup: str
    run: str
    since: str
    verdict: str = ""
    reason: str = ""
    left_to: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return it as a result shows it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class _Note:
    """One file; ``tested_by`` is the run and the host that sent the last test messages."""

    run: str
    since: str
    domains: Mapping[str, Mapping[str, str]]
    tested_by: tuple[str, str] = ("", "")

    def render(self) -> str:
        facts = {
            "format": _FORMAT,
            "run": self.run,
            "since": self.since,
            "domains": self.domains,
            "tested_by": list(self.tested_by),
        }
        return json.dumps(facts, indent=1) + "\n"


@dataclass(slots=True)
class Proofs:
    """What is not proved of one installation, as a run on ``host`` finds and leaves it.

    ``run`` is its name. A lock that it holds ends with ``close``.
    """

    tests: ProofPolicy
    run: str
    host: str
    warnings: list[str] = field(default_factory=list)
    _backups: Sequence[Path] = ()
    _mine: dict[Path, _Note] = field(default_factory=dict)
    _left: dict[Path, tuple[_Note, str]] = field(default_factory=dict)
    _locks: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def read(self, folders: Sequence[Path], *, claim: bool) -> None:
        """Read the notes of backups, the newest first; with ``claim`` keep others from testing.

        A host of the same run that tests a domain now reports on it itself. Raises ExchangeError
        for a note that cannot be read: nothing is known of that change.
        """
        self._backups = folders
        for folder in folders:
            note = _read(folder / NOTE, self.host)
            if note is None:
                continue
            holder = self._holder(folder, claim=claim)
            run, host = note.tested_by
            if holder is None and self.run and run == self.run and host != self.host:
                self._left[folder] = note, ""  # another host of this run tested it just now
            elif holder is None:
                self._mine[folder] = note
            elif holder != self.run:
                self._left[folder] = note, holder

    def _holder(self, folder: Path, *, claim: bool) -> str | None:
        """Return which run tests the domains of a note now, None where none does."""
        path = folder / _MARK
        if claim:
            return None if self._hold(path) else _holder_in(path)
        return _holder_in(path) if alive.has_ended(path) is False else None

    def _hold(self, path: Path) -> bool:
        """Take the lock of a mark; False where another run has it.

        Without locks, or where nothing can be written, another run may test the same beside this.
        """
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError:
            return True
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        except OSError:
            os.close(handle)
            return True
        self._locks.callback(os.close, handle)
        with contextlib.suppress(OSError):
            os.ftruncate(handle, 0)
            os.pwrite(handle, (self.run or "?").encode(), 0)
        return True

    # -- a change

    def begin(self, backup: Path, domains: Iterable[str], since: str, *, everywhere: bool) -> None:
        """Note a change that is about to begin; ``everywhere`` if it concerns every domain.

        Raises ExchangeError where it cannot be written; nothing must be changed then.
        """
        if self.tests.use != "test":
            return
        wanted = self.tests.domains
        names = [name for name in map(_domain, domains) if name]
        chosen = names if wanted is None else [name for name in names if name in wanted]
        if everywhere:
            chosen += sorted(wanted or ())
        if not chosen:
            return
        note = _Note(self.run, since, {name: {} for name in chosen})
        self._hold(backup / _MARK)
        atomic_write.write(backup / NOTE, (note.render(),), "The note of tests", mode=0o600)
        self._mine[backup] = note

    def taken_back(self, backup: Path) -> None:
        """Forget a change that was taken back by its own run."""
        self._forget([backup])

    def rolled_back(self, source: Path) -> None:
        """Forget the changes since a backup that was put back."""
        if source in self._backups:
            self._forget(self._backups[: self._backups.index(source) + 1])

    # -- the end

    @property
    def domains(self) -> list[str]:
        """The domains that this run has to test."""
        return list(dict.fromkeys(name for note in self._mine.values() for name in note.domains))

    def forget(self, *, check_mode: bool) -> None:
        """Discard all notes, since tests are switched off; check mode only warns of it."""
        if names := self.domains:
            many = f" and {len(names) - 5} more" if len(names) > 5 else ""  # noqa: PLR2004
            would = "would no longer be" if check_mode else "is no longer"
            self.warnings.append(
                f"No test message proved the change of {', '.join(names[:5])}{many}; this {would}"
                " remembered, because tests are switched off."
            )
        if check_mode:
            self._mine.clear()
        else:
            self._forget(list(self._mine))

    def record(self, results: Iterable[Mapping[str, Any]], missing: Collection[str]) -> None:
        """Note the results of test messages; domains that are ``missing`` have nothing to prove."""
        tested = {str(one["domain"]): one for one in results}
        proved = {name for name, one in tested.items() if one["verdict"] in _PROVED}
        proved |= set(missing)
        for folder, note in list(self._mine.items()):
            left = {
                name: _outcome(tested[name]) if name in tested else known
                for name, known in note.domains.items()
                if name not in proved
            }
            if not left:
                self._forget([folder])
                continue
            by = (self.run, self.host) if not tested.keys().isdisjoint(left) else note.tested_by
            new = _Note(note.run, note.since, left, by)
            if new != note:
                self._mine[folder] = new
                try:
                    atomic_write.write(folder / NOTE, (new.render(),), "The note of tests")
                except ExchangeError as error:
                    self.warnings.append(error.message)

    def unproved(self) -> list[Unproved]:
        """Return the domains that are not proved now, each once, by its latest change."""
        found: dict[str, Unproved] = {}
        notes = [(folder, note, "") for folder, note in self._mine.items()]
        notes += [(folder, note, holder) for folder, (note, holder) in self._left.items()]
        for folder, note, holder in sorted(notes, key=lambda each: each[1].since):
            for name, last in note.domains.items():
                found[name] = Unproved(
                    name,
                    str(folder),
                    note.run,
                    note.since,
                    last.get("verdict", ""),
                    last.get("reason", ""),
                    holder,
                )
        return list(found.values())

    def close(self) -> None:
        """Let other runs test what is left. Never raises."""
        with contextlib.suppress(OSError):
            self._locks.close()

    def _forget(self, folders: Iterable[Path]) -> None:
        for folder in folders:
            self._mine.pop(folder, None)
            self._left.pop(folder, None)
            try:
                (folder / NOTE).unlink(missing_ok=True)
                (folder / _MARK).unlink(missing_ok=True)
            except OSError as error:
                self.warnings.append(
                    f"{folder / NOTE} cannot be removed ({error.strerror}): the next run tests"
                    " its domains again."
                )


def _outcome(result: Mapping[str, Any]) -> dict[str, str]:
    error = result.get("error") or {}
    parts = (error.get("code"), error.get("enhanced"), error.get("text"))
    text = " ".join(str(part) for part in parts if part) or str(result.get("reason") or "")
    return {"verdict": str(result["verdict"]), "reason": text[:_LONGEST_TEXT]}


def _domain(name: str) -> str:
    """Return a domain in canonical form, or an empty text for other names, such as ``*``."""
    try:
        return parse_domain(name)
    except InvalidInput:
        return ""


def _holder_in(mark: Path) -> str:
    try:
        with mark.open("rb") as file:
            return file.read(_LONGEST_TEXT).decode("utf-8", "replace") or "?"
    except OSError:
        return "?"


def _read(path: Path, host: str) -> _Note | None:
    """Return a note, or None if no file exists; raises ExchangeError if its content is invalid."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            content = file.read(_LONGEST + 1)
        if len(content) > _LONGEST:
            raise ValueError(f"it is longer than {_LONGEST} bytes")
        facts = json.loads(content)
        if facts["format"] != _FORMAT:
            raise ValueError("it is not of the format this version writes")
        run, host_of = facts["tested_by"]
        return _Note(
            _text(facts["run"]),
            _text(facts["since"]),
            {
                parse_domain(name): {key: _text(one[key]) for key in ("verdict", "reason") if one}
                for name, one in facts["domains"].items()
            },
            (_text(run), _text(host_of)),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise _unread(path, host, why or "it is not a note") from error
    except InvalidInput as error:
        raise _unread(path, host, error.message) from error


def _unread(path: Path, host: str, why: str) -> ExchangeError:
    return ExchangeError(
        f"{host}: {path} cannot be read ({why:.200}), so it is unknown which changes are tested.",
        hint="Correct its permissions, or delete it and test with delivery_test.",
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise ValueError(f"{value!r:.60} is not a text")
    return value
