# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out a plan: backup, compare, write, verify; anything else is rolled back.

Order of work on a host: backup there and on the controller, the new table as a file, the note that
a transaction is at work, then table, registry value, service, and a last look.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from .. import backups
from ..context import Context
from ..errors import ExchangeError, HostUnreachable, SessionLost, say_untouched
from ..remote import files
from ..remote.session import Session
from . import hostbackup
from .backup import write
from .gather import gather
from .hostbackup import HostBackup
from .layout import Layout, TempFile
from .marker import Marker
from .plan import Plan, ServiceStep
from .rollback import Changes, Rollback, Touched
from .saved import Origin, facts
from .service import ServiceControl, ServiceTrouble
from .setting import same_value
from .state import HostState
from .steps import Reach, Source, put_setting, put_table

_MOST_SUSPECTS = 5
_MOST_SHOWN = 80  # characters of a row


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that one command line, and a stop or start of the service, may take."""

    command: float = 120.0
    service: float = 60.0


def _some(what: str, rows: list[str]) -> str:
    """Return a sentence that shows the first of some rows."""
    more = f" and {len(rows) - _MOST_SUSPECTS} more" if rows[_MOST_SUSPECTS:] else ""
    shown = ", ".join(ascii(row[:_MOST_SHOWN]) for row in rows[:_MOST_SUSPECTS])
    return f" Suspect are the {what} {shown}{more}." if rows else ""


@dataclass(slots=True)
class Transaction:
    """One run on one host; ``before`` is what the plan was made of.

    ``warnings`` are added to while it runs.
    """

    context: Context
    layout: Layout
    before: HostState
    plan: Plan
    origin: Origin
    backup_dir: Path
    limits: Limits = Limits()
    warnings: list[str] = field(default_factory=list)
    folder: Path | None = None

    def run(self) -> HostState:
        """Carry the plan out, and return the host as it is then; ``folder`` holds the backup.

        Raises ExchangeError. Once anything was changed, its details tell ``rolled_back`` and
        ``state``: ``old``, ``new`` or ``unknown``.
        """
        if not self.plan.changes_settings:
            return self._recover()
        changes, new_table = self._prepare()
        try:
            self._apply(changes, new_table)
            after = self._verify()
        except ExchangeError as error:
            if new_table:
                files.discard_file(self._session, new_table.seen)
            raise Rollback(self._control, self.before, self.plan, changes).run(error) from error
        self.folder = changes.folder
        self._finish()
        return after

    @property
    def _session(self) -> Session:
        return self.context.need_session()

    @property
    def _control(self) -> ServiceControl:
        return ServiceControl(self._reach, self.limits.service, monotonic)

    @property
    def _reach(self) -> Reach:
        return Reach(self._session, self.layout, self.limits.command)

    # -- before the first change

    def _prepare(self) -> tuple[Changes, TempFile | None]:
        """Make the backups, the new table as a file, and the note; or leave nothing behind."""
        try:
            folder = backups.make_folder(self.backup_dir, self.context.host, self.context.now())
        except ExchangeError as error:
            say_untouched(error)
            raise
        saved: HostBackup | None = None
        new_table = self.layout.temp_file() if self.plan.changes_table else None
        try:
            saved = hostbackup.take(
                self._session,
                self.layout,
                self.before,
                folder.stamp,
                timeout=self.limits.command,
            )
            self._save_on_controller(folder, saved)
            if new_table:
                self._write_table(new_table)
            self._write_marker(folder.stamp)
        except ExchangeError as error:
            backups.discard(folder)
            if not isinstance(error, HostUnreachable):
                self._discard(saved, new_table)
            say_untouched(error)
            raise
        return Changes(folder.path, saved, keeps_marker=self._inherits), new_table

    @property
    def _inherits(self) -> bool:
        """Whether an earlier run's note stands. It tells what was before that run, so it stays."""
        return self.plan.recovers is not None and bool(self.plan.recovers.stamp)

    def _discard(self, saved: HostBackup | None, new_table: TempFile | None) -> None:
        if saved:
            hostbackup.discard(self._session, saved.folder)
        if new_table:
            files.discard_file(self._session, new_table.seen)

    def _save_on_controller(self, folder: backups.Folder, saved: HostBackup) -> None:
        known = facts(self.origin, self.before, now=self.context.now(), host_folder=saved.folder)
        write(folder, self.context.host, known, saved.export, saved.routes)

    def _write_table(self, new_table: TempFile) -> None:
        if self.plan.table:
            lines = [line.text for line in self.plan.table.after.lines]
            files.write_text_file(self._session, new_table.seen, lines, timeout=self.limits.command)

    def _write_marker(self, stamp: str) -> None:
        if not self._inherits:
            marker = Marker(stamp, was_running=self.before.service.runs)
            files.write_text_file(self._session, self.layout.marker_path, marker.lines())

    # -- the change

    def _apply(self, changes: Changes, new_table: TempFile | None) -> None:
        table = self.plan.table
        if new_table and table and self.before.table:
            self.context.progress(f"writing {len(table.after.rows)} routes")
            changes.table = True
            put_table(self._reach, self.before.table.imccopy, Source(new_table), table.after)
        if self.plan.setting.changed:
            changes.setting = True
            put_setting(self._reach, self.plan.setting)
        if self.plan.service is not ServiceStep.NONE:
            self.context.progress("restarting the service")
            self._restart(changes)

    def _restart(self, changes: Changes) -> None:
        if self.plan.service is ServiceStep.RESTART:
            changes.service = Touched.STOPPING
            self._control.stop()
        changes.service = Touched.STOPPED
        try:
            self._control.start()
        except ServiceTrouble as error:
            error.message = f"{error.message}{self._suspects()}"
            error.hint = "correct the table, then run again."
            raise

    def _suspects(self) -> str:
        """Return which rows a service that does not start may not be able to parse (Q182522)."""
        table = self.plan.table
        if table is None:
            return ""
        known = {row.raw for row in table.before.rows}
        odd = [row.raw for row in table.after.rows if not row.well_formed]
        new = [row.raw for row in table.after.rows if row.well_formed and row.raw not in known]
        text = f"{_some('rows in a form that is not documented', odd)}{_some('new rows', new)}"
        if not text:
            return ""
        return f" It does not start with a route that it cannot parse (event 4056).{text}"

    def _verify(self) -> HostState:
        """Look at the host once more, and compare it with the plan."""
        after = self._look()
        host, table = self._session.host, self.plan.table
        if self.plan.setting.changed and not same_value(after.value, self.plan.setting.after):
            raise ExchangeError(f"{host}: the registry value is not what was written any more.")
        if table and table.changed and not (after.table and after.table.file.same_as(table.after)):
            raise ExchangeError(f"{host}: the route table is not what was written any more.")
        if self.plan.service is not ServiceStep.NONE and not after.service.runs:
            raise ExchangeError(f"{host}: the service started, and is {after.service.words} now.")
        return after

    def _look(self) -> HostState:
        """Look at the host; looking changes nothing, so once more where the session broke."""
        with_table = self.plan.changes_table
        timeout = self.limits.command
        try:
            return gather(self._session, self.layout, with_table=with_table, timeout=timeout)
        except SessionLost:
            self._session.reopen()
            return gather(self._session, self.layout, with_table=with_table, timeout=timeout)

    # -- the end

    def _recover(self) -> HostState:
        """Finish what a broken run left. No setting is changed, so nothing can be put back."""
        stamp = self.plan.recovers.stamp if self.plan.recovers else ""
        try:
            if self.plan.service is ServiceStep.RESTART:
                self._control.stop()
            if self.plan.service is not ServiceStep.NONE:
                self._control.start()
            after = self._verify()
        except ExchangeError as error:
            raise ExchangeError(
                f"{error.message} No setting was changed by this run; an earlier one broke off"
                f" after its backup {stamp}.",
                hint=f"To go back to that: state: restored, with the backup {stamp}.",
                details={"rolled_back": False, "state": "old"},
            ) from error
        self._finish()
        return after

    def _finish(self) -> None:
        """Remove the note, unless a restart is still owed that this run may not do."""
        if self.plan.leaves_marker:
            return
        left = files.discard_file(self._session, self.layout.marker_path)
        if left:
            self.warnings.append(
                f"All is done, but the note {self.layout.marker_path} could not be removed from"
                " the host: the next run will restart the service once more."
            )
