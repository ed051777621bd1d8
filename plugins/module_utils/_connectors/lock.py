# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One change at a time in an organisation, each at the domain controller of the last.

Many hosts of an inventory can belong to one organisation, and Ansible works on them in parallel
processes. So a change is made under a lock of the organisation, and the domain controller it was
written to is remembered until the others must have received it. The lock ends with its process, so
runs wait for it without a limit of their own, as long as its steps are counted up in its file. All
are files in a private folder
of the user who runs Ansible. Other controllers are not kept away by this; the transaction itself
copes with them.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from .._base.alive import NO_LOCKS
from .._base.atomic_write import replace
from .._base.errors import ExchangeError

#: For so long the domain controller of a change is asked instead of any other: a week is the
#: longest interval at which Active Directory replicates between sites (3 hours by default).
REPLICATION = timedelta(days=7)
_LONGEST = 4096  # bytes of a note
_PAUSE = 0.1
_HOST = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){0,31}\Z")


@dataclass(frozen=True, slots=True)
class Written:
    """To which domain controller the last change of an organisation was written, and when (UTC)."""

    domain_controller: str
    when: datetime


@dataclass(slots=True)
class Held:
    """The lock of an organisation in a run's hand; ``steps`` it took since are in its file.

    ``within`` is for how many seconds a step may last at most. Without a handle nothing is locked.
    """

    within: float
    handle: int | None = None
    steps: int = 0

    def progress(self) -> None:
        """Show runs that wait that this one is at work. Never raises."""
        if self.handle is None:
            return
        self.steps += 1
        note = json.dumps({"process": os.getpid(), "steps": self.steps, "within": self.within})
        with contextlib.suppress(OSError):
            os.pwrite(self.handle, f"{note:<200}".encode(), 0)


@dataclass(frozen=True, slots=True)
class OrganisationLock:
    """The locks and notes of one user; without a folder nothing is locked or remembered."""

    folder: Path | None
    now: Callable[[], datetime]
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic

    @contextlib.contextmanager
    def held(self, key: str, within: float) -> Iterator[Held]:
        """Hold the lock of an organisation; waits for as long as its holder makes progress.

        ``within`` is the longest time of a step of this run, in seconds. Raises ExchangeError if
        the holder exceeded its own (its process is stopped), or if locking fails.
        """
        if self.folder is None:
            yield Held(within)
            return
        path = self._path(key, "lock")
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise _not_written(path, error) from error
        try:
            self._wait(handle, within)
            held = Held(within, handle)
            held.progress()
            yield held
        finally:
            os.close(handle)  # and with it the lock

    def _wait(self, handle: int, within: float) -> None:
        seen, since = b"", self.monotonic()
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise ExchangeError(
                        f"The organisation's lock failed ({error.strerror})."
                    ) from error
                return  # the transaction copes with another writer
            else:
                return
            note, now = os.pread(handle, _LONGEST, 0), self.monotonic()
            if note != seen:
                seen, since = note, now
            process, patience = _promise(note, within)
            if now - since > patience:
                raise ExchangeError(
                    f"The process {process} on this controller holds the organisation's lock, and"
                    f" has made no progress for {now - since:.0f} seconds.",
                    hint="It may be stopped (SIGSTOP). End it, and run again.",
                )
            self.sleep(_PAUSE)

    def last_written(self, key: str, *others: Written | None) -> Written | None:
        """Return the last change of an organisation that other domain controllers may not have yet.

        It is the one noted here, or one of ``others`` that is known from elsewhere. A time ahead of
        now is one before the clock was set back, so it counts as recent.
        """
        known = [each for each in (self._noted(key), *others) if each is not None]
        fits = [each for each in known if _HOST.match(each.domain_controller)]
        recent = [each for each in fits if self.now() - each.when <= REPLICATION]
        return max(recent, key=lambda each: each.when, default=None)

    def _noted(self, key: str) -> Written | None:
        note = self._read(key)
        try:
            when = datetime.fromisoformat(note["written"]).astimezone(UTC)
            if note["organisation"] != key or "+" not in note["written"]:
                return None
            return Written(str(note["domain_controller"]), when)
        except (KeyError, TypeError, ValueError, OverflowError):
            return None

    def remember(self, key: str, domain_controller: str) -> None:
        """Note the domain controller of the change to come.

        Raises ExchangeError where that fails: later runs would ask another one.
        """
        if self.folder is None:
            return
        note = {
            "organisation": key,
            "domain_controller": domain_controller,
            "written": self.now().isoformat(),
        }
        try:
            replace(self._path(key, "json"), [json.dumps(note).encode()], mode=0o600)
        except OSError as error:
            raise _not_written(self.folder, error) from error

    def first_to_show(self, key: str, run: str, what: str, host: str) -> str:
        """Return the host that first showed something of an organisation in a run, maybe ``host``.

        Hosts that compare at the same moment get the same answer. It is kept until the next run.
        """
        if self.folder is None:
            return host
        path = self._path(key, "shown")
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                hosts = _shown_by(file.read(_LONGEST), run)
                first = hosts.setdefault(hashlib.sha256(what.encode()).hexdigest()[:32], host)
                if first == host:
                    file.seek(0)
                    file.truncate()
                    file.write(json.dumps({"run": run, "hosts": hosts}).encode())
        except OSError:  # an audit never needs to write: then each host shows it
            return host
        return first

    def _read(self, key: str) -> dict[str, Any]:
        """Return the note, or nothing where it is not valid, or not this user's own."""
        if self.folder is None:
            return {}
        try:
            handle = os.open(self._path(key, "json"), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as file:
                status = os.fstat(handle)
                if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                    return {}
                note = json.loads(file.read(_LONGEST))
        except (OSError, ValueError, RecursionError):
            return {}
        return note if isinstance(note, dict) else {}

    def _path(self, key: str, kind: str) -> Path:
        folder = self.folder or Path()
        return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.{kind}"


def _not_written(path: Path, error: OSError) -> ExchangeError:
    return ExchangeError(
        f"The controller cannot write to {path} ({error.strerror}).", hint="Free space there."
    )


def _promise(note: bytes, within: float) -> tuple[str, float]:
    """Return the process that holds a lock, and how many seconds its next step may take."""
    try:
        fields = json.loads(note)
        return str(int(fields["process"])), float(fields["within"])
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
        return "of another run", within


def _shown_by(note: bytes, run: str) -> dict[str, str]:
    """Return the first host to show each digest in a run; nothing from a note that is not valid."""
    try:
        fields = json.loads(note)
        hosts = fields["hosts"] if fields["run"] == run else {}
    except (KeyError, TypeError, ValueError, RecursionError):
        return {}
    valid = isinstance(hosts, dict) and all(isinstance(host, str) for host in hosts.values())
    return hosts if valid else {}
