# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Retries of queues that hold mail for domains with a changed route.

A queue that is only retried goes to its old next hop. So it is resubmitted: its messages go back to
the categorizer, which routes them anew ("Retry-Queue", parameter Resubmit). Exchange takes that for
queues in the state Retry, and for *Unreachable*. Where the messages come back to the same queue it
still waits for its next try, and so would each message after them: so it is tried at once.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Sequence

from .._base.errors import ExchangeError
from .._mail.delivery import Retries, Retry
from .._remote.session import Cmdlet, CmdletError, CmdletSession
from .queues import Queue, read_queues, read_waiting
from .servers import AcceptedDomains, Server

#: Messages that are read to learn which domains a queue is for.
_MOST_MESSAGES = 1000
#: Seconds between the looks at queues that are just being tried.
_PAUSES = (2.0, 4.0)


def find_retries(
    session: CmdletSession,
    servers: Sequence[Server],
    domains: Collection[str],
    sleep: Callable[[float], None],
    accepted: AcceptedDomains,
) -> Retries:
    """Return the queues of all servers that hold mail for the domains and can be retried.

    A queue that Exchange is trying at this moment cannot: so it is read again a little later.
    """
    names = [server.name for server in servers]
    for pause in (*_PAUSES, None):
        waiting = read_waiting(session, names, accepted, most_messages=_MOST_MESSAGES, ages=False)
        concerned: list[tuple[Queue, Retry]] = []
        for queue in waiting.queues:
            wanted = tuple(name for name in waiting.domains_of(queue) if name in domains)
            if wanted:
                line = queue.error.line if queue.error else None
                concerned.append((queue, Retry(queue.identity, wanted, queue.messages, line)))
        if pause is None or not any(queue.tried_now for queue, _retry in concerned):
            break
        sleep(pause)
    warnings = list(waiting.warnings)
    for queue, wish in concerned:
        if queue.suspended or queue.tried_now:
            why = "suspended" if queue.suspended else "being tried just now"
            listed = ", ".join(wish.domains)
            warnings.append(f"The queue {queue.identity} is {why} and was left alone ({listed}).")
    if waiting.unread:
        warnings.append(
            f"{waiting.unread} messages were not read, so their queues may not be retried."
        )
    return Retries(tuple(wish for queue, wish in concerned if queue.waits), tuple(warnings))


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
        progress(f"Exchange resubmits the queue {one.queue}")
        try:
            if not _resubmit(session, one.queue, sleep):
                continue
        except CmdletError as error:
            refused[one.queue] = error
            continue
        done.append(one)
        with contextlib.suppress(CmdletError):  # it is gone, or tried just now
            session.invoke(Cmdlet("Retry-Queue", {"Identity": one.queue, "Confirm": False}))
    if refused:
        named = "; ".join(f"{name} ({error.message})" for name, error in refused.items())
        raise ExchangeError(
            f"{session.host}: {len(refused)} of {len(retries)} queues were not retried: {named}."
            " No test message was sent.",
            hint="The account needs the role Transport Queues.",
            details={"changed": bool(done), "retried": [one.to_dict() for one in done]},
        )
    return tuple(done)


def _resubmit(session: CmdletSession, identity: str, sleep: Callable[[float], None]) -> bool:
    """Resubmit a queue; return False if it is gone.

    Raises CmdletError where Exchange refuses it, also after it had time to end an attempt.
    """
    parameters = {"Identity": identity, "Resubmit": True, "Confirm": False}
    for pause in (*_PAUSES, None):
        try:
            session.invoke(Cmdlet("Retry-Queue", parameters))
        except CmdletError:
            queues, _warning = read_queues(session, identity.partition("\\")[0])
            now = next((other for other in queues if other.identity == identity), None)
            if now is None:
                return False
            if pause is None or not now.tried_now:
                raise
            sleep(pause)
        else:
            return True
    return False
