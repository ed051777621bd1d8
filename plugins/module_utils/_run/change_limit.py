# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options max_changes, max_removed_domains and force: what exceeds a limit is refused. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._base.errors import ExchangeError, InvalidInput

#: The limit of what ``missing_domain: remove`` takes away at once.
REMOVED_DOMAINS = "max_removed_domains"
CHANGE_LIMIT_SPEC: dict[str, dict[str, Any]] = {
    "max_changes": {"type": "str"},
    REMOVED_DOMAINS: {"type": "str", "default": "3"},
    "force": {"type": "bool", "default": False},
}

_LIMIT = re.compile(r"(?P<number>\d{1,6}) ?(?P<percent>%)?\Z", re.ASCII)
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a change: ``changed`` of ``total`` things that ``noun`` names (plural).

    ``total`` is the number before or after the change, whichever is larger. ``domains`` are the
    affected ones, in the order of the change.
    """

    noun: str
    changed: int = 0
    total: int = 0
    domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangeLimit:
    """The largest allowed change: ``most`` things, or ``most`` per cent of all; None is unlimited.

    ``name`` is the option that sets it.
    """

    most: int | None = None
    percent: bool = False
    force: bool = False
    name: str = "max_changes"

    @property
    def limit(self) -> str:
        """The limit as one would write it."""
        return f"{self.most}{'%' if self.percent else ''}"

    def exceeded_by(self, size: Size) -> bool:
        """True if a change is larger than the limit.

        A percentage above 0 allows one change: 25 % of two things would allow none.
        """
        if self.most is None:
            return False
        if self.percent:
            least = 1 if self.most else 0
            return size.changed > least and size.changed * 100 > self.most * size.total
        return size.changed > self.most

    def refuses(self, size: Size) -> bool:
        """Whether a change must not be made."""
        return self.exceeded_by(size) and not self.force

    def to_dict(self, size: Size) -> dict[str, Any] | None:
        """Return what a result shows of a change and its limit; None where no limit is set."""
        if self.most is None:
            return None
        exceeded = self.exceeded_by(size)
        return {
            "limit": self.limit,
            "changes": size.changed,
            "of": size.total,
            "domains": list(size.domains[:_MOST_NAMED]),
            "domain_count": len(size.domains),
            "exceeded": exceeded,
            "refused": self.refuses(size),
            "text": self._text(size) if exceeded else "",
        }

    def refusal(self, host: str, size: Size) -> ExchangeError:
        """Return the error for a change that is too large; nothing was begun of it."""
        return ExchangeError(
            f"{host}: {self._text(size)}.",
            hint="Compare with --check --diff. If the change is meant, run again with force: true"
            " (-e mx_delivery_force=true), or raise the limit.",
            details={"change_limit": self.to_dict(size)},
        )

    def warnings(self, size: Size, *, check_mode: bool) -> list[str]:
        """Return the warning of a run that exceeds its limit and goes on: by force, or to look."""
        if not self.exceeded_by(size) or not (self.force or check_mode):
            return []
        end = "Allowed by force: true." if self.force else "A real run would refuse this."
        return [f"{self._text(size)}. {end}"]

    def _text(self, size: Size) -> str:
        share = f" ({100 * size.changed // size.total} %)" if self.percent and size.total else ""
        changes = "1 change" if size.changed == 1 else f"{size.changed} changes"
        exceed = "exceeds" if size.changed == 1 else "exceed"
        things = size.noun.removesuffix("s") if size.total == 1 else size.noun
        more = len(size.domains) - _MOST_NAMED
        affected = ", ".join(size.domains[:_MOST_NAMED]) + (f" and {more} more" * (more > 0))
        what = f"{changes} to {size.total} {things}{share} {exceed}"
        if self.name == REMOVED_DOMAINS:
            removals = "1 removal" if size.changed == 1 else f"{size.changed} removals"
            what = f"{removals} of missing domains, of {size.total} {things}{share}, {exceed}"
        return f"{what} {self.name} ({self.limit}). Affected: {affected}"


def parse_change_limit(params: Mapping[str, Any]) -> ChangeLimit:
    """Return the limit that the options set; raises InvalidInput where it is not valid."""
    return parse_limit("max_changes", params["max_changes"], force=bool(params["force"]))


def parse_removal_limit(params: Mapping[str, Any]) -> ChangeLimit:
    """Return how many domains that are missing in DNS may lose their pins; raises InvalidInput."""
    given = params.get(REMOVED_DOMAINS, "")
    return parse_limit(REMOVED_DOMAINS, given, force=bool(params["force"]))


def parse_limit(name: str, given: str | None, *, force: bool = False) -> ChangeLimit:
    """Return the limit in an option called ``name``; raises InvalidInput where it is not valid."""
    if given is None or not given.strip():
        return ChangeLimit(force=force, name=name)
    match = _LIMIT.match(given.strip())
    if not match:
        raise InvalidInput(
            f"{name} must be a number or a percentage, not {given!a:.80}.",
            hint="Examples: 20, '25%'.",
        )
    return ChangeLimit(int(match["number"]), bool(match["percent"]), force, name)
