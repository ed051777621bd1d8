# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done on a host: a pure function of what it has and what it is to have.

Check mode and audits stop after it, so they cannot differ from what a real run would do.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from .._remote.parse import RegistryValue
from .._run.change_limit import Size
from .desired import Desired, SearchList, State
from .journal import Marker
from .routes import RoutesFile, Row, moved
from .setting import SettingPlan, can_be_added, plan_setting, shown
from .state import SERVICE_NAME, HostState
from .table import edit
from .writable import why_unwritable


class ServiceStep(StrEnum):
    """What the service needs so that it works with the settings."""

    NONE = "none"
    RESTART = "restart"
    START = "start"


@dataclass(frozen=True, slots=True)
class Policy:
    """Options that say how, not what. ``max_routes`` 0 never warns."""

    may_restart: bool = True
    max_routes: int = 0


@dataclass(frozen=True, slots=True)
class Saved:
    """What a backup holds; ``routes`` None where the table was not saved."""

    value: RegistryValue | None
    routes: RoutesFile | None


@dataclass(frozen=True, slots=True)
class TablePlan:
    """The table as it is and as it is to be.

    ``changed`` says whether it has to be written, ``size`` how many routes change, of how many.
    """

    before: RoutesFile
    after: RoutesFile
    changed: bool = field(init=False)
    size: Size = field(init=False)

    def __post_init__(self) -> None:
        before, after = self.before.rows, self.after.rows
        same = self.before is self.after
        by_domain = {} if same else moved(before, after)
        total = max(len(before), len(after))
        size = Size("routes", sum(by_domain.values()), total, tuple(by_domain))
        object.__setattr__(self, "changed", not (same or self.before.same_as(self.after)))
        object.__setattr__(self, "size", size)


@dataclass(frozen=True, slots=True)
class ManualRow:
    """A row for the administrator to type or remove, where no tool can."""

    action: str
    domain: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a run would do, and what it would say.

    ``refusal`` is a reason to stop before any change. ``remarks`` tells, by domain, why rows that
    are not to change stay. ``recovers`` is the note of a broken run that this run takes up.
    """

    setting: SettingPlan
    manages_setting: bool
    table: TablePlan | None
    service: ServiceStep
    restart_required: bool
    recovers: Marker | None
    service_runs: bool
    refusal: str
    warnings: tuple[str, ...]
    worksheet: tuple[ManualRow, ...]
    desired: Desired

    @property
    def changes_table(self) -> bool:
        """Whether the table has to be written."""
        return self.table is not None and self.table.changed

    @property
    def changes_settings(self) -> bool:
        """Whether registry or table have to be written."""
        return self.setting.changed or self.changes_table

    @property
    def size(self) -> Size:
        """How large the change of the table is; the registry value is no route."""
        return self.table.size if self.table is not None else Size("routes")

    @property
    def leaves_marker(self) -> bool:
        """Whether a broken run's note stays: it stopped the service, which may not be started."""
        broken = self.recovers is not None and self.recovers.was_running
        return broken and self.restart_required and not self.service_runs

    @property
    def leaves_debt(self) -> bool:
        """Whether the service goes on with the old settings, since it may not be restarted."""
        return self.restart_required and self.service_runs

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        recovers = self.recovers is not None and not self.leaves_marker
        return self.changes_settings or self.service is not ServiceStep.NONE or recovers


def make_plan(
    state: HostState, desired: Desired, policy: Policy, saved: Saved | None = None
) -> Plan:
    """Plan a host; ``saved`` is what to put back, for the state restored."""
    if saved is None:
        setting = plan_setting(state.value, desired.search_list)
        table, table_warnings = _plan_table(state, desired)
    else:
        setting = SettingPlan(state.value, saved.value)
        table, table_warnings = _plan_saved_table(state, saved), ()
    changes = setting.changed or (table is not None and table.changed)
    service, required, service_warnings = _plan_service(state, policy, changes)
    return Plan(
        setting=setting,
        manages_setting=saved is not None or desired.search_list is not SearchList.UNMANAGED,
        table=table,
        service=service,
        restart_required=required,
        recovers=state.left_behind,
        service_runs=state.service.runs,
        refusal=_refusal(state, setting, table),
        warnings=(
            *_recovery_warnings(state.left_behind),
            *_debt_warnings(state, service),
            *table_warnings,
            *_size_warnings(table, policy.max_routes),
            *_row_warnings(table, service),
            *service_warnings,
        ),
        worksheet=tuple(_worksheet(desired, saved)) if state.no_imccopy else (),
        desired=desired,
    )


