# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of backup_info: which backups there are, and how each differs from now.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._base.context import Context, EngineModule
from .._connectors.history import backups_of_organisation
from .._imc.gather import MissingService
from .._imc.history import backups_of_host
from .._remote.psrp import connect
from .backup_info_spec import ARGUMENT_SPEC, parse_options


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the task result; raises ExchangeError where the host could not be looked at."""
    options = parse_options(params, context.basedir)
    try:
        look = backups_of_organisation if options.transport else backups_of_host
        found = look(options, context)
    except MissingService as error:
        if options.skips_missing_service:
            return {"changed": False, "skipped": True, "skip_reason": error.message}
        raise
    family = "transport" if options.transport else "imc"
    return {"changed": False, "family": family, **found}


MODULE = EngineModule(ARGUMENT_SPEC, run, connects=connect)
