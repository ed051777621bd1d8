# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the changes of a host: a pure function of its state and the required state.

Check mode and audits stop after it, so they cannot differ from what a real run would do. Rows of
the table that are not ours survive as the very objects they were, in their order.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from .._remote.parse import RegistryValue
from .._run.change_limit import Size
from .._run.family import PINNED_DOMAINS, Change, Plan, Refusal
from .._run.routes import GONE_STATUSES, UNKNOWN_STATUSES, Route
from . import risks
from .host import (
    SERVICE_NAME,
    build_warning,
    edits_long_tables,
    silence_cure,
    takes_digits,
)
from .routes import RoutesFile, Row, moved, new_row, why_unwritable
from .setting import SearchList, SettingPlan, can_be_added, number, plan_setting, shown
from .state import HostState, Journal


class State(StrEnum):
    """Option state."""

    PRESENT = "present"
    ABSENT = "absent"
    EXACT = "exact"
    RESTORED = "restored"


@dataclass(frozen=True)
class Desired:
    """The required state of registry value and table; ``routes`` None leaves the table alone.

    ``silent`` are addresses to leave out of the routes.
    """

    search_list: SearchList = SearchList.UNMANAGED
    routes: tuple[Route, ...] | None = None
    state: State = State.PRESENT
    removes_missing: bool = False
    silent: frozenset[str] = frozenset()

    def rows_of(self, route: Route) -> tuple[str, ...] | None:
        """Return the addresses a listed domain is to have, or None to keep what it has."""
        if route.status in UNKNOWN_STATUSES:
            return None
        if self.state is State.ABSENT:
            return ()
        if route.status in GONE_STATUSES:
            return () if self.removes_missing and not route.unconfirmed else None
        return self.answering(route.addresses)

    def answering(self, addresses: tuple[str, ...]) -> tuple[str, ...]:
        """Return the addresses without the silent ones; all of them where none would be left."""
        return tuple(one for one in addresses if one not in self.silent) or addresses

    @cached_property
    def by_domain(self) -> dict[str, Route]:
        """The routes by domain."""
        return {route.domain: route for route in self.routes or ()}


class ServiceStep(StrEnum):
    """The step after which the service works with the settings."""

    NONE = "none"
    RESTART = "restart"
    START = "start"


@dataclass(frozen=True, slots=True)
class Policy:
    """Options about how a run works. ``max_routes`` 0 never warns.

    ``known_domains`` are those to which the host sends mail, as far as that is known.
    ``drops_silent`` leaves out of a domain's routes the addresses that accept connections and send
    no greeting.
    """

    may_restart: bool = True
    max_routes: int = 0
    force: bool = False
    known_domains: tuple[str, ...] = ()
    drops_silent: bool = False


@dataclass(frozen=True, slots=True)
class Saved:
    """The contents of a backup; ``routes`` None where the table was not saved."""

    value: RegistryValue | None
    routes: RoutesFile | None


@dataclass(frozen=True, slots=True)
class TablePlan:
    """The present table and the required one.

    ``changed`` is true if it has to be written; ``size`` is how many routes change, of how many.
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


class Part(StrEnum):
    """The part of a host that a change concerns; its values are those of ``parts`` in a result."""

    TABLE = "route_table"
    SETTING = "registry_value"
    SERVICE = "service"
    JOURNAL = "journal"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImcChange(Change):
    """One step on a host."""

    part: Part

    @property
    def doing(self) -> str:
        """The action on the host, in words."""
        if self.part is Part.TABLE:
            return f"imccopy writes {self.text}"
        if self.part is Part.SETTING:
            verb = "removes" if self.after is None else "sets"
            return f"reg {verb} {self.text}"
        if self.part is Part.SERVICE:
            return f"the service {self.text.partition(' ')[0]}s"
        return "the run removes the journal of an earlier one"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImcPlan(Plan):
    """Everything a run would do and report.

    ``interrupted`` is the journal of a run that broke off, which this run takes up.
    """

    changes: tuple[ImcChange, ...] = ()
    setting: SettingPlan = field(default_factory=lambda: SettingPlan(None, None))
    manages_setting: bool = False
    table: TablePlan | None = None
    service: ServiceStep = ServiceStep.NONE
    restart_required: bool = False
    service_runs: bool = False
    interrupted: Journal | None = None
    worksheet: tuple[ManualRow, ...] = ()
    desired: Desired = field(default_factory=Desired)

    def remark(self, row: Row) -> str:
        """Return why a row of the table stays; nothing where that goes without saying."""
        if self.desired.state is State.RESTORED:
            return ""
        route = self.desired.by_domain.get(row.key)
        if route is None:
            exact = self.desired.state is State.EXACT and row.well_formed
            return "" if exact else "(not managed, kept)"
        if self.desired.rows_of(route) is None:
            return f"({route.status.replace('_', ' ')}, kept)"
        return ""

    @property
    def changes_table(self) -> bool:
        """True if the table must be written."""
        return self.table is not None and self.table.changed

    @property
    def leaves_journal(self) -> bool:
        """Whether a broken run's journal stays: the service that it stopped may not be started."""
        stopped = self.interrupted is not None and self.interrupted.was_running
        return stopped and self.restart_required and not self.service_runs

    @property
    def leaves_pending_restart(self) -> bool:
        """Whether the service goes on with the old settings, since it may not be restarted."""
        return self.restart_required and self.service_runs


