# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test messages through Exchange 2010 to Subscription Edition, followed on all Transport servers.

Events, as "Message tracking" of the Exchange documentation has them: RECEIVE, SEND, SENDEXTERNAL
(2013 and later), DELIVER, DEFER, FAIL, DSN. A DSN may be about a mere delay, so it decides nothing;
that a message failed is what FAIL means.

A message that an Edge Transport server or a relay has is *relayed*: their queues and logs are out
of sight. A connector with smart hosts leads to a relay, unless these are known to be the domain's
own mail servers.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from .._base.errors import ExchangeError, InvalidInput
from .._mail.delivery import Observation, Poll, Retries, Retry, Stage, TestResult, Verdict, is_final
from .._mail.message import DEFAULT_LOCAL_PART, Probe
from .._mail.smtp_errors import Origin, SmtpError, parse_last_error
from .._mail.submission import SmtpOptions, Submission, submit
from .._remote.session import Cmdlet, CmdletError, CmdletSession
from . import retry
from .canonical import server_name
from .connector import Connector, connector_from
from .queues import find_message
from .servers import (
    NO_SERVERS,
    AcceptedDomains,
    KnownServers,
    Server,
    read_servers,
    statuses_of,
    text_of,
    this_server,
    time_of,
    transport_servers,
)

#: Events of one message on one server that are read.
_MOST_EVENTS = 200
#: How the connector is called over which servers of one organisation hand mail to each other.
_INTERNAL_CONNECTOR = "intra-organization"

_STAGES = {
    "SENDEXTERNAL": Stage.TRANSFERRED,
    "DELIVER": Stage.TRANSFERRED,
    "FAIL": Stage.RETURNED,
    "DEFER": Stage.QUEUED,
}
_BY_EDGE = (
    "the Edge server {} has the message, and its queues are out of sight here (Get-Queue there)"
)
_BY_RELAY = (
    "the relay {} has the message (connector {!r}), and what it does with it is out of sight"
)
_REASONS = {
    Verdict.DELIVERED: "a server of the destination took the message",
    Verdict.QUEUED: "the message waits in a queue",
    Verdict.REFUSED: "the host did not take the message",
    Verdict.RETURNED: "Exchange returned the message to the sender",
}


def open_test(
    session: CmdletSession,
    submission: Submission,
    names: Sequence[str],
    known: KnownServers = NO_SERVERS,
) -> TransportTest:
    """Return the test of a host that ``names`` mean; nothing is sent yet.

    Raises InvalidInput for a way of sending that these hosts do not have.
    """
    smtp = submission.smtp
    if submission.method == "pickup":
        raise InvalidInput(
            "With family=transport test messages are submitted by SMTP; method=pickup is for"
            " Exchange 5.5."
        )
    names = (smtp.host, *names)
    servers, version = known.servers, known.version or None
    here = this_server(servers, *names)
    if here is None or here.name.casefold() != known.here.casefold():
        servers = transport_servers(session, read_servers(session))
        here = this_server(servers, *names)
        version = here.version if here else None
    ordered = tuple(sorted(servers, key=lambda server: server != here))
    accepted, onward = AcceptedDomains(session), Onward(session)
    return TransportTest(session, ordered, version, smtp, accepted, onward)


class Onward:
    """Finds the next server of a message that has left the servers in sight, on first use."""

    def __init__(self, session: CmdletSession) -> None:
        self._session = session

    @cached_property
    def _connectors(self) -> Mapping[str, Connector]:
        try:
            found = self._session.invoke(Cmdlet("Get-SendConnector"))
        except CmdletError:  # not allowed to this account
            return {}
        connectors = (connector_from(one, self._session.host) for one in found)
        return {connector.name.casefold(): connector for connector in connectors}

    @cached_property
    def _edges(self) -> Sequence[Server]:
        try:
            return [server for server in read_servers(self._session) if server.edge]
        except CmdletError:
            return ()

    def edge(self, event: Mapping[str, Any]) -> str:
        """Return which Edge server has the message, or nothing."""
        receiver = text_of(event.get("ServerHostname"))
        return next((edge.name for edge in self._edges if edge.answers_to(receiver)), "")

    def relay(self, event: Mapping[str, Any], probe: Probe) -> str:
        """Return by which connector a relay was asked to take the message, or nothing.

        A connector that is not shown may well be one to a relay.
        """
        if text_of(event.get("ServerIp")) in probe.addresses:
            return ""
        name = text_of(event.get("ConnectorId"))
        connector = self._connectors.get(name.casefold())
        if connector is None:
            return name or "unknown"
        pinned = connector.ours and probe.domain in connector.domains
        return "" if connector.dns_routing or pinned else connector.name


