# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out a plan: backup, compare, write, verify; anything else is rolled back.

Order of work on a host: the claim, backup there and on the controller, the note that a transaction
is at work, the new table as a file, then table, registry value, service, a last look, and the end
of note and claim.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import monotonic

from .._base import alive
from .._base.context import Context
from .._base.errors import ExchangeError, HostUnreachable, SessionLost, say_untouched
from .._remote import commands
from .._remote.parse import parse_sc_process
from .._remote.session import Batch, Session
from .._run import backups
from . import hostbackup
from .backup import write
from .gather import gather
from .host_lock import Hold, run_again_if_lost
from .hostbackup import HostBackup
from .journal import Marker, owed_lines
from .layout import Layout, TempFile
from .lease import new_claim
from .plan import Plan, ServiceStep
from .rollback import Changes, Rollback, Touched
from .saved import Origin, facts
from .service import ServiceControl, ServiceTrouble
from .setting import same_value
from .state import HostState
from .steps import Reach, Source, put_setting, put_table

_MOST_SUSPECTS = 5
_MOST_SHOWN = 80  # characters of a row
_SHORTEST_CLAIM = 900.0  # seconds
_LAST_SECONDS = 5.0  # for what a run does that is told to stop


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that one command line, and a stop or start of the service, may take."""

    command: float = 120.0
    service: float = 60.0

    @property
    def claim(self) -> float:
        """Seconds for which a run claims its host; see ``hold``."""
        return max(_SHORTEST_CLAIM, 4 * (self.command + self.service))


def _some(what: str, rows: list[str]) -> str:
    """Return a sentence that shows the first of some rows."""
    more = f" and {len(rows) - _MOST_SUSPECTS} more" if rows[_MOST_SUSPECTS:] else ""
    shown = ", ".join(ascii(row[:_MOST_SHOWN]) for row in rows[:_MOST_SUSPECTS])
    return f" Suspect are the {what} {shown}{more}." if rows else ""


@dataclass(slots=True)
class Transaction:
    """One run on one host; ``before`` is what the plan was made of.

    ``restores`` is whether it puts a backup back. ``warnings`` are added to while it runs.
    """

    context: Context
    layout: Layout
    before: HostState
    plan: Plan
    origin: Origin
    backup_dir: Path
    limits: Limits = Limits()
    restores: bool = False
    warnings: list[str] = field(default_factory=list)
    folder: Path | None = None
    _held: Hold | None = None
    _noted: bool = False

    def run(self) -> HostState:
        """Carry the plan out, and return the host as it is then; ``folder`` holds the backup.

        Raises ExchangeError. Once anything was changed, its details tell ``rolled_back`` and
        ``state``: ``old``, ``new`` or ``unknown``.
        """
        with self._alive():
            try:
                return self._change() if self.plan.changes_settings else self._recover()
            except ExchangeError:
                raise
            except BaseException:
                self._let_go()
                raise

    def _change(self) -> HostState:
        changes, new_table = self._prepare()
        try:
            self._apply(changes, new_table)
            after = self._verify()
        except ExchangeError as error:
            if new_table:
                commands.discard_file(self._session, new_table.seen)
            raise self._rolled_back(changes, error) from error
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
        return Reach(self._session, self._hold.fenced, self.limits.command)

    # -- the claim

    @property
    def _hold(self) -> Hold:
        """The claim of this run; made up at first use, from what the host's clock says then."""
        if self._held is None:
            lasts = self.limits.claim
            claim = new_claim(alive.controller(), self._session.host_time, timedelta(seconds=lasts))
            self._held = Hold(self.layout, claim, self.before.claim, monotonic(), lasts)
        return self._held

    @contextlib.contextmanager
    def _alive(self) -> Iterator[None]:
        """Let other runs on this controller know for certain whether this one has ended."""
        file = alive.file_of(self._hold.claim.run)
        with contextlib.ExitStack() as stack:
            if file:
                with contextlib.suppress(OSError):  # then others have to go by the claim's time
                    stack.enter_context(alive.hold(file))
            yield

    def _give_up(self, *paths: str, timeout: float = 0) -> list[str]:
        """Delete files on the host, and give it free; returns what may be left there."""
        timeout = timeout or self.limits.command
        left = self._hold.give_up(self._session, *paths, timeout=timeout)
        for file in filter(None, map(alive.file_of, self._hold.ended(left))):
            alive.forget(file)
        return left

    def _let_go(self) -> None:
        """Give the host free, with the note, in the moment before this process is gone."""
        with contextlib.suppress(Exception):
            self._session.reopen()
            self._give_up(timeout=_LAST_SECONDS)

    def _need_time(self, needs: float) -> None:
        if not self._hold.is_in_time(monotonic(), needs):
            raise ExchangeError(
                f"{self._session.host}: the run took so long that it may not change anything any"
                f" more: its claim on the host ends after {self.limits.claim / 60:.0f} minutes.",
                hint="see what the host or the controller is busy with, then run again.",
            )

    # -- before the first change

    def _prepare(self) -> tuple[Changes, TempFile | None]:
        """Make claim, backups, the new table as a file, and the note; or leave nothing behind."""
        try:
            folder = backups.make_folder(self.backup_dir, self.context.host, self.context.now())
        except ExchangeError as error:
            say_untouched(error)
            raise
        saved: HostBackup | None = None
        left = self.plan.recovers.temp if self.plan.recovers else ""
        new_table = self.layout.temp_file(left) if self.plan.changes_table else None
        try:
            saved = hostbackup.take(
                self._session, self._hold, self.before, folder.stamp, timeout=self.limits.command
            )
            self._save_on_controller(folder, saved)
            # The note first: it names the file, so that the next run can remove it.
            self._write_marker(folder.stamp, new_table)
            if new_table:
                self._write_table(new_table)
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
            commands.discard_file(self._session, new_table.seen)
        self._give_up(*([self.layout.marker_path] if self._noted else []))

    def _save_on_controller(self, folder: backups.Folder, saved: HostBackup) -> None:
        known = facts(self.origin, self.before, now=self.context.now(), host_folder=saved.folder)
        known |= backups.history(
            restores=self.restores,
            continues=self.plan.recovers.stamp if self.plan.recovers else "",
        )
        write(folder, self.context.host, known, saved.export, saved.routes)

    def _write_table(self, new_table: TempFile) -> None:
        if self.plan.table:
            lines = [line.text for line in self.plan.table.after.lines]
            commands.write_text_file(
                self._session, new_table.seen, lines, timeout=self.limits.command
            )

    def _write_marker(self, stamp: str, temp: TempFile | None) -> None:
        if not self._inherits:
            self._noted = True
            name = temp.seen.rpartition("\\")[2] if temp else ""
            marker = Marker(stamp, self.before.service.runs, name)
            commands.write_text_file(self._session, self.layout.marker_path, marker.lines())

    # -- the change

    def _apply(self, changes: Changes, new_table: TempFile | None) -> None:
        table = self.plan.table
        if new_table and table and self.before.table:
            self._need_time(self.limits.command)
            self.context.progress(f"writing {len(table.after.rows)} routes")
            changes.table = True
            put_table(self._reach, self.before.table.imccopy, Source(new_table), table.after)
        if self.plan.setting.changed:
            self._need_time(self.limits.command)
            changes.setting = True
            put_setting(self._reach, self.plan.setting)
        if self.plan.service is not ServiceStep.NONE:
            self.context.progress("restarting the service")
            self._restart(changes)

    def _restart(self, changes: Changes) -> None:
        self._need_time(self.limits.service)
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

    def _rolled_back(self, changes: Changes, cause: ExchangeError) -> ExchangeError:
        """Put the host back; return the error to raise."""
        back = Rollback(self._control, self._hold, self.before, self.plan, changes)
        error = back.run(cause)
        if back.gives_up:
            note = [] if changes.keeps_marker or not back.is_back else [self.layout.marker_path]
            if left := self._give_up(*note):
                error.message = f"{error.message} Left on the host: {' and '.join(left)}."
                error.details["left_behind"] = left
        return error

    # -- the end

    def _recover(self) -> HostState:
        """Finish what an earlier run left. No setting is changed, so nothing can be put back."""
        stamp = self.plan.recovers.stamp if self.plan.recovers else ""
        self._take_claim()
        try:
            if self.plan.service is not ServiceStep.NONE:
                self._need_time(self.limits.service)
            if self.plan.service is ServiceStep.RESTART:
                self._control.stop()
            if self.plan.service is not ServiceStep.NONE:
                self._control.start()
            after = self._verify()
        except ExchangeError as error:
            self._give_up()
            broken = f"; an earlier one broke off after its backup {stamp}" if stamp else ""
            raise ExchangeError(
                f"{error.message} No setting was changed by this run{broken}.",
                hint=f"To go back to that: state: restored, with the backup {stamp}."
                if stamp
                else error.hint,
                details=self._settings_kept(),
            ) from error
        self._finish()
        return after

    def _settings_kept(self) -> dict[str, object]:
        """Return the details of a recovery that failed: all that it touched is the service."""
        touched = self.plan.service is not ServiceStep.NONE
        return {
            "rolled_back": False,
            "state": "unknown" if touched else "old",
            "parts": {"service": "unknown"} if touched else {},
            "changed": touched,
        }

    def _take_claim(self) -> None:
        """Claim the host, before a recovery that makes no backup."""
        batch = Batch()
        self._hold.add_to(batch)
        try:
            sections = batch.run(self._session, timeout=self.limits.command)
            self._hold.check(self._session.host, sections)
        except ExchangeError as error:
            if not isinstance(error, HostUnreachable):
                self._give_up()
            say_untouched(error)
            raise

    def _finish(self) -> None:
        """Remove the notes that are settled, and give the host free."""
        if self.plan.leaves_debt:
            self._note_debt()
        paths = [] if self.plan.leaves_marker else [self.layout.marker_path]
        if self.plan.recovers and self.plan.recovers.temp:
            paths.append(self.layout.temp_file(self.plan.recovers.temp).seen)
        if self.before.debt and not self.plan.leaves_debt:
            paths.append(self.layout.owed_path)
        left = self._give_up(*paths)
        if left:
            self.warnings.append(
                f"All is done, but {' and '.join(left)} may be left on the host: the next run will"
                " see to it, and may restart the service once more."
            )

    def _note_debt(self) -> None:
        """Note that the service works with the old settings, and which process of it does.

        The process is asked for after the change: if somebody restarts the service just before,
        the debt is noted though it is paid, and never the other way round.
        """
        batch = Batch()
        batch.add("process", self.layout.service("queryex"))
        try:
            sections = run_again_if_lost(self._session, batch, self.limits.command)
            process = parse_sc_process(sections["process"].output)
            commands.write_text_file(self._session, self.layout.owed_path, owed_lines(process))
        except ExchangeError as error:
            self.warnings.append(
                "A restart of the service is due, and it could not be noted on the host, so later"
                f" runs will not know: {error.message}"
            )
