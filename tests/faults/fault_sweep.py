# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out a sweep: which cases there are, and several processes that work on them.

Which interruptions differ? An engine sees the wire only as what ends a command line, or a cmdlet:
an answer, or one of a few errors, with the work done or not. So one change of each family is
interrupted at every request by every fault, which also shows that equal endings come of unequal
faults (``same_endings``). The other changes are interrupted at every command line or cmdlet too, by
one of the endings in turn. ``FAULTS=all`` interrupts every change at every request by every fault.

The disk of the controller is written to before the first change only, by the same code for every
kind of change; so that it fills up is tried with one change of each family.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing.util import Finalize
from pathlib import Path
from types import ModuleType
from typing import Any

import fault_imc
import fault_imc_judge
import fault_transport
from fault_cases import (
    CONTROLLER_DISK,
    HOST_DISK,
    KILLED,
    WIRE,
    Case,
    Finding,
    Measured,
)
from fault_engine import Stable
from fault_kept import Kept

CHANGES: Mapping[str, Mapping[str, Any]] = {
    "imc": fault_imc.CHANGES,
    "transport": fault_transport.CHANGES,
}
#: The change of each family that is interrupted at every request by every fault.
COMPLETE = {"imc": "value and rows", "transport": "several pins"}
_JUDGES: dict[str, ModuleType] = {"imc": fault_imc_judge, "transport": fault_transport}
_WRITES = 8  # of so many writes on a disk one is the first that does not fit, in turn
_WAITING = 2  # processes more than processors, since some cases wait for a time-out

# -- which cases there are


def cases(family: str, measured: Mapping[str, Measured], *, everything: bool) -> Iterator[Case]:
    """Yield the cases of a family."""
    for number, (change, known) in enumerate(measured.items()):
        if everything or change == COMPLETE[family]:
            yield from _complete(family, change, known)
        else:
            yield from _in_turn(family, change, known, number)


def _complete(family: str, change: str, known: Measured) -> Iterator[Case]:
    for at, action in enumerate(known.actions, 1):
        for fault in (*WIRE, KILLED):
            yield Case(family, change, fault, at, action)
    for at in range(1, known.host_writes + 1):
        yield Case(family, change, HOST_DISK, at)
    for at in range(1, known.controller_writes + 1):
        yield Case(family, change, CONTROLLER_DISK, at)


def _in_turn(family: str, change: str, known: Measured, number: int) -> Iterator[Case]:
    """Interrupt every request once, and some of the writes, in the ways there are in turn.

    ``number`` is the change's own: where one change meets a time-out, the next meets garbage.
    """
    ways = (*WIRE, KILLED)
    for at, action in enumerate(known.actions, 1):
        yield Case(family, change, ways[(at + number) % len(ways)], at, action)
    for fault, writes in (
        (HOST_DISK, known.host_writes),
        (CONTROLLER_DISK, known.controller_writes),
    ):
        for at in range(1 + number % _WRITES, writes + 1, _WRITES):
            yield Case(family, change, fault, at)


def same_endings(findings: Iterable[Finding]) -> list[str]:
    """Return where faults on the wire did not end a command line of imc as they have to."""
    wrong = []
    for finding in findings:
        case = finding.case
        if case.family != "imc" or case.change != COMPLETE["imc"] or case.fault not in WIRE:
            continue
        wanted = {"Create": "HostUnreachable", "Command": "SessionLost", "Receive": "SessionLost"}
        ended = [ending for ending in finding.endings if ending]
        expected = [wanted[finding.hit]] if finding.hit in wanted else []
        if ended != expected:
            wrong.append(f"{case}: {ended} instead of {expected}")
    return wrong


# -- several processes


class Workers:
    """Processes with a lab each."""

    def __init__(self, folder: Path, count: int = 0) -> None:
        self._pool = ProcessPoolExecutor(
            count or (os.cpu_count() or 1) + _WAITING,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_Worker.begin,
            initargs=(folder,),
        )

    def measured(self, family: str) -> dict[str, Measured]:
        """Run every change of a family once without a fault."""
        names = list(CHANGES[family])
        found = self._pool.map(_measure, [family] * len(names), names)
        return dict(zip(names, found, strict=True))

    def findings(self, wanted: Sequence[Case], kept: Kept) -> list[Finding]:
        """Carry cases out, but for those whose findings are kept; keep the others' as they come."""
        running = {}
        for case in wanted:
            if case not in kept.findings:
                running[self._pool.submit(_judge, case)] = case
        for ended in as_completed(running):
            kept.add(ended.result())
        return [kept.findings[case] for case in wanted]

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown()


class _Worker:
    """What one of the processes has."""

    here: _Worker

    def __init__(self, folder: Path) -> None:
        self._folder = folder / str(os.getpid())
        self._folder.mkdir()
        self._stables = (Stable(), Stable())  # before any thread
        self._sites: dict[str, Any] = {}

    @classmethod
    def begin(cls, folder: Path) -> None:
        cls.here = cls(folder)
        Finalize(None, cls.here.close, exitpriority=10)

    def site(self, family: str) -> Any:
        if family not in self._sites:
            folder = self._folder / family
            folder.mkdir()
            self._sites[family] = (
                fault_imc.Site(self._stables[0], folder)
                if family == "imc"
                else fault_transport.Site(self._stables, folder)
            )
        return self._sites[family]

    def close(self) -> None:
        for site in self._sites.values():
            site.close()
        for stable in self._stables:
            stable.close()


def _measure(family: str, change: str) -> Measured:
    found: Measured = _JUDGES[family].measure(_Worker.here.site(family), change)
    return found


def _judge(case: Case) -> Finding:
    found: Finding = _JUDGES[case.family].judge(_Worker.here.site(case.family), case)
    return found
