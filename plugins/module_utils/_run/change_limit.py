# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change that is larger than anybody meant is not made: the options max_changes and force. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._base.errors import ExchangeError, InvalidInput

BRAKE_SPEC: dict[str, dict[str, Any]] = {
    "max_changes": {"type": "str"},
    "force": {"type": "bool", "default": False},
}

_LIMIT = re.compile(r"(?P<number>\d{1,6}) ?(?P<percent>%)?\Z", re.ASCII)
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Size:
    """How large a change is: ``changed`` of ``total`` things that ``noun`` names (plural).

    ``total`` is what there is before or afterwards, whichever is more. ``domains`` are those whose
    things change, in the order of the change.
    """

    noun: str
    changed: int = 0
    total: int = 0
    domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Brake:
    """How large a change may be. ``most`` is a number, or per cent of all; None never stops."""

    most: int | None = None
    percent: bool = False
    force: bool = False

    @property
    def limit(self) -> str:
        """The limit as one would write it."""
        return f"{self.most}{'%' if self.percent else ''}"

    def exceeded_by(self, size: Size) -> bool:
        """Whether a change is larger than the limit."""
        if self.most is None:
            return False
        if self.percent:
            return size.changed * 100 > self.most * size.total
        return size.changed > self.most

    def stops(self, size: Size) -> bool:
        """Whether a change must not be made."""
        return self.exceeded_by(size) and not self.force


def parse_brake(params: Mapping[str, Any]) -> Brake:
    """Return what the options say; raises InvalidInput for a limit that is none."""
    return parse_limit("max_changes", params["max_changes"], force=bool(params["force"]))


def parse_limit(name: str, given: str | None, *, force: bool = False) -> Brake:
    """Return the brake that a limit is; ``name`` is the option's. Raises InvalidInput."""
    if given is None or not given.strip():
        return Brake(force=force)
    found = _LIMIT.match(given.strip())
    if not found:
        raise InvalidInput(
            f"{name} is {given!a:.80}, which is neither a number nor per cent.",
            hint="Give it as in 20, or as in '25%'.",
        )
    return Brake(int(found["number"]), bool(found["percent"]), force)


def told(brake: Brake, size: Size) -> dict[str, Any] | None:
    """Return what a result says about the brake; None where no limit is set."""
    if brake.most is None:
        return None
    exceeded = brake.exceeded_by(size)
    return {
        "limit": brake.limit,
        "changes": size.changed,
        "of": size.total,
        "domains": list(size.domains[:_MOST_NAMED]),
        "domain_count": len(size.domains),
        "exceeded": exceeded,
        "refused": brake.stops(size),
        "text": _text(brake, size) if exceeded else "",
    }


def _text(brake: Brake, size: Size) -> str:
    share = f" ({100 * size.changed // size.total} %)" if brake.percent and size.total else ""
    changes = "1 change" if size.changed == 1 else f"{size.changed} changes"
    things = size.noun.removesuffix("s") if size.total == 1 else size.noun
    return (
        f"{changes} to {size.total} {things}{share} would be more than max_changes ({brake.limit})"
        f" allows; concerned: {_named(size.domains)}"
    )


def _named(domains: tuple[str, ...]) -> str:
    more = len(domains) - _MOST_NAMED
    named = ", ".join(domains[:_MOST_NAMED])
    return f"{named} and {more} more" if more > 0 else named


def refusal(host: str, brake: Brake, size: Size) -> ExchangeError:
    """Return the error of a change that is too large; nothing was begun of it."""
    return ExchangeError(
        f"{host}: {_text(brake, size)}.",
        hint="See with --check --diff whether that is meant; if so, run again with force: true"
        " (-e mx_delivery_force=true), or raise the limit.",
        details={"brake": told(brake, size)},
    )


def warning(brake: Brake, size: Size, *, check_mode: bool) -> list[str]:
    """Return what a run says that the brake did not stop: one that only looks, or is forced."""
    if not brake.exceeded_by(size):
        return []
    if brake.force:
        return [f"{_text(brake, size)}. It is let through by force: true."]
    return [f"{_text(brake, size)}. A real run would refuse that."] if check_mode else []
