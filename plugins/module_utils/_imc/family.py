# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Internet Mail Connector of a host (Exchange 4.0 to 5.5), as a family that is changed.

Order of work on a host: the lease and the backup there in one command line, the backup on the
controller, the journal, the new table as a file, then table, registry value, service, a last read,
and the end of journal and lease.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import IntEnum
from pathlib import Path
from time import monotonic
from typing import Any, cast

from .._base import alive
from .._base.context import Learned
from .._base.errors import ExchangeError, HostUnreachable, SessionLost
from .._remote import commands
from .._remote.commands import usable, windows_path
from .._remote.parse import parse_sc_process
from .._remote.session import Batch, Session
from .._run import family
from .._run.family import Change, Snapshot, Undone
from . import backup
from .backup import HostBackup, Identity
from .gather import gather
from .host import COMPUTER_KEY, UNKNOWN_HOST, ImcHost, ServiceState
from .host_lock import (
    HostLock,
    LeaseLost,
    is_of,
    locked,
    new_lease,
    run_again_if_lost,
    why_alive,
    write_note,
)
from .layout import Layout, TempFile, copy
from .plan import Desired, ImcChange, ImcPlan, Part, Policy, Saved, ServiceStep, State, make_plan
from .report import ReturnRoutes, changed_rows, result, service_facts
from .risks import malformed, rows_text
from .routes import RoutesFile
from .seen import NOTHING_SEEN, SeenMail, look
from .setting import SettingPlan, same_value, shown
from .state import HostState, Journal, PendingRestart
from .steps import (
    MOST_LIMITS,
    ChangedMeanwhileError,
    Reach,
    ServiceControl,
    ServiceError,
    Source,
    StillStartingError,
    put_setting,
    put_table,
)

