# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""backup_info: which backups there are, and what putting each of them back would change now.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .._base.access import parse_access
from .._base.alive import private_folder
from .._base.context import Context, EngineModule
from .._base.errors import InvalidInput
from .._connectors.family import SendConnectors
from .._connectors.lock import OrganisationLock
from .._connectors.organisation import Reader
from .._connectors.plan import Desired as DesiredConnectors
from .._imc.family import MailConnector, Timeouts
from .._imc.host import PARAMETERS_KEY, UNKNOWN_HOST, ImcHost, MissingService
from .._imc.layout import Layout
from .._remote.commands import computer_name
from .._remote.psrp import connect
from . import backups
from .exchange_info import with_family
from .family import B, Family, P, S, W_contra
from .last_change import written_by_backups
from .options import FAMILY_OPTION
from .transaction import load

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "family": FAMILY_OPTION,
    "backup_dir": {"type": "path"},
    "backup_mode": {"type": "str"},
    "backup_group": {"type": "str"},
    "limit": {"type": "int", "default": 20},
    "imccopy": {"type": "str"},
    "registry_key": {"type": "str", "default": PARAMETERS_KEY, "no_log": False},
    "missing_service": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
    "target_computer": {"type": "str"},
    "target_imccopy": {"type": "str"},
    "target_directory": {"type": "str", "default": r"C:\TEMP"},
    "domain_controller": {"type": "str"},
    "command_timeout": {"type": "int", "default": 120},
}
_MOST_NAMED = 3


def parse_options(params: Mapping[str, Any]) -> tuple[Layout, str]:
    """Check the options; returns where things are on the host, and the domain controller."""
    for name, least in (("limit", 0), ("command_timeout", 1)):
        if params[name] < least:
            raise InvalidInput(f"{name} must be {least} or more, not {params[name]}.")
    if "\0" in (params["backup_dir"] or ""):
        raise InvalidInput(f"backup_dir is not a path: {params['backup_dir']!a}.")
    layout = Layout(
        computer=params["target_computer"] or "",
        imccopy=params["imccopy"] or "",
        target_imccopy=params["target_imccopy"] or "",
        target_directory=params["target_directory"],
        registry_key=params["registry_key"],
    )
    layout.check()
    controller = params["domain_controller"]
    return layout, computer_name(controller) if controller else ""


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the result of the task; raises ExchangeError where the host could not be read."""
    layout, controller = parse_options(params)
    params = with_family(params, context)
    found: dict[str, Any]
    if params["family"] == "transport":
        connectors = SendConnectors(
            Reader(context.need_cmdlets(), float(params["command_timeout"])),
            OrganisationLock(private_folder(), context.now),
            controller,
            written=written_by_backups(
                context.basedir / (params["backup_dir"] or "backups"), parse_access(params)
            ),
        )
        view = connectors.read(DesiredConnectors())
        found = {
            "of": str(view.organisation),
            **_backups(connectors, view, params, context),
        }
    else:
        timeouts = Timeouts(float(params["command_timeout"]))
        connector = MailConnector(context.need_session(), context.host, layout, timeouts)
        try:
            state = connector.gather(known=context.learned.of(ImcHost, UNKNOWN_HOST), first=True)
        except MissingService as error:
            if params["missing_service"] == "skip":
                return {"changed": False, "skipped": True, "skip_reason": error.message}
            raise
        found = {
            "of": _called(context.host, connector.owner(state)),
            **_backups(connector, state, params, context),
        }
    return {"changed": False, "family": params["family"], **found}


def _called(host: str, computer: str) -> str:
    """Return the inventory's name, with the computer's own where that is another one."""
    return host if host.partition(".")[0].upper() == computer else f"{host} ({computer})"


def _backups(
    family: Family[S, W_contra, B, P], state: S, params: Mapping[str, Any], context: Context
) -> dict[str, Any]:
    """Return the backups of an installation, each compared with its present state."""
    owner, base = family.owner(state), context.basedir / (params["backup_dir"] or "backups")
    folders = backups.every(base, owner, parse_access(params))
    shown = folders[: params["limit"]] if params["limit"] else folders
    return {
        "folder": str(backups.folder_of(base, owner)),
        "count": len(folders),
        "backups": [compared(family, state, folder, context) for folder in shown],
    }


def compared(
    family: Family[S, W_contra, B, P], state: S, folder: Path, context: Context
) -> dict[str, Any]:
    """Return a backup as the result shows it, with what putting it back would change."""
    number, domains, diff = 0, list[str](), list[dict[str, str]]()
    try:
        plan = family.restore_plan(state, load(family, folder, state, context.host))
        number, domains = plan.size.changed, list(plan.size.domains)
        changes = [each for each in plan.changes if each.writes and not each.counted]
        others = [each.text for each in changes if not each.domains]
        problem = plan.incomplete or "; ".join(each.text for each in plan.refusals)
        summary = _summary(plan.size.noun, number, domains, others)
        same = not (number or others or problem)
        diff = family.result(state, plan, None, ())["diff"]
    except backups.Unusable as error:
        problem, same, summary = error.reason, False, ""
    known = backups.about(folder)
    entry: dict[str, Any] = {
        "name": folder.name,
        "path": str(folder),
        "taken": known.taken,
        "run": known.run,
        "before": known.before,
        "note": known.note,
        "usable": not problem,
        "problem": problem,
        "same": same,
        "changes": number,
        "domains": domains,
        "summary": f"cannot be put back: {problem}" if problem else summary,
    }
    if context.diff:
        entry["diff"] = [
            {
                **block,
                "before_header": f"{block['before_header']}, now",
                "after_header": f"{block['after_header']}, in {folder.name}",
            }
            for block in diff
        ]
    return entry


def _summary(noun: str, number: int, domains: Sequence[str], others: Sequence[str]) -> str:
    """Return the difference in one line."""
    more = f" and {len(domains) - _MOST_NAMED} more" if len(domains) > _MOST_NAMED else ""
    things = noun.removesuffix("s") if number == 1 else noun
    counted = f"{number} {things} ({', '.join(domains[:_MOST_NAMED])}{more})" if number else ""
    return " and ".join(part for part in (counted, *others) if part) or "as it is now"


MODULE = EngineModule(ARGUMENT_SPEC, run, connects=connect)
