# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The notes that runs leave on a host for those that come after them.

The note of a transaction at work is written and read back before the first change and removed when
the transaction is complete or completely rolled back. A run that finds one, and no claim of a live
run, knows that an earlier run broke off, where its backup lies, and whether the service was running
before that run stopped it.

The note that a restart is owed stays when settings were changed under a running service that was
not restarted. It names the service's process: the debt is paid when another one runs, or none.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: What the temporary files of this collection are called.
TEMP_NAME = re.compile(r"pmx-[0-9a-f]{16}\.txt")
_TITLE = "postmaster.exchange imc_delivery at work"
_OWED_TITLE = "postmaster.exchange imc_delivery owes a restart"
_END = "end"
_PROCESS = re.compile(r"[0-9]{1,10}\Z")
_STAMP = re.compile(r"[0-9A-Za-z-]{1,40}\Z")


@dataclass(frozen=True, slots=True)
class Marker:
    """``stamp`` names the backup; empty when the note is broken and nothing was changed under it.

    ``was_running`` is what the service has to be again in the end. ``temp`` is the name of the
    temporary file that the run may have left.
    """

    stamp: str
    was_running: bool
    temp: str = ""

    def lines(self) -> list[str]:
        """Return the note as lines of plain ASCII text."""
        return [
            _TITLE,
            f"backup={self.stamp}",
            *([f"temp={self.temp}"] if self.temp else []),
            f"service={'running' if self.was_running else 'stopped'}",
        ]


def parse_marker(content: bytes) -> Marker:
    """Read a note.

    One that is not whole was being written when its run broke off; since a run changes nothing
    before it has read its note back, that run changed nothing.
    """
    fields = _fields(content)
    stamp, service = fields.get("backup", ""), fields.get("service", "")
    whole = fields.get("") == _TITLE and _STAMP.match(stamp) and service in {"running", "stopped"}
    if not whole:
        return Marker("", was_running=False)
    temp = fields.get("temp", "")
    return Marker(stamp, service == "running", temp if TEMP_NAME.fullmatch(temp) else "")


def owed_lines(process: int | None) -> list[str]:
    """Return the note that a restart is owed; ``process`` as ``sc queryex`` tells it, or None."""
    return [_OWED_TITLE, f"process={'unknown' if process is None else process}", _END]


def parse_owed(content: bytes) -> int | None:
    """Return the process that owes a restart; None where the note does not tell, or is broken."""
    fields = _fields(content)
    number = fields.get("process", "")
    whole = fields.get("") == _OWED_TITLE and _END in fields
    return int(number) if whole and _PROCESS.match(number) else None


def _fields(content: bytes) -> dict[str, str]:
    """Return what the lines of a note say; the title under an empty name."""
    lines = content.decode("latin-1").splitlines()
    return {**dict(line.partition("=")[::2] for line in lines[1:]), "": "".join(lines[:1])}
