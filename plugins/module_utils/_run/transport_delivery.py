# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""transport_delivery: the door to changing the Send connectors of an organisation.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .._base.alive import private_folder
from .._base.context import Context, EngineModule
from .._base.errors import ExchangeError, say_untouched
from .._connectors.connector import run_mark
from .._connectors.family import SendConnectors
from .._connectors.lock import OrganisationLock
from .._connectors.organisation import Organisation, Reader
from .._connectors.spec import CONNECTOR_SPEC, parse_options
from .._remote.psrp import connect
from .last_change import written_by_backups
from .transaction import POLICY_SPEC, change, parse_policy

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {**CONNECTOR_SPEC, **POLICY_SPEC}


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Bring an organisation to the state that the options require; returns the result of the task.

    Raises ExchangeError for everything that went wrong.
    """
    # A host that leaves the change to another host of its organisation compares only.
    defers = not params["may_change"] and not context.check_mode
    context = replace(context, check_mode=context.check_mode or defers)
    try:
        options, policy = parse_options(params), parse_policy(params, context.basedir)
        lock = OrganisationLock(private_folder(), context.now)
        family = SendConnectors(
            Reader(context.need_cmdlets(), options.cmdlet_timeout),
            lock,
            options.domain_controller,
            options.edge_synchronization,
            run_mark(policy.run_id),
            written_by_backups(policy.backup_dir, policy.access),
        )
    except ExchangeError as error:
        say_untouched(error)
        raise
    if defers:  # the host that makes the change is the one that needs approval
        policy = replace(policy, approved=None)
    done = change(family, replace(options.desired, run=family.run), policy, context)
    result = done.to_dict()
    if defers:
        result |= {"changed": False, "diff": [], "deferred": done.plan.changed}
        result.pop("proofs", None)  # the other host tests, and reports on it
    elif context.check_mode and policy.run_id:
        # One of an organisation's hosts would make the change, and the others would find it made.
        unproved = done.proofs.unproved() if done.proofs else []
        shown = [result[key] for key in ("steps", "connectors", "external_dns")]
        what = json.dumps([*shown, [each.domain for each in unproved]])
        key = Organisation(**result["organisation"]).key
        same = done.plan.changed or unproved
        first = lock.first_to_show(key, policy.run_id, what, context.host) if same else ""
        if same and first != context.host:
            result |= {"changed": False, "diff": [], "same_as": first}
            result.pop("proofs", None)
    result["requests"] = family.reader.session.requests
    return result


MODULE = EngineModule(ARGUMENT_SPEC, run, needs_session=False, connects=connect)
