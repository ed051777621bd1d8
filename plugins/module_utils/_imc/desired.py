# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the administrator wants of a host, checked before anything else happens.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address
from typing import Any

from .._base.errors import InvalidInput
from .._pairs.addresses import Address
from .._run import routes as wanted_routes
from .._run.routes import GONE_STATUSES, UNKNOWN_STATUSES, Route


class SearchList(StrEnum):
    """Option resolver_search_list."""

    DISABLED = "disabled"
    ENABLED = "enabled"
    UNMANAGED = "unmanaged"


class State(StrEnum):
    """Option state."""

    PRESENT = "present"
    ABSENT = "absent"
    EXACT = "exact"
    RESTORED = "restored"


class ReturnRoutes(StrEnum):
    """Option return_routes."""

    ALL = "all"
    CHANGED = "changed"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Desired:
    """The wanted state of registry value and table; ``routes`` None leaves the table alone."""

    search_list: SearchList = SearchList.UNMANAGED
    routes: tuple[Route, ...] | None = None
    state: State = State.PRESENT
    removes_missing: bool = False

    def rows_of(self, route: Route) -> tuple[str, ...] | None:
        """Return the addresses a listed domain is to have, or None to keep what it has."""
        if route.status in UNKNOWN_STATUSES:
            return None
        if self.state is State.ABSENT:
            return ()
        if route.status in GONE_STATUSES:
            return () if self.removes_missing else None
        return route.addresses


def parse_routes(entries: Sequence[Any], *, state: State) -> tuple[Route, ...]:
    """Check the option ``routes``; see ``wanted_routes.parse_routes``.

    The Internet Mail Connector knows only IPv4.
    """
    if state is State.EXACT and not entries:
        raise InvalidInput(
            "routes is empty with state: exact, which would remove every row of the table, also"
            " those of others.",
            hint="Nothing was changed. Look where the list comes from; state: absent removes the"
            " routes of listed domains.",
        )
    return wanted_routes.parse_routes(
        entries, needs_addresses=state is not State.ABSENT, check=_only_ipv4, kind="IPv4"
    )


def _only_ipv4(address: Address) -> str:
    if isinstance(address, IPv6Address):
        return (
            "is an IPv6 address; the Internet Mail Connector takes only IPv4 (compute the pairs"
            " with families: ipv4)"
        )
    return ""
