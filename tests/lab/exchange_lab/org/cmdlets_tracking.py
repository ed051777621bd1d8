# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Get-MessageTrackingLog, after the topics of that name and "Message tracking"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import binding, connectors, wire
from .cmdlet import Call, Cmdlet
from .cmdlets_queue import find_service, limited
from .tracking import Search, TrackingEvent
from .versions import SINCE_2016, Family

if TYPE_CHECKING:
    from psrpcore.types import PSObject

_TASKS = "Microsoft.Exchange.Management.TransportLogSearchTasks"
_TYPES = (f"{_TASKS}.MessageTrackingEvent", "System.Object")


def _text(name: str) -> binding.Parameter:
    return binding.Parameter(name, "System.String", binding.to_string)


def _of_2016(name: str) -> binding.Parameter:
    return binding.Parameter(name, "System.String", binding.to_string, families=SINCE_2016)


def _date(name: str) -> binding.Parameter:
    return binding.Parameter(name, "System.DateTime", binding.to_datetime)


def _search(call: Call) -> Search:
    have = call.bound
    return Search(
        start=have.get("Start"),
        end=have.get("End"),
        event_id=have.text("EventId"),
        internal_id=have.text("InternalMessageId"),
        message_id=have.text("MessageId"),
        network_id=have.text("NetworkMessageId"),
        subject=have.text("MessageSubject"),
        recipients=tuple(have.get("Recipients", ())),
        reference=have.text("Reference"),
        sender=have.text("Sender"),
        source=have.text("Source"),
    )


def get_log(call: Call) -> list[PSObject]:
    """The events of one server's log that meet the criteria, oldest first."""
    service = find_service(call, call.bound.text("Server"))
    search = _search(call)
    found = [event for event in service.log.events() if search.finds(event)]
    return [_shown(event, call.family) for event in limited(call, found)]


def _shown(event: TrackingEvent, family: Family) -> PSObject:
    properties: dict[str, object] = {
        "Timestamp": event.timestamp,
        "ClientIp": event.client_ip,
        "ClientHostname": event.client_host,
        "ServerIp": event.server_ip,
        "ServerHostname": event.server_host,
        "SourceContext": event.context,
        "ConnectorId": event.connector,
        "Source": event.source,
        "EventId": event.event_id,
        "InternalMessageId": str(event.internal_id),
        "MessageId": event.message_id,
    }
    if family >= Family.E2013:
        properties["NetworkMessageId"] = str(event.network_id)
    properties |= {
        "Recipients": wire.Strings(event.recipients),
        "RecipientStatus": wire.Strings(event.recipient_status),
        "TotalBytes": event.size,
        "RecipientCount": len(event.recipients),
        "RelatedRecipientAddress": "",
        "Reference": wire.Strings(event.reference),
        "MessageSubject": event.subject,
        "Sender": event.sender,
        "ReturnPath": event.sender,
        "MessageInfo": "",
        "MessageLatency": None,
        "EventData": None,
    }
    if family >= Family.E2013:
        properties["Directionality"] = "Originating"
    return wire.build(_TYPES, f"{_TASKS}.MessageTrackingEvent", properties)


CMDLETS = (
    Cmdlet(
        "Get-MessageTrackingLog",
        f"{_TASKS}.GetMessageTrackingLog",
        (
            connectors.DOMAIN_CONTROLLER,
            _date("End"),
            _text("EventId"),
            _text("InternalMessageId"),
            _text("MessageId"),
            _text("MessageSubject"),
            binding.Parameter("Recipients", "System.String[]", binding.to_list(str)),
            _text("Reference"),
            binding.Parameter("ResultSize", "Unlimited", binding.to_result_size),
            _text("Sender"),
            binding.Parameter("Server", "ServerIdParameter", binding.to_string),
            _date("Start"),
            _of_2016("NetworkMessageId"),
            _of_2016("Source"),
            _of_2016("TransportTrafficType"),
        ),
        get_log,
    ),
)