_SHORTEST_LEASE = 900.0  # seconds
_LAST_SECONDS = 5.0  # for the last steps of a run that is interrupted


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that one command line, and a stop or start of the service, may take."""

    command: float = 120.0
    service: float = 60.0

    @property
    def lease(self) -> float:
        """Seconds for which a run locks its host."""
        waiting = (MOST_LIMITS + 1) * self.service  # a stop and a start, in half of the lease
        return max(_SHORTEST_LEASE, 4 * self.command + 2 * waiting)


class Touched(IntEnum):
    """How far a run got with the service."""

    NOT = 0
    STOPPING = 1
    STOPPED = 2


@dataclass(slots=True)
class MailConnector:
    """The connector of one host, over one session; implements ``Family``.

    ``host`` is the inventory's name for it. ``learned`` is what need not be read again, and
    gets what is read; with None only what a plan needs is read.
    """

    session: Session
    host: str
    layout: Layout
    timeouts: Timeouts = field(default_factory=Timeouts)
    policy: Policy = field(default_factory=Policy)
    learned: Learned | None = None
    return_routes: ReturnRoutes = ReturnRoutes.ALL
    kind: str = "this host"
    refusal_hint: str = "Change it in the Administrator program, or with imccopy, and run again."
    _first: HostState | None = field(default=None, init=False)
    # The transaction so far.
    _before: HostState | None = field(default=None, init=False)
    _plan: ImcPlan = field(default_factory=ImcPlan, init=False)
    _lock: HostLock | None = field(default=None, init=False)
    _taken: bool = field(default=False, init=False)
    _saved: HostBackup | None = field(default=None, init=False)
    _temp: TempFile | None = field(default=None, init=False)
    _journaled: bool = field(default=False, init=False)
    _begun: list[Part] = field(default_factory=list, init=False)
    _service: Touched = field(default=Touched.NOT, init=False)
    _found_stopped: bool = field(default=False, init=False)

    # -- read and plan

    def _identity(self, state: HostState) -> Identity:
        return Identity(
            self.owner(state), self.layout.registry_key, state.build, state.organisation
        )

    def owner(self, state: HostState) -> str:
        """Return the computer's own name: it may have several in inventories."""
        if state.computer:
            return state.computer
        raise ExchangeError(
            f"{self.session.host}: the computer's own name cannot be read ({COMPUTER_KEY}), so"
            " its backups could be confused with those of another computer.",
            hint="Check the rights of the account on that key.",
        )

    def read(self, wanted: Desired) -> HostState:
        """Read the host, and the table only if needed; raises LeaseLost, MissingService."""
        first = self._first
        state = self.gather(
            with_table=wanted.routes is not None or wanted.state is State.RESTORED,
            known=self._known if first is None else None,
            first=first is None,
        )
        if first is not None:  # no run changes these
            state = replace(
                state,
                build=first.build,
                tracking_folder=first.tracking_folder,
                cluster=first.cluster,
                seen=first.seen,
                computer=first.computer,
            )
        self._learn(state)
        if first is None:
            if wanted.state is not State.RESTORED:
                state = replace(state, seen=self._look(state, wanted))
            self._first = state
        lease, now = state.lease, self.session.host_time
        if lease is not None:
            file = alive.file_of(lease.run) if is_of(lease, alive.controller()) else None
            why = why_alive(lease, now, alive.has_ended(file) if file else None)
            if why:
                raise locked(self.session.host, self.layout, lease, now, why)
        return state

    @property
    def _known(self) -> ImcHost | None:
        return self.learned.of(ImcHost, UNKNOWN_HOST) if self.learned is not None else None

    def _learn(self, state: HostState) -> None:
        """Keep what later parts of the run need not ask again, as far as they could use it."""
        if self.learned is not None:
            host = replace(
                self.learned.of(ImcHost, UNKNOWN_HOST),
                service=state.service,
                build=state.build,
                root_dir=usable(state.root_dir.strip(), windows_path),
                tracking_dir=state.tracking_folder,
            )
            self.learned.keep(host)

    def _look(self, state: HostState, wanted: Desired) -> SeenMail:
        """Return what the host's queue and logs show; they are read only where they matter.

        That is where routes change, or silent servers are to be left out.
        """
        if self.learned is not None and (seen := self.learned.of(SeenMail, NOTHING_SEEN)):
            return seen
        root = usable(state.root_dir.strip(), windows_path)
        if wanted.state is State.ABSENT or not (wanted.routes and root):
            return NOTHING_SEEN
        draft = make_plan(state, wanted, self.policy)
        needed = draft.changes_table or draft.worksheet or self.policy.drops_silent
        if draft.refusals or not needed:
            return NOTHING_SEEN
        host = ImcHost(
            name=self.session.host,
            computer=self.layout.computer,
            service=state.service,
            build=state.build,
            root_dir=root,
            tracking_dir=state.tracking_folder,
        )
        seen = look(self.session, host)
        if self.learned is not None:
            self.learned.keep(seen)
        return seen

    def gather(
        self,
        *,
        with_table: bool = True,
        known: ImcHost | None = None,
        first: bool = False,
    ) -> HostState:
        """Read the host, whoever has it."""
        return gather(
            self.session,
            self.layout,
            with_table=with_table,
            known=known,
            first=first,
            timeout=self.timeouts.command,
        )

    def plan(self, state: HostState, wanted: Desired) -> ImcPlan:
        """Return the plan for the required state."""
        return make_plan(state, wanted, self.policy)

    def restore_plan(self, state: HostState, saved: Saved) -> ImcPlan:
        """Return the plan back to a backup."""
        return make_plan(state, Desired(state=State.RESTORED), self.policy, saved)

    def pins(self, state: HostState) -> dict[str, list[str]]:
        """Return the targets of the rows of each domain."""
        return _targets(state.table.file if state.table else None)

    def saved_pins(self, saved: Saved) -> dict[str, list[str]]:
        """Return those of a backup."""
        return _targets(saved.routes)

    def state_facts(self, state: HostState) -> Any:
        """Return the registry value and the table, to the byte."""
        content = state.table.content if state.table else None
        return {
            "registry_key": self.layout.registry_key,
            "registry_value": shown(state.value),
            "route_table": content and content.decode("latin-1"),
        }

    def change_facts(self, plan: ImcPlan) -> list[dict[str, Any]]:
        """Return the changes, that of the table with the rows that go and come."""
        facts = []
        for each in plan.changes:
            entry = each.to_dict()
            if each.part is Part.TABLE and plan.table is not None:
                entry |= changed_rows(plan.table)
            facts.append(entry)
        return facts

    def load(
        self,
        facts: Mapping[str, Any],
        folder: Path,
        state: HostState,
        _later: Iterable[Mapping[str, Any]] = (),
    ) -> Saved:
        """Read a backup of this computer, or of any one by force."""
        if not self.policy.force:
            self._identity(state).check(facts)
        return backup.load(facts, folder)

    def interrupted(self, state: HostState) -> str:
        """Return the backup that the journal on the host names."""
        return state.left_behind.stamp if state.left_behind else ""

    # -- the lease

    @contextlib.contextmanager
    def lock(self, state: HostState) -> Iterator[None]:
        """Make up the lease, and show other runs on this controller whether this one has ended.

        ``snapshot`` takes the lease. An interrupted run gives it up on the way out.
        """
        self._before, lasts = state, self.timeouts.lease
        lease = new_lease(alive.controller(), self.session.host_time, timedelta(seconds=lasts))
        self._lock = HostLock(self.layout, lease, state.lease, monotonic(), lasts)
        file = alive.file_of(lease.run)
        with contextlib.ExitStack() as stack:
            if file:
                with contextlib.suppress(OSError):  # then others have to go by the lease's time
                    stack.enter_context(alive.hold(file))
            try:
                yield
            except ExchangeError:
                raise
            except BaseException:
                with contextlib.suppress(Exception):
                    self.session.reopen()
                    self._give_up(timeout=_LAST_SECONDS)
                raise

    @property
    def _held(self) -> HostLock:
        if self._lock is None:
            raise AssertionError("the host is locked")
        return self._lock

    @property
    def _reach(self) -> Reach:
        return Reach(self.session, self._held.fenced, self.timeouts.command)

    @property
    def _control(self) -> ServiceControl:
        return ServiceControl(self._reach, self.timeouts.service, monotonic)

    def _give_up(self, *paths: str, timeout: float = 0) -> list[str]:
        """Delete files on the host, and unlock it; returns what may be left there."""
        timeout = timeout or self.timeouts.command
        left = self._held.give_up(self.session, *paths, timeout=timeout)
        for file in filter(None, map(alive.file_of, self._held.ended(left))):
            alive.forget(file)
        return left

    def _need_time(self, needs: float) -> None:
        if not self._held.is_in_time(monotonic(), needs):
            raise ExchangeError(
                f"{self.session.host}: the run took too long, and made no further change: its"
                f" lease of the host ends after {self.timeouts.lease / 60:.0f} minutes.",
                hint="Check what keeps the host or the controller busy, then run again.",
            )

    # -- before the first change

    def read_again(self, state: HostState) -> HostState:
        """Return the same state: ``snapshot`` compares it with the host."""
        return state

    def snapshot(self, state: HostState, plan: ImcPlan, name: str) -> Snapshot:
        """Take the lease, and the backup with it, in one command line."""
        self._taken, self._plan = True, plan
        timeout = self.timeouts.command
        if not name:
            batch = Batch()
            self._held.add_to(batch)
            sections = batch.run(self.session, timeout=timeout)
            self._held.check(self.session.host, sections)
            return Snapshot({})
        self._saved = backup.take(self.session, self._held, state, name, timeout=timeout)
        return backup.snapshot(self._identity(state), state, self._saved)

    @property
    def _inherits(self) -> bool:
        """Whether an earlier run's journal stays, since it holds what was before that run."""
        journal = self._plan.interrupted
        return journal is not None and bool(journal.stamp)

    def prepare(self, plan: ImcPlan, name: str) -> None:
        """Write the journal, and the new table as a file.

        The journal first: it names the file, so that the next run can remove it.
        """
        if not name:
            return
        left = plan.interrupted.temp if plan.interrupted else ""
        self._temp = self.layout.temp_file(left) if plan.changes_table else None
        timeout = self.timeouts.command
        if not self._inherits and self._before:
            self._journaled = True
            temp = self._temp.seen.rpartition("\\")[2] if self._temp else ""
            journal = Journal(name, self._before.service.runs, temp)
            fenced, path = self._held.fenced, self.layout.journal_path
            write_note(self.session, fenced, path, journal.lines(), timeout=timeout)
        if self._temp and plan.table:
            lines = [line.text for line in plan.table.after.lines]
            commands.write_text_file(self.session, self._temp.seen, lines, timeout=timeout)

    def abandon(self) -> None:
        """Remove all that this run left on the host before its first change."""
        if not self._taken:
            return
        if self._saved:
            backup.discard(self.session, self._saved.folder)
        if self._temp:
            commands.discard_file(self.session, self._temp.seen)
        self._give_up(*([self.layout.journal_path] if self._journaled else []))

    # -- the change

    def apply(self, change: Change) -> None:
        """Carry out one step, as long as the lease leaves time for the way back."""
        part, plan = cast(ImcChange, change).part, self._plan
        service = part is Part.SERVICE
        if part is not Part.JOURNAL:
            self._need_time(self.timeouts.service if service else self.timeouts.command)
            self._begun.append(part)
        if part is Part.TABLE and self._temp and plan.table and self._before and self._before.table:
            imccopy = self._before.table.imccopy
            saved = self._saved.routes_file.seen if self._saved else ""
            try:
                put_table(self._reach, imccopy, Source(self._temp, over=saved), plan.table.after)
            except ChangedMeanwhileError:
                self._begun.remove(part)  # what another writer made of it is not ours to undo
                raise
        elif part is Part.SETTING:
            put_setting(self._reach, plan.setting)
        elif service:
            if plan.service is ServiceStep.RESTART:
                self._service = Touched.STOPPING
                if not self._control.stop():
                    self._begun.remove(part)
                    self._service, self._found_stopped = Touched.NOT, True
                    return
            self._service = Touched.STOPPED
            try:
                self._control.start()
            except StillStartingError:
                raise
            except ServiceError as error:
                error.message = f"{error.message}{self._suspects()}"
                error.hint = "Correct the table, then run again." if plan.writes else error.hint
                raise

    def _suspects(self) -> str:
        """Which rows may keep a service from starting that cannot parse or resolve them."""
        table = self._plan.table
        if table is None:
            return ""
        known = {row.raw for row in table.before.rows}
        odd = malformed(table.after.rows)
        new = [row.raw for row in table.after.rows if row.well_formed and row.raw not in known]
        named = [row.raw for row in table.after.rows if not row.leads_to_addresses]
        named = [] if odd or not self._plan.setting.changed else named
        groups = (("malformed rows", odd), ("new rows", new), ("rows by name", named))
        text = "".join(
            f" Suspect are the {what} {rows_text(rows)}." for what, rows in groups if rows
        )
        if not text:
            return ""
        return (
            " It does not start with a route that it cannot parse (event 4056), or with a host in a"
            f" route that it cannot look up (event 4057).{text}"
        )

    def verify(
        self, plan: ImcPlan, _planner: Callable[[HostState], ImcPlan]
    ) -> tuple[HostState, ImcPlan]:
        """Read the host once more, and compare it with the plan; nothing is left to do then."""
        try:
            after = self.gather(with_table=plan.changes_table)
        except SessionLost:  # reading changes nothing, so once more
            self.session.reopen()
            after = self.gather(with_table=plan.changes_table)
        host, table = self.session.host, plan.table
        if plan.setting.changed and not same_value(after.value, plan.setting.after):
            raise ExchangeError(f"{host}: the registry value changed after this run wrote it.")
        if table and table.changed and not (after.table and after.table.file.same_as(table.after)):
            raise ExchangeError(f"{host}: the route table changed after this run wrote it.")
        starts = plan.service is not ServiceStep.NONE and not self._found_stopped
        if starts and not after.service.runs:
            raise ExchangeError(f"{host}: the service started, and is {after.service.words} now.")
        return after, ImcPlan()

    # -- the end

    def finish(self, plan: ImcPlan) -> list[str]:
        """Remove the notes that are settled, and unlock the host."""
        warnings = []
        if self._found_stopped:
            warnings.append(
                "The service was stopped from outside during this run, and was left stopped; the"
                " settings take effect at its next start."
            )
        if plan.leaves_pending_restart and (problem := self._note_pending_restart()):
            warnings.append(problem)
        paths = [] if plan.leaves_journal else [self.layout.journal_path]
        if plan.interrupted and plan.interrupted.temp:
            paths.append(self.layout.temp_file(plan.interrupted.temp).seen)
        if self._before and self._before.pending_restart and not plan.leaves_pending_restart:
            paths.append(self.layout.pending_restart_path)
        if left := self._give_up(*paths):
            warnings.append(
                f"The change is complete, but {' and '.join(left)} may be left on the host: the"
                " next run removes them, and may restart the service once more."
            )
        return warnings

    def _note_pending_restart(self) -> str:
        """Note that the service works with the old settings, and which process of it does.

        The process is read after the change: a restart by another administrator just before may
        then leave a note of a restart already done, but a due restart is always noted.
        """
        batch = Batch()
        batch.add("process", self.layout.service("queryex"))
        path, timeout = self.layout.pending_restart_path, self.timeouts.command
        try:
            sections = run_again_if_lost(self.session, batch, timeout)
            note = PendingRestart(parse_sc_process(sections["process"].output))
            write_note(self.session, self._held.fenced, path, note.lines(), timeout=timeout)
        except ExchangeError as error:
            return (
                "A restart of the service is pending, but could not be noted on the host, so later"
                f" runs do not see it: {error.message}"
            )
        return ""

    def settle(self, state: HostState) -> None:
        """Remove the note of a restart that was done since."""
        if state.pending_restart and not state.needs_restart:
            commands.discard_file(self.session, self.layout.pending_restart_path)

    def result(
        self, before: HostState, plan: ImcPlan, after: HostState | None, _done: Sequence[Change]
    ) -> dict[str, Any]:
        """Return the host's part of the result."""
        if self._found_stopped:
            plan = replace(plan, service=ServiceStep.NONE)
        return result(plan, before, after, self.host, self.return_routes)

    # -- undo

    def undo(self, _done: Sequence[Change], cause: ExchangeError) -> Undone:
        """Restore what was changed, or report the host's state; and unlock the host.

        A service that is still starting is left alone: to stop it and start it twice more takes
        longer, and nothing shows that the change is to blame.
        """
        if isinstance(cause, StillStartingError):
            left = self._give_up(self.layout.journal_path)
            parts: dict[str, family.Part] = {
                part: "unknown" if part is Part.SERVICE else "new" for part in self._begun
            }
            return Undone(
                parts,
                "It was left to start, and the new settings stay.",
                "A long queue or a large address book makes a start slow (Q184542, Q185996). Wait"
                " until the service runs, then run again; if it stops instead, restore the backup.",
                {"service": None, **({"left_behind": left} if left else {})},
            )
        if self._plan.writes:
            return _WayBack(self, self._begun, self._service).go(cause)
        # The run was only to finish what another one left: there is nothing to put back.
        stamp = self._plan.interrupted.stamp if self._plan.interrupted else ""
        self._give_up()
        broken = f"; an earlier one broke off after its backup {stamp}" if stamp else ""
        back = f"To restore that state, use state: restored with the backup {stamp}."
        return Undone(
            dict.fromkeys(self._begun, "unknown"),
            f"No setting was changed by this run{broken}.",
            back if stamp else cause.hint,
        )