def make_plan(
    state: HostState, desired: Desired, policy: Policy, saved: Saved | None = None
) -> ImcPlan:
    """Plan a host; ``saved`` is the backup for the state restored."""
    edited = Edit((), {}, Size(PINNED_DOMAINS))
    table: TablePlan | None = None
    if policy.drops_silent:
        desired = replace(desired, silent=state.seen.silent)
    if saved is not None:
        setting = SettingPlan(state.value, saved.value)
        if state.table is not None and saved.routes is not None:
            table = TablePlan(state.table.file, saved.routes)
    else:
        setting = plan_setting(state.value, desired.search_list)
        if desired.routes is not None:
            file = state.table.file if state.table else None
            edited = edit(file.rows if file else (), desired)
            table = TablePlan(file, file.with_rows(edited.rows)) if file else None
    settings = tuple(_setting_changes(setting, table))
    step, required, about_service = _plan_service(state, policy, changes=bool(settings))
    draft = _Draft(state, setting, table, step)
    journal = state.left_behind
    unread = bool(saved and saved.routes is not None and state.table is None)
    plan = ImcPlan(
        setting=setting,
        manages_setting=saved is not None or desired.search_list is not SearchList.UNMANAGED,
        table=table,
        service=step,
        restart_required=required,
        service_runs=state.service.runs,
        interrupted=journal,
        refusals=tuple(_refusals(draft, desired, force=policy.force)),
        kept=edited.kept,
        missing=edited.missing,
        unpinned=edited.unpinned if table else (),
        warnings=(
            *_history_warnings(state, step),
            *(f"{domain}: {reason}." for domain, reason in edited.kept.items()),
            *_table_warnings(table, policy.max_routes, state.build),
            *_risks(draft, desired, policy.known_domains),
            *_without_effect(desired),
            *_silence(state, desired, policy),
            *state.seen.warnings,
            *about_service,
            *_build_warnings(state, desired),
        ),
        size=table.size if table else Size("routes"),
        incomplete="imccopy, which writes the route table, was not found" if unread else "",
        worksheet=tuple(_worksheet(desired, saved)) if state.no_imccopy else (),
        evidence=_evidence(table, desired, (*policy.known_domains, *state.seen.domains)),
        desired=desired,
    )
    changes = list(settings)
    if step is not ServiceStep.NONE:
        changes.append(ImcChange(part=Part.SERVICE, text=f"{step} the service", writes=False))
    elif journal is not None and not plan.leaves_journal and not settings:
        changes.append(ImcChange(part=Part.JOURNAL, text="remove a journal", writes=False))
    return replace(plan, changes=tuple(changes))


def _evidence(table: TablePlan | None, desired: Desired, known: Iterable[str]) -> dict[str, Any]:
    """Return what of the table keeps mail from its way, as the result shows it."""
    names = (*desired.by_domain, *known)
    before, after = (table.before.rows, table.after.rows) if table else ((), ())
    led = {name: (parent, hosts, True, False) for name, parent, hosts in _led(before, names)}
    for name, parent, hosts in _led(after, names):
        led[name] = (parent, hosts, name in led, True)
    return {
        "malformed_rows": risks.malformed(before),
        "relayed": risks.relayed(table.before, names) if table else {},
        "led_by_parent": [
            {"domain": name, "parent": parent, "hosts": hosts, "before": was, "after": will}
            for name, (parent, hosts, was, will) in led.items()
        ],
    }


