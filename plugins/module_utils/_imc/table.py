# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the rows of the delivery route table are to change. Pure.

Rows that are not ours survive as the very objects they were, in their order.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .._run.routes import UNKNOWN_STATUSES, Route
from .desired import Desired, State
from .routes import Row, new_row


@dataclass(frozen=True, slots=True)
class Edit:
    """The rows as they are to be, and what the administrator should know about it."""

    rows: tuple[Row, ...]
    warnings: tuple[str, ...] = ()


def edit(rows: Sequence[Row], desired: Desired) -> Edit:
    """Return the rows a host with ``rows`` is to have."""
    routes = {route.domain: route for route in desired.routes or ()}
    wanted = {domain: desired.rows_of(route) for domain, route in routes.items()}
    present: dict[str, list[Row]] = {}
    for row in rows:
        present.setdefault(row.key, []).append(row)
    after: list[Row] = []
    placed: set[str] = set()
    for row in rows:
        addresses = wanted.get(row.key)
        if addresses is not None:
            if row.key not in placed:
                # The rows of a domain stay together, where its first one stood.
                placed.add(row.key)
                after.extend(_rows_for(row.key, addresses, present[row.key]))
        elif row.key in wanted or desired.state is not State.EXACT or not row.well_formed:
            after.append(row)
    for domain, addresses in wanted.items():
        if domain not in present:
            after.extend(_rows_for(domain, addresses or (), []))
    return Edit(tuple(after), tuple(_warnings(routes, present, desired)))


def _rows_for(domain: str, addresses: Sequence[str], present: Sequence[Row]) -> Iterator[Row]:
    """Yield a domain's rows in the wanted order; those already there as they are written."""
    known: dict[str, Row] = {}
    for row in present:
        if row.well_formed:
            known.setdefault(row.target, row)
    for address in addresses:
        yield known.get(address) or new_row(domain, address)


def _warnings(
    routes: dict[str, Route], present: dict[str, list[Row]], desired: Desired
) -> Iterator[str]:
    for domain, route in routes.items():
        if desired.rows_of(route) is not None:
            continue
        count = len(present.get(domain, ()))
        kept = f"its {count} row(s) were kept" if count else "it has no row, and none was added"
        if route.status in UNKNOWN_STATUSES:
            yield f"{domain}: its addresses are not known ({route.status}), so {kept}."
        elif count:
            yield (
                f"{domain} takes no mail any more ({route.status}); {kept}."
                " Set missing_domain: remove to have such rows removed."
            )
    if desired.state is State.EXACT:
        strangers = (row for key, rows in present.items() if key not in routes for row in rows)
        odd = sum(not row.well_formed for row in strangers)
        if odd:
            yield f"{odd} row(s) that are no domain;address;flag were kept."
