# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan looks like to a person: diff, worksheet, and the result of the task. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .._remote.parse import RegistryValue
from .._run.installation import Installation, usable
from .._run.routes import Route
from .desired import ReturnRoutes, State
from .plan import ManualRow, Plan, ServiceStep, TablePlan
from .routes import NEW_ROW_FLAG, Row, as_text
from .setting import number, shown
from .state import SERVICE_NAME, HostState, Service


def diff(plan: Plan, host: str) -> list[dict[str, str]]:
    """Return before and after of what changes, as text; the shape Ansible prints."""
    entries = []
    if plan.setting.changed:
        header = f"{host}: {SERVICE_NAME} Parameters"
        before, after = shown(plan.setting.before), shown(plan.setting.after)
        entries.append(_entry(header, [before], [after]))
    if plan.table is not None and plan.table.changed:
        before_rows, after_rows = plan.table.before.rows, plan.table.after.rows
        print_row = _row_printer((*before_rows, *after_rows), _remarks(plan))
        entries.append(
            _entry(
                f"{host}: delivery routes",
                [print_row(row) for row in before_rows],
                [print_row(row) for row in after_rows],
            )
        )
    return entries


def _entry(header: str, before: Sequence[str], after: Sequence[str]) -> dict[str, str]:
    return {
        "before_header": header,
        "after_header": header,
        "before": "".join(f"{line}\n" for line in before),
        "after": "".join(f"{line}\n" for line in after),
    }


def _remarks(plan: Plan) -> Callable[[Row], str]:
    """Return what tells, of a row, why it stays. A row gets the same remark before and after."""
    if plan.desired.state is State.RESTORED:
        return lambda _row: ""
    routes: dict[str, Route] = {route.domain: route for route in plan.desired.routes or ()}

    def remark(row: Row) -> str:
        route = routes.get(row.key)
        if route is None:
            exact = plan.desired.state is State.EXACT and row.well_formed
            return "" if exact else "(not managed, kept)"
        if plan.desired.rows_of(route) is None:
            return f"({route.status.replace('_', ' ')}, kept)"
        return ""

    return remark


def _row_printer(rows: Sequence[Row], remark: Callable[[Row], str]) -> Callable[[Row], str]:
    """Return what prints rows in columns wide enough for all of them."""
    domains = max((len(row.domain) for row in rows if row.well_formed), default=0)
    targets = max((len(_destination(row)) for row in rows if row.well_formed), default=0)

    def print_row(row: Row) -> str:
        if row.well_formed:
            text = f"{row.domain:<{domains}}  {_destination(row):<{targets}}"
        else:
            text = row.raw
        return f"{text}  {remark(row)}".rstrip()

    return print_row


def _destination(row: Row) -> str:
    """Return where a row leads, with its flag where that is not the usual one."""
    return row.target if row.flag == NEW_ROW_FLAG else f"{row.target} flag {row.flag}"


def worksheet_text(rows: Sequence[ManualRow]) -> str:
    """Return the worksheet as lines to work through."""
    width = max((len(row.domain) for row in rows), default=0)
    return "\n".join(
        f"{row.action:<6}  {row.domain:<{width}}  {row.address}".rstrip() for row in rows
    )


def result(
    plan: Plan, state: HostState, host: str, shown: ReturnRoutes = ReturnRoutes.ALL
) -> dict[str, Any]:
    """Return the result of a plan that was, or would be, carried out completely."""
    facts: dict[str, Any] = {
        "changed": plan.changed,
        "restarted": plan.service is not ServiceStep.NONE,
        "restart_required": plan.restart_required,
        "rolled_back": False,
        "backup": None,
        "registry": {
            "before": _registry(plan.setting.before),
            "after": _registry(plan.setting.after),
        },
        "routes": None,
        "routes_text": None,
        "worksheet": [
            {"action": row.action, "domain": row.domain, "address": row.address}
            for row in plan.worksheet
        ],
        "service": service_facts(state.service),
        "installation": installation(state),
        "warnings": list(plan.warnings),
        "diff": diff(plan, host),
    }
    if plan.table is not None:
        facts |= _routes(plan.table, shown)
    return facts


def _routes(table: TablePlan, shown: ReturnRoutes) -> dict[str, Any]:
    """Return the rows of a table as the result has them."""
    before, after = table.before.rows, table.after.rows
    if shown is not ReturnRoutes.ALL:
        before, after = _changed_rows(table)
    if shown is ReturnRoutes.TEXT:
        return {"routes_text": {"before": as_text(before), "after": as_text(after)}}
    rows = [row.as_dict() for row in before]
    return {
        "routes": {
            "before": rows,
            "after": rows if after is before else [row.as_dict() for row in after],
        }
    }


def _changed_rows(table: TablePlan) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """Return the rows, before and after, of the domains whose rows change.

    They are all rows where no domain's change, and yet the table does: in its order.
    """
    before, after = table.before.rows, table.after.rows
    if not table.changed:
        return (), ()
    domains = frozenset(table.size.domains)
    if not domains:
        return before, after
    return (
        tuple(row for row in before if row.key in domains),
        tuple(row for row in after if row.key in domains),
    )


def service_facts(service: Service) -> dict[str, Any]:
    """Return the service as the result shows it."""
    return {
        "name": SERVICE_NAME,
        "state": service.words,
        "start_type": service.start_words,
    }


def installation(state: HostState) -> dict[str, Any]:
    """Return what the next task need not ask this host again."""
    known = Installation(
        service=state.service.state,
        build=state.build,
        root_dir=usable(state.root_dir.strip()),
        tracking_folder=state.tracking_folder,
    )
    return known.as_dict()


def _registry(value: RegistryValue | None) -> dict[str, Any] | None:
    if value is None:
        return None
    dword = number(value)
    data: str | int = value.data if dword is None else dword
    return {"name": value.name, "type": value.type, "data": data}
