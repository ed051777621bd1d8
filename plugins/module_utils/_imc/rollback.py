# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a host back as it was, after a change that failed; and say precisely what came of it.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from .._base.errors import ExchangeError, HostUnreachable, SessionLost
from .._run import backups
from .gather import gather
from .host_lock import ClaimLost, Hold
from .hostbackup import HostBackup
from .layout import copy
from .plan import Plan
from .report import service_facts
from .service import ServiceControl
from .setting import SettingPlan, same_value
from .state import HostState, ServiceState
from .steps import Reach, Source, put_setting, put_table, read_setting


class Touched(IntEnum):
    """How far a transaction got with the service."""

    NOT = 0
    STOPPING = 1
    STOPPED = 2


@dataclass(slots=True)
class Changes:
    """What a transaction may have changed so far; noted before each step, not after it."""

    folder: Path
    saved: HostBackup
    table: bool = False
    setting: bool = False
    service: Touched = Touched.NOT
    keeps_marker: bool = False


@dataclass(slots=True)
class Rollback:
    """The way back of one transaction.

    ``open`` holds what could not be done, each with the reason. ``gives_up`` says in the end
    whether the host can be given free, ``is_back`` whether it is as it was.
    """

    control: ServiceControl
    hold: Hold
    before: HostState
    plan: Plan
    changes: Changes
    open: list[tuple[str, str]] = field(default_factory=list)
    gives_up: bool = True
    is_back: bool = False

    @property
    def reach(self) -> Reach:
        """The host."""
        return self.control.reach

    def run(self, cause: ExchangeError) -> ExchangeError:
        """Roll back; returns the error to raise, which tells cause, outcome and what to do."""
        if isinstance(cause, ClaimLost):
            return self._ceded(cause)
        if isinstance(cause, SessionLost):
            self.reach.session.reopen()
        found = None
        try:
            for what, step in self._steps():
                self._try(what, step)
            found = self._look()
        except HostUnreachable as error:
            self.gives_up = False
            self.open.append(("connection", error.message))
        parts = self._parts(found)
        if any(part != "old" for part in parts.values()):
            return self._stuck(cause, parts, found)
        self.open.clear()  # whatever went wrong on the way did no harm
        self.is_back = True
        self.changes.folder = backups.put_aside(self.changes.folder)
        return self._rolled_back(cause, parts, found)

    # -- the steps

    def _steps(self) -> Iterator[tuple[str, Callable[[], None]]]:
        if self.changes.table:
            yield "route table", self._table
        if self.changes.setting:
            yield "registry value", self._setting
        if self.changes.service is not Touched.NOT:
            yield "service", self._service

    def _try(self, what: str, step: Callable[[], None]) -> None:
        """Take one step; if the session breaks, once more in a new one."""
        if not self.hold.is_in_time(self.control.clock(), self.reach.timeout, undoing=True):
            self.open.append((what, "no time is left, another run may have the host now."))
            return
        try:
            try:
                step()
            except SessionLost:
                self.reach.session.reopen()
                step()
        except HostUnreachable:
            raise
        except ExchangeError as error:
            self.open.append((what, error.message))
            if isinstance(error, SessionLost):
                self.reach.session.reopen()

    def _table(self) -> None:
        table = self.before.table
        if table is None:
            return
        saved, temp = self.changes.saved.routes_file, self.reach.layout.temp_file()
        # Behind a management host imccopy cannot read this host's files, so it gets a copy. Here
        # it reads the backup itself, which works on a full disk, too.
        away = bool(self.reach.layout.computer)
        source = Source(temp, copied_from=saved.seen) if away else Source(saved, keep=True)
        put_table(self.reach, table.imccopy, source, table.file)

    def _setting(self) -> None:
        now = read_setting(self.reach)
        put_setting(self.reach, SettingPlan(now, self.before.value))

    def _service(self) -> None:
        """Let the service run with the settings of before.

        One that still runs after a stop that failed has them loaded. Any other may have the new
        ones, so it has to be stopped and started.
        """
        stopping = self.changes.service is Touched.STOPPING
        if stopping and self.control.state() is ServiceState.RUNNING:
            return
        self.control.stop()
        self.control.start()

    # -- what came of it

    def _look(self) -> HostState | None:
        """Look at the whole host, or at what can be seen of it."""
        reach, table = self.reach, self.changes.table
        for with_table in (table, table, False):
            try:
                return gather(
                    reach.session, reach.layout, with_table=with_table, timeout=reach.timeout
                )
            except HostUnreachable:
                raise
            except SessionLost:
                self.reach.session.reopen()
            except ExchangeError as error:
                self.open.append(("last look", error.message))
        return None

    def _parts(self, found: HostState | None) -> dict[str, str]:
        """Return, for each part that was touched, whether it is old, new or unknown."""
        judges = {"route table": self._table_part, "registry value": self._setting_part}
        touched = self._touched()
        parts = {part: judges[part](found) for part in touched if part in judges}
        if "service" in touched:
            parts["service"] = self._service_part(found, set(parts.values()))
        return parts

    def _service_part(self, found: HostState | None, settings: set[str]) -> str:
        """Return what the service works with: the settings, if it was started with them."""
        state = found.service.state if found else None
        failed = any(what == "service" for what, _skipped in self.open)
        if state is not ServiceState.RUNNING or failed or len(settings) > 1:
            return "unknown"
        return next(iter(settings), "old")

    def _table_part(self, found: HostState | None) -> str:
        table, plan, before = found and found.table, self.plan.table, self.before.table
        if table and before and table.file.same_as(before.file):
            return "old"
        return "new" if table and plan and table.file.same_as(plan.after) else "unknown"

    def _setting_part(self, found: HostState | None) -> str:
        if found is None:
            return "unknown"
        if same_value(found.value, self.before.value):
            return "old"
        return "new" if same_value(found.value, self.plan.setting.after) else "unknown"

    def _by_hand(self, parts: Mapping[str, str]) -> list[str]:
        """Return the commands that put back what is not as it was."""
        layout, lines = self.hold.layout, []
        if parts.get("route table", "old") != "old" and self.before.table:
            file = self.changes.saved.routes_file
            if layout.computer:
                file = layout.temp_file()
                lines.append(copy(self.changes.saved.routes_file.seen, file.seen))
            lines.append(layout.restore(self.before.table.imccopy, file))
        if parts.get("registry value", "old") != "old":
            undo = self.plan.setting.undo
            lines += [layout.delete_value(undo.delete)] if undo.delete else []
            lines += [layout.add_value(undo.add)] if undo.add else []
        if parts.get("service", "old") != "old" or (lines and "service" in parts):
            lines += [layout.service("stop"), layout.service("start")]
        return lines

    def _rolled_back(
        self, cause: ExchangeError, parts: Mapping[str, str], found: HostState | None
    ) -> ExchangeError:
        settings = [part for part in parts if part != "service"]
        back = f"The previous {' and '.join(settings)} {'were' if settings[1:] else 'was'} put back"
        runs = ", and the service runs" if "service" in parts else ""
        return ExchangeError(
            f"{cause.message} {back if settings else 'No setting was changed'}{runs}.",
            hint=f"Nothing is lost: backup in {self.changes.folder}."
            f" Next: {cause.hint or 'see to the cause, and run again.'}",
            details=self._details("old", parts, found),
        )

    def _stuck(
        self, cause: ExchangeError, parts: Mapping[str, str], found: HostState | None
    ) -> ExchangeError:
        failed = " ".join(f"{what}: {self._short(why)}" for what, why in self.open)
        shown = dict(parts)
        if found and "service" in parts:
            shown["service"] = found.service.words
        now = ", ".join(f"{what} {part}" for what, part in shown.items())
        known = set(parts.values())
        return ExchangeError(
            f"{cause.message} Not everything could be put back: {failed} State of the host now:"
            f" {now}.",
            hint=f"Nothing is lost: backup in {self.changes.folder} and, on the host, in"
            f" {self.changes.saved.folder}. Run again, and the next run takes up from here. Or go"
            f" back by hand; type on the host: {' & '.join(self._by_hand(parts))}",
            details=self._details(known.pop() if len(known) == 1 else "unknown", parts, found),
        )

    def _ceded(self, cause: ExchangeError) -> ExchangeError:
        """Leave everything to the run that has the host now."""
        parts = dict.fromkeys(self._touched(), "unknown")
        self.gives_up = False
        return ExchangeError(
            f"{cause.message} What this run had changed by then is the other run's to keep or to"
            f" put back: {', '.join(parts)}.",
            hint=f"Backup in {self.changes.folder}. {cause.hint}",
            details=self._details("unknown", parts, None),
        )

    def _touched(self) -> list[str]:
        touched = {
            "route table": self.changes.table,
            "registry value": self.changes.setting,
            "service": self.changes.service is not Touched.NOT,
        }
        return [part for part, done in touched.items() if done]

    def _short(self, message: str) -> str:
        return message.removeprefix(f"{self.reach.session.host}: ")

    def _details(
        self, state: str, parts: Mapping[str, str], found: HostState | None
    ) -> dict[str, object]:
        return {
            "rolled_back": state == "old",
            "state": state,
            "parts": {name.replace(" ", "_"): part for name, part in parts.items()},
            "backup": str(self.changes.folder),
            "changed": state != "old",
            "service": service_facts(found.service) if found else None,
        }
