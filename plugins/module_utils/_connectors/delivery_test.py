# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A delivery test through a Transport server: submit, follow, look for the reasons.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .._base.errors import ExchangeError, InvalidInput
from .._remote.session import CmdletError, CmdletSession
from .._run import submit_smtp
from .._run.accepted_domains import AcceptedDomains
from .._run.follow import Clock, Followed, Outcome, follow
from .._run.installation import Installation
from .._run.message import Probe
from .._run.options import DEFAULT_LOCAL_PART, DeliveryTestOptions
from .._run.verdict import DeliveryError, Result, Verdict, strongest, verdict_of
from .queue import QueuedMessage, find_message
from .servers import Server, known_servers, read_servers, this_server, transport_servers
from .tracking import TrackingTracker

_REASONS = {
    Verdict.DELIVERED: "a server of the destination took the message",
    Verdict.QUEUED: "the message waits in a queue",
    Verdict.RETURNED: "Exchange gave it up and tells the sender",
}


@dataclass(frozen=True, slots=True)
class TransportRun:
    """One test, once the servers are known; ``servers`` begin with the one mail is handed to.

    ``version`` is that of the server that takes the messages, where it is known.
    """

    session: CmdletSession
    servers: tuple[Server, ...]
    version: str | None
    options: DeliveryTestOptions
    accepted: AcceptedDomains
    method: str = field(default="smtp", init=False)
    tracking_folder: str | None = field(default=None, init=False)

    def default_sender(self) -> str:
        """Return the postmaster of the organisation's default domain."""
        if domain := self.accepted.default():
            return f"{DEFAULT_LOCAL_PART}@{domain}"
        raise ExchangeError(
            f"{self.session.host}: the organisation has no default domain, so who sends has to be"
            " said. Nothing was sent.",
            hint="Set sender to a mailbox that non-delivery reports may go to.",
        )

    def send(self, probes: Sequence[Probe]) -> dict[str, DeliveryError]:
        """Hand the messages over; return those that were refused, by tag."""
        return submit_smtp.submit(probes, self.options.smtp)

    def follow(
        self, probes: Sequence[Probe], progress: Callable[[str], None], clock: Clock
    ) -> list[Result]:
        """Follow accepted messages to their results, with the reasons that can be found."""
        tracker = TrackingTracker(self.session, self.servers)
        outcome = follow(probes, tracker, self.options.patience, progress, clock)
        waiting, hindrance = self._waiting([one.probe for one in outcome.followed if not one.final])
        return [_result(one, outcome, tracker, waiting, hindrance) for one in outcome.followed]

    def _waiting(self, probes: Sequence[Probe]) -> tuple[Mapping[str, QueuedMessage], str]:
        """Return what lies in a queue, by tag, and why that may not be all."""
        found: dict[str, QueuedMessage] = {}
        hindrance = ""
        for probe in probes:
            for server in self.servers:
                try:
                    messages = find_message(self.session, server.name, probe.message_id)
                except CmdletError as error:
                    hindrance = f"queues of {server.name}: {error.message}"
                    continue
                except ExchangeError as error:
                    return found, error.message
                # A message is in several queues at most as a copy; an error tells more than none.
                best = sorted(messages, key=lambda one: one.error is None)
                if best:
                    found[probe.tag] = best[0]
                    break
        return found, hindrance


def open_run(
    session: CmdletSession,
    options: DeliveryTestOptions,
    known: Installation,
    names: Sequence[str],
) -> TransportRun:
    """Return the test of a host that ``names`` mean; nothing is sent yet.

    Raises InvalidInput for a way of sending that these hosts do not have here.
    """
    if options.method == "pickup":
        raise InvalidInput(
            "With family=transport test messages are submitted by SMTP; method=pickup is for"
            " Exchange 5.5."
        )
    names = (options.smtp.host, *names)
    servers = known_servers(known)
    here = this_server(servers, *names)
    version: str | None = known.version or None
    if here is None or here.name.casefold() != known.server.casefold():
        servers = transport_servers(session, read_servers(session))
        here = this_server(servers, *names)
        version = here.version if here else None
    ordered = tuple(sorted(servers, key=lambda server: server != here))
    return TransportRun(session, ordered, version, options, AcceptedDomains(session))


def _result(
    one: Followed,
    outcome: Outcome,
    tracker: TrackingTracker,
    waiting: Mapping[str, QueuedMessage],
    hindrance: str,
) -> Result:
    verdict = verdict_of(one.observations)
    decisive = strongest(one.observations)
    result = Result(
        one.probe,
        verdict,
        _REASONS.get(verdict, ""),
        time=decisive.time if decisive else None,
        seconds=one.seconds,
        error=tracker.errors.get(one.probe.tag) if verdict is Verdict.RETURNED else None,
        observations=tuple(one.observations),
    )
    if one.final:
        return result
    queued = waiting.get(one.probe.tag)
    if queued is not None:
        error = queued.error.as_delivery_error(f"queue {queued.queue}") if queued.error else None
        reason = f"the message waits in the queue {queued.queue}"
        return replace(result, verdict=Verdict.QUEUED, reason=reason, error=error)
    if verdict is Verdict.UNKNOWN:
        reason = outcome.blind or hindrance
        return replace(
            result,
            reason=reason
            or "no tracking log has a record of it; is message tracking enabled on the servers?",
        )
    return replace(result, reason=f"{result.reason}, and no queue shows it now")
