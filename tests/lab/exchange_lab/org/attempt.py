# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One attempt to deliver a queue: find the hosts, try them in turn, settle every recipient."""

from __future__ import annotations

import itertools
import re
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from . import last_error, routing, smtp_out
from .names import Names, NonexistentDomain, QueryFailed
from .queues import Message
from .values import smart_host_target
from .versions import Family

if TYPE_CHECKING:
    from .queues import Queue, Waiting
    from .routing import Connector
    from .transport import TransportService

_INSIDE = "Intra-Organization SMTP Send Connector"
_EXPIRED = "550 4.4.7 QUEUE.Expired; message expired"
_NO_DOMAIN = "554 5.4.4 SMTPSEND.DNS.NonExistentDomain; nonexistent domain"


@dataclass(frozen=True, slots=True)
class Target:
    """A host to try. ``direct`` leads to another server of the organisation on loopback."""

    host: str
    address: str
    port: int
    direct: bool = False


class ConnectionFailed(Exception):  # noqa: N818 - an outcome
    """The whole queue has to wait; the text is its LastError."""


class Attempt:
    """Delivers the queues of one service; one object serves all threads."""

    def __init__(self, service: TransportService) -> None:
        self._service = service
        self._balance: Counter[uuid.UUID] = Counter()

    def run(self, queue: Queue) -> None:
        """Try to empty a queue, and leave it in the state that comes of it."""
        error = ""
        try:
            error = self._deliver_all(queue)
        except ConnectionFailed as failure:
            error = str(failure)
            self._mark(queue, error)
        finally:
            self._settle(queue, error)
            self._service.wake()

    def _mark(self, queue: Queue, error: str) -> None:
        """Without a connection every message of the queue has the same last error."""
        with self._service.queues.lock:
            for waiting in queue.waiting:
                waiting.status, waiting.last_error = "Retry", error

    def _deliver_all(self, queue: Queue) -> str:
        """Deliver what waits; returns the last error that put a message off."""
        connector = self._connector(queue)
        if connector is None and queue.hop.connector != routing.NO_CONNECTOR:
            self._service.resubmit(queue)  # its connector is gone or disabled: route anew
            return ""
        try:
            targets = self._targets(queue, connector)
        except NonexistentDomain:
            for waiting in self._service.queues.empty(queue):
                self._fail(
                    waiting.message, dict.fromkeys(waiting.recipients, self._own(_NO_DOMAIN))
                )
            return ""
        error = ""
        for waiting in list(queue.waiting):
            error = self._deliver(queue, waiting, connector, targets) or error
        return error

    def _connector(self, queue: Queue) -> Connector | None:
        found = [c for c in self._service.connectors() if c.guid == queue.hop.connector]
        return found[0] if found and found[0].enabled else None

    # --- where to -----------------------------------------------------------------------------

    def _targets(self, queue: Queue, connector: Connector | None) -> list[Target]:
        hop = queue.hop
        if connector is None or not hop.external:
            siblings = self._service.relay_to(hop)
            return [Target(name, host, port, direct=True) for name, host, port in siblings]
        names = self._names(connector)
        try:
            if hop.delivery_type == "SmartHostConnectorDelivery":
                return self._smart_hosts(hop, connector, names)
            # Port is for smart hosts only ("Set-SendConnector"); DNS routing always takes 25.
            return [Target(host, address, 25) for host, address in names.hosts(hop.domain)]
        except QueryFailed as error:
            raise ConnectionFailed(last_error.dns_failed(self._form, hop.domain)) from error

    @property
    def _form(self) -> Family:
        """The version whose form the last errors have."""
        return self._service.server.version.family

    def _own(self, text: str) -> str:
        return last_error.own_words(self._form, text)

    def _names(self, connector: Connector) -> Names:
        """DNS by "Set-TransportService": the list of servers counts where no adapter's does."""
        known, settings = self._service.world.name_services, self._service.server.settings
        if connector.external_dns and not settings.external_dns_adapter_enabled:
            return Names(*(known.get(address) for address in settings.external_dns_servers))
        return Names(known[""])

    def _smart_hosts(
        self, hop: routing.NextHop, connector: Connector, names: Names
    ) -> list[Target]:
        """The smart hosts of the queue, beginning with another one each time: they are equals."""
        hosts = hop.domain.split(",")
        start = self._balance[hop.connector] % len(hosts)
        self._balance[hop.connector] += 1
        targets = []
        for host in [*hosts[start:], *hosts[:start]]:
            name, port, literal = smart_host_target(host, connector.port)
            addresses = [name] if literal else names.addresses(name)
            targets += [Target(name, address, port) for address in addresses]
        return targets

    # --- delivery -----------------------------------------------------------------------------

    def _deliver(
        self, queue: Queue, waiting: Waiting, connector: Connector | None, targets: list[Target]
    ) -> str:
        verdicts, target = self._hand_over(queue, waiting, connector, targets)
        family = self._form
        done = tuple(name for name, verdict in verdicts.items() if verdict.delivered)
        failed = {
            name: last_error.replied(family, str(verdict), target.host, target.address)
            for name, verdict in verdicts.items()
            if verdict.failed
        }
        if done:
            status = tuple(str(verdicts[name]) for name in done)
            self._sent(waiting.message, done, status, target=target, connector=connector)
        if failed:
            self._fail(waiting.message, failed)
        deferred = {
            name: last_error.replied(family, str(verdict), target.host, target.address)
            for name, verdict in verdicts.items()
            if not verdict.delivered and not verdict.failed
        }
        return self._keep(queue, waiting, deferred)

    def _hand_over(
        self, queue: Queue, waiting: Waiting, connector: Connector | None, targets: list[Target]
    ) -> tuple[dict[str, smtp_out.Verdict], Target]:
        letter = self._letter(queue, waiting, connector)
        last = ConnectionFailed("451 4.4.0 No target")
        world = self._service.world
        for target in targets:
            try:
                verdicts = smtp_out.hand_over(
                    letter,
                    target.address,
                    target.port,
                    None if target.direct else world.network,
                    world.patience,
                )
            except smtp_out.Unreachable as error:
                last = ConnectionFailed(self._why(queue, connector, target, error))
            else:
                return verdicts, target
        raise last

    def _why(
        self,
        queue: Queue,
        connector: Connector | None,
        target: Target,
        error: smtp_out.Unreachable,
    ) -> str:
        place = last_error.Place(target.host, target.address, target.port)
        leaves = connector is not None and not target.direct
        if leaves and connector is not None and self._is_secure(queue, connector):
            return last_error.insecure(self._form, place)
        front_end = None
        if leaves and connector is not None and connector.front_end:
            front_end = last_error.FrontEnd(self._service.server.fqdn, "127.0.0.1")
        return last_error.no_contact(self._form, error.trouble, error.said, place, front_end)

    def _is_secure(self, queue: Queue, connector: Connector) -> bool:
        """Whether mutual TLS (Domain Security) is to protect this queue."""
        secure = self._service.organisation.secure_domains
        return connector.domain_secure and queue.hop.domain.casefold() in secure

    def _letter(
        self, queue: Queue, waiting: Waiting, connector: Connector | None
    ) -> smtp_out.Letter:
        fqdn = connector.fqdn if connector is not None else None
        secure = connector is not None and self._is_secure(queue, connector)
        return smtp_out.Letter(
            helo=fqdn or self._service.server.fqdn,
            sender=waiting.message.sender,
            recipients=waiting.recipients,
            content=self._content(waiting.message, connector),
            require_tls=secure or (connector is not None and connector.require_tls),
            ignore_starttls=connector is None or connector.ignore_starttls,
            force_helo=connector is not None and connector.force_helo,
            checks=None if connector is None else self._checks(queue, connector, secure=secure),
        )

    def _checks(
        self, queue: Queue, connector: Connector, *, secure: bool
    ) -> smtp_out.Checks | None:
        authorities = self._service.world.authorities
        if secure or connector.tls_level == "DomainValidation":
            return smtp_out.Checks(authorities, connector.tls_domain or queue.hop.domain)
        if connector.tls_level == "CertificateValidation":
            return smtp_out.Checks(authorities)
        return None

    def _content(self, message: Message, connector: Connector | None) -> bytes:
        """Without Ms-Exch-Send-Headers-Routing ("Header firewall") no Received line goes out."""
        old = self._service.server.version.family < Family.E2016
        if connector is None or not old or connector.usage != "Custom":
            return message.content
        headers, separator, body = message.content.partition(b"\r\n\r\n")
        kept = re.sub(rb"(?im)^received:.*\r?\n(?:[ \t].*\r?\n)*", b"", headers + b"\r\n")
        return kept.removesuffix(b"\r\n") + separator + body

    # --- what came of it ----------------------------------------------------------------------

    def _sent(
        self,
        message: Message,
        done: tuple[str, ...],
        status: tuple[str, ...],
        *,
        target: Target,
        connector: Connector | None,
    ) -> None:
        """Log the delivery: SENDEXTERNAL where mail leaves the organisation of 2013 and later."""
        leaves = not target.direct
        self._service.track(
            "SENDEXTERNAL" if leaves and self._service.modern else "SEND",
            message,
            done,
            status=status,
            connector=connector.name if connector is not None and leaves else _INSIDE,
            host=target.host,
            address=target.address,
        )

    def _keep(self, queue: Queue, waiting: Waiting, deferred: dict[str, str]) -> str:
        error = next(iter(deferred.values()), "")
        with self._service.queues.lock:
            if deferred:
                waiting.recipients = tuple(deferred)
                waiting.last_error, waiting.status = error, "Retry"
                waiting.attempts += 1
            elif waiting in queue.waiting:
                queue.waiting.remove(waiting)
        if deferred:
            # DEFER is documented as "message delivery was delayed"; that a queue which cannot
            # connect writes none is the lab's assumption.
            self._service.track("DEFER", waiting.message, tuple(deferred), context=error)
        return error

    def _fail(self, message: Message, failed: dict[str, str]) -> None:
        """Log the failure and report it to the sender (a report is never reported)."""
        recipients = tuple(failed)
        if not message.sender:
            self._service.track("FAIL", message, recipients, status=tuple(failed.values()))
            return
        domain = self._service.organisation.domain
        report = Message(
            message_id=f"<{uuid.uuid4()}@{domain}>",
            sender="",
            recipients=(message.sender,),
            subject=f"Undeliverable: {message.subject}",
            content=_report(message, failed),
            client_ip="",
            arrived=time.monotonic(),
        )
        self._service.track(
            "FAIL",
            message,
            recipients,
            status=tuple(failed.values()),
            reference=(report.message_id,),
        )
        self._service.track(
            "DSN", report, report.recipients, source="DSN", reference=(message.message_id,)
        )
        self._service.report(report, message, failed)

    def _settle(self, queue: Queue, error: str) -> None:
        """Leave the queue Ready, or in Retry with the time of its next attempt."""
        service, settings = self._service, self._service.server.settings
        now = time.monotonic()
        with service.queues.lock:
            queue.busy = False
            queue.last_retry = datetime.now(UTC)
            queue.last_error = error
            if not error:
                queue.status, queue.attempts, queue.due, queue.next_retry = "Ready", 0, 0.0, None
                queue.first_retry = None
                return
            queue.status = "Retry"
            queue.first_retry = queue.first_retry or queue.last_retry
            queue.attempts += 1
            steps = (
                (settings.glitch_retries, settings.glitch_interval),
                (settings.transient_retries, settings.transient_interval),
            )
            pause = service.scaled(
                routing.retry_pause(queue.attempts, steps, settings.outbound_interval)
            )
            queue.due = now + pause
            queue.next_retry = queue.last_retry + timedelta(seconds=pause)
        self._expire(queue, now)

    def _expire(self, queue: Queue, now: float) -> None:
        limit = self._service.scaled(self._service.server.settings.expiration)
        with self._service.queues.lock:
            old = [w for w in queue.waiting if now - w.message.arrived > limit]
            queue.waiting = [w for w in queue.waiting if w not in old]
        for waiting in old:
            self._fail(waiting.message, dict.fromkeys(waiting.recipients, self._own(_EXPIRED)))


def _report(message: Message, failed: dict[str, str]) -> bytes:
    reasons = itertools.chain.from_iterable((name, reason, "") for name, reason in failed.items())
    lines = [f"Subject: Undeliverable: {message.subject}", "", "Delivery has failed to:", *reasons]
    return "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n"
