# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of imc_delivery, and what they mean together.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._base.errors import InvalidInput
from .._run.backups import parse_run_id
from .._run.change_limit import CHANGE_LIMIT_SPEC, ChangeLimit, parse_change_limit
from .._run.installation import INSTALLATION_SPEC, Installation, parse_installation
from .desired import Desired, ReturnRoutes, SearchList, State, parse_routes
from .layout import PARAMETERS_KEY, Layout
from .plan import Policy
from .transaction import Limits

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "resolver_search_list": {
        "type": "str",
        "choices": [str(choice) for choice in SearchList],
        "default": "unmanaged",
    },
    "routes": {"type": "list", "elements": "dict"},
    "state": {"type": "str", "choices": [str(choice) for choice in State], "default": "present"},
    "missing_domain": {"type": "str", "choices": ["keep", "remove"], "default": "keep"},
    "service_restart": {
        "type": "str",
        "choices": ["when_changed", "never"],
        "default": "when_changed",
    },
    "service_timeout": {"type": "int", "default": 60},
    "command_timeout": {"type": "int", "default": 120},
    **CHANGE_LIMIT_SPEC,
    "backup_dir": {"type": "path"},
    "backup": {"type": "path"},
    "run_id": {"type": "str"},
    "host_backup_dir": {"type": "str"},
    "imccopy": {"type": "str"},
    "registry_key": {"type": "str", "default": PARAMETERS_KEY, "no_log": False},
    "max_routes": {"type": "int", "default": 100},
    "return_routes": {
        "type": "str",
        "choices": [str(choice) for choice in ReturnRoutes],
        "default": "all",
    },
    "missing_service": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
    "missing_imccopy": {"type": "str", "choices": ["fail", "warn"], "default": "fail"},
    "target_computer": {"type": "str"},
    "target_imccopy": {"type": "str"},
    "target_directory": {"type": "str", "default": r"C:\TEMP"},
    **INSTALLATION_SPEC,
}


@dataclass(frozen=True, slots=True)
class Options:
    """The options, checked; ``backup`` is what state restored puts back."""

    desired: Desired
    policy: Policy
    change_limit: ChangeLimit
    layout: Layout
    limits: Limits
    backup_dir: Path
    backup: Path | None
    run_id: str
    skips_missing_service: bool
    warns_of_missing_imccopy: bool
    return_routes: ReturnRoutes
    known: Installation


def parse_options(params: Mapping[str, Any], basedir: Path) -> Options:
    """Check the options of one task; raises InvalidInput before anything is asked of the host.

    ``basedir`` is what relative paths on the controller count from.
    """
    state = State(params["state"])
    _check_together(params, state)
    routes = params["routes"]
    layout = Layout(
        computer=params["target_computer"] or "",
        imccopy=params["imccopy"] or "",
        target_imccopy=params["target_imccopy"] or "",
        target_directory=params["target_directory"],
        registry_key=params["registry_key"],
        host_backup_dir=params["host_backup_dir"] or "",
    )
    layout.check()
    return Options(
        desired=Desired(
            search_list=SearchList(params["resolver_search_list"]),
            routes=None if routes is None else parse_routes(routes, state=state),
            state=state,
            removes_missing=params["missing_domain"] == "remove",
        ),
        policy=Policy(
            may_restart=params["service_restart"] == "when_changed",
            max_routes=params["max_routes"],
        ),
        change_limit=parse_change_limit(params),
        layout=layout,
        limits=Limits(
            command=_seconds(params, "command_timeout"), service=_seconds(params, "service_timeout")
        ),
        backup_dir=_folder(params, "backup_dir", basedir) or basedir / "backups",
        backup=_folder(params, "backup", basedir),
        run_id=parse_run_id(params["run_id"]),
        skips_missing_service=params["missing_service"] == "skip",
        warns_of_missing_imccopy=params["missing_imccopy"] == "warn",
        return_routes=ReturnRoutes(params["return_routes"]),
        known=parse_installation(params),
    )


def _check_together(params: Mapping[str, Any], state: State) -> None:
    managed = params["resolver_search_list"] != SearchList.UNMANAGED
    routes = params["routes"] is not None
    if state is State.RESTORED:
        if routes or managed:
            raise InvalidInput(
                "state: restored puts back what the backup holds; it takes neither routes nor"
                " resolver_search_list."
            )
        if not params["backup"]:
            raise InvalidInput("state: restored needs the option backup.")
        return
    if params["backup"]:
        raise InvalidInput("The option backup is for state: restored only.")
    if not routes and not managed:
        raise InvalidInput(
            "There is nothing to do: neither routes nor resolver_search_list is given.",
        )
    if state is not State.PRESENT and not routes:
        raise InvalidInput(f"state: {state} needs the option routes.")
    if params["imccopy"] and params["target_computer"]:
        raise InvalidInput(
            "The option imccopy is a path on the host; behind a management host it is"
            " target_imccopy that runs imccopy on target_computer."
        )
    if params["target_imccopy"] and not params["target_computer"]:
        raise InvalidInput("The option target_imccopy needs target_computer.")


def _folder(params: Mapping[str, Any], name: str, basedir: Path) -> Path | None:
    """Return a path on the controller; no system call takes one with a NUL."""
    path = params[name]
    if path and "\0" in path:
        raise InvalidInput(f"{name} is {path!a}, which is no path.")
    return basedir / path if path else None


def _seconds(params: Mapping[str, Any], name: str) -> float:
    seconds = params[name]
    if seconds < 1:
        raise InvalidInput(f"{name} is {seconds}; it has to be 1 second or more.")
    return float(seconds)
