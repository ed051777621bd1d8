# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One backup in a list of them: when and by which run it was made, and how it differs from now.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .backups import about

_MOST_NAMED = 3

Diff = Sequence[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Difference:
    """What putting a backup back would change now.

    ``noun`` names the ``number`` of things that change (plural), ``domains`` are theirs, and
    ``others`` what else would change. ``problem`` is why it cannot be put back, or nothing.
    """

    noun: str
    number: int = 0
    domains: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    problem: str = ""
    diff: Diff = ()

    @property
    def same(self) -> bool:
        """Whether all is now as it was then."""
        return not (self.number or self.others or self.problem)

    @property
    def summary(self) -> str:
        """The difference in one line."""
        if self.problem:
            return f"cannot be put back: {self.problem}"
        noun = self.noun.removesuffix("s") if self.number == 1 else self.noun
        things = f"{self.number} {noun} ({_named(self.domains)})" if self.number else ""
        return " and ".join(part for part in (things, *self.others) if part) or "as it is now"


def _named(domains: Sequence[str]) -> str:
    more = f" and {len(domains) - _MOST_NAMED} more" if len(domains) > _MOST_NAMED else ""
    return ", ".join(domains[:_MOST_NAMED]) + more


def entry(folder: Path, difference: Difference, *, with_diff: bool) -> dict[str, Any]:
    """Return a backup as the result shows it."""
    known = about(folder)
    shown: dict[str, Any] = {
        "name": folder.name,
        "path": str(folder),
        "taken": known.taken,
        "run": known.run,
        "before": known.before,
        "usable": not difference.problem,
        "problem": difference.problem,
        "same": difference.same,
        "changes": difference.number,
        "domains": list(difference.domains),
        "summary": difference.summary,
    }
    if with_diff:
        shown["diff"] = [_headed(block, folder.name) for block in difference.diff]
    return shown


def _headed(block: dict[str, str], name: str) -> dict[str, str]:
    """Return a block of a diff that says which side is now and which is the backup."""
    return {
        **block,
        "before_header": f"{block['before_header']}, now",
        "after_header": f"{block['after_header']}, in {name}",
    }
