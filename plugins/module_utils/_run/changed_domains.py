# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which domains a result of imc_delivery or transport_delivery leads another way. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

from .._base.errors import InvalidInput
from .._imc.routes import from_text
from .._pairs.names import parse_domain

Rows = Sequence[Mapping[str, str]]


def came_to_nothing(result: Mapping[str, Any]) -> bool:
    """Whether a task failed, or left the host out."""
    return any(result.get(key) for key in ("failed", "unreachable", "skipped"))


def changed_domains(enforced: Mapping[str, Any]) -> list[str]:
    """Return the domains that a result of imc_delivery or transport_delivery routes differently."""
    if "steps" in enforced:
        return list(dict.fromkeys(step["domain"] for step in enforced["steps"]))
    rows = table_rows(enforced)
    if rows[0] == rows[1]:  # the usual case, and a much faster check
        return []
    before, after = map(rows_by_domain, rows)
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def table_rows(enforced: Mapping[str, Any]) -> tuple[Rows, Rows]:
    """Return the rows that a result of imc_delivery shows, before and afterwards."""
    if text := enforced.get("routes_text"):
        if text["before"] == text["after"]:
            return (), ()
        return _rows(text["before"]), _rows(text["after"])
    table = enforced.get("routes") or {}
    return table.get("before") or (), table.get("after") or ()


@lru_cache(maxsize=16)
def _rows(text: str) -> Rows:
    """Return the rows of a text; hosts that get the same change have the same."""
    return [row.as_dict() for row in from_text(text)]


def switch_changed(enforced: Mapping[str, Any]) -> bool:
    """Whether a result of imc_delivery changes the registry value."""
    registry = enforced.get("registry") or {}
    return bool(registry.get("before") != registry.get("after"))


def changed_external_dns(enforced: Mapping[str, Any]) -> list[str]:
    """Return the servers and Send connectors that get another external DNS by a result."""
    managed = enforced.get("external_dns") or {}
    entries = (entry for kind in ("servers", "connectors") for entry in managed.get(kind) or ())
    return [str(entry["name"]) for entry in entries if entry["before"] != entry["after"]]


def deferred(enforced: Mapping[str, Any] | None) -> bool:
    """Whether a result of transport_delivery defers what it found to another host."""
    return bool(enforced and enforced.get("deferred"))


def differs(enforced: Mapping[str, Any]) -> bool:
    """Whether a result of imc_delivery or transport_delivery changes anything at all."""
    if deferred(enforced):
        return False
    parts = (switch_changed, changed_domains, changed_external_dns)
    return bool(enforced.get("changed") or any(part(enforced) for part in parts))


def worth_testing(enforced: Mapping[str, Any], pinned: Collection[str]) -> set[str]:
    """Return the pinned domains that a result sends out of the host by a new way.

    The registry value changes how the host finds every domain, and so the restart after it.
    """
    if enforced.get("worksheet") or deferred(enforced):
        return set()  # the change is not made yet
    if switch_changed(enforced):
        return set(pinned)
    return set(pinned).intersection(changed_domains(enforced))


def pinned_afterwards(enforced: Mapping[str, Any]) -> set[str]:
    """Return the domains that have a way of their own by a result, in lower case."""
    if "steps" in enforced:
        after = (enforced.get("connectors") or {}).get("after") or ()
        spaces = [space for entry in after for space in entry.get("address_spaces") or ()]
        return {space.partition(":")[2].rpartition(";")[0].lower() for space in spaces}
    text = (enforced.get("routes_text") or {}).get("after")
    rows = _rows(text) if text else (enforced.get("routes") or {}).get("after") or ()
    return set(rows_by_domain(rows))


def rows_by_domain(rows: Rows) -> dict[str, list[tuple[str, str]]]:
    """Return where each domain leads, in order, by its name in lower case.

    A place is an address and the flag of the row. Malformed rows are left out.
    """
    table: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        if "domain" in row:
            table[row["domain"].lower()].append((row["address"].lower(), row["flag"]))
    return dict(table)


def is_domain(name: str) -> bool:
    """True for a domain that accepts mail; a table or connector can also name others, as ``*``."""
    try:
        return bool(parse_domain(name))
    except InvalidInput:
        return False
