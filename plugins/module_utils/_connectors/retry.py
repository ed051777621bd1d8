# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking Exchange to send waiting mail now, by the routes it has now.

A queue that is only retried goes to its old next hop. So it is resubmitted: its messages go back to
the categorizer, which routes them anew ("Retry-Queue", parameter Resubmit). Exchange takes that for
queues in the state Retry, and for *Unreachable*.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from .._base.errors import ExchangeError
from .._remote.session import Cmdlet, CmdletError, CmdletSession
from .._run.accepted_domains import AcceptedDomains
from .queue import Queue, read_queues
from .servers import Server
from .waiting import Waiting, look

#: Messages that are read to learn which domains a queue is for.
_MOST_MESSAGES = 1000
#: Seconds between the looks at queues that are just being tried.
_PAUSES = (2.0, 4.0)


@dataclass(frozen=True, slots=True)
class Retry:
    """A queue to retry, and which of the domains asked for it holds mail for."""

    queue: Queue
    domains: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        return {
            "queue": self.queue.identity,
            "domains": list(self.domains),
            "messages": self.queue.messages,
            "last_error": self.queue.error.line if self.queue.error else None,
        }


@dataclass(frozen=True, slots=True)
class Retries:
    """What to retry, and what cannot be."""

    chosen: tuple[Retry, ...] = ()
    notes: tuple[str, ...] = ()


def find_retries(
    session: CmdletSession,
    servers: Sequence[Server],
    domains: Collection[str],
    sleep: Callable[[float], None],
    accepted: AcceptedDomains,
) -> Retries:
    """Return the queues of all servers that hold mail for the domains and can be retried.

    A queue that Exchange is trying at this moment cannot: so it is looked at again a little later.
    """
    names = [server.name for server in servers]
    for pause in (*_PAUSES, None):
        waiting = look(session, names, accepted, most_messages=_MOST_MESSAGES, ages=False)
        found = [(queue, _wanted(waiting, queue, domains)) for queue in waiting.queues]
        concerned = [(queue, wanted) for queue, wanted in found if wanted]
        if pause is None or not any(queue.tried_now for queue, _wanted in concerned):
            break
        sleep(pause)
    return Retries(
        tuple(Retry(queue, wanted) for queue, wanted in concerned if queue.waits),
        tuple(_notes(waiting, concerned)),
    )


def _notes(waiting: Waiting, concerned: Sequence[tuple[Queue, tuple[str, ...]]]) -> Iterator[str]:
    yield from waiting.notes
    for queue, wanted in concerned:
        if queue.suspended or queue.tried_now:
            why = "suspended" if queue.suspended else "being tried just now"
            yield (f"The queue {queue.identity} is {why} and was left alone ({', '.join(wanted)}).")
    if waiting.unread:
        yield (
            f"{waiting.unread} messages were not looked into; a queue of theirs may not be retried."
        )


def _wanted(waiting: Waiting, queue: Queue, domains: Collection[str]) -> tuple[str, ...]:
    return tuple(domain for domain in waiting.domains_of(queue) if domain in domains)


def retry(
    session: CmdletSession,
    retries: Sequence[Retry],
    progress: Callable[[str], None],
    sleep: Callable[[float], None],
) -> tuple[Retry, ...]:
    """Resubmit the queues; return those that were. Raises ExchangeError that names the others.

    A queue that Exchange emptied meanwhile needs it no more, and is in neither.
    """
    refused: dict[str, CmdletError] = {}
    done: list[Retry] = []
    for one in retries:
        progress(f"resubmitting the queue {one.queue.identity}")
        try:
            if _resubmit(session, one.queue, sleep):
                done.append(one)
        except CmdletError as error:
            refused[one.queue.identity] = error
    if refused:
        told = "; ".join(f"{name} ({error.message})" for name, error in refused.items())
        raise ExchangeError(
            f"{session.host}: {len(refused)} of {len(retries)} queues were not retried: {told}."
            " No test message was sent.",
            hint="The account needs the role Transport Queues.",
            details={"changed": bool(done), "retried": [one.as_dict() for one in done]},
        )
    return tuple(done)


def _resubmit(session: CmdletSession, queue: Queue, sleep: Callable[[float], None]) -> bool:
    """Resubmit a queue; return False if it is gone.

    Raises CmdletError where Exchange refuses it, also after it had time to end an attempt.
    """
    parameters = {"Identity": queue.identity, "Resubmit": True, "Confirm": False}
    for pause in (*_PAUSES, None):
        try:
            session.invoke(Cmdlet("Retry-Queue", parameters))
        except CmdletError:
            queues, _cut = read_queues(session, queue.server)
            now = next((other for other in queues if other.identity == queue.identity), None)
            if now is None:
                return False
            if pause is None or not now.tried_now:
                raise
            sleep(pause)
        else:
            return True
    return False
