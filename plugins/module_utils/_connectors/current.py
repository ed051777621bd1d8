# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which connector carries a domain's mail today, and what a new pin takes over from it. Pure.

A pin changes where mail goes, and nothing else: the same servers go on sending it, under the same
name and with the same size limit, or the far side would meet a stranger.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .connector import Connector, texts

#: What a new connector takes over besides the source servers; properties and parameters.
_TAKEN_OVER = ("Fqdn", "FrontendProxyEnabled", "MaxMessageSize", "SourceIPAddress")


def carrier(connectors: Iterable[Connector], domain: str) -> Connector | None:
    """Return the connector by which Exchange sends mail for a domain, or None.

    Exchange takes the most specific address space, then the lowest cost, then a near source
    server, then the lowest name (learn.microsoft.com, "Mail routing"). Nearness depends on where a
    message is, so it is passed over.
    """
    fitting = [c for c in connectors if c.enabled and not c.scoped and c.covers(domain) >= 0]
    return min(fitting, key=lambda c: _rank(c, domain), default=None)


def _rank(connector: Connector, domain: str) -> tuple[int, int, str]:
    name = connector.name.casefold()
    return -connector.covers(domain), connector.cost_for(domain), name


def rivals(connectors: Iterable[Connector], pin: Connector, domain: str) -> list[Connector]:
    """Return the others that Exchange would take for this very domain before, or beside, a pin."""
    cost = pin.cost_for(domain)
    return [
        other
        for other in connectors
        if other.identity != pin.identity
        and other.enabled
        and domain in other.domains
        and other.cost_for(domain) <= cost
    ]


def taken_over(connector: Connector | None) -> dict[str, Any]:
    """Return the parameters of a new pin that are as they are with the present carrier."""
    if connector is None:
        return {}
    found = {name: connector.raw.get(name) for name in _TAKEN_OVER}
    servers = list(texts(connector.raw.get("SourceTransportServers")))
    known = {name: value for name, value in found.items() if value not in (None, "")}
    return {**({"SourceTransportServers": servers} if servers else {}), **known}
