# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a host with an Internet Mail Connector, and the notes that runs leave.

The journal of a run is written and read back before its first change, and removed when the run is
complete or completely rolled back. A run that finds one, and no lease of a live run, knows that an
earlier run broke off, where its backup is, and whether the service was running before.

The note of a pending restart stays when settings were changed under a running service that was not
restarted. It names the service's process: the restart is done once another one runs, or none.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .._remote.parse import RegistryValue
from .host import VALUE_NAME, Service
from .host_lock import Lease
from .routes import RoutesFile
from .seen import NOTHING_SEEN, SeenMail

#: Names of the temporary files of this collection.
TEMP_NAME = re.compile(r"pmx-[0-9a-f]{16}\.txt")

_JOURNAL_TITLE = "postmaster.exchange imc_delivery at work"
_RESTART_TITLE = "postmaster.exchange imc_delivery restart pending"
_END = "end"
_PROCESS = re.compile(r"[0-9]{1,10}\Z")
_STAMP = re.compile(r"[0-9A-Za-z-]{1,40}\Z")


@dataclass(frozen=True, slots=True)
class Table:
    """The delivery route table as imccopy saved it.

    ``imccopy`` is the command that saved it. ``inexact`` is the reason why ``content`` may differ
    from the saved bytes; then the table can be compared, but not be written.
    """

    imccopy: str
    content: bytes
    file: RoutesFile
    inexact: str = ""


@dataclass(frozen=True, slots=True)
class Journal:
    """The journal of a run: ``stamp`` names its backup, and is empty where nothing was changed yet.

    ``was_running`` is what the service has to be again in the end. ``temp`` is the name of the
    temporary file that the run may have left.
    """

    stamp: str
    was_running: bool
    temp: str = ""

    def lines(self) -> list[str]:
        """Return the journal as lines of plain ASCII text."""
        return [
            _JOURNAL_TITLE,
            f"backup={self.stamp}",
            *([f"temp={self.temp}"] if self.temp else []),
            f"service={'running' if self.was_running else 'stopped'}",
        ]

    @classmethod
    def parse(cls, content: bytes) -> Journal:
        """Read a journal.

        One that is not whole was being written when its run broke off. A run changes nothing before
        it has read its journal back, so that run changed nothing.
        """
        fields = _fields(content)
        stamp, service = fields.get("backup", ""), fields.get("service", "")
        titled = fields.get("") == _JOURNAL_TITLE
        if not (titled and _STAMP.match(stamp) and service in {"running", "stopped"}):
            return cls("", was_running=False)
        temp = fields.get("temp", "")
        return cls(stamp, service == "running", temp if TEMP_NAME.fullmatch(temp) else "")


@dataclass(frozen=True, slots=True)
class PendingRestart:
    """The process of the service that was not restarted after a change, and the one there is now.

    None where that is not known.
    """

    process: int | None
    now: int | None = None

    @property
    def done(self) -> bool:
        """True if that process has certainly ended, so that a later one loaded the settings."""
        return None not in (self.process, self.now) and self.process != self.now

    def lines(self) -> list[str]:
        """Return the note as lines of plain ASCII text."""
        process = "unknown" if self.process is None else self.process
        return [_RESTART_TITLE, f"process={process}", _END]

    @classmethod
    def parse(cls, content: bytes, now: int | None) -> PendingRestart:
        """Read the note; a broken one names no process. ``now`` is the present one."""
        fields = _fields(content)
        number = fields.get("process", "")
        whole = fields.get("") == _RESTART_TITLE and _END in fields
        return cls(int(number) if whole and _PROCESS.match(number) else None, now)


def _fields(content: bytes) -> dict[str, str]:
    """Return the values of a note by name; the title under an empty name."""
    lines = content.decode("latin-1").splitlines()
    return {**dict(line.partition("=")[::2] for line in lines[1:]), "": "".join(lines[:1])}


@dataclass(frozen=True, slots=True)
class HostState:
    """A host at one moment.

    ``value`` is the registry value as stored, spelling included, or None if absent.
    ``table`` is None where it was not asked for or, with ``no_imccopy``, where no imccopy exists.
    ``build`` is NewestBuild, 837 to 996 for Exchange 4.0, 1457 to 1460 for 5.0, 1960 to 2653 for
    5.5; None if unknown or not read. ``tracking_folder`` is empty then.
    ``journal`` is that of a run at work, or of one that broke off, ``lease`` that of a run that
    has, or had, the host for itself. ``cluster`` is whether the host is a node of a cluster,
    ``seen`` what its queue and logs show, where a plan needs that. ``computer`` is the name it has
    itself, and ``organisation`` the name of its site in the directory (SiteDN); both are empty
    where they are not known.
    """

    service: Service
    value: RegistryValue | None
    table: Table | None = None
    no_imccopy: bool = False
    root_dir: str = ""
    build: int | None = None
    tracking_folder: str = ""
    journal: Journal | None = None
    lease: Lease | None = None
    pending_restart: PendingRestart | None = None
    cluster: bool = False
    seen: SeenMail = NOTHING_SEEN
    computer: str = ""
    organisation: str = ""

    @property
    def appends(self) -> bool:
        """Whether the service appends the search list to names, by the stored value."""
        value = self.value
        return value is None or value.name != VALUE_NAME or not value.number

    @property
    def left_behind(self) -> Journal | None:
        """The journal of an interrupted run; empty if that run changed nothing.

        That it broke off has to be certain, see ``host_lock.why_alive``.
        """
        if self.journal is None and self.lease is not None:
            return Journal("", was_running=False)
        return self.journal

    @property
    def needs_restart(self) -> bool:
        """Whether the service still works with settings from before a change."""
        pending = self.pending_restart
        return pending is not None and self.service.runs and not pending.done
