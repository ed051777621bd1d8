# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Get-Queue, Get-Message and Retry-Queue, after the cmdlet reference's topics of those names.

Properties: "Queue properties", "Properties of messages in queues", and the list of a real queue of
Exchange 2013.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from . import binding, connectors, errors, opath, wire
from .cmdlet import Call, Cmdlet
from .queues import Queue, Waiting
from .routing import SUBMISSION
from .values import quantified
from .versions import SINCE_2013, Family

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psrpcore.types import PSObject

    from .transport import TransportService

_TASKS = "Microsoft.Exchange.Management.QueueViewerTasks"
_VIEWER = "Microsoft.Exchange.Data.QueueViewer"
_QUEUE_TYPES = (
    f"{_VIEWER}.ExtensibleQueueInfo",
    f"{_VIEWER}.PagedDataObject",
    "Microsoft.Exchange.Data.ConfigurableObject",
    "System.Object",
)
_MESSAGE_TYPES = (f"{_VIEWER}.ExtensibleMessageInfo", *_QUEUE_TYPES[1:])
_MORE = (
    "There are more results available than are currently displayed. To view them, increase the "
    "value for the ResultSize parameter."
)
_QUEUE_FILTER = frozenset(
    {
        "DeliveryType",
        "Identity",
        "LastError",
        "LastRetryTime",
        "MessageCount",
        "NextHopCategory",
        "NextHopConnector",
        "NextHopDomain",
        "NextRetryTime",
        "Status",
    }
)
_MESSAGE_FILTER = frozenset(
    {
        "DateReceived",
        "ExpirationTime",
        "FromAddress",
        "Identity",
        "InternetMessageId",
        "LastError",
        "MessageSourceName",
        "Queue",
        "RetryCount",
        "SCL",
        "Size",
        "SourceIP",
        "Status",
        "Subject",
    }
)


def _text(name: str, type_name: str, *, position: int | None = None) -> binding.Parameter:
    return binding.Parameter(name, type_name, binding.to_string, position=position)


def _of_2013(name: str) -> binding.Parameter:
    return binding.Parameter(
        name,
        f"{_VIEWER}.QueueViewerIncludesAndExcludes",
        binding.to_list(str),
        families=SINCE_2013,
    )


_PAGING = (
    binding.Parameter("BookmarkIndex", "System.Int32", binding.to_int32(1)),
    binding.Parameter("IncludeBookmark", "System.Boolean", binding.to_boolean),
    binding.Parameter("ResultSize", "Unlimited", binding.to_result_size),
    binding.Parameter("ReturnPageInfo", "System.Boolean", binding.to_boolean),
    binding.Parameter("SearchForward", "System.Boolean", binding.to_boolean),
    binding.Parameter("SortOrder", "QueueViewerSortOrderEntry[]", binding.to_list(str)),
    _text("Filter", "System.String"),
    _text("Server", "ServerIdParameter"),
)


def find_service(call: Call, identity: str | None) -> TransportService:
    """The Transport service of a server; without an identity the one the command runs on."""
    server = call.server if identity is None else call.organisation.find_server(identity)
    if server is None:
        raise errors.object_not_found(identity or "", call.domain_controller())
    service = call.organisation.transports.get(server.name)
    if server.is_edge:
        raise errors.transient(
            f"The server '{server.fqdn}' could not be reached by RPC: the queues of an Edge "
            "Transport server are seen on that server only."
        )
    if service is None:
        raise errors.transient(
            f"The Microsoft Exchange Transport service isn't running on server '{server.fqdn}'."
        )
    return service


def exclude(call: Call, *names: str) -> None:
    """Refuse parameters of different sets in one call."""
    if sum(name in call.bound for name in names) > 1:
        raise errors.parameter_set()


def limited(call: Call, items: list[Any]) -> list[Any]:
    """At most ResultSize (1000 if not given) of the items, with Exchange's warning."""
    size = call.bound.get("ResultSize", 1000)
    if size is not None and len(items) > size:
        call.warnings.append(_MORE)
        return items[:size]
    return items


def _filtered(
    call: Call, rows: list[dict[str, object]], names: frozenset[str]
) -> list[dict[str, object]]:
    text = call.bound.text("Filter")
    if text is None:
        return rows
    try:
        test = opath.parse(text, names)
        return [row for row in rows if test(row)]
    except opath.BadFilterError as error:
        raise errors.invalid_operation(f"The filter isn't valid: {error}") from error


# --- queues -------------------------------------------------------------------------------------


