# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of domains as an administrator writes it: names, or dictionaries with one. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._base.errors import InvalidInput
from .._pairs.names import parse_domain, shown


def names(domains: Sequence[Any]) -> list[str]:
    """Return the name of each entry as it is written, without repetition."""
    if isinstance(domains, str) or not isinstance(domains, Sequence):
        raise InvalidInput("The domains must be a list of names, or of dictionaries with a name.")
    return list(dict.fromkeys(_name(entry) for entry in domains))


def by_domain(domains: Sequence[Any]) -> dict[str, Any]:
    """Return the entries by their domain in its one spelling; of several, the first counts."""
    entries: dict[str, Any] = {}
    for entry in domains:
        entries.setdefault(parse_domain(_name(entry)), entry)
    return entries


def _name(entry: object) -> str:
    name = entry.get("name") if isinstance(entry, Mapping) else entry
    if not isinstance(name, str):
        raise InvalidInput(
            f"{shown(str(entry))} is no domain: give a name, or a dictionary with the key 'name'."
        )
    if name.splitlines() != [name]:
        raise InvalidInput(f"{shown(name)} is no domain: a name is one line of text.")
    return name
