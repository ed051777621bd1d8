# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The note a transaction leaves on the host while it is at work.

It is written and read back before the first change and removed when the transaction is complete
or completely rolled back. A run that finds one knows that an earlier run broke off, where its
backup lies, and whether the service was running before that run stopped it.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TITLE = "postmaster.exchange imc_delivery at work"
_STAMP = re.compile(r"[0-9A-Za-z-]{1,40}\Z")


@dataclass(frozen=True, slots=True)
class Marker:
    """``stamp`` names the backup; empty when the note is broken and nothing was changed under it.

    ``was_running`` is what the service has to be again in the end.
    """

    stamp: str
    was_running: bool

    def lines(self) -> list[str]:
        """Return the note as lines of plain ASCII text."""
        return [
            _TITLE,
            f"backup={self.stamp}",
            f"service={'running' if self.was_running else 'stopped'}",
        ]


def parse_marker(content: bytes) -> Marker:
    """Read a note.

    One that is not whole was being written when its run broke off; since a run changes nothing
    before it has read its note back, that run changed nothing.
    """
    lines = content.decode("latin-1").splitlines()
    fields = dict(line.partition("=")[::2] for line in lines[1:])
    stamp, service = fields.get("backup", ""), fields.get("service", "")
    if lines[:1] != [_TITLE] or not _STAMP.match(stamp) or service not in {"running", "stopped"}:
        return Marker("", was_running=False)
    return Marker(stamp, service == "running")
