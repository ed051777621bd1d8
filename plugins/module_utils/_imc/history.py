# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backups of a host of Exchange 4.0 to 5.5, each compared with what the host has now.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .._base.context import Context
from .._base.errors import ExchangeError
from .._run import backups
from .._run.backup_info_spec import Options
from .._run.history import Difference, entry
from .desired import Desired, State
from .gather import gather
from .plan import Plan, Policy, Saved, make_plan
from .report import diff
from .saved import Origin, load
from .state import HostState


def backups_of_host(options: Options, context: Context) -> dict[str, Any]:
    """Look at the host, once, and return its backups; raises ExchangeError."""
    session, layout = context.need_session(), options.layout
    state = gather(session, layout, timeout=options.timeout)
    origin = Origin(context.host, layout.computer, layout.registry_key)
    folders = backups.every(options.backup_dir, context.host)
    shown = folders[: options.limit] if options.limit else folders
    return {
        "of": context.host,
        "folder": str(backups.folder_of(options.backup_dir, context.host)),
        "count": len(folders),
        "backups": [
            entry(folder, difference(folder, origin, state), with_diff=context.diff)
            for folder in shown
        ],
    }


def difference(folder: Path, origin: Origin, state: HostState) -> Difference:
    """Return what putting a backup back would change; never raises."""
    try:
        saved = load(folder, origin)
    except ExchangeError as error:
        return Difference("routes", problem=_short(error, folder))
    plan = make_plan(state, Desired(state=State.RESTORED), Policy(), saved)
    return Difference(
        "routes",
        number=plan.size.changed,
        domains=plan.size.domains,
        others=tuple(_others(plan)),
        problem=_problem(plan, saved),
        diff=diff(plan, origin.host),
    )


def _problem(plan: Plan, saved: Saved) -> str:
    if saved.routes is not None and plan.table is None:
        return "there is no imccopy now to write the route table"
    return plan.refusal


def _others(plan: Plan) -> Iterator[str]:
    if plan.setting.changed:
        yield "the search list switch"
    if plan.changes_table and not plan.size.changed:
        yield "what the table holds besides routes, or their order"


def _short(error: ExchangeError, folder: Path) -> str:
    """Return why a backup cannot be used, without what the list says anyway."""
    return error.message.partition(f"{folder} cannot be used: ")[2].rstrip(".") or error.message
