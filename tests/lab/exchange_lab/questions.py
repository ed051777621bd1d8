# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host was asked: every command of every command line, and every cmdlet.

Names that a run makes up (temporary files, tags of messages, times) are left out, so that the same
question asked twice reads the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .scenario_default import DIRECT

if TYPE_CHECKING:
    from .lab import Lab

assert DIRECT.organisation is not None
#: One host of 5.5 whose letters wait, and an organisation with one server.
SMALL = replace(
    DIRECT,
    hosts=(DIRECT.hosts[1],),
    organisation=replace(DIRECT.organisation, servers=DIRECT.organisation.servers[:1]),
    domains=("nestle.com", "aol.com"),
)
#: One command of a line that holds several, between two lines that ``echo`` prints.
_COMMAND = re.compile(r"echo #(?P<nonce>[0-9a-f]+)#\S+?&(?P<command>.*?)&call echo #(?P=nonce)#rc ")
_MADE_UP = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:]+Z?(-\d+)?"), "TIME"),
    (re.compile(r"[0-9a-f]{12,}", re.IGNORECASE), "HEX"),
)


@dataclass(frozen=True, slots=True)
class Questions:
    """What one host was asked in some time; ``requests`` are those to WinRM and to PowerShell."""

    requests: int
    lines: int
    commands: tuple[str, ...]
    cmdlets: tuple[str, ...]

    @property
    def repeated(self) -> dict[str, int]:
        """How often each was asked that was asked more than once."""
        counts = Counter((*self.commands, *self.cmdlets))
        return {text: count for text, count in counts.items() if count > 1}


def commands_in(line: str) -> Iterator[str]:
    """Yield the commands of a command line, without what the collection puts around them."""
    found = [match["command"] for match in _COMMAND.finditer(line)]
    for command in found or [line]:
        yield _plain(command.removesuffix(" 2>&1"))


def _plain(text: str) -> str:
    """Return a question without the names that a run makes up."""
    for pattern, word in _MADE_UP:
        text = pattern.sub(word, text)
    return text


class Listener:
    """Notes what the hosts of a lab are asked from now on."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._before = {name: self._all(name) for name in (*lab.machines, *lab.servers)}

    def heard(self, name: str) -> Questions:
        """Return what a host has been asked since then."""
        requests, lines, cmdlets = self._all(name)
        before = self._before[name]
        new = lines[len(before[1]) :]
        return Questions(
            requests - before[0],
            len(new),
            tuple(command for line in new for command in commands_in(line)),
            tuple(map(_plain, cmdlets[len(before[2]) :])),
        )

    def _all(self, name: str) -> tuple[int, list[str], list[str]]:
        lab = self._lab
        if name in lab.machines:
            machine = lab.machines[name]
            return machine.requests, list(machine.host.commands), []
        server = lab.servers[name]
        assert lab.organisation is not None
        cmdlets = lab.organisation.organisation.counters.asked(name)
        requests = server.winrm.traffic.requests + server.endpoint_requests
        return requests, list(server.host.commands), cmdlets
