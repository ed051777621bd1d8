# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read an organisation's Send connectors, always at one domain controller.

Connectors live in Active Directory, which carries a change from one domain controller to the next
in its own time. Who wants to see what was just written has to ask where it was written.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ExchangeError
from ..remote.cmdlets import Cmdlet, CmdletSession
from .connector import Connector, connector_from


@dataclass(frozen=True, slots=True)
class Organisation:
    """An Exchange organisation as one domain controller shows it."""

    name: str
    domain_controller: str
    connectors: tuple[Connector, ...]


def at(domain_controller: str, cmdlet: Cmdlet) -> Cmdlet:
    """Return the cmdlet with the domain controller it is to use."""
    if not domain_controller:
        return cmdlet
    return Cmdlet(cmdlet.name, {**cmdlet.parameters, "DomainController": domain_controller})


def find_organisation(session: CmdletSession, domain_controller: str = "") -> tuple[str, str]:
    """Return the organisation's name and the domain controller to work with.

    Without one by option it is the one the host's Exchange uses itself (``OriginatingServer``).
    """
    answer = session.invoke(at(domain_controller, Cmdlet("Get-OrganizationConfig")))
    config = _only(session.host, answer)
    chosen = domain_controller or str(config.get("OriginatingServer") or "")
    return str(config.get("Guid") or config.get("Name") or ""), chosen


def read_connectors(session: CmdletSession, domain_controller: str) -> tuple[Connector, ...]:
    """Return all Send connectors. A read that fails raises; it never returns an empty list."""
    objects = session.invoke(at(domain_controller, Cmdlet("Get-SendConnector")))
    return tuple(connector_from(item, session.host) for item in objects)


def _only(host: str, objects: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    if len(objects) != 1:
        raise ExchangeError(
            f"{host}: Get-OrganizationConfig answered with {len(objects)} objects instead of one."
            " Nothing was changed.",
            hint="Run it in the Exchange Management Shell with the same account.",
        )
    return objects[0]
