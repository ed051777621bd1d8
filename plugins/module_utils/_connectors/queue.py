# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queues of a Transport server, as ``Get-Queue`` and ``Get-Message`` show them.

Some queues are named by the domain they are for. Others are not, so that their messages have to
tell it: those of a connector with smart hosts are named by these (``[192.0.2.10],[192.0.2.11]``),
relay queues by a server, a site or a connector, and mail without a route lies in *Unreachable*.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .._base.errors import ExchangeError
from .._mail.addresses import domain_of, mail_domain
from .._remote.session import Cmdlet, CmdletSession
from .errors import LastError, parse_last_error
from .servers import text_of, texts_of, time_of

#: Queues of one server that are looked at.
MOST_QUEUES = 1000

_NAMED_BY_DOMAIN = "dnsconnectordelivery"
#: Queues of mail that leaves, or should; others hold local mail or copies (shadow redundancy).
_OUTBOUND = frozenset(
    {
        _NAMED_BY_DOMAIN,
        "smarthostconnectordelivery",
        "smtprelaytoconnectorsourceservers",
        "smtprelaytoremoteadsite",
        "smtprelaywithinadsite",
        "smtprelaywithinadsitetoedge",
        "unreachable",
    }
)


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of mail on its way out. ``identity`` is ``SERVER\\NAME``."""

    identity: str
    delivery_type: str
    status: str
    next_hop: str
    messages: int
    error: LastError | None
    next_retry: datetime | None

    @property
    def server(self) -> str:
        return self.identity.partition("\\")[0]

    @property
    def domain(self) -> str | None:
        """The one domain the queue is for, or None where its messages have to tell."""
        return mail_domain(self.next_hop) if self._type == _NAMED_BY_DOMAIN else None

    @property
    def outbound(self) -> bool:
        return self._type in _OUTBOUND

    @property
    def unreachable(self) -> bool:
        """Whether its messages wait for a route instead of a connection."""
        return self._type == "unreachable"

    @property
    def waits(self) -> bool:
        """Whether Exchange would retry it: only in this state does ``Retry-Queue`` take it."""
        return self.unreachable or self.status.casefold() == "retry"

    @property
    def tried_now(self) -> bool:
        """Whether Exchange is just trying once more what failed before."""
        return self.error is not None and self.status.casefold() in {"active", "connecting"}

    @property
    def suspended(self) -> bool:
        return self.status.casefold() == "suspended"

    @property
    def _type(self) -> str:
        return self.delivery_type.casefold()


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message in a queue; ``domains`` are those of its recipients there, each once."""

    queue: str
    domains: tuple[str, ...]
    received: datetime | None
    error: LastError | None


def read_queues(session: CmdletSession, server: str = "") -> tuple[tuple[Queue, ...], bool]:
    """Return the outbound queues of a server that hold mail; of the session's own by default.

    The second value is whether there may be more queues than were looked at.
    """
    parameters: dict[str, Any] = {"Filter": "MessageCount -gt 0", "ResultSize": MOST_QUEUES}
    if server:
        parameters["Server"] = server
    answer = session.invoke(Cmdlet("Get-Queue", parameters))
    found = (_queue(session.host, one) for one in answer)
    kept = tuple(queue for queue in found if queue.outbound and queue.messages)
    return kept, len(answer) >= MOST_QUEUES


def read_messages(
    session: CmdletSession, queue: Queue, *, most: int, recipients: bool
) -> tuple[QueuedMessage, ...]:
    """Return messages of a queue, the oldest first; without recipients they have no domains."""
    parameters: dict[str, Any] = {
        "Queue": queue.identity,
        "ResultSize": most,
        "SortOrder": ["+DateReceived"],
    }
    if recipients:
        parameters["IncludeRecipientInfo"] = True
    answer = session.invoke(Cmdlet("Get-Message", parameters))
    return tuple(_message(queue.identity, one) for one in answer)


def find_message(session: CmdletSession, server: str, message_id: str) -> tuple[QueuedMessage, ...]:
    """Return what waits on a server of the message with that Message-ID, which has no quote."""
    parameters = {
        "Server": server,
        "Filter": f"InternetMessageId -eq '{message_id}'",
        "ResultSize": 10,
    }
    answer = session.invoke(Cmdlet("Get-Message", parameters))
    return tuple(_message(text_of(one.get("Queue")), one) for one in answer)


def _queue(host: str, properties: Mapping[str, Any]) -> Queue:
    try:
        return Queue(
            identity=text_of(properties["Identity"]),
            delivery_type=text_of(properties["DeliveryType"]),
            status=text_of(properties["Status"]),
            next_hop=text_of(properties["NextHopDomain"]),
            messages=int(properties["MessageCount"]),
            error=parse_last_error(properties.get("LastError")),
            next_retry=time_of(properties.get("NextRetryTime")),
        )
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise ExchangeError(
            f"{host}: Get-Queue shows a queue that cannot be read ({error})."
        ) from (error)


def _message(queue: str, properties: Mapping[str, Any]) -> QueuedMessage:
    recipients = texts_of(properties.get("Recipients"))
    return QueuedMessage(
        queue=queue,
        domains=_domains(recipients),
        received=time_of(properties.get("DateReceived")),
        error=parse_last_error(properties.get("LastError")),
    )


def _domains(recipients: Sequence[str]) -> tuple[str, ...]:
    # What follows the address of a recipient (its status and type) stands behind a semicolon.
    found = (domain_of(text.partition(";")[0]) for text in recipients)
    return tuple(dict.fromkeys(domain for domain in found if domain))
