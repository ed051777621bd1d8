# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read an organisation's Send connectors, always at one domain controller.

Connectors live in Active Directory, which carries a change from one domain controller to the next
in its own time. Who wants to see what was just written has to ask where it was written.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._base.errors import ExchangeError
from .._remote.session import Cmdlet, CmdletError, CmdletSession
from .connector import Connector, connector_from

#: How often a read is tried that Active Directory refuses for the moment, and the pause between.
_TRIES = 3
_PAUSE = 1.0

_ORGANISATION = re.compile(
    r"CN=(?P<name>(?:[^,\\]|\\.)+),CN=Microsoft Exchange,CN=Services,CN=Configuration,"
    r"(?P<forest>DC=.+)\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Organisation:
    """An Exchange organisation: its name, and the Active Directory forest it is in."""

    name: str
    forest: str

    def __str__(self) -> str:
        return f"{self.name} ({self.forest})"

    @property
    def label(self) -> str:
        """What its folder of backups is named after."""
        return f"{self.name} {self.forest}"

    @property
    def key(self) -> str:
        """What tells it from all others; the same from whichever server it was read."""
        return f"{self.name}@{self.forest}".casefold()


@dataclass(frozen=True, slots=True)
class View:
    """An organisation's connectors as one domain controller shows them."""

    organisation: Organisation
    domain_controller: str
    connectors: tuple[Connector, ...]


def organisation_in(distinguished_name: str) -> Organisation | None:
    """Return the organisation that an object belongs to, by the end of its distinguished name."""
    found = _ORGANISATION.search(distinguished_name)
    if not found:
        return None
    labels = re.findall(r"DC=([^,]+)", found["forest"], re.IGNORECASE)
    return Organisation(re.sub(r"\\(.)", r"\1", found["name"]), ".".join(labels).casefold())


@dataclass(frozen=True, slots=True)
class Reader:
    """Runs cmdlets at one host; ``timeout`` is in seconds, for each of them."""

    session: CmdletSession
    timeout: float = 120.0
    sleep: Callable[[float], None] = time.sleep

    def invoke(self, cmdlet: Cmdlet, domain_controller: str) -> Sequence[Mapping[str, Any]]:
        """Run a cmdlet at a domain controller; without one, at that of Exchange's choice."""
        return self.session.invoke(_at(domain_controller, cmdlet), timeout=self.timeout)

    def view(self, domain_controller: str) -> View:
        """Read the connectors, and from them to which organisation they belong and who was asked.

        It costs one cmdlet, or three where there is no connector at all.
        """
        objects = self._objects(domain_controller)
        witness = objects[0] if objects else self._any_server(domain_controller)
        organisation = organisation_in(str(witness.get("DistinguishedName") or ""))
        asked = domain_controller or str(witness.get("OriginatingServer") or "")
        if organisation is None or not asked:
            raise ExchangeError(
                f"{self.session.host}: Exchange does not tell which organisation it is, or which"
                " domain controller it asks.",
                hint="Give domain_controller; look at Get-SendConnector | Format-List.",
            )
        return View(organisation, asked, self._connectors(objects))

    def connectors(self, domain_controller: str) -> tuple[Connector, ...]:
        """Return all Send connectors. A read that fails raises; it never returns an empty list."""
        return self._connectors(self._objects(domain_controller))

    def _objects(self, domain_controller: str) -> Sequence[Mapping[str, Any]]:
        """Return the objects of all Send connectors; "none at all" is believed the second time."""
        cmdlet = Cmdlet("Get-SendConnector")
        return self._patiently(cmdlet, domain_controller) or self._patiently(
            cmdlet, domain_controller
        )

    def _any_server(self, domain_controller: str) -> Mapping[str, Any]:
        servers = self._patiently(Cmdlet("Get-ExchangeServer"), domain_controller)
        if not servers:
            raise ExchangeError(
                f"{self.session.host}: Exchange shows neither a Send connector nor a server.",
                hint="Run Get-ExchangeServer with the same account.",
            )
        return servers[0]

    def _patiently(self, cmdlet: Cmdlet, domain_controller: str) -> Sequence[Mapping[str, Any]]:
        """Read, and try again what Active Directory calls transient."""
        for number in range(1, _TRIES + 1):
            try:
                return self.invoke(cmdlet, domain_controller)
            except CmdletError as error:
                if not error.transient or number == _TRIES:
                    raise
                self.sleep(_PAUSE * number)
        raise AssertionError("unreachable: the last try returns or raises")

    def _connectors(self, objects: Sequence[Mapping[str, Any]]) -> tuple[Connector, ...]:
        return tuple(connector_from(item, self.session.host) for item in objects)


def _at(domain_controller: str, cmdlet: Cmdlet) -> Cmdlet:
    if not domain_controller:
        return cmdlet
    return Cmdlet(cmdlet.name, {**cmdlet.parameters, "DomainController": domain_controller})
