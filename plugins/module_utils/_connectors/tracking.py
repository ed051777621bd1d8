# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following test messages by ``Get-MessageTrackingLog`` on all Transport servers.

Events, as "Message tracking" of the Exchange documentation has them: RECEIVE, SEND, SENDEXTERNAL
(2013 and later), DELIVER, DEFER, FAIL, DSN. A DSN may tell of a mere delay, so it decides nothing;
that a message failed is what FAIL says.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._remote.session import Cmdlet, CmdletError, CmdletSession
from .._run.follow import Sight
from .._run.message import Probe
from .._run.verdict import DeliveryError, Kind, Observation, is_final
from .errors import parse_last_error
from .servers import Server, text_of, time_of

#: Events of one message on one server that are read.
_MOST_EVENTS = 200
#: How the connector is called over which servers of one organisation hand mail to each other.
_INTERNAL_CONNECTOR = "intra-organization"

_KINDS = {
    "SENDEXTERNAL": Kind.TRANSFERRED,
    "DELIVER": Kind.TRANSFERRED,
    "FAIL": Kind.RETURNED,
    "DEFER": Kind.QUEUED,
}


@dataclass(slots=True)
class TrackingTracker:
    """A ``Tracker``; ``errors`` are why messages failed, by tag, as far as the log tells."""

    session: CmdletSession
    servers: Sequence[Server]
    errors: dict[str, DeliveryError] = field(default_factory=dict)

    def look(self, pending: Sequence[Probe]) -> Sight:
        """Look on every server for each message, until one tells its end."""
        found: dict[str, list[Observation]] = {}
        refused: dict[str, CmdletError] = {}
        for probe in pending:
            seen = found.setdefault(probe.tag, [])
            for server in self.servers:
                if server.name in refused:
                    continue  # asked once in a look, for the first message
                try:
                    seen += self._events(probe, server)
                except CmdletError as error:
                    refused[server.name] = error
                if is_final(seen):
                    break
        blind = ""
        if refused:
            blind = "; ".join(f"tracking log of {x}: {e.message}" for x, e in refused.items())
        return Sight(found, blind=blind)

    def recover(self) -> None:
        """Open a new runspace at the next look."""
        self.session.reopen()

    def _events(self, probe: Probe, server: Server) -> list[Observation]:
        parameters = {
            "MessageId": probe.message_id,
            "Server": server.name,
            "ResultSize": _MOST_EVENTS,
        }
        answer = self.session.invoke(Cmdlet("Get-MessageTrackingLog", parameters))
        for event in answer:
            if text_of(event.get("EventId")).upper() == "FAIL":
                self._remember(probe, server, event)
        return [self._observation(event, server) for event in answer]

    def _observation(self, event: Mapping[str, Any], server: Server) -> Observation:
        return Observation(
            kind=kind_of(event, server, self.servers),
            event=f"{text_of(event.get('EventId'))} on {server.name}",
            time=time_of(event.get("Timestamp")),
            time_text=text_of(event.get("Timestamp")),
        )

    def _remember(self, probe: Probe, server: Server, event: Mapping[str, Any]) -> None:
        for status in _several(event.get("RecipientStatus")):
            error = parse_last_error(status)
            if error is not None:
                source = f"tracking log of {server.name}"
                self.errors[probe.tag] = error.as_delivery_error(source)
                return


def kind_of(event: Mapping[str, Any], server: Server, servers: Sequence[Server]) -> Kind:
    """Return what an event in the log of a server says about its message."""
    name = text_of(event.get("EventId")).upper()
    if name != "SEND":
        return _KINDS.get(name, Kind.SEEN)
    if server.build is not None and server.build.logs_external:
        return Kind.QUEUED  # handed to another server of the organisation
    # Exchange 2010 has one name for both; the connector and the receiver tell them apart.
    connector = text_of(event.get("ConnectorId")).casefold()
    receiver = text_of(event.get("ServerHostname"))
    internal = connector.startswith(_INTERNAL_CONNECTOR) or any(
        one.answers_to(receiver) for one in servers
    )
    return Kind.QUEUED if internal else Kind.TRANSFERRED


def _several(value: object) -> Sequence[object]:
    """A status has commas of its own, so it is not split where it comes alone."""
    return value if isinstance(value, (list, tuple)) else [value]
