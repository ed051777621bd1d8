# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edge Transport servers that are subscribed to the organisation ("Edge subscriptions").

An Edge knows the connectors that it is the source of from EdgeSync: at an interval, or at once by
Start-EdgeSynchronization. Its queues and its tracking log are not seen from inside.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from . import binding, connectors, errors, wire
from .cmdlet import Call, Cmdlet
from .transport import TransportService

if TYPE_CHECKING:
    from psrpcore.types import PSObject

    from .directory import Record
    from .organisation import Organisation
    from .routing import Connector
    from .server import ExchangeServer

INTERVAL = 180.0
"""Seconds of the organisation's time between two synchronisations of the configuration."""
_UNREACHABLE = "The LDAP server is unavailable."


@dataclass(slots=True)
class EdgeSync:
    """What one Edge has heard. While ``unreachable``, nothing reaches it."""

    organisation: Organisation
    server: ExchangeServer
    interval: float = INTERVAL
    unreachable: bool = False
    _records: tuple[Record, ...] = ()
    _due: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def synchronise(self) -> tuple[int, int, int]:
        """Bring the connectors up to date; returns how many were added, deleted and updated."""
        directory = self.organisation.directory
        found = tuple(
            record
            for record in directory.read(directory.choose())
            if self.server.name in _sources(record)
        )
        with self._lock:
            self._due = time.monotonic() + self.interval
            if self.unreachable:
                raise ConnectionError(_UNREACHABLE)
            old = {record.guid: record.attributes for record in self._records}
            new = {record.guid: record.attributes for record in found}
            self._records = found
        updated = sum(old[guid] != new[guid] for guid in old.keys() & new.keys())
        return len(new.keys() - old.keys()), len(old.keys() - new.keys()), updated

    def records(self) -> tuple[Record, ...]:
        """The connectors as the Edge knows them now."""
        if time.monotonic() >= self._due:
            # Where it fails, the Edge goes on with what it has.
            with contextlib.suppress(ConnectionError, errors.CmdletError):
                self.synchronise()
        return self._records


def _sources(record: Record) -> list[object]:
    sources = record.attributes["SourceTransportServers"]
    return list(sources) if isinstance(sources, list) else []


class EdgeTransport(TransportService):
    """The Transport service of an Edge: it routes by what EdgeSync has brought."""

    sync: EdgeSync

    def connectors(self) -> list[Connector]:
        """The connectors of the last synchronisation."""
        return self.read_connectors(self.sync.records())


def start(call: Call) -> list[PSObject]:
    """Synchronise every Edge, or the one asked for; a failure is a result like any other."""
    call.confirm("Starting EdgeSync synchronization", default=False)
    wanted = call.bound.text("TargetServer")
    edges = [
        sync
        for name, sync in call.organisation.edge_syncs.items()
        if wanted is None or wanted.casefold() in (name.casefold(), sync.server.fqdn.casefold())
    ]
    if not edges:
        raise errors.invalid_operation("No Edge Subscriptions were found.")
    if call.bound.get("WhatIf"):
        return []
    return [result for sync in edges for result in _results(sync)]


def _results(sync: EdgeSync) -> list[PSObject]:
    begun, failure, counts = datetime.now(UTC), "", (0, 0, 0)
    try:
        counts = sync.synchronise()
    except ConnectionError as error:
        failure = str(error)
    return [_result(sync, kind, begun, failure, counts) for kind in ("Recipients", "Configuration")]


def _result(
    sync: EdgeSync, kind: str, begun: datetime, failure: str, counts: tuple[int, int, int]
) -> PSObject:
    """One result; names and values of its properties are the lab's assumption."""
    added, deleted, updated = counts if kind == "Configuration" else (0, 0, 0)
    properties: dict[str, object] = {
        "Result": "CouldNotConnect" if failure else "Success",
        "Type": kind,
        "Name": sync.server.name,
        "FailureDetails": failure,
        "StartUTC": begun,
        "EndUTC": datetime.now(UTC),
        "Added": added,
        "Deleted": deleted,
        "Updated": updated,
        "Scanned": added + deleted + updated,
        "TargetScanned": 0,
    }
    types = ("Microsoft.Exchange.EdgeSync.Common.EdgeSyncRecord", "System.Object")
    return wire.build(types, f"{sync.server.name} {kind}", properties)


def _switch(name: str) -> binding.Parameter:
    return binding.Parameter(name, "SwitchParameter", binding.to_switch)


CMDLETS = (
    Cmdlet(
        "Start-EdgeSynchronization",
        "Microsoft.Exchange.Management.EdgeSync.StartEdgeSynchronization",
        (
            binding.Parameter("Server", "ServerIdParameter", binding.to_string),
            binding.Parameter("TargetServer", "System.String", binding.to_string),
            _switch("ForceFullSync"),
            _switch("ForceUpdateCookie"),
            connectors.CONFIRM,
            connectors.WHAT_IF,
        ),
        start,
    ),
)