@dataclass(slots=True)
class _WayBack:
    """The way back of one run; ``open`` holds what could not be done, each with the reason."""

    connector: MailConnector
    touched: list[Part]
    service: Touched
    open: list[tuple[str, str]] = field(default_factory=list)

    def go(self, cause: ExchangeError) -> Undone:
        """Take the steps back, and see what the host is then."""
        it, session = self.connector, self.connector.session
        if it._temp:
            commands.discard_file(session, it._temp.seen)
        if isinstance(cause, LeaseLost):
            names = ", ".join(map(_words, self.touched))
            return Undone(
                dict.fromkeys(self.touched, "unknown"),
                f"This run had already changed {names}; the other run keeps or restores that.",
                cause.hint,
                {"service": None},
            )
        if isinstance(cause, SessionLost):
            session.reopen()
        found, reached = None, True
        try:
            for part, step in (
                (Part.TABLE, self._table),
                (Part.SETTING, self._setting),
                (Part.SERVICE, self._restart),
            ):
                if part in self.touched:
                    self._try(_words(part), step)
            found = self._look()
        except HostUnreachable as error:
            reached = False
            self.open.append(("connection", error.message))
        parts = self._parts(found)
        is_back = set(parts.values()) <= {"old"}
        undone = self._back(cause, parts, found) if is_back else self._stuck(parts, found)
        if reached:
            note = [it.layout.journal_path] if is_back and not it._inherits else []
            if left := it._give_up(*note):
                outcome = f"{undone.outcome} Left on the host: {' and '.join(left)}."
                details = {**undone.details, "left_behind": left}
                return Undone(undone.parts, outcome, undone.hint, details)
        return undone

    def _try(self, what: str, step: Callable[[], None]) -> None:
        """Take one step; if the session breaks, once more in a new one."""
        it = self.connector
        if not it._held.is_in_time(monotonic(), it.timeouts.command, undoing=True):
            self.open.append((what, "no time is left, another run may have the host now."))
            return
        try:
            try:
                step()
            except SessionLost:
                it.session.reopen()
                step()
        except HostUnreachable:
            raise
        except ExchangeError as error:
            self.open.append((what, error.message))
            if isinstance(error, SessionLost):
                it.session.reopen()

    def _table(self) -> None:
        it, layout = self.connector, self.connector.layout
        if it._saved is None or it._before is None:
            raise AssertionError("a backup exists before the first change")
        table = it._before.table
        if table is None:
            return
        # Behind a management host imccopy cannot read this host's files, so it gets a copy. Here
        # it reads the backup itself, which works on a full disk, too.
        saved = it._saved.routes_file
        source = Source(saved, keep=True)
        if layout.computer:
            source = Source(layout.temp_file(), copied_from=saved.seen)
        put_table(it._reach, table.imccopy, source, table.file)

    def _setting(self) -> None:
        it = self.connector
        if it._before is None:
            raise AssertionError("the host was read")
        now = put_setting(it._reach, None)
        put_setting(it._reach, SettingPlan(now, it._before.value))

    def _restart(self) -> None:
        """Let the service run with the settings of before.

        One that still runs after a stop that failed has them loaded. Any other may have the new
        ones, so it has to be stopped and started.
        """
        control = self.connector._control
        stopping = self.service is Touched.STOPPING
        if stopping and control.state() is ServiceState.RUNNING:
            return
        control.stop()
        control.start()

    def _look(self) -> HostState | None:
        """Read the whole host, or what of it can be read."""
        table = Part.TABLE in self.touched
        for with_table in (table, table, False):
            try:
                return self.connector.gather(with_table=with_table)
            except HostUnreachable:
                raise
            except SessionLost:
                self.connector.session.reopen()
            except ExchangeError as error:
                self.open.append(("last read", error.message))
        return None

    def _parts(self, found: HostState | None) -> dict[str, family.Part]:
        """Return, for each part that was touched, whether it is old, new or unknown."""
        before, plan = self.connector._before, self.connector._plan
        if before is None:
            raise AssertionError("the host was read")
        parts: dict[str, family.Part] = {}
        if Part.TABLE in self.touched:
            now, then = found and found.table, before.table
            if now and then and now.file.same_as(then.file):
                parts[Part.TABLE] = "old"
            else:
                new = now and plan.table and now.file.same_as(plan.table.after)
                parts[Part.TABLE] = "new" if new else "unknown"
        if Part.SETTING in self.touched:
            if found is not None and same_value(found.value, before.value):
                parts[Part.SETTING] = "old"
            else:
                new = found is not None and same_value(found.value, plan.setting.after)
                parts[Part.SETTING] = "new" if new else "unknown"
        if Part.SERVICE in self.touched:  # it works with the settings that it was started with
            settings = set(parts.values()) or {"old"}
            failed = any(what == _words(Part.SERVICE) for what, _why in self.open)
            runs = found is not None and found.service.state is ServiceState.RUNNING
            certain = runs and not failed and len(settings) == 1
            parts[Part.SERVICE] = settings.pop() if certain else "unknown"
        return parts

    def _back(
        self, cause: ExchangeError, parts: Mapping[str, family.Part], found: HostState | None
    ) -> Undone:
        settings = [_words(part) for part in parts if part != Part.SERVICE]
        were = "were" if settings[1:] else "was"
        back = f"The previous {' and '.join(settings)} {were} put back"
        runs = ", and the service runs" if Part.SERVICE in parts else ""
        nothing = "No setting was changed" if parts else "Nothing was changed"
        return Undone(
            parts,
            f"{back if settings else nothing}{runs}.",
            cause.hint or "Remove the cause, and run again.",
            {"service": service_facts(found.service) if found else None},
        )

    def _stuck(self, parts: Mapping[str, family.Part], found: HostState | None) -> Undone:
        host = f"{self.connector.session.host}: "
        failed = " ".join(f"{what}: {why.removeprefix(host)}" for what, why in self.open)
        shown: dict[str, str] = {_words(part): what for part, what in parts.items()}
        if found and Part.SERVICE in parts:
            shown[_words(Part.SERVICE)] = found.service.words
        now = ", ".join(f"{what} {part}" for what, part in shown.items())
        folder = self.connector._saved.folder if self.connector._saved else ""
        before = self.connector._before and self.connector._before.table
        odd = malformed(before.file.rows) if before and Part.SERVICE in parts else []
        if odd:
            failed += (
                f" The previous table has malformed rows, too ({rows_text(odd)}), so no rollback"
                " helps: correct them in the Administrator program, then start the service."
            )
        return Undone(
            parts,
            f"Not everything could be put back: {failed} State of the host now: {now}.",
            f"Another backup is on the host, in {folder}. Run again, and the next run continues"
            " from here. Or restore it by hand; type on the host:"
            f" {' & '.join(self._by_hand(parts))}",
            {"service": service_facts(found.service) if found else None},
        )

    def _by_hand(self, parts: Mapping[str, family.Part]) -> list[str]:
        """Return the commands that put back what is not as it was."""
        it, layout = self.connector, self.connector.layout
        lines = []
        if parts.get(Part.TABLE, "old") != "old" and it._saved and it._before and it._before.table:
            file = it._saved.routes_file
            if layout.computer:
                file = layout.temp_file()
                lines.append(copy(it._saved.routes_file.seen, file.seen))
            lines.append(layout.restore(it._before.table.imccopy, file))
        if parts.get(Part.SETTING, "old") != "old":
            undo = it._plan.setting.undo
            lines += [layout.delete_value(undo.delete)] if undo.delete else []
            lines += [layout.add_value(undo.add)] if undo.add else []
        if parts.get(Part.SERVICE, "old") != "old" or (lines and Part.SERVICE in parts):
            lines += [layout.service("stop"), layout.service("start")]
        return lines


def _words(part: str) -> str:
    return part.replace("_", " ")


def _targets(file: RoutesFile | None) -> dict[str, list[str]]:
    targets: dict[str, list[str]] = {}
    for row in file.rows if file else ():
        if row.well_formed:
            targets.setdefault(row.key, []).append(row.target)
    return targets
