# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""queue_info for Exchange 2010 and later, in the same shape as for the Internet Mail Connector.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from .._base.context import Context
from .._mail.addresses import domain_of
from .._pairs.names import parse_domain
from .._remote.session import Cmdlet, CmdletError, CmdletSession
from .._run.accepted_domains import AcceptedDomains
from .._run.installation import parse_installation
from .._run.queue import iso, stuck
from .queue import Queue
from .servers import Server, known_servers, read_servers, text_of, texts_of, this_server, time_of
from .servers import transport_servers as those_that_transport
from .waiting import Waiting, by_domain, failures, look

#: Failures and returned recipients that the result shows.
_SHOWN = 100
#: How far back returned mail is looked for.
_RETURNED_WITHIN = timedelta(days=1)


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the task result. Raises ExchangeError where no queue could be seen."""
    session = context.need_cmdlets()
    own = {parse_domain(name) for name in params["own_domains"]}
    computer = params.get("target_computer") or ""
    known = parse_installation(params)
    every = known_servers(known)
    version: str | None = known.version or None
    if not every:
        every = read_servers(session)
        here = this_server(every, computer or context.host, context.address)
        version = here.version if here else None
    names = _names(session, every, computer, all_servers=params["all_servers"])
    waiting = look(session, names, AcceptedDomains(session, own), most_messages=params["max_files"])
    queues = by_domain(waiting)
    since = context.now() - _RETURNED_WITHIN
    returned = _returned(session, names, waiting, since, params["tracking_lines"])
    return {
        "changed": False,
        "family": "transport",
        "version": version,
        "service": None,
        "files": sum(queue.messages for queue in waiting.queues),
        "bytes": None,
        "files_unread": waiting.unread,
        "oldest": iso(min((queue.oldest for queue in queues if queue.oldest), default=None)),
        "counters": None,
        "queues": [queue.as_dict() for queue in queues],
        "stuck_domains": stuck(queues, context.now(), params["min_age"]),
        "failures": failures(waiting)[:_SHOWN],
        "returned": returned[-_SHOWN:],
        "transport_queues": [_queue(waiting, queue) for queue in waiting.queues],
        "notes": _notes(waiting),
    }


def _names(
    session: CmdletSession, servers: Sequence[Server], computer: str, *, all_servers: bool
) -> list[str]:
    """Return which servers' queues to ask for; empty is the one that the session leads to."""
    if all_servers:
        return [server.name for server in those_that_transport(session, servers)]
    return [computer]


def _queue(waiting: Waiting, queue: Queue) -> dict[str, object]:
    error = queue.error
    return {
        "identity": queue.identity,
        "server": queue.server,
        "status": queue.status,
        "delivery_type": queue.delivery_type,
        "next_hop": queue.next_hop,
        "messages": queue.messages,
        "domains": list(waiting.domains_of(queue)),
        "last_error": error.line if error else None,
        "trouble": str(error.trouble) if error else None,
        "next_retry": iso(queue.next_retry),
    }


def _returned(
    session: CmdletSession, names: Sequence[str], waiting: Waiting, since: datetime, most: int
) -> list[dict[str, object]]:
    """Return recipients of the last day that mail was given up for, oldest first."""
    if most == 0:
        return []
    found: list[dict[str, object]] = []
    for name in names:
        parameters: dict[str, Any] = {"EventId": "FAIL", "Start": iso(since), "ResultSize": most}
        if name:
            parameters["Server"] = name
        try:
            answer = session.invoke(Cmdlet("Get-MessageTrackingLog", parameters))
        except CmdletError as error:
            waiting.notes.append(f"The tracking log of {name or session.host}: {error.message}")
            continue
        found += [one for event in answer for one in _recipients(event)]
    return sorted(found, key=lambda one: str(one["time"]))


def _recipients(event: Mapping[str, Any]) -> list[dict[str, object]]:
    when = text_of(event.get("Timestamp"))
    return [
        {
            "recipient": recipient,
            "domain": domain_of(recipient),
            "time": iso(time_of(event.get("Timestamp"))) or when,
            "event": "FAIL",
        }
        for recipient in texts_of(event.get("Recipients"))
    ]


def _notes(waiting: Waiting) -> list[str]:
    notes = list(waiting.notes)
    if waiting.unread:
        notes.append(
            f"{waiting.unread} messages in queues that do not name their domain were not looked"
            " into. Their domains may be missing (max_messages)."
        )
    suspended = [queue.identity for queue in waiting.queues if queue.suspended]
    if suspended:
        notes.append(f"Suspended by an administrator: {', '.join(suspended)}.")
    return notes
