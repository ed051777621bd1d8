# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sweep consists of: scenarios, and what was found in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fault_engine import Outcome

#: What the lab's listeners do to a request; see exchange_lab.windows.faults.
RESET, RESET_AFTER = "reset", "reset_after"
HANG, HANG_AFTER = "hang", "hang_after"
HTTP_500, GARBAGE = "http500", "garbage"
WIRE = (RESET, RESET_AFTER, HANG, HANG_AFTER, HTTP_500, GARBAGE)
EXECUTED = (RESET_AFTER, HANG_AFTER)
KILLED = "killed"
HOST_DISK, CONTROLLER_DISK = "full disk there", "full disk here"

NAMES = {
    RESET: "connection reset, request not carried out",
    RESET_AFTER: "connection reset, request carried out",
    HANG: "no answer, request not carried out",
    HANG_AFTER: "no answer, request carried out",
    HTTP_500: "HTTP 500",
    GARBAGE: "garbage for an answer",
    KILLED: "worker killed",
    HOST_DISK: "disk of the host full",
    CONTROLLER_DISK: "disk of the controller full",
}


@dataclass(frozen=True)
class Case:
    """One interruption: of which change, by what, at which request or write (from 1)."""

    family: str
    change: str
    fault: str
    at: int
    action: str = ""

    def __str__(self) -> str:
        return f"{self.family}: {self.change}: {self.fault} at {self.at} {self.action}".strip()


@dataclass(frozen=True)
class Measured:
    """What a run without a fault does: its requests by action, and its writes on both sides."""

    actions: tuple[str, ...]
    host_writes: int
    controller_writes: int


@dataclass(frozen=True)
class Finding:
    """What came of a case. ``claim`` is what the run said of the state it left.

    ``hit`` is which request was interrupted, or what else was. It is empty where the run had ended
    before: how often a service is asked for its state is not the same every time.
    """

    case: Case
    hit: str
    claim: str
    recovered: bool
    problems: tuple[str, ...]
    endings: tuple[str, ...] = ()


#: What was found in this run of the tests, for the summary.
FOUND: list[Finding] = []


@dataclass
class Notes:
    """Collects what is wrong."""

    problems: list[str] = field(default_factory=list)

    def expect(self, condition: object, what: str) -> None:
        """Note something that is not as it has to be."""
        if not condition:
            self.problems.append(what)


def hit(case: Case, outcome: Outcome, actions: Sequence[str], writes: int = 0) -> str:
    """Return what a fault met; ``writes`` are those on the disk of the host."""
    if case.fault == KILLED:
        return outcome.kind if outcome.kind == KILLED else ""
    if case.fault in {HOST_DISK, CONTROLLER_DISK}:
        found = writes if case.fault == HOST_DISK else outcome.writes
        return "write" if found >= case.at else ""
    return actions[case.at - 1] if len(actions) >= case.at else ""


def claim_of(outcome: Outcome) -> str:
    """Return what a run says of the state it left: done, untouched, old, new or unknown."""
    if outcome.kind != "failed":
        return outcome.kind
    told = outcome.told
    if "state" not in told:
        return "untouched" if told.get("changed") is False else "nothing"
    return str(told["state"])