@dataclass(frozen=True, slots=True)
class TransportTest:
    """One test, once the servers are known; see ``_run/delivery_test.Tester``.

    ``servers`` begin with the one mail is handed to; ``version`` is its version, where known.
    """

    session: CmdletSession
    servers: tuple[Server, ...]
    version: str | None
    smtp: SmtpOptions
    accepted: AcceptedDomains
    onward: Onward
    method: str = field(default="smtp", init=False)
    tracking_folder: str | None = field(default=None, init=False)

    def default_sender(self) -> str:
        """Return the postmaster of the organisation's default domain."""
        if domain := self.accepted.default():
            return f"{DEFAULT_LOCAL_PART}@{domain}"
        raise ExchangeError(
            f"{self.session.host}: the organisation has no default domain, so the test has no"
            " sender. No message was sent.",
            hint="Set sender to a mailbox that non-delivery reports may go to.",
        )

    def find_retries(self, domains: Collection[str], sleep: Callable[[float], None]) -> Retries:
        """Return the queues that hold mail for the domains and can be retried."""
        return retry.find_retries(self.session, self.servers, domains, sleep, self.accepted)

    def retry(
        self,
        retries: Sequence[Retry],
        progress: Callable[[str], None],
        sleep: Callable[[float], None],
    ) -> tuple[Retry, ...]:
        """Resubmit queues; return those that were."""
        return retry.retry(self.session, retries, progress, sleep)

    def submit(self, probes: Sequence[Probe]) -> dict[str, SmtpError]:
        """Hand the messages over; return those that were refused, by tag."""
        return submit(probes, self.smtp)

    def reopen(self) -> None:
        """Open a new runspace at the next poll."""
        self.session.reopen()

    def reason(self, verdict: Verdict) -> str:
        """Return what a verdict means."""
        return _REASONS.get(verdict, "")

    def poll(self, pending: Sequence[Probe]) -> Poll:
        """Look on every server for each message, until one has its end."""
        found: dict[str, list[Observation]] = {}
        refused: dict[str, CmdletError] = {}
        for probe in pending:
            seen = found.setdefault(probe.tag, [])
            for server in self.servers:
                if server.name in refused:
                    continue  # its error counts for all messages of this look
                try:
                    seen += self._observations(probe, server)
                except CmdletError as error:
                    refused[server.name] = error
                if is_final(seen):
                    break
        blind = "; ".join(f"tracking log of {x}: {e.message}" for x, e in refused.items())
        return Poll(found, blind)

    def _observations(self, probe: Probe, server: Server) -> list[Observation]:
        parameters = {
            "MessageId": probe.message_id,
            "Server": server.name,
            "ResultSize": _MOST_EVENTS,
        }
        events = self.session.invoke(Cmdlet("Get-MessageTrackingLog", parameters))
        return [self._observation(event, probe, server) for event in events]

    def _observation(self, event: Mapping[str, Any], probe: Probe, server: Server) -> Observation:
        stage, reason = stage_of(event, server, self.servers), ""
        name = text_of(event.get("EventId"))
        if name.upper() in {"SEND", "SENDEXTERNAL"}:
            hop = text_of(event.get("ServerHostname")) or text_of(event.get("ServerIp"))
            inside = any(server_name(one.name) == server_name(hop) for one in self.servers)
            if stage is Stage.QUEUED and not inside and (edge := self.onward.edge(event)):
                stage, reason = Stage.RELAYED, _BY_EDGE.format(edge)
            elif stage is Stage.TRANSFERRED and (connector := self.onward.relay(event, probe)):
                stage, reason = Stage.RELAYED, _BY_RELAY.format(hop, connector)
        return Observation(
            stage=stage,
            event=f"{name} on {server.name}",
            time=time_of(event.get("Timestamp")),
            time_text=text_of(event.get("Timestamp")),
            error=self._error(event, probe, server),
            reason=reason,
        )

    def _error(self, event: Mapping[str, Any], probe: Probe, server: Server) -> SmtpError | None:
        """Return why a message failed, as far as an event FAIL has it."""
        if text_of(event.get("EventId")).upper() != "FAIL":
            return None
        source = f"tracking log of {server.name}"
        own = (server.name, server.fqdn)
        errors = (parse_last_error(x, source=source, own=own) for x in statuses_of(event))
        error = next(filter(None, errors), None)
        if error and error.origin is Origin.FAR_SERVER and event.get("ConnectorId"):
            relayed = self.onward.relay(event, probe)
            return replace(error, origin=Origin.RELAY) if relayed else error
        return error

    def explain(self, results: Sequence[TestResult], blind: str) -> list[TestResult]:
        """Return the results of messages that did not arrive with what the queues show."""
        explained: list[TestResult] = []
        hindrance = ""
        lost = False
        for result in results:
            queued = None
            if result.verdict is not Verdict.RETURNED and not lost:
                try:
                    queued, refused = self._queued(result)
                    hindrance = refused or hindrance
                except ExchangeError as error:
                    hindrance, lost = error.message, True
            explained.append(queued or _unexplained(result, blind or hindrance))
        return explained

    def remove(self, probes: Sequence[Probe]) -> list[str]:
        """Remove messages from the queues of all servers, each by its Message-ID."""
        warnings: dict[str, None] = {}
        for probe in probes:
            for server in self.servers:
                parameters = {
                    "Server": server.name,
                    "Filter": f"InternetMessageId -eq '{probe.message_id}'",
                    "WithNDR": False,
                    "Confirm": False,
                }
                try:
                    self.session.invoke(Cmdlet("Remove-Message", parameters))
                except ExchangeError as error:
                    text = f"Test messages may stay in the queues of {server.name}: {error.message}"
                    warnings[text] = None
        return list(warnings)

    def _queued(self, result: TestResult) -> tuple[TestResult | None, str]:
        """Return a result with the queue that holds its message, and why none may be seen."""
        hindrance = ""
        for server in self.servers:
            try:
                messages = find_message(self.session, server.name, result.probe.message_id)
            except CmdletError as error:
                hindrance = f"queues of {server.name}: {error.message}"
                continue
            # A message in several queues is a copy; the one with an error shows more.
            for message in sorted(messages, key=lambda one: one.error is None):
                reason = f"the message waits in the queue {message.queue}"
                found = replace(result, verdict=Verdict.QUEUED, reason=reason, error=message.error)
                return found, hindrance
        return None, hindrance


def _unexplained(result: TestResult, hindrance: str) -> TestResult:
    unseen = (
        "no tracking log has a record of it; check that message tracking is enabled on the servers"
    )
    if result.verdict is Verdict.RETURNED:
        return result
    if result.verdict is Verdict.UNKNOWN:
        return replace(result, reason=hindrance or unseen)
    return replace(result, reason=f"{result.reason}, and no queue shows it now")


def stage_of(event: Mapping[str, Any], server: Server, servers: Sequence[Server]) -> Stage:
    """Return how far a message came by an event in the log of a server."""
    name = text_of(event.get("EventId")).upper()
    if name != "SEND":
        return _STAGES.get(name, Stage.SEEN)
    if server.build is not None and server.build.logs_external:
        return Stage.QUEUED  # handed to another server of the organisation
    # Exchange 2010 has one name for both, which differ in the connector and the receiver.
    connector = text_of(event.get("ConnectorId")).casefold()
    receiver = text_of(event.get("ServerHostname"))
    internal = connector.startswith(_INTERNAL_CONNECTOR) or any(
        one.answers_to(receiver) for one in servers
    )
    return Stage.QUEUED if internal else Stage.TRANSFERRED
