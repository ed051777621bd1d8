# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queues of the Transport service and the domains that they hold mail for.

Some queues are named by the domain they are for. In others only the messages
show it: those of a connector with smart hosts are named by these (``[192.0.2.10],[192.0.2.11]``),
relay queues by a server, a site or a connector, and mail without a route lies in *Unreachable*.
Messages are asked for only there, or where their age counts.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from .._base.texts import utc_text
from .._mail.addresses import domain_of, mail_domain
from .._mail.smtp_errors import Origin, SmtpError, parse_last_error
from .._remote.session import Cmdlet, CmdletError, CmdletSession
from .servers import AcceptedDomains, is_own, text_of, texts_of, time_of

#: The most queues of one server to read, and the most queues to read the oldest message of.
MOST_QUEUES, _MOST_AGES = 1000, 50
#: Queues that a warning names.
_MOST_NAMED = 5

_NAMED_BY_DOMAIN = "dnsconnectordelivery"
_BY_SMART_HOST, _TO_EDGE = "smarthostconnectordelivery", "smtprelaywithinadsitetoedge"
#: Queues of mail that leaves, or should; others hold local mail or copies (shadow redundancy).
_OUTBOUND = frozenset(
    {
        _NAMED_BY_DOMAIN,
        _BY_SMART_HOST,
        "smtprelaytoconnectorsourceservers",
        "smtprelaytoremoteadsite",
        "smtprelaywithinadsite",
        _TO_EDGE,
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
    error: SmtpError | None
    next_retry: datetime | None

    @property
    def server(self) -> str:
        """The name of its server."""
        return self.identity.partition("\\")[0]

    @property
    def kind(self) -> str:
        """The delivery type in lower case."""
        return self.delivery_type.casefold()

    @property
    def domain(self) -> str | None:
        """The only domain of the queue, or None if only its messages show it."""
        return mail_domain(self.next_hop) if self.kind == _NAMED_BY_DOMAIN else None

    @property
    def outbound(self) -> bool:
        """Whether its mail leaves the organisation, or should."""
        return self.kind in _OUTBOUND

    @property
    def waits(self) -> bool:
        """Whether Exchange would retry it: only in this state does ``Retry-Queue`` take it."""
        return self.kind == "unreachable" or self.status.casefold() == "retry"

    @property
    def tried_now(self) -> bool:
        """Whether Exchange is just trying once more what failed before."""
        return self.error is not None and self.status.casefold() in {"active", "connecting"}

    @property
    def suspended(self) -> bool:
        """Whether an administrator suspended it."""
        return self.status.casefold() == "suspended"

    def attributed(self, error: SmtpError | None) -> SmtpError | None:
        """Return an error of this queue with the next hop that this queue leads to as its origin.

        A smart host that is named by address may be a pin, and so the far server itself.
        """
        if error is None or error.origin is not Origin.FAR_SERVER:
            return error
        if self.kind == _TO_EDGE:
            return replace(error, origin=Origin.EDGE)
        relay = self.kind == _BY_SMART_HOST and not all(map(_is_address, self.next_hop.split(",")))
        return replace(error, origin=Origin.RELAY) if relay else error

    def to_dict(self, domains: Sequence[str]) -> dict[str, object]:
        """Return the queue as the module queue_info returns it."""
        error = self.error
        return {
            "identity": self.identity,
            "server": self.server,
            "status": self.status,
            "delivery_type": self.delivery_type,
            "next_hop": self.next_hop,
            "messages": self.messages,
            "domains": list(domains),
            "last_error": error.line if error else None,
            "error": error.to_dict() if error else None,
            "next_retry": utc_text(self.next_retry),
        }


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message in a queue; ``domains`` are those of its recipients there, each once."""

    queue: str
    domains: tuple[str, ...]
    received: datetime | None
    error: SmtpError | None


def read_queues(session: CmdletSession, server: str = "") -> tuple[tuple[Queue, ...], str]:
    """Return the outbound queues of a server that hold mail; of the session's own by default.

    The second value is a warning of queues that were not read, or empty: one queue that cannot be
    read must not hide the others.
    """
    parameters: dict[str, Any] = {"Filter": "MessageCount -gt 0", "ResultSize": MOST_QUEUES}
    if server:
        parameters["Server"] = server
    answer = session.invoke(Cmdlet("Get-Queue", parameters))
    where = server or session.host
    kept, unread = list[Queue](), list[str]()
    for one in answer:
        queue = _queue(one)
        if queue is None:
            unread.append(text_of(one.get("Identity")) or "one without an identity")
        elif queue.outbound and queue.messages:
            kept.append(queue)
    if len(answer) >= MOST_QUEUES:
        return tuple(kept), f"{where} has {MOST_QUEUES} queues or more; the rest was not read."
    named = ", ".join(unread[:_MOST_NAMED])
    return tuple(kept), f"Queues of {where} cannot be read: {named}." if unread else ""


def _queue(properties: Mapping[str, Any]) -> Queue | None:
    """Return a queue, or None where a property that it needs is missing or of no known form."""
    try:
        identity = text_of(properties["Identity"])
        queue = Queue(
            identity=identity,
            delivery_type=text_of(properties["DeliveryType"]),
            status=text_of(properties["Status"]),
            next_hop=text_of(properties["NextHopDomain"]),
            messages=int(properties["MessageCount"]),
            error=parse_last_error(
                properties.get("LastError"),
                source=f"queue {identity}",
                own=[identity.partition("\\")[0]],
            ),
            next_retry=time_of(properties.get("NextRetryTime")),
        )
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    return replace(queue, error=queue.attributed(queue.error))


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip().strip("[]"))
    except ValueError:
        return False
    return True


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
    messages = (_message(queue.identity, one) for one in answer)
    return tuple(replace(one, error=queue.attributed(one.error)) for one in messages)


def find_message(session: CmdletSession, server: str, message_id: str) -> tuple[QueuedMessage, ...]:
    """Return what waits on a server of the message with that Message-ID, which has no quote."""
    parameters = {
        "Server": server,
        "Filter": f"InternetMessageId -eq '{message_id}'",
        "ResultSize": 10,
    }
    answer = session.invoke(Cmdlet("Get-Message", parameters))
    return tuple(_message(text_of(one.get("Queue")), one) for one in answer)


def _message(queue: str, properties: Mapping[str, Any]) -> QueuedMessage:
    # A semicolon separates the address of a recipient from its status and type.
    recipients = (text.partition(";")[0] for text in texts_of(properties.get("Recipients")))
    domains = dict.fromkeys(filter(None, map(domain_of, recipients)))
    return QueuedMessage(
        queue=queue,
        domains=tuple(domains),
        received=time_of(properties.get("DateReceived")),
        error=parse_last_error(properties.get("LastError"), source=f"queue {queue}"),
    )


@dataclass(slots=True)
class Waiting:
    """The queues of servers. ``messages`` are those read of each queue, by identity; ``unread``
    counts messages that were not opened though only they show their domain.
    """

    queues: list[Queue] = field(default_factory=list)
    messages: dict[str, tuple[QueuedMessage, ...]] = field(default_factory=dict)
    own_domains: Collection[str] = ()
    unread: int = 0
    warnings: list[str] = field(default_factory=list)

    def domains_of(self, queue: Queue) -> tuple[str, ...]:
        """Return the foreign domains that a queue holds mail for, as far as they are known."""
        named = (queue.domain,) if queue.domain else ()
        read = (domain for one in self.messages.get(queue.identity, ()) for domain in one.domains)
        domains = dict.fromkeys((*named, *read))
        return tuple(domain for domain in domains if not is_own(domain, self.own_domains))


def read_waiting(
    session: CmdletSession,
    servers: Sequence[str],
    accepted: AcceptedDomains,
    *,
    most_messages: int,
    ages: bool = True,
) -> Waiting:
    """Read the queues of servers; an empty name means the one that the session leads to.

    The ``accepted`` domains are asked for where they matter. A server that does not answer leaves a
    warning. Raises CmdletError if none does.
    """
    waiting = Waiting(own_domains=accepted.named)
    refused: list[CmdletError] = []
    for server in servers:
        where = server or session.host
        try:
            queues, warning = read_queues(session, server)
        except CmdletError as error:
            refused.append(error)
            waiting.warnings.append(f"The queues of {where}: {error.message}")
            continue
        waiting.queues += queues
        if warning:
            waiting.warnings.append(warning)
    if len(refused) == len(servers):
        raise refused[0]
    _read_recipients(session, waiting, accepted, most_messages)
    if ages:
        closed = [queue for queue in waiting.queues if queue.identity not in waiting.messages]
        for queue in closed[:_MOST_AGES]:
            _read(session, queue, waiting, most=1, recipients=False)
        if len(closed) > _MOST_AGES:
            waiting.warnings.append(
                f"The age of waiting mail was read for {_MOST_AGES} of {len(closed)} queues only."
            )
    return waiting


def _read_recipients(
    session: CmdletSession, waiting: Waiting, accepted: AcceptedDomains, budget: int
) -> None:
    """Read the messages of queues that do not name their domain, those in trouble first."""
    nameless = sorted((q for q in waiting.queues if q.domain is None), key=lambda q: not q.waits)
    if not nameless:
        return
    try:
        waiting.own_domains = accepted.own()
    except CmdletError as error:
        waiting.warnings.append(
            f"The organisation's own domains could not be read ({error.message}). List them in"
            " own_domains."
        )
    for queue in nameless:
        waiting.messages[queue.identity] = ()
        if budget > 0:
            _read(session, queue, waiting, most=budget, recipients=True)
        opened = len(waiting.messages[queue.identity])
        budget -= opened
        waiting.unread += max(queue.messages - opened, 0)


def _read(
    session: CmdletSession, queue: Queue, waiting: Waiting, *, most: int, recipients: bool
) -> None:
    """Read messages; a queue that is gone meanwhile has none."""
    waiting.messages[queue.identity] = ()
    try:
        messages = read_messages(session, queue, most=most, recipients=recipients)
        waiting.messages[queue.identity] = messages
    except CmdletError as error:
        waiting.warnings.append(f"The queue {queue.identity}: {error.message}")
