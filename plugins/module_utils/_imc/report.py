# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a host for readers: diff, worksheet, and its part of the result. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

from .._remote.parse import RegistryValue
from .host import SERVICE_NAME, Service
from .plan import ImcPlan, ManualRow, ServiceStep, TablePlan
from .risks import relayed
from .routes import NEW_ROW_FLAG, Row, as_text
from .setting import number, shown
from .state import HostState


class ReturnRoutes(StrEnum):
    """Option return_routes."""

    ALL = "all"
    CHANGED = "changed"
    TEXT = "text"


def diff(plan: ImcPlan, host: str) -> list[dict[str, str]]:
    """Return before and after of what changes, as text; the shape Ansible prints."""
    entries = []
    if plan.setting.changed:
        header = f"{host}: {SERVICE_NAME} Parameters"
        before, after = shown(plan.setting.before), shown(plan.setting.after)
        entries.append(_entry(header, [before], [after]))
    if plan.table is not None and plan.table.changed:
        before_rows, after_rows = plan.table.before.rows, plan.table.after.rows
        well_formed = [row for row in (*before_rows, *after_rows) if row.well_formed]
        domains = max((len(row.domain) for row in well_formed), default=0)
        targets = max((len(_destination(row)) for row in well_formed), default=0)

        def lines(rows: Sequence[Row]) -> list[str]:
            """Return rows in columns; one that stays gets the same remark before and after."""
            printed = []
            for row in rows:
                columns = f"{row.domain:<{domains}}  {_destination(row):<{targets}}"
                text = columns if row.well_formed else row.raw
                printed.append(f"{text}  {plan.remark(row)}".rstrip())
            return printed

        entries.append(_entry(f"{host}: delivery routes", lines(before_rows), lines(after_rows)))
    return entries


def _entry(header: str, before: Sequence[str], after: Sequence[str]) -> dict[str, str]:
    return {
        "before_header": header,
        "after_header": header,
        "before": "".join(f"{line}\n" for line in before),
        "after": "".join(f"{line}\n" for line in after),
    }


def _destination(row: Row) -> str:
    """Return where a row leads, with its flag where that is not the usual one."""
    target = row.target or "(uses DNS)"
    return target if row.flag == NEW_ROW_FLAG else f"{target} flag {row.flag}"


def worksheet_text(rows: Sequence[ManualRow]) -> str:
    """Return the worksheet as lines to work through."""
    width = max((len(row.domain) for row in rows), default=0)
    return "\n".join(
        f"{row.action:<6}  {row.domain:<{width}}  {row.address}".rstrip() for row in rows
    )


def result(
    plan: ImcPlan, before: HostState, after: HostState | None, host: str, wanted: ReturnRoutes
) -> dict[str, Any]:
    """Return the host's part of a result; ``after`` is the host then, None if nothing changed."""
    state = before if after is None else replace(before, service=after.service)
    return {
        "restarted": plan.service is not ServiceStep.NONE,
        "restart_required": plan.restart_required,
        "registry": {
            "before": _registry(plan.setting.before),
            "after": _registry(plan.setting.after),
        },
        "routes": None,
        "routes_text": None,
        **plan.evidence,
        "relayed": _relayed(plan, changed=after is not None),
        "worksheet": [
            {"action": row.action, "domain": row.domain, "address": row.address}
            for row in plan.worksheet
        ],
        "service": service_facts(state.service),
        "diff": diff(plan, host),
        **(_routes(plan.table, wanted) if plan.table else {}),
    }


def _relayed(plan: ImcPlan, *, changed: bool) -> dict[str, str]:
    """Return the listed domains that now use the relay for all other mail."""
    before: dict[str, str] = plan.evidence["relayed"]
    return relayed(plan.table.after, before) if plan.table and changed else before


def changed_rows(table: TablePlan) -> dict[str, list[str]]:
    """Return the rows as written of the domains that change; all if only their order does."""
    before, after = _rows(table, ReturnRoutes.CHANGED)
    return {"before": [row.raw for row in before], "after": [row.raw for row in after]}


def _rows(table: TablePlan, wanted: ReturnRoutes) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """Return the rows of a table, all of them or only those of the domains that change.

    All rows are returned where only the order of the table changes.
    """
    before, after = table.before.rows, table.after.rows
    domains = frozenset(table.size.domains)
    if wanted is not ReturnRoutes.ALL and (domains or not table.changed):
        before = tuple(row for row in before if row.key in domains)
        after = tuple(row for row in after if row.key in domains)
    return before, after


def _routes(table: TablePlan, wanted: ReturnRoutes) -> dict[str, Any]:
    """Return the rows of a table as a result has them."""
    before, after = _rows(table, wanted)
    if wanted is ReturnRoutes.TEXT:
        return {"routes_text": {"before": as_text(before), "after": as_text(after)}}
    rows = [row.as_dict() for row in before]
    return {
        "routes": {
            "before": rows,
            "after": rows if after is before else [row.as_dict() for row in after],
        }
    }


def service_facts(service: Service) -> dict[str, Any]:
    """Return the service as the result shows it."""
    return {
        "name": SERVICE_NAME,
        "state": service.words,
        "start_type": service.start_words,
    }


def _registry(value: RegistryValue | None) -> dict[str, Any] | None:
    if value is None:
        return None
    dword = number(value)
    data: str | int = value.data if dword is None else dword
    return {"name": value.name, "type": value.type, "data": data}
