# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The acting Internet Mail Connector (4.0) / Internet Mail Service (5.x) of a lab host.

It resolves, routes, delivers over SMTP, retries, reports and logs as the Knowledge Base says, and
reads its settings only when the service starts. Where nothing is documented, ``Assumptions`` says
what the lab does.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from ..windows.errors import WinError
from ..windows.host import LabHost
from ..windows.services import ServiceStartError
from .imc_config import (
    Configuration,
    NotConfigured,
    has_domain,
    read_configuration,
    read_root,
)
from .imc_delivery import Delivered, Deliverer, Journal, ProtocolLogs, Returned, Tally
from .imc_directory import Connector, RouteError
from .imc_intake import Dropped, PickupFolder, complete, headers_of
from .imc_listener import Listener, Submission
from .imc_model import Assumptions, Relay, Site, Version
from .imc_queue import Destination, Message, OutQueue, Queued, spool_name
from .imc_routing import NameService, Resolver, Router, UnresolvedHost
from .imc_smtp import Courier, ProtocolLog
from .imc_tracking import TrackingLog
from .network import Network
from .smtp_loop import LoopThread

SERVICE = "MSExchangeIMC"
BAD_ROUTE, UNRESOLVED_ROUTE = 4056, 4057
_STARTED = 1000  # Q257618: with the build
_CANNOT_STORE = 3022  # the number of Q147922, for an Out folder that is not there
_CRASH = 1067
_MOST_SUFFIXES = 6