def _queue_row(service: TransportService, queue: Queue, label: str) -> dict[str, object]:
    hop = queue.hop
    deferred = sum(waiting.status == "Retry" for waiting in queue.waiting)
    row: dict[str, object] = {
        "Identity": f"{service.server.name}\\{label}",
        "DeliveryType": hop.delivery_type,
        "NextHopDomain": hop.domain,
        "TlsDomain": None,
        "NextHopConnector": hop.connector,
        "Status": queue.status,
        "MessageCount": len(queue.waiting),
        "LastError": queue.last_error or None,
        "LastRetryTime": queue.last_retry,
        "NextRetryTime": queue.next_retry,
    }
    if service.server.version.family >= Family.E2013:
        row |= {
            "RetryCount": queue.attempts,
            "DeferredMessageCount": 0,
            "LockedMessageCount": 0,
            "MessageCountsPerPriority": wire.Multi(wire.INT32, ["0", "0", "0", "0"]),
            "DeferredMessageCountsPerPriority": wire.Multi(
                wire.INT32, ["0", str(deferred), "0", "0"]
            ),
            "FirstRetryTime": queue.first_retry,
            "PriorityDescriptions": wire.Multi(wire.STRING, ["High", "Normal", "Low", "None"]),
            "OverrideSource": None,
            "RiskLevel": "Normal",
            "OutboundIPPool": 0,
            "NextHopCategory": "External" if hop.external else "Internal",
            "IncomingRate": "0",
            "OutgoingRate": "0",
            "Velocity": "0",
            "QueueIdentity": f"{service.server.name}\\{label}",
        }
    return row | {"IsValid": True, "ObjectState": "New"}


def _queues(service: TransportService) -> list[tuple[Queue, dict[str, object]]]:
    """The queues of a server, the always present Submission queue last."""
    with service.queues.lock:
        found = [(queue, _queue_row(service, queue, queue.label)) for queue in service.queues.all()]
    submission = Queue(SUBMISSION, number=0)
    return [*found, (submission, _queue_row(service, submission, "Submission"))]


def _by_identity(call: Call, identity: str) -> list[tuple[Queue, dict[str, object]]]:
    """``Server\\Queue`` or ``Queue``, where the queue is a number, a next hop, or a fixed name."""
    server, separator, label = identity.rpartition("\\")
    service = find_service(call, server if separator else None)
    matching = [
        (queue, row)
        for queue, row in _queues(service)
        if label.casefold()
        in (str(row["Identity"]).rpartition("\\")[2].casefold(), queue.hop.domain.casefold())
    ]
    if not matching:
        raise errors.object_not_found(identity, service.server.fqdn)
    return matching


def _selected(call: Call) -> list[tuple[Queue, dict[str, object]]]:
    exclude(call, "Identity", "Filter")
    exclude(call, "Identity", "Server")
    identity = call.bound.text("Identity")
    if identity is not None:
        return _by_identity(call, identity)
    pairs = _queues(find_service(call, call.bound.text("Server")))
    kept = _filtered(call, [row for _skipped, row in pairs], _QUEUE_FILTER)
    return [(queue, row) for queue, row in pairs if row in kept]


def _belongs(row: dict[str, object], kinds: Sequence[str]) -> bool:
    words = {str(row["DeliveryType"]).casefold(), str(row.get("NextHopCategory", "")).casefold()}
    if row["MessageCount"] == 0:
        words.add("empty")
    return not words.isdisjoint(kind.casefold() for kind in kinds)


def get_queue(call: Call) -> list[PSObject]:
    """The queues of one server."""
    rows = [row for _skipped, row in _selected(call)]
    if call.bound.get("Include"):
        rows = [row for row in rows if _belongs(row, call.bound.get("Include"))]
    if call.bound.get("Exclude"):
        rows = [row for row in rows if not _belongs(row, call.bound.get("Exclude"))]
    shown = limited(call, rows)
    return [wire.build(_QUEUE_TYPES, str(row["Identity"]), row) for row in shown]


def retry_queue(call: Call) -> list[PSObject]:
    """Connect at once; the Unreachable queue needs Resubmit."""
    call.confirm("Retrying queue", default=False)
    if "Identity" not in call.bound and "Filter" not in call.bound:
        raise errors.missing_mandatory(["Identity"])
    selected = _selected(call)
    if call.bound.get("WhatIf"):
        return []
    for queue, row in selected:
        service = find_service(call, str(row["Identity"]).partition("\\")[0])
        service.retry(queue, resubmit=bool(call.bound.get("Resubmit", False)))
    return []


# --- messages -----------------------------------------------------------------------------------


