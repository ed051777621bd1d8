# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of backup_info.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._base.errors import InvalidInput
from .._imc.layout import PARAMETERS_KEY, Layout
from .._remote.commands import computer_name

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "family": {"type": "str", "choices": ["imc", "transport"], "default": "imc"},
    "backup_dir": {"type": "path"},
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


@dataclass(frozen=True, slots=True)
class Options:
    """The options, checked; ``limit`` 0 shows all. ``timeout`` is in seconds, for one command."""

    transport: bool
    backup_dir: Path
    limit: int
    layout: Layout
    domain_controller: str
    timeout: float
    skips_missing_service: bool


def parse_options(params: Mapping[str, Any], basedir: Path) -> Options:
    """Check the options of one task; raises InvalidInput before anything is asked of the host."""
    for name, least in (("limit", 0), ("command_timeout", 1)):
        if params[name] < least:
            raise InvalidInput(f"{name} is {params[name]}; it has to be {least} or more.")
    given = params["backup_dir"] or "backups"
    if "\0" in given:
        raise InvalidInput(f"backup_dir is {given!a}, which is no path.")
    layout = Layout(
        computer=params["target_computer"] or "",
        imccopy=params["imccopy"] or "",
        target_imccopy=params["target_imccopy"] or "",
        target_directory=params["target_directory"],
        registry_key=params["registry_key"],
    )
    layout.check()
    controller = params["domain_controller"]
    return Options(
        transport=params["family"] == "transport",
        backup_dir=basedir / given,
        limit=params["limit"],
        layout=layout,
        domain_controller=computer_name(controller) if controller else "",
        timeout=float(params["command_timeout"]),
        skips_missing_service=params["missing_service"] == "skip",
    )