NOT_STARTING: dict[int, tuple[int, ...]] = {
    3018: (3018,),
    4007: (4020, 4007),
    4018: (4018,),
    4056: (4056,),
    4057: (4014, 4032, 4057),
    4067: (4058, 4067),
    4070: (4131, 4070),
    4071: (4071,),
    4086: (4086,),
    4087: (4087,),
    4143: (4143,),
}
"""Documented reasons not to start, with the events of each (Q193928, Q148565, Q154589, Q231737,
Q183178, Q298565, Q182346, Q173496 and Q272506). But for 4056 their texts are the lab's."""
_STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an IMC needs of the lab: its network, its DNS, and the loop for listeners."""

    network: Network
    names: NameService
    loops: LoopThread


class _Run:
    """One run of the service, from a start to the next stop."""

    def __init__(self, imc: Imc, configuration: Configuration) -> None:
        files, site = imc.host.fs, imc.site
        assumptions = imc.assumptions
        self.courier = Courier(imc.surroundings.network, assumptions.patience, assumptions.banner)
        self.tracking = TrackingLog(
            site,
            imc.version,
            lambda name, data: imc.append(configuration.tracking_folder, name, data),
            imc.host.clock,
            enabled=configuration.tracking,
        )
        resolver = Resolver(imc.surroundings.names, configuration.suffixes)
        self.logs = ProtocolLogs(
            files,
            configuration.root + r"\Log",
            configuration.diagnostics,
            shared=assumptions.real_log,
            arrows=configuration.arrows,
        )
        self.deliverer = Deliverer(
            site,
            imc.assumptions,
            imc.waiting,
            imc.journal,
            router=Router(
                configuration.routes, resolver, assumptions, imc.version, configuration.relay
            ),
            courier=self.courier,
            tracking=self.tracking,
            logs=self.logs,
            report=imc.receive_locally,
            stays=imc.version.stays_with_silent_exchanges,
        )
        pickup = PickupFolder(files, configuration.root + r"\Pickup")
        self.pickup = pickup if imc.version.pickup and pickup.prepare() else None
        self.stopping = threading.Event()
        self.thread = threading.Thread(
            target=imc.work, args=(self,), name=f"imc-{site.server}", daemon=True
        )


class Imc:
    """The connector of one host. Its service is installed by ``install``; it is not started.

    ``relay`` is what it does with mail by SMTP for other domains: by its version, if not given.
    ``start_trouble`` is one of ``NOT_STARTING``, or 1067 for a crash: why it will not start.
    """

    def __init__(
        self,
        host: LabHost,
        site: Site,
        version: Version,
        surroundings: Surroundings,
        *,
        connector: Connector | None = None,
        assumptions: Assumptions | None = None,
        submission: Submission | None = None,
        relay: Relay | None = None,
        start_trouble: int = 0,
    ) -> None:
        self.start_trouble = start_trouble
        self.host = host
        self.site = site
        self.version = version
        self.surroundings = surroundings
        self.connector = connector or Connector()
        self.assumptions = assumptions or Assumptions()
        self.journal = Journal()
        self.local_mail: list[tuple[str, str]] = []
        self._changed = threading.Condition()
        self.waiting = OutQueue(host.fs, self._changed)
        self._numbers = itertools.count(1)
        self._run: _Run | None = None
        old = self.assumptions.real_relay and not version.relays
        self.relay = relay or (Relay.RETURNED if old else Relay.OPEN)
        self.listener = Listener(
            surroundings.loops,
            site,
            submission or Submission(),
            self._take_from_smtp,
            greeting=version.greeting,
            prohibits=self._prohibits,
            log=self._inbound_log if self.assumptions.real_log else None,
        )

    # -- the service -------------------------------------------------------------------------

    def on_start(self) -> None:
        """Read the settings and begin to work; ServiceStartError when they do not do."""
        self._check_start()
        try:
            configuration = read_configuration(self.host.registry, self.connector)
        except RouteError as exc:
            self._log_bad_route(exc)
            raise ServiceStartError(BAD_ROUTE, str(exc)) from exc
        except NotConfigured as exc:
            raise ServiceStartError(1, str(exc)) from exc
        if len(configuration.suffixes) > _MOST_SUFFIXES:
            raise ServiceStartError(win32=_CRASH)  # Q185025
        for folder in ("Out", "In", "Log"):
            self._make_folder(f"{configuration.root}\\{folder}")
        self._make_folder(configuration.tracking_folder)
        try:
            run = _Run(self, configuration)
        except UnresolvedHost as exc:
            raise self._not_starting(UNRESOLVED_ROUTE, f"The host {exc} has no address.") from exc
        self.journal.tally = Tally()
        self.waiting.hurry()
        self._run = run
        self.host.events.write(
            SERVICE, _STARTED, f"The service was started. {self.version.greeting}"
        )
        run.thread.start()
        self.listener.open()

    def _check_start(self) -> None:
        if self.start_trouble == _CRASH:
            raise ServiceStartError(win32=_CRASH)
        if self.start_trouble:
            raise self._not_starting(self.start_trouble, "The service cannot start.")
        if not has_domain(self.host.registry):
            raise self._not_starting(4067, "TCP/IP has no domain name.")

    def _not_starting(self, code: int, text: str) -> ServiceStartError:
        for event in NOT_STARTING[code]:
            self.host.events.write(SERVICE, event, text)
        return ServiceStartError(code, text)

    def on_stop(self) -> None:
        """End the run; mail that waits stays in the queue."""
        run, self._run = self._run, None
        if run is None:
            return
        self.listener.close()
        run.stopping.set()
        run.courier.hang_up()
        with self._changed:
            self._changed.notify_all()
        run.thread.join(_STOP_SECONDS)

    def close(self) -> None:
        """Stop, and give the port back."""
        self.on_stop()
        self.listener.release()

    def _log_bad_route(self, error: RouteError) -> None:
        text = (
            f"Unable to parse the delivery route {error.route}. Since errors in delivery routing "
            "parameters can result in misrouted mail, the Internet Mail Service will not start "
            "until this error is corrected."
        )
        self.host.events.write(SERVICE, BAD_ROUTE, text)

    def work(self, run: _Run) -> None:
        """Collect and deliver until the run is stopped; the body of the service's thread."""
        while not run.stopping.is_set():
            self._collect(run)
            for entry in self.waiting.take_due():
                if run.stopping.is_set():
                    return
                run.deliverer.attempt(entry)
            run.stopping.wait(self.assumptions.poll)

    def _collect(self, run: _Run) -> None:
        if run.pickup is None:
            return
        messages, complaints = run.pickup.collect()
        for complaint in complaints:
            self.host.events.write(SERVICE, complaint.event, complaint.text)
        for message in messages:
            self._submit_dropped(message)

    def _submit_dropped(self, message: Dropped) -> None:
        # A message that cannot be stored is reported by submit's event; its file is gone.
        with contextlib.suppress(WinError):
            self.submit(message.sender, message.recipients, message.content)

    # -- mail in -----------------------------------------------------------------------------

    def send(
        self, sender: str, *recipients: str, subject: str = "Test", body: str = "Hello.\n"
    ) -> str:
        """Let a local user send a message; returns its Message-ID."""
        text = f"From: {sender}\nTo: {', '.join(recipients)}\nSubject: {subject}\n\n{body}"
        return self.submit(sender, recipients, text.encode())

    def submit(
        self,
        sender: str,
        recipients: tuple[str, ...],
        content: bytes,
        *,
        over_smtp: bool = False,
    ) -> str:
        """Put a message in the outbound queue; WinError (and event 3022) if it cannot be stored."""
        now = self.host.clock()
        number = next(self._numbers)
        mts_id = (
            f"c=US;a= ;p={self.site.organisation};l={self.site.server.upper()}-"
            f"{now.astimezone(UTC):%y%m%d%H%M%S}Z-{number}"
        )
        content = complete(
            content, f"<{now.astimezone(UTC):%Y%m%d%H%M%S}.{number}@{self.site.fqdn}>", now
        )
        headers = headers_of(content)
        message_id = str(headers.get("Message-ID", "")).strip()
        outbound = [name for name in recipients if not self.site.is_local(name)]
        for name in recipients:
            if name not in outbound:
                self.receive_locally(name, content.decode("latin-1"))
        if outbound:
            subject = str(headers.get("Subject", ""))
            if over_smtp and self.relay is Relay.RETURNED:
                foreign = Message("", mts_id, message_id, sender, subject, len(content))
                self._return_foreign(foreign, outbound)
                return message_id
            message = Message(self._spool_file(), mts_id, message_id, sender, subject, len(content))
            self._store(message, content)
            self._track(message, outbound, over_smtp=over_smtp)
            self._queue(message, outbound)
        return message_id

    def _prohibits(self, recipient: str) -> bool:
        return self.relay is Relay.PROHIBITED and not self.site.is_local(recipient)

    def _inbound_log(self) -> ProtocolLog:
        run = self._run
        if run is None:  # the service stops just now
            return ProtocolLog(lambda _line: None, datetime.now)
        return run.logs.open()

    def _return_foreign(self, message: Message, recipients: list[str]) -> None:
        """4.0 has no such recipient (Q148985): the message comes back as a report."""
        run = self._run
        if run is not None:
            run.tracking.received(message.tracked(recipients))
            run.deliverer.refuse(message, recipients, "550 Unknown Recipient")

    def _store(self, message: Message, content: bytes) -> None:
        try:
            self.host.fs.write_bytes(message.file, content)
        except WinError as exc:
            with contextlib.suppress(WinError):
                self.host.fs.delete(message.file)
            self.host.events.write(SERVICE, _CANNOT_STORE, f"A message was not stored. {exc}")
            raise

    def _track(self, message: Message, recipients: list[str], *, over_smtp: bool) -> None:
        run = self._run
        if run is not None:
            tracked = message.tracked(recipients)
            if over_smtp:
                run.tracking.received(tracked)
            run.tracking.queued(tracked)

    def _queue(self, message: Message, recipients: list[str]) -> None:
        by_domain: dict[str, list[str]] = defaultdict(list)
        for name in recipients:
            by_domain[name.rpartition("@")[2].casefold()].append(name)
        expires = time.monotonic() + self.assumptions.expire_after
        self.waiting.put(
            message,
            [
                Destination(message, domain, tuple(names), expires)
                for domain, names in by_domain.items()
            ],
        )

    def _take_from_smtp(self, sender: str, recipients: tuple[str, ...], content: bytes) -> str:
        return self.submit(sender, recipients, content, over_smtp=True)

    def _spool_file(self) -> str:
        out = read_root(self.host.registry) + r"\Out"
        self._make_folder(out)
        return f"{out}\\{spool_name(self.host.fs.listdir(out))}"

    def receive_locally(self, mailbox: str, text: str) -> None:
        """Deliver to a mailbox of this site; anything else addressed to us is absorbed."""
        if self.site.is_local(mailbox):
            with self._changed:
                self.local_mail.append((mailbox, text))
                self._changed.notify_all()

    # -- what became of it -------------------------------------------------------------------

    @property
    def queue(self) -> tuple[Queued, ...]:
        """What awaits delivery, oldest first."""
        return self.waiting.entries()

    @property
    def delivered(self) -> tuple[Delivered, ...]:
        """What far servers took, oldest first."""
        return tuple(self.journal.delivered)

    @property
    def returned(self) -> tuple[Returned, ...]:
        """What came back as a report, oldest first."""
        return tuple(self.journal.returned)

    @property
    def port(self) -> int:
        """The loopback port that is port 25 of this host."""
        return self.listener.port

    def counters(self) -> dict[str, int]:
        """Return the performance object (release notes of Exchange 5.0, 3.2.10)."""
        tally = self.journal.tally
        return {
            "Queued Outbound": len(self.queue),
            "Connections Total Failed": tally.connections_failed,
            "NDRs Total Inbound": tally.reports_made,
            "Outbound Messages Total": tally.messages_sent,
        }

    def wait(self, wanted: Callable[[Imc], bool], timeout: float = 10.0) -> None:
        """Return as soon as ``wanted`` holds; TimeoutError after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while not wanted(self):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{self.site.server}: queue {self.queue}")
            with self._changed:
                self._changed.wait(min(left, self.assumptions.poll))

    # -- files -------------------------------------------------------------------------------

    def append(self, folder: str, name: str, data: bytes) -> None:
        """Append to a log; a log that cannot be written does not stop mail."""
        with contextlib.suppress(WinError):
            self.host.fs.append(f"{folder}\\{name}", data)

    def _make_folder(self, folder: str) -> None:
        with contextlib.suppress(WinError):
            self.host.fs.mkdir(folder)