def _message_row(
    service: TransportService, queue: Queue, waiting: Waiting, *, recipients: bool
) -> dict[str, object]:
    message = waiting.message
    name = f"{service.server.name}\\{queue.label}"
    lives = timedelta(seconds=service.scaled(service.server.settings.expiration))
    return {
        "Identity": f"{name}\\{message.internal_id}",
        "Subject": message.subject,
        "InternetMessageId": message.message_id,
        "FromAddress": message.sender or "<>",
        "Status": waiting.status,
        "Size": quantified(len(message.content)),
        "MessageSourceName": f"SMTP:Default Frontend {service.server.name}",
        "SourceIP": message.client_ip,
        "SCL": -1,
        "DateReceived": message.received,
        "ExpirationTime": message.received + lives,
        "LastError": waiting.last_error or None,
        "RetryCount": waiting.attempts,
        "Queue": name,
        # The text of a recipient on the wire is the lab's assumption: its address.
        "Recipients": wire.Multi(wire.STRING, waiting.recipients) if recipients else None,
        "IsValid": True,
        "ObjectState": "New",
    }


def get_message(call: Call) -> list[PSObject]:
    """The messages that wait in the queues of one server."""
    exclude(call, "Identity", "Filter", "Queue")
    exclude(call, "Queue", "Server")
    exclude(call, "Identity", "Server")
    rows = _filtered(call, _message_rows(call), _MESSAGE_FILTER)
    shown = limited(call, rows)
    return [wire.build(_MESSAGE_TYPES, str(row["Identity"]), row) for row in shown]


def _message_rows(call: Call) -> list[dict[str, object]]:
    recipients = bool(call.bound.get("IncludeRecipientInfo", False))
    queue_identity, identity = call.bound.text("Queue"), call.bound.text("Identity")
    wanted = ""
    if identity is not None:
        queue_identity, _skipped, wanted = identity.rpartition("\\")
    if queue_identity:
        pairs = _by_identity(call, queue_identity)
        service = find_service(call, str(pairs[0][1]["Identity"]).partition("\\")[0])
    else:
        service = find_service(call, call.bound.text("Server"))
        pairs = _queues(service)
    with service.queues.lock:
        rows = [
            _message_row(service, queue, waiting, recipients=recipients)
            for queue, _skipped in pairs
            for waiting in queue.waiting
        ]
    found = [row for row in rows if not wanted or str(row["Identity"]).endswith(f"\\{wanted}")]
    if wanted and not found:
        raise errors.object_not_found(identity or "", service.server.fqdn)
    return found


def remove_message(call: Call) -> list[PSObject]:
    """Take messages out of the queues of one server; no report is sent in the lab."""
    call.confirm("Removing message", default=True)
    if "Identity" not in call.bound and "Filter" not in call.bound:
        raise errors.missing_mandatory(["Identity"])
    rows = _filtered(call, _message_rows(call), _MESSAGE_FILTER)
    if call.bound.get("WhatIf"):
        return []
    for row in rows:
        server, _label, number = str(row["Identity"]).split("\\")
        service = find_service(call, server)
        with service.queues.lock:
            for queue, _facts in _queues(service):
                queue.waiting[:] = [
                    one for one in queue.waiting if str(one.message.internal_id) != number
                ]
    return []


CMDLETS = (
    Cmdlet(
        "Get-Queue",
        f"{_TASKS}.GetQueueInfo",
        (
            _text("Identity", "QueueIdentity", position=1),
            *_PAGING,
            _of_2013("Include"),
            _of_2013("Exclude"),
        ),
        get_queue,
    ),
    Cmdlet(
        "Get-Message",
        f"{_TASKS}.GetMessageInfo",
        (
            _text("Identity", "MessageIdentity", position=1),
            _text("Queue", "QueueIdentity"),
            binding.Parameter("IncludeRecipientInfo", "SwitchParameter", binding.to_switch),
            binding.Parameter("IncludeComponentLatencyInfo", "SwitchParameter", binding.to_switch),
            *_PAGING,
        ),
        get_message,
    ),
    Cmdlet(
        "Remove-Message",
        f"{_TASKS}.RemoveMessage",
        (
            _text("Identity", "MessageIdentity", position=1),
            _text("Queue", "QueueIdentity"),
            _text("Filter", "System.String"),
            _text("Server", "ServerIdParameter"),
            binding.Parameter("WithNDR", "System.Boolean", binding.to_boolean),
            connectors.CONFIRM,
            connectors.WHAT_IF,
        ),
        remove_message,
    ),
    Cmdlet(
        "Retry-Queue",
        f"{_TASKS}.RetryQueue",
        (
            _text("Identity", "QueueIdentity", position=1),
            _text("Filter", "System.String"),
            _text("Server", "ServerIdParameter"),
            binding.Parameter("Resubmit", "System.Boolean", binding.to_boolean),
            connectors.CONFIRM,
            connectors.WHAT_IF,
        ),
        retry_queue,
    ),
)
