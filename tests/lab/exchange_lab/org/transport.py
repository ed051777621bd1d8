# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Transport service of one server: it takes mail over SMTP, routes it, delivers, retries, logs.

Time is the lab's: all intervals of the settings are multiplied by ``time_scale``. Events of shadow
redundancy (HARECEIVE and others) and of the categorizer are not modelled.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import routing
from .accepted import stays
from .attempt import Attempt
from .queues import Message, Queue, Queues, Waiting
from .routing import UNREACHABLE, Connector
from .submission import Submission
from .tracking import TrackingEvent, TrackingLog
from .versions import Family

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..mail.imc_routing import NameService
    from ..mail.network import Network
    from ..mail.smtp_loop import LoopThread
    from .directory import Record
    from .organisation import Organisation
    from .server import ExchangeServer

_WORKERS = 4
_NO_ROUTE = "A matching connector cannot be found to route the external recipient"


@dataclass(slots=True)
class World:
    """What is outside of the organisation: network, DNS, and the pace of time.

    ``name_services`` are DNS servers by the address that Exchange knows them by; the one under
    ``""`` is that of the adapters. ``patience`` is the seconds an SMTP connection may take.
    ``authorities`` are the certificates (PEM) that servers trust.
    """

    network: Network
    loops: LoopThread
    name_services: Mapping[str, NameService] = field(default_factory=dict)
    time_scale: float = 1.0
    patience: float = 2.0
    authorities: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A non-delivery report that the organisation made for a sender."""

    to: str
    message_id: str
    original: str
    recipients: tuple[str, ...]
    status: str


class TransportService:
    """Runs from ``start`` to ``close``. ``port`` is where it takes mail."""

    def __init__(
        self,
        organisation: Organisation,
        server: ExchangeServer,
        world: World,
        sibling: Callable[[str], TransportService | None],
    ) -> None:
        self.organisation = organisation
        self.server = server
        self.world = world
        self.queues = Queues()
        self.log = TrackingLog()
        self.reports: list[Report] = []
        self.delivered: list[Message] = []
        self._sibling = sibling
        self._submission = Submission(self, world.loops)
        self._attempt = Attempt(self)
        self._wake = threading.Condition()
        self._stopping = False
        self._seen = -1
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix=f"send-{server.name}")
        self._thread = threading.Thread(
            target=self._work, name=f"queues-{server.name}", daemon=True
        )

    # --- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Listen, and work through the queues."""
        self._submission.open()
        self._thread.start()

    def close(self) -> None:
        """Stop; what waits in the queues is forgotten."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        self._thread.join(10.0)
        self._workers.shutdown(wait=True, cancel_futures=True)
        self._submission.close()

    @property
    def port(self) -> int:
        """The loopback port of the Receive connector."""
        return self._submission.port

    @property
    def modern(self) -> bool:
        """Exchange 2013 or later."""
        return self.server.version.family >= Family.E2013

    # --- mail in ------------------------------------------------------------------------------

    def submit(
        self, sender: str, recipients: tuple[str, ...], content: bytes, client_ip: str
    ) -> Message:
        """Take a message and route it."""
        message = Message.read(sender, recipients, content, client_ip, time.monotonic())
        self.track(
            "RECEIVE", message, recipients, connector=f"{self.server.name}\\Default Frontend"
        )
        self.categorize(message, recipients)
        return message

    def categorize(self, message: Message, recipients: tuple[str, ...]) -> None:
        """Put a message into the queues of its recipients' domains."""
        groups: dict[routing.NextHop, list[str]] = {}
        connectors = self.connectors()
        for recipient in recipients:
            domain = recipient.rpartition("@")[2].lower()
            if stays(domain, self.organisation.accepted_domains):
                self._deliver_locally(message, recipient)
                continue
            connector = routing.choose(
                domain, len(message.content), connectors, self.server.name, self.near
            )
            hop = routing.next_hop(
                domain, connector, self.server.name, modern=self.modern, edges=self.edges
            )
            groups.setdefault(hop, []).append(recipient)
        for hop, names in groups.items():
            error = _NO_ROUTE if hop == UNREACHABLE else ""
            self.queues.put(hop, Waiting(message, tuple(names), last_error=error))
        self.wake()

    def connectors(self) -> list[Connector]:
        """The connectors as this server's domain controller knows them."""
        directory = self.organisation.directory
        controllers = directory.domain_controllers
        mine = controllers[self.organisation.servers.index(self.server) % len(controllers)]
        return self.read_connectors(directory.read(mine))

    @staticmethod
    def read_connectors(records: Iterable[Record]) -> list[Connector]:
        """Read them for the routing."""
        return [Connector.of(record) for record in records]

    @property
    def near(self) -> frozenset[str]:
        """The servers of this server's site: only they may use a scoped connector."""
        servers = self.organisation.servers
        return frozenset(other.name for other in servers if other.site == self.server.site)

    @property
    def edges(self) -> frozenset[str]:
        """The Edge Transport servers."""
        return frozenset(other.name for other in self.organisation.servers if other.is_edge)

    def _deliver_locally(self, message: Message, recipient: str) -> None:
        self.delivered.append(message)
        self.track("DELIVER", message, (recipient,), source="STOREDRIVER")

    def report(self, report: Message, message: Message, failed: dict[str, str]) -> None:
        """Send a non-delivery report to the sender of a message."""
        self.reports.append(
            Report(
                message.sender,
                report.message_id,
                message.message_id,
                tuple(failed),
                next(iter(failed.values())),
            )
        )
        self.categorize(report, report.recipients)

    # --- queues -------------------------------------------------------------------------------

    def wake(self) -> None:
        """Look at the queues now."""
        with self._wake:
            self._wake.notify_all()

    def retry(self, queue: Queue, *, resubmit: bool) -> None:
        """Retry-Queue: connect now; or, with ``resubmit``, route everything in the queue anew."""
        if resubmit:
            self.resubmit(queue)
        elif queue.hop != UNREACHABLE:
            queue.due = 0.0
        self.wake()

    def resubmit(self, queue: Queue) -> None:
        """Send a queue's messages back to the categorizer."""
        for waiting in self.queues.empty(queue):
            self.categorize(waiting.message, waiting.recipients)

    def relay_to(self, hop: routing.NextHop) -> list[tuple[str, str, int]]:
        """(name, loopback host, port) of the servers that an internal queue leads to."""
        names = [hop.domain]
        if hop.delivery_type in routing.BY_CONNECTOR:
            found = [c for c in self.connectors() if c.guid == hop.connector]
            names = list(found[0].sources) if found else []
        siblings = [self._sibling(name) for name in names]
        return [(s.server.fqdn, "127.0.0.1", s.port) for s in siblings if s is not None]

    def scaled(self, seconds: float) -> float:
        """An interval of the settings in the lab's time."""
        return seconds * self.world.time_scale

    def _work(self) -> None:
        while True:
            with self._wake:
                if self._stopping:
                    return
                self._wake.wait(self._pause())
                if self._stopping:
                    return
            self._reroute_unreachable()
            for queue in self.queues.take_due(time.monotonic()):
                # A defect of the lab itself is logged instead of getting lost with the future.
                self._workers.submit(self._attempt.run, queue).add_done_callback(Future.result)
            self.queues.drop_empty()

    def _pause(self) -> float:
        due = self.queues.next_due()
        return 0.2 if due is None else min(0.2, max(0.0, due - time.monotonic()))

    def _reroute_unreachable(self) -> None:
        """Messages without a route are resubmitted when the configuration changes."""
        self.connectors()  # lets what replication has brought by now count as a change
        version = self.organisation.directory.version
        if version == self._seen:
            return
        self._seen = version
        for queue in self.queues.all():
            if queue.hop == UNREACHABLE:
                self.resubmit(queue)

    # --- log ----------------------------------------------------------------------------------

    def track(
        self,
        event_id: str,
        message: Message,
        recipients: tuple[str, ...],
        *,
        source: str = "SMTP",
        status: tuple[str, ...] = (),
        connector: str = "",
        host: str = "",
        address: str = "",
        context: str = "",
        reference: tuple[str, ...] = (),
    ) -> None:
        """Write an event, if the log is enabled."""
        if not self.server.settings.tracking_enabled:
            return
        receiving = event_id == "RECEIVE"
        self.log.add(
            TrackingEvent(
                event_id=event_id,
                source=source,
                internal_id=message.internal_id,
                message_id=message.message_id,
                network_id=message.network_id,
                sender=message.sender or "<>",
                recipients=recipients,
                recipient_status=status,
                subject=message.subject,
                size=len(message.content),
                client_ip=message.client_ip if receiving else "127.0.0.1",
                client_host="" if receiving else self.server.fqdn,
                server_ip="127.0.0.1" if receiving else address,
                server_host=self.server.fqdn if receiving else host,
                connector=connector,
                context=context,
                reference=reference,
            )
        )