def _led(rows: Sequence[Row], names: Iterable[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield each name that a parent's rows lead, the parent, and where they lead."""
    for parent, led in risks.led_along(rows, names).items():
        hosts = [host for row in rows if row.key == parent for host in row.hosts]
        yield from ((name, parent, hosts) for name in led)


def _setting_changes(setting: SettingPlan, table: TablePlan | None) -> Iterator[ImcChange]:
    """Yield the changes of table and registry value, in the order in which they are made."""
    if table is not None and table.changed:
        routes = table.size.changed
        yield ImcChange(
            part=Part.TABLE,
            text=f"{routes} route{'s' * (routes != 1)}"
            if routes
            else "what the table holds besides routes, or their order",
            domains=table.size.domains,
        )
    if setting.changed:
        yield ImcChange(
            part=Part.SETTING,
            text="the search list switch",
            before=shown(setting.before),
            after=shown(setting.after),
            everywhere=True,
        )


def _plan_service(
    state: HostState, policy: Policy, *, changes: bool
) -> tuple[ServiceStep, bool, tuple[str, ...]]:
    """Return what to do with the service, whether a restart is left to do, and warnings."""
    service, journal = state.service, state.left_behind
    pending = (journal is not None and journal.was_running) or state.needs_restart
    if not (changes or pending):
        return ServiceStep.NONE, False, ()
    found = f"The service {SERVICE_NAME} is {service.words} (start type {service.start_words})"
    left = "and was left so; the settings take effect at its next start."
    if not (service.runs or pending):
        return ServiceStep.NONE, False, (f"{found} {left}",)
    if not policy.may_restart:
        return ServiceStep.NONE, True, ()
    if service.disabled:
        return ServiceStep.NONE, True, (f"{found}, so it could not be started again, {left}",)
    return (ServiceStep.RESTART if service.runs else ServiceStep.START), False, ()


@dataclass(frozen=True, slots=True)
class _Draft:
    """The facts of a plan that its risks depend on."""

    state: HostState
    setting: SettingPlan
    table: TablePlan | None
    step: ServiceStep


def _refusals(draft: _Draft, desired: Desired, *, force: bool) -> Iterator[Refusal]:
    """Yield why nothing may be changed."""
    state, setting, table = draft.state, draft.setting, draft.table
    before = setting.before
    writes = setting.changed or (table is not None and table.changed)
    if state.cluster and (writes or draft.step is not ServiceStep.NONE):
        yield risks.cluster_refusal()
    if setting.changed and before is not None and not can_be_added(before):
        yield Refusal(
            f"the registry value is {shown(before)!r}, which a rollback could not restore exactly"
        )
    if table is None:
        return
    odd = risks.malformed(table.after.rows)
    if odd and draft.step is not ServiceStep.NONE and not force:
        yield risks.malformed_refusal(odd)
    if table.changed and state.table is not None and state.table.inexact:
        yield Refusal(f"the route table could not be read to the byte ({state.table.inexact})")
    elif table.changed and (why := why_unwritable(table.after, table.before)):
        yield Refusal(why)
    if table.changed and desired.state is not State.RESTORED:
        wanted = {name for name, route in desired.by_domain.items() if not route.bypass_relay}
        pins = risks.new_pins(table.before.rows, table.after.rows, wanted)
        if pins and table.before.relay:
            yield risks.relay_refusal(table.before.relay, pins)
        elif pins and (relay := _logged_relay(state, table, desired)) and not state.appends:
            yield risks.relay_refusal(relay, pins, source="its SMTP protocol log")


def _logged_relay(state: HostState, table: TablePlan, desired: Desired) -> str:
    """Return the one address to which the host sends all mail without routes, by its logs."""
    routed = {
        name
        for name in state.seen.domains
        if risks.parent_with_rows(name, {row.key for row in table.before.rows}) is not None
    }
    wanted = {address for route in desired.by_domain.values() for address in route.addresses}
    return state.seen.relay(routed, wanted)


def _history_warnings(state: HostState, step: ServiceStep) -> Iterator[str]:
    if state.left_behind is not None and not state.left_behind.stamp:
        yield "An earlier run broke off before its first change; its journal is removed."
    if state.needs_restart and step is ServiceStep.NONE:
        yield (
            f"A restart of the service {SERVICE_NAME} is pending: it has not loaded the settings of"
            " an earlier run."
        )


def _build_warnings(state: HostState, desired: Desired) -> Iterator[str]:
    """Warn of faults of this build, and of names that its dialogs reject."""
    if faults := build_warning(state.build):
        yield faults
    digits = [name for name, x in desired.by_domain.items() if name[0].isdigit() and x.addresses]
    if state.no_imccopy and digits and not takes_digits(state.build):
        yield (
            f"The Administrator program rejects names that begin with a digit"
            f" ({risks.listed(digits)}). Exchange 5.0 SP2 ends that (Q146677)."
        )


def _table_warnings(table: TablePlan | None, limit: int, build: int | None) -> Iterator[str]:
    """Warn of a table that is too long for the Administrator program of this build."""
    if table is None or edits_long_tables(build):
        return
    rows = table.after.rows
    if 0 < limit < len(rows):
        yield (
            f"The route table has {len(rows)} rows, more than {limit} (max_routes). The"
            " Administrator program before 5.5 SP1 may corrupt a table that is too long (Q182522):"
            " change it with this module or imccopy only."
        )


def _risks(draft: _Draft, desired: Desired, known: Iterable[str]) -> Iterator[str]:
    """Warn of side effects of the rows."""
    setting, table = draft.setting, draft.table
    if table is None:
        return
    rows, starts = table.after.rows, draft.step is not ServiceStep.NONE
    if odd := risks.malformed(rows):
        yield risks.malformed_warning(odd, runs=draft.state.service.runs, starts=starts)
    switched_off = setting.changed and bool(number(setting.after))
    if switched_off and (names := risks.short_names(rows)):
        yield (
            f"Routes lead to names without a domain ({risks.listed(names)}), which the service"
            " looks up when it starts. Without the search list it may not find them and not start"
            " (event 4057, Q148565); use addresses or full names."
        )
    yield from risks.row_warnings(table.after, desired.by_domain.keys())
    if (relay := _logged_relay(draft.state, table, desired)) and draft.state.appends:
        yield (
            f"All mail of the SMTP protocol log went to {relay}. That is a relay, or the search"
            " list misroutes all names (Q150969); routes bypass a relay."
        )
    there = (name for name, x in desired.by_domain.items() if x.status not in GONE_STATUSES)
    managed = {row.key for row in rows if row.key in desired.by_domain}
    seen = (name for name in draft.state.seen.domains if risks.parent_with_rows(name, managed))
    for parent, names in risks.led_along(rows, (*there, *known, *seen)).items():
        yield (
            f"{parent}: its routes also take mail for {risks.listed(names)}. Give such subdomains"
            " routes of their own where their mail servers differ."
        )


def _without_effect(desired: Desired) -> Iterator[str]:
    """Warn of settings of domains that a row of the table cannot have."""
    domains: dict[str, list[str]] = {}
    for name, route in desired.by_domain.items():
        if route.connector:
            settings = ", ".join(f"'{setting}'" for setting, _value in route.connector)
            domains.setdefault(settings, []).append(name)
    for settings, names in domains.items():
        yield (
            f"{risks.listed(names)}: no effect on Exchange 4.0 to 5.5 ({settings}). Its routes hold"
            " addresses only; mail goes to port 25, without TLS."
        )


def _silence(state: HostState, desired: Desired, policy: Policy) -> Iterator[str]:
    """Name the servers of required routes that accept connections and send no greeting."""
    silent = state.seen.silent
    for name, route in desired.by_domain.items():
        rows = desired.rows_of(route)
        found = [address for address in route.addresses if address in silent]
        if not (found and rows):
            continue
        cure = silence_cure(state.build)
        cure = f" {cure}" if cure else ""
        if not policy.drops_silent:
            yield (
                f"{name}: {risks.listed(found)} accepts connections and sends no greeting, which"
                " can delay all mail of the domain. silent_exchanges: drop leaves such addresses"
                f" out.{cure}"
            )
        elif set(found) <= set(rows):
            yield (
                f"{name}: all its mail servers accept connections and send no greeting, so no"
                f" address was left out.{cure}"
            )
        else:
            yield (
                f"{name}: {risks.listed(found)} was left out: it accepts connections and sends no"
                f" greeting.{cure}"
            )
    if policy.drops_silent and desired.routes and not state.seen.hops:
        yield (
            "The SMTP protocol log shows no connection, so silent mail servers are unknown. The"
            " service writes it at diagnostics level 3 or more (Q154505)."
        )


def _worksheet(desired: Desired, saved: Saved | None) -> Iterator[ManualRow]:
    """Yield the rows to type in the Administrator program."""
    if saved is not None:
        for row in saved.routes.rows if saved.routes else ():
            yield ManualRow("enter", row.domain, row.target)
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


# -- the rows of the table


@dataclass(frozen=True, slots=True)
class Edit:
    """The required rows.

    ``kept`` are the listed domains that keep their rows, each with the reason. ``missing`` are
    all domains that lose their rows since DNS does not have them; ``unpinned`` are the domains that
    do not exist in DNS and have no rows.
    """

    rows: tuple[Row, ...]
    kept: dict[str, str]
    missing: Size
    unpinned: tuple[str, ...] = ()


def edit(rows: Sequence[Row], desired: Desired) -> Edit:
    """Return the required rows of a host that has ``rows``."""
    routes = desired.by_domain
    wanted = {domain: desired.rows_of(route) for domain, route in routes.items()}
    present: dict[str, list[Row]] = {}
    for row in rows:
        present.setdefault(row.key, []).append(row)
    for domain, route in routes.items():
        if wanted[domain] and route.short_lived:
            rows_there = [row for row in present.get(domain, ()) if row.well_formed]
            there = tuple(dict.fromkeys(row.target for row in rows_there))
            wanted[domain] = desired.answering(route.beside(there))
    after: list[Row] = []
    placed: set[str] = set()
    exact = desired.state is State.EXACT
    for row in rows:
        addresses = wanted.get(row.key)
        if addresses is not None:
            if row.key not in placed:
                # The rows of a domain stay together, where its first one stood.
                placed.add(row.key)
                after.extend(_rows_for(row.key, addresses, present[row.key]))
        elif row.key in wanted or not exact or not row.well_formed:
            after.append(row)
    for domain, addresses in wanted.items():
        if domain not in present:
            after.extend(_rows_for(domain, addresses or (), []))
    kept = {
        domain: reason
        for domain, route in routes.items()
        if wanted[domain] is None and (reason := _why_kept(route, len(present.get(domain, ()))))
    }
    gone = [] if desired.state is State.ABSENT else [n for n in routes if wanted[n] == ()]
    missing = tuple(name for name in gone if name in present)
    unpinned = tuple(
        name
        for name, route in routes.items()
        if route.status == "no_such_domain"
        and desired.state is not State.ABSENT
        and name not in present
    )
    size = Size(PINNED_DOMAINS, len(missing), len(present), missing)
    return Edit(tuple(after), kept, size, unpinned)


def _rows_for(domain: str, addresses: Sequence[str], present: Sequence[Row]) -> Iterator[Row]:
    """Yield a domain's rows in the required order; existing rows keep their spelling."""
    known: dict[str, Row] = {}
    for row in present:
        if row.well_formed:
            known.setdefault(row.target, row)
    for address in addresses:
        yield known.get(address) or new_row(domain, address)


def _why_kept(route: Route, count: int) -> str:
    """Return why the rows of a listed domain stay as they are; nothing where that needs no word."""
    if route.status in UNKNOWN_STATUSES:
        kept = f"its {_rows(count)} kept" if count else "no row added"
        return f"its addresses are unknown ({route.status}); {kept}"
    if not count:
        return ""
    if route.unconfirmed:
        return f"only one name server reports that it does not exist; its {_rows(count)} kept"
    return (
        f"the domain accepts no mail ({route.status}); its {_rows(count)} kept. Set missing_domain:"
        " remove to have such rows removed"
    )


def _rows(count: int) -> str:
    return f"{count} row{'s' * (count != 1)}"
