# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What mx_pairs_info found out about domains, as far as pinning wants to know it. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from .._base.errors import InvalidInput
from .._pairs.names import parse_domain


@dataclass(frozen=True, slots=True)
class Resolved:
    """One domain: the MX preference of each of its addresses."""

    domain: str
    preferences: Mapping[str, int] = field(default_factory=dict)


def parse_resolved(entries: Sequence[Any]) -> dict[str, Resolved]:
    """Read the option ``resolved``; raises InvalidInput for what mx_pairs_info never returns."""
    found = {}
    for number, entry in enumerate(entries):
        try:
            one = _parse(entry)
        except (InvalidInput, AttributeError, KeyError, TypeError, ValueError):
            raise InvalidInput(
                f"resolved[{number}] is no entry of what mx_pairs_info returns as 'domains'.",
                hint='Give resolved: "{{ mx.domains }}" where mx is the registered result.',
            ) from None
        found[one.domain] = one
    return found


def _parse(entry: Mapping[str, Any]) -> Resolved:
    preferences: dict[str, int] = {}
    for pair in entry.get("pairs") or ():
        address, preference = str(ip_address(pair["address"])), int(pair["preference"])
        preferences[address] = min(preference, preferences.get(address, preference))
    return Resolved(
        domain=parse_domain(entry["domain"]),
        preferences=preferences,
    )
