# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The suffixes that a host tells: those that are names, and those that are not.

One host's nonsense must not reach the questions that are asked for all hosts.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable

from .._base.errors import InvalidInput
from .._pairs.names import parse_domain, shown


def is_suffix(text: str) -> bool:
    """Whether Windows could append this to a name and find something."""
    try:
        parse_domain(text, host=True)
    except InvalidInput:
        return False
    return True


def names_in(text: str) -> tuple[str, ...]:
    """Return the suffixes of a list as the registry holds it, odd ones too."""
    return tuple(text.replace(",", " ").split())


def suffixes(names: Iterable[str]) -> tuple[str, ...]:
    """Return those that are names."""
    return tuple(name for name in names if is_suffix(name))


def odd_note(names: Iterable[str]) -> str:
    """Return a note about those that are none, or nothing."""
    odd = [shown(name) for name in names if name and not is_suffix(name)]
    if not odd:
        return ""
    more = f" and {len(odd) - 3} more" if len(odd) > 3 else ""  # noqa: PLR2004
    return f"TCP/IP holds suffixes that no name can have, left out here: {', '.join(odd[:3])}{more}"
