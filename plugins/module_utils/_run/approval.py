# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options return_plan and approved_plan: a change is made only as it was approved. Pure.

A run never takes a change from an approved plan. It reads and plans as ever, and compares: the
digest of the state, and what each change writes. So a planted plan can stop a run, not steer it.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._base.errors import ExchangeError, InvalidInput
from .._base.texts import listed, one_line

APPROVAL_SPEC: dict[str, dict[str, Any]] = {
    "return_plan": {"type": "bool", "default": False},
    "approved_plan": {"type": "dict"},
}

_HINT = "Run the audit again, and have the new plan approved."
_MOST_DOMAINS = 5


def canonical(value: Any) -> str:
    """Return plain data as canonical JSON text; types that JSON lacks are converted by ``str``."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


@dataclass(frozen=True, slots=True)
class Planned:
    """What a run would change: the digest of the state it found, and its changes as plain data."""

    state: str
    changes: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, state: Any, changes: Sequence[Mapping[str, Any]]) -> Planned:
        """Return the plan of a state, both as plain data."""
        return cls(f"sha256:{hashlib.sha256(canonical(state).encode()).hexdigest()}", (*changes,))

    def to_dict(self) -> dict[str, Any]:
        """Return it as a result shows it, in types that JSON has."""
        changes: list[Any] = json.loads(canonical(list(self.changes)))
        return {"state": self.state, "changes": changes}


@dataclass(frozen=True, slots=True)
class Approved:
    """The entry of one host in the approved plan; an empty ``state`` means that it has no entry.

    ``made`` is the time of the plan, as text. ``changes`` are in canonical form, each with the
    domains that it affects.
    """

    made: str
    state: str
    changes: Mapping[str, tuple[str, ...]]

    def check(self, host: str, plan: Planned) -> None:
        """Raise ExchangeError where a change is to be made that was not approved."""
        if not self.state:
            self._refuse(host, "it is not in the plan")
        if self.state != plan.state:
            self._refuse(host, "its settings changed after the plan")
        different = _keyed(plan.changes)
        if different.keys() != self.changes.keys():
            odd = {
                name: None
                for side, other in ((different, self.changes), (self.changes, different))
                for key, names in side.items()
                if key not in other
                for name in names
            }
            where = f" ({listed(list(odd), _MOST_DOMAINS)})" if odd else ""
            self._refuse(host, f"its change is not the one in the plan{where}")

    def covers(self, host: str, changes: Sequence[Mapping[str, Any]]) -> None:
        """Raise ExchangeError where something is left to do that was not approved."""
        for key in _keyed(changes):
            if key not in self.changes:
                self._refuse(host, "another writer changed its settings during the run")

    def _refuse(self, host: str, why: str) -> None:
        raise ExchangeError(
            f"{host}: refused by the approved plan of {self.made}, because {why}.",
            hint=_HINT,
            details={"refused_by_plan": why},
        )


def _keyed(changes: Collection[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    return {canonical(change): tuple(map(str, change.get("domains") or ())) for change in changes}


def parse_approved(params: Mapping[str, Any]) -> Approved | None:
    """Read the option approved_plan; None where nothing has to be approved."""
    given = params["approved_plan"]
    if given is None:
        return None
    made, state = given.get("made", "unknown time"), given.get("state", "")
    changes = given.get("changes", [])
    texts = isinstance(made, str) and isinstance(state, str)
    if not (texts and isinstance(changes, list) and all(isinstance(x, Mapping) for x in changes)):
        raise InvalidInput("approved_plan must have made, state, and changes, as a plan has them.")
    return Approved(one_line(made, 40), state, _keyed(changes))
