# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol of a family of Exchange, shared by its changes, rollbacks, and backups.

A family is the Internet Mail Connector of one host (Exchange 4.0 to 5.5), or the Send connectors of
an organisation (2010 and later). ``transaction`` works on it by the protocol ``Family`` alone. The
families import only this file, ``change_limit`` and ``routes`` from this package.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from .._base.errors import ExchangeError
from .change_limit import Size

PINNED_DOMAINS = "pinned domains"
#: The state of a part of a host after a failed change: as before, as planned, or neither.
Part = Literal["old", "new", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that differs, changed by one step and taken back by one.

    ``text`` names it, the same in every plan that needs it. It affects the mail
    to ``domains``, and with ``everywhere`` the mail to every domain. ``before`` and ``after`` are
    what a result can show, None for absent. ``writes`` is whether it changes a setting, which a
    backup then holds. ``counted`` is one without domains that the size of its plan names.
    """

    text: str
    domains: tuple[str, ...] = ()
    before: Any = None
    after: Any = None
    writes: bool = True
    everywhere: bool = False
    counted: bool = False

    @property
    def doing(self) -> str:
        """The action of the host during the change, as a line of progress shows it."""
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """Return the change as a result shows it."""
        return {
            "change": self.text,
            "domains": list(self.domains),
            "before": self.before,
            "after": self.after,
        }


@dataclass(frozen=True, slots=True)
class Refusal:
    """A change that is not made: the ``reason`` as a clause, the domain, and what is in its way.

    ``hint`` is what to do about this one, where that differs from the family's. ``differences`` are
    those between the present and the required state, each as a phrase.
    """

    reason: str
    domain: str = ""
    name: str = ""
    hint: str = ""
    differences: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The refusal as a clause."""
        where = f"{self.domain}: " if self.domain else ""
        return f"{where}{self.name!r} {self.reason}" if self.name else f"{where}{self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """Return the refusal as a result shows it."""
        return {
            "domain": self.domain,
            "connector": self.name,
            "reason": self.reason,
            "differences": list(self.differences),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The changes of a run: a pure function of the present and the required state.

    ``kept`` are domains that stay as they are, each with the reason. ``refusals`` stop the run
    before any change, ``refused`` leave single domains out. ``incomplete`` is why the plan
    lacks something that is required. ``missing`` are the pinned domains that lose their pins since
    they do not exist in DNS; ``unpinned`` are the listed domains that do not exist in DNS and have
    no pin. ``evidence`` are facts that a result shows of a refused plan, too.
    """

    changes: tuple[Change, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()
    refused: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()
    size: Size = field(default_factory=lambda: Size("changes"))
    incomplete: str = ""
    missing: Size = field(default_factory=lambda: Size(PINNED_DOMAINS))
    unpinned: tuple[str, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.changes)

    @property
    def writes(self) -> bool:
        """True if a setting changes, so that a backup is needed."""
        return any(change.writes for change in self.changes)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a backup holds: facts for backup.json, and files beside it."""

    facts: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Undone:
    """What came of taking changes back.

    ``parts`` is the state of each changed part. ``outcome`` is a sentence of the error's message,
    ``hint`` its instruction to the user, and ``details`` are more of its facts.
    """

    parts: Mapping[str, Part]
    outcome: str
    hint: str
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> Part:
        """The state of the whole, ``unknown`` if its parts differ."""
        known = set(self.parts.values()) or {"old"}
        return known.pop() if len(known) == 1 else "unknown"


S = TypeVar("S")
B = TypeVar("B")
W_contra = TypeVar("W_contra", contravariant=True)
P = TypeVar("P", bound=Plan)


class Family(Protocol[S, W_contra, B, P]):
    """One installation of Exchange, and the way to change it.

    ``S`` is its state at a moment, ``W_contra`` its required state, ``B`` the content of a backup,
    ``P`` its plan. Methods raise ExchangeError, and change nothing there before ``apply``.
    """

    kind: str  #: as in "No backup of this host was found"
    refusal_hint: str  #: what to do about a plan that was refused

    def owner(self, state: S) -> str:
        """Return what its backups are of, whatever the inventory calls it."""

    def read(self, wanted: W_contra, /) -> S:
        """Return the present state; refuses an installation that another run may be changing."""

    def plan(self, state: S, wanted: W_contra) -> P:
        """Return the plan from a state to the required one. Pure."""

    def restore_plan(self, state: S, saved: B) -> P:
        """Return the plan from a state back to a backup. Pure."""

    def pins(self, state: S, /) -> Mapping[str, Sequence[str]]:
        """Return where the pins of a state lead, by domain."""

    def saved_pins(self, saved: B, /) -> Mapping[str, Sequence[str]]:
        """Return where those of a backup lead."""

    def state_facts(self, state: S, /) -> Any:
        """Return what of a state a plan rests on, as plain data; the same for the same state."""

    def change_facts(self, plan: P, /) -> list[dict[str, Any]]:
        """Return all that the changes of a plan write, as plain data that a person can read."""

    def load(
        self,
        facts: Mapping[str, Any],
        folder: Path,
        state: S,
        later: Iterable[Mapping[str, Any]] = (),
        /,
    ) -> B:
        """Read a backup; raises ValueError for one of another installation, or not whole.

        ``later`` are the facts of those that were taken since, the oldest first.
        """

    def interrupted(self, state: S, /) -> str | None:
        """Return the backup from before a run that broke off, as the journal on the host names it.

        It is empty where none did, and None where the family keeps no journal on the host.
        """

    def lock(self, state: S, /) -> AbstractContextManager[None]:
        """Keep other runs away while the context lasts."""

    def read_again(self, state: S, /) -> S:
        """Return the state under the lock; the same if ``snapshot`` compares it on the host."""

    def snapshot(self, state: S, plan: P, name: str, /) -> Snapshot:
        """Return what the backup ``name`` holds; refuses a state that changed since it was read.

        Without a ``name`` nothing has to be saved, since no setting changes.
        """

    def prepare(self, plan: P, name: str, /) -> None:
        """Do what has to be done right before the first change, behind a complete backup."""

    def abandon(self) -> None:
        """Remove what ``snapshot`` and ``prepare`` left: nothing was changed. Never raises."""

    def apply(self, change: Change, /) -> None:
        """Carry a change out and see that it is so; CmdletError means that it was refused."""

    def verify(self, plan: P, planner: Callable[[S], P], /) -> tuple[S, P]:
        """Read the state after the changes; returns it with the plan of what is left to do."""

    def undo(self, done: Sequence[Change], cause: ExchangeError) -> Undone:
        """Take changes back; the last may not have been carried out. Never raises."""

    def finish(self, plan: P, /) -> list[str]:
        """Remove what the run left on the host; returns warnings."""

    def settle(self, state: S, /) -> None:
        """Remove the notes of former runs from a host where nothing is left to do."""

    def result(self, before: S, plan: P, after: S | None, done: Sequence[Change]) -> dict[str, Any]:
        """Return the family's part of the result; without ``after`` nothing was changed."""
