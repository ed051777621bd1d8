# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Active Directory as far as Send connectors need it: several domain controllers that replicate.

A write is seen at once where it was made, and at the other domain controllers after a delay. The
rules of a conflict are Active Directory's (MS-DRSR, 5.11 and the replication of names): each value
has a stamp, and of two values the one with the higher version number wins, then the later one by
the second, then the one of the domain controller with the higher Guid. So two writes at one domain
controller win over a later one elsewhere. Of two objects of one name the one whose name has the
higher stamp keeps it, the other is renamed to ``NAME<line feed>CNF:GUID``; a deletion wins over any
change.
"""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from . import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """Of two stamps the greater one wins. ``second`` is the whole second of the write."""

    version: int
    second: int
    origin: uuid.UUID


_NEVER = Stamp(0, 0, uuid.UUID(int=0))


@dataclass(slots=True)
class Record:
    """One object as one domain controller knows it, with the stamp of each of its attributes."""

    guid: uuid.UUID
    attributes: dict[str, object]
    stamps: dict[str, Stamp]
    created: datetime
    changed: datetime
    deleted: bool = False

    @property
    def name(self) -> str:
        """The name that identifies it, as it was typed."""
        return str(self.attributes["Name"])

    def copy(self) -> Record:
        """A snapshot that later writes do not change."""
        return replace(self, attributes=dict(self.attributes), stamps=dict(self.stamps))


@dataclass(frozen=True, slots=True)
class _Change:
    due: float
    guid: uuid.UUID
    attributes: Mapping[str, object]
    stamps: Mapping[str, Stamp]
    when: datetime
    deleted: bool


@dataclass(slots=True)
class _Replica:
    name: str
    invocation: uuid.UUID
    records: dict[uuid.UUID, Record] = field(default_factory=dict)
    inbound: list[_Change] = field(default_factory=list)


class Directory:
    """The Send connectors of an organisation, on every domain controller.

    ``replication_delay`` is in seconds. A command that names no domain controller is served by one
    of the directory's choosing: each in turn, which is the worst that an administrator can meet,
    unless ``preferred`` fixes it.
    """

    def __init__(
        self,
        domain_controllers: Sequence[str],
        *,
        replication_delay: float = 0.0,
        preferred: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.replication_delay = replication_delay
        self.preferred = preferred
        self.down: set[str] = set()
        self._clock = clock
        self._replicas = {
            name.lower(): _Replica(name, uuid.uuid5(uuid.NAMESPACE_DNS, name.lower()))
            for name in domain_controllers
        }
        self._rotation = itertools.cycle(list(self._replicas))
        self._lock = threading.RLock()
        self.version = 0

    @property
    def domain_controllers(self) -> list[str]:
        """Their full names, in the order given."""
        return [replica.name for replica in self._replicas.values()]

    def choose(self, name: str | None = None) -> str:
        """The domain controller that serves a command; ``CmdletError`` if it does not answer."""
        with self._lock:
            if name is None:
                name = self.preferred or self._next_up()
            replica = self._replicas.get(name.lower())
            if replica is None or replica.name in self.down:
                raise errors.domain_controller_unreachable(name)
            return replica.name

    def _next_up(self) -> str:
        for _round in self._replicas:
            candidate = self._replicas[next(self._rotation)].name
            if candidate not in self.down:
                return candidate
        raise errors.domain_controller_unreachable(next(iter(self._replicas)))

    def read(self, controller: str) -> list[Record]:
        """Every live object as this domain controller knows it, by name."""
        with self._lock:
            records = self._caught_up(controller).records.values()
            live = [record.copy() for record in records if not record.deleted]
            return sorted(live, key=lambda record: record.name.casefold())

    def find(self, controller: str, identity: str) -> Record | None:
        """The object with that name or Guid on this domain controller."""
        for record in self.read(controller):
            if identity.casefold() in (record.name.casefold(), str(record.guid)):
                return record
        return None

    def create(
        self, controller: str, attributes: Mapping[str, object], distinguished_name: str
    ) -> Record:
        """Add an object; an error if this domain controller already knows one of that name."""
        with self._lock:
            if self.find(controller, str(attributes["Name"])) is not None:
                raise errors.object_exists(distinguished_name, controller)
            guid = uuid.uuid4()
            self._write(controller, guid, attributes, deleted=False)
            return self._replicas[controller.lower()].records[guid].copy()

    def modify(self, controller: str, guid: uuid.UUID, attributes: Mapping[str, object]) -> None:
        """Write attributes of an object that this domain controller knows."""
        self._write(controller, guid, attributes, deleted=False)

    def delete(self, controller: str, guid: uuid.UUID) -> None:
        """Remove an object."""
        self._write(controller, guid, {}, deleted=True)

    def settle(self) -> None:
        """Replicate everything now, whatever the delay."""
        with self._lock:
            for replica in self._replicas.values():
                self._apply_due(replica, float("inf"))

    def _write(
        self, controller: str, guid: uuid.UUID, attributes: Mapping[str, object], *, deleted: bool
    ) -> None:
        with self._lock:
            origin = self._caught_up(controller)
            now = self._clock()
            known = origin.records.get(guid)
            stamps = {
                name: Stamp(
                    (known.stamps.get(name, _NEVER) if known else _NEVER).version + 1,
                    int(now),
                    origin.invocation,
                )
                for name in attributes
            }
            change = _Change(now, guid, dict(attributes), stamps, datetime.now(UTC), deleted)
            _apply(origin, change)
            self.version += 1
            for replica in self._replicas.values():
                if replica is not origin:
                    replica.inbound.append(replace(change, due=now + self.replication_delay))

    def _caught_up(self, controller: str) -> _Replica:
        replica = self._replicas[controller.lower()]
        self._apply_due(replica, self._clock())
        return replica

    def _apply_due(self, replica: _Replica, now: float) -> None:
        due = [change for change in replica.inbound if change.due <= now]
        if due:
            replica.inbound = [change for change in replica.inbound if change.due > now]
            for change in due:
                _apply(replica, change)
            self.version += 1


def _apply(replica: _Replica, change: _Change) -> None:
    record = replica.records.get(change.guid)
    if record is None:
        record = Record(change.guid, {"Name": ""}, {}, change.when, change.when)
        replica.records[change.guid] = record
    for name, value in change.attributes.items():
        if record.stamps.get(name, _NEVER) < change.stamps[name]:
            record.attributes[name] = value
            record.stamps[name] = change.stamps[name]
    record.changed = max(record.changed, change.when)
    record.deleted = record.deleted or change.deleted
    _rename_conflicts(replica, record)


def _rename_conflicts(replica: _Replica, changed: Record) -> None:
    if changed.deleted:
        return
    for other in replica.records.values():
        same = other.name.casefold() == changed.name.casefold()
        if other is changed or other.deleted or not same:
            continue
        loser = min(other, changed, key=lambda record: record.stamps.get("Name", _NEVER))
        loser.attributes["Name"] = f"{loser.name}\nCNF:{loser.guid}"