def _plan_table(state: HostState, desired: Desired) -> tuple[TablePlan | None, tuple[str, ...]]:
    if desired.routes is None:
        return None, ()
    if state.table is None:
        return None, edit((), desired).warnings
    change = edit(state.table.file.rows, desired)
    after = state.table.file.with_rows(change.rows)
    return TablePlan(state.table.file, after), change.warnings


def _plan_saved_table(state: HostState, saved: Saved) -> TablePlan | None:
    if state.table is None or saved.routes is None:
        return None
    return TablePlan(state.table.file, saved.routes)


def _plan_service(
    state: HostState, policy: Policy, changes: bool
) -> tuple[ServiceStep, bool, tuple[str, ...]]:
    """Return what to do with the service, whether a restart is left to do, and warnings."""
    service, marker = state.service, state.left_behind
    owed = (marker is not None and marker.was_running) or state.restart_owed
    if not (changes or owed):
        return ServiceStep.NONE, False, ()
    found = f"The service {SERVICE_NAME} is {service.words} (start type {service.start_words})"
    left = "and was left as found; the settings take effect at its next start."
    if not (service.runs or owed):
        return ServiceStep.NONE, False, (f"{found} {left}",)
    if not policy.may_restart:
        return ServiceStep.NONE, True, ()
    if service.disabled:
        return ServiceStep.NONE, True, (f"{found}, so it could not be started again, {left}",)
    return (ServiceStep.RESTART if service.runs else ServiceStep.START), False, ()


def _refusal(state: HostState, setting: SettingPlan, table: TablePlan | None) -> str:
    """Return why nothing may be changed, or nothing."""
    before = setting.before
    if setting.changed and before is not None and not can_be_added(before):
        return (
            f"the registry value is {shown(before)!r}, which could not be put back exactly if"
            " anything failed"
        )
    if table is None or not table.changed:
        return ""
    if state.table is not None and state.table.inexact:
        return f"the route table could not be read to the byte ({state.table.inexact})"
    return why_unwritable(table.after, table.before)


def _recovery_warnings(marker: Marker | None) -> Iterator[str]:
    if marker is None:
        return
    if not marker.stamp:
        yield "An earlier run broke off before it changed anything; its note is removed."
        return
    yield (
        f"An earlier run broke off. Its backup is {marker.stamp}; this run takes up where it"
        " stopped."
    )


def _debt_warnings(state: HostState, step: ServiceStep) -> Iterator[str]:
    if state.restart_owed and step is ServiceStep.NONE:
        yield (
            f"The service {SERVICE_NAME} has not been restarted since an earlier run changed the"
            " settings: it works with the old ones."
        )


def _size_warnings(table: TablePlan | None, limit: int) -> Iterator[str]:
    if table is not None and 0 < limit < len(table.after.rows):
        yield (
            f"The route table holds {len(table.after.rows)} rows, more than {limit} (max_routes)."
            " The Administrator program may corrupt a table that is too long (Q182522): change it"
            " with this module or imccopy only."
        )


def _row_warnings(table: TablePlan | None, service: ServiceStep) -> Iterator[str]:
    """Warn of what may keep the service from starting; it ran, so it need not."""
    if table is None or service is ServiceStep.NONE:
        return
    odd = [row.raw for row in table.after.rows if not row.well_formed]
    if odd:
        yield (
            f"{len(odd)} row(s) of the route table are no domain;address;flag, the first is"
            f" {odd[0][:80]!a}. A service that cannot parse a row does not start (event 4056,"
            " Q182522); then this change is rolled back, which may not help."
        )


def _worksheet(desired: Desired, saved: Saved | None) -> Iterator[ManualRow]:
    """Yield the rows to type in the Administrator program."""
    if saved is not None:
        yield from _enter(saved.routes.rows if saved.routes else ())
        return
    for route in desired.routes or ():
        addresses = desired.rows_of(route)
        if addresses is None:
            continue
        if not addresses:
            yield ManualRow("remove", route.domain)
        for address in addresses:
            yield ManualRow("enter", route.domain, address)
    if desired.state is State.EXACT:
        yield ManualRow("remove", "(every domain not named here)")


def _enter(rows: Iterable[Row]) -> Iterator[ManualRow]:
    for row in rows:
        yield ManualRow("enter", row.domain, row.target)
