# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What waits on Transport servers, by domain: which queues to open, and what they tell together.

Messages are asked for only where a queue does not name its domain, or where their age counts.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .._remote.session import CmdletError, CmdletSession
from .._run.accepted_domains import AcceptedDomains
from .._run.queue import DomainError, DomainQueue
from .errors import LastError
from .queue import MOST_QUEUES, Queue, QueuedMessage, read_messages, read_queues

#: Queues whose oldest message is asked for, each by a cmdlet of its own.
_MOST_AGES = 50


@dataclass(slots=True)
class Waiting:
    """What was found. ``domains`` are the domains that each queue holds mail for, by identity;
    ``messages`` what was read of it. ``unread`` are messages nobody looked into though they alone
    tell their domain.
    """

    queues: list[Queue] = field(default_factory=list)
    messages: dict[str, tuple[QueuedMessage, ...]] = field(default_factory=dict)
    own_domains: set[str] = field(default_factory=set)
    unread: int = 0
    notes: list[str] = field(default_factory=list)

    def domains_of(self, queue: Queue) -> tuple[str, ...]:
        """Return the foreign domains that a queue holds mail for, as far as they are known."""
        named = (queue.domain,) if queue.domain else ()
        read = (domain for one in self.messages.get(queue.identity, ()) for domain in one.domains)
        return tuple(x for x in dict.fromkeys((*named, *read)) if x not in self.own_domains)


def look(
    session: CmdletSession,
    servers: Sequence[str],
    own: AcceptedDomains,
    *,
    most_messages: int,
    ages: bool = True,
) -> Waiting:
    """Look into the queues of servers; an empty name means the one that the session leads to.

    The ``own`` domains are asked for where they matter. A server that does not answer is told in a
    note. Raises CmdletError if none does.
    """
    waiting = Waiting(own_domains=set(own.named))
    refused: list[CmdletError] = []
    for server in servers:
        try:
            queues, cut = read_queues(session, server)
        except CmdletError as error:
            refused.append(error)
            waiting.notes.append(f"The queues of {server or session.host}: {error.message}")
            continue
        waiting.queues += queues
        if cut:
            waiting.notes.append(
                f"{server or session.host} has {MOST_QUEUES} queues or more; the rest was not"
                " looked at."
            )
    if len(refused) == len(servers):
        raise refused[0]
    # Those in trouble first: they are what anybody asks for.
    nameless = sorted((q for q in waiting.queues if q.domain is None), key=lambda q: not q.waits)
    if nameless:
        waiting.own_domains |= _accepted_domains(own, waiting.notes)
        _read_recipients(session, nameless, waiting, most_messages)
    if ages:
        _read_ages(session, waiting)
    return waiting


def _accepted_domains(own: AcceptedDomains, notes: list[str]) -> set[str]:
    """Return the organisation's own domains: mail for them waits for no far server."""
    try:
        return own.all()
    except CmdletError as error:
        notes.append(
            f"The organisation's own domains are not known ({error.message}); own_domains names"
            " them."
        )
        return set()


def _read_recipients(
    session: CmdletSession, queues: Iterable[Queue], waiting: Waiting, budget: int
) -> None:
    for queue in queues:
        found: tuple[QueuedMessage, ...] = ()
        if budget > 0:
            found = _messages(session, queue, waiting, most=budget, recipients=True)
        budget -= len(found)
        waiting.messages[queue.identity] = found
        waiting.unread += max(queue.messages - len(found), 0)


def _read_ages(session: CmdletSession, waiting: Waiting) -> None:
    """Ask for the oldest message of each queue that was not opened yet."""
    closed = [queue for queue in waiting.queues if queue.identity not in waiting.messages]
    for queue in closed[:_MOST_AGES]:
        waiting.messages[queue.identity] = _messages(
            session, queue, waiting, most=1, recipients=False
        )
    if len(closed) > _MOST_AGES:
        waiting.notes.append(
            f"Since when mail waits was asked for {_MOST_AGES} of {len(closed)} queues."
        )


def _messages(
    session: CmdletSession, queue: Queue, waiting: Waiting, *, most: int, recipients: bool
) -> tuple[QueuedMessage, ...]:
    """Read messages; a queue that is gone meanwhile has none."""
    try:
        return read_messages(session, queue, most=most, recipients=recipients)
    except CmdletError as error:
        waiting.notes.append(f"The queue {queue.identity}: {error.message}")
        return ()


def by_domain(waiting: Waiting) -> list[DomainQueue]:
    """Return what waits for each foreign domain, most messages first, then by name."""
    found: dict[str, DomainQueue] = {}
    for queue in waiting.queues:
        messages = waiting.messages.get(queue.identity, ())
        for domain in waiting.domains_of(queue):
            mine = [one for one in messages if domain in one.domains or queue.domain == domain]
            entry = found.setdefault(domain, DomainQueue(domain))
            entry.messages += queue.messages if queue.domain else len(mine)
            entry.oldest = _oldest(entry.oldest, mine)
            error = next((one.error for one in mine if one.error), None) or queue.error
            if error and (entry.last is None or _tells_more(error, entry.last)):
                source = f"queue {queue.identity}"
                entry.last = DomainError(error.as_delivery_error(source), error.address)
    return sorted(found.values(), key=lambda entry: (-entry.messages, entry.domain))


def failures(waiting: Waiting) -> list[dict[str, object]]:
    """Return each last error of a queue once, with the domains and the number of its queues."""
    found: dict[tuple[object, ...], dict[str, object]] = {}
    for queue in waiting.queues:
        error = queue.error
        if error is None:
            continue
        domains = waiting.domains_of(queue)
        domain = domains[0] if len(domains) == 1 else None
        key = (domain, error.address, error.line)
        entry = found.setdefault(key, {**_failure(domain, error), "count": 0})
        entry["count"] = int(str(entry["count"])) + 1
        entry["log"] = f"queue {queue.identity}"
    return list(found.values())


def _failure(domain: str | None, error: LastError) -> dict[str, object]:
    said = error.said
    return {
        "domain": domain,
        "address": error.address,
        "code": error.code,
        "enhanced_code": error.enhanced,
        "text": error.text,
        "trouble": str(error.trouble),
        "said": said.line if said else None,
    }


def _tells_more(error: LastError, known: DomainError) -> bool:
    """Whether an error names an address where the known one does not."""
    return error.address is not None and known.address is None


def _oldest(known: datetime | None, messages: Iterable[QueuedMessage]) -> datetime | None:
    times = [one.received.astimezone(UTC) for one in messages if one.received]
    return min([*times, *([known] if known else [])], default=None)
