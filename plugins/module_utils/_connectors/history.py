# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backups of an organisation's Send connectors, each compared with those that it has now.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .._base.alive import private_folder
from .._base.context import Context
from .._base.errors import ExchangeError
from .._run import backups
from .._run.backup_info_spec import Options
from .._run.history import Difference, entry
from .gather import Reader, View
from .lock import Turns
from .plan import Plan
from .read import look
from .report import diff
from .snapshot import load, restore_plan


def backups_of_organisation(options: Options, context: Context) -> dict[str, Any]:
    """Read the connectors, once, and return the backups of them; raises ExchangeError."""
    reader = Reader(context.need_cmdlets(), options.timeout)
    view = look(reader, Turns(private_folder(), context.now), options.domain_controller)
    label = view.organisation.label
    folders = backups.every(options.backup_dir, label)
    shown = folders[: options.limit] if options.limit else folders
    return {
        "of": str(view.organisation),
        "folder": str(backups.folder_of(options.backup_dir, label)),
        "count": len(folders),
        "backups": [
            entry(folder, difference(folder, view, context.host), with_diff=context.diff)
            for folder in shown
        ],
    }


def difference(folder: Path, view: View, host: str) -> Difference:
    """Return what putting a backup back would change; never raises."""
    try:
        saved = load(folder, view.organisation, host)
    except ExchangeError as error:
        text = error.message.partition(f"{folder} cannot be used: ")[2].rstrip(".")
        return Difference("connectors", problem=text or error.message)
    plan = restore_plan(view.connectors, saved)
    return Difference(
        "connectors",
        number=len(plan.steps),
        domains=tuple(dict.fromkeys(step.domain for step in plan.steps)),
        problem=_problem(plan),
        diff=diff(view, plan),
    )


def _problem(plan: Plan) -> str:
    return "; ".join(f"the connector {one.connector!r} {one.reason}" for one in plan.refusals)
