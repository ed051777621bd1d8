# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""imc_delivery: gather, plan, and carry the plan out as one transaction.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import brake
from ..backups import find
from ..context import Context
from ..errors import ExchangeError, say_untouched
from .desired import State
from .gather import MissingService, gather
from .plan import Plan, Saved, make_plan
from .report import result, service_facts, worksheet_text
from .saved import Origin, load
from .spec import Options, parse_options
from .state import HostState
from .transaction import Transaction


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Bring a host to what the options say; returns the result of the task.

    Raises ExchangeError for everything that went wrong.
    """
    session = context.need_session()
    try:
        options = parse_options(params, context.basedir)
        origin = _origin(options, context)
        saved, saved_from = _backup_to_restore(options, origin)
        state = gather(
            session,
            options.layout,
            with_table=_wants_table(options, saved),
            timeout=options.limits.command,
        )
        plan = make_plan(state, options.desired, options.policy, saved)
        if plan.refusal:
            raise ExchangeError(
                f"{context.host}: {plan.refusal}.",
                hint="Change it in the Administrator program, or with imccopy, and run again.",
            )
        if options.brake.stops(plan.size) and not context.check_mode:
            raise brake.refusal(context.host, options.brake, plan.size)
    except MissingService as error:
        if options.skips_missing_service:
            return {"changed": False, "skipped": True, "skip_reason": error.message}
        say_untouched(error)
        raise
    except ExchangeError as error:
        say_untouched(error)
        raise

    facts = result(plan, state, context.host)
    facts |= _brake_facts(options, plan, check_mode=context.check_mode)
    if saved_from:
        facts["restored_from"] = saved_from
    if plan.changed and not context.check_mode:
        done = _carry_out(options, origin, context, state, plan)
        facts |= {**done, "warnings": [*facts["warnings"], *done["warnings"]]}
    facts["requests"] = session.requests
    if plan.worksheet:
        _refuse_table(options, context, plan, facts)
    return facts


def _origin(options: Options, context: Context) -> Origin:
    layout = options.layout
    return Origin(context.host, layout.computer, layout.registry_key, options.run_id)


def _brake_facts(options: Options, plan: Plan, *, check_mode: bool) -> dict[str, Any]:
    """Return what the result says about the brake, and by which run the backup is found again."""
    told = brake.told(options.brake, plan.size)
    return {
        "brake": told,
        "would_refuse": check_mode and options.brake.stops(plan.size),
        "run_id": options.run_id,
        "warnings": [
            *plan.warnings,
            *brake.warning(options.brake, plan.size, check_mode=check_mode),
        ],
    }


def _backup_to_restore(options: Options, origin: Origin) -> tuple[Saved | None, str]:
    if options.desired.state is not State.RESTORED or options.backup is None:
        return None, ""
    folder = find(options.backup, origin.host)
    return load(folder, origin), str(folder)


def _wants_table(options: Options, saved: Saved | None) -> bool:
    if saved is not None:
        return saved.routes is not None
    return options.desired.routes is not None


def _carry_out(
    options: Options, origin: Origin, context: Context, state: HostState, plan: Plan
) -> dict[str, Any]:
    transaction = Transaction(
        context, options.layout, state, plan, origin, options.backup_dir, options.limits
    )
    after = transaction.run()
    return {
        "backup": str(transaction.folder) if transaction.folder else None,
        "service": service_facts(after.service),
        "warnings": transaction.warnings,
    }


def _refuse_table(options: Options, context: Context, plan: Plan, facts: dict[str, Any]) -> None:
    """Say what has to be typed by hand, since no tool can read or write the table here."""
    where = f" for {options.layout.computer}" if options.layout.computer else ""
    setting = ""
    if plan.manages_setting:
        setting = " The registry value " + (
            "would be set." if context.check_mode and plan.setting.changed else "is as wanted."
        )
    message = (
        f"{context.host}: there is no imccopy{where}, so the delivery route table can be neither"
        f" read nor written, and was left alone.{setting}"
    )
    hint = (
        r"For Exchange 5.x, copy imccopy.exe from the CD (server\support\utils\i386) to C:\, and"
        " run again. For 4.0 no such tool is documented: set the rows by hand (properties of the"
        " connector, Connections, Message Delivery, E-Mail Domain), then restart the service;"
        " missing_imccopy: warn makes this a warning.\n"
        f"{worksheet_text(plan.worksheet)}"
    )
    if not options.warns_of_missing_imccopy:
        raise ExchangeError(message, hint=hint, details=facts)
    facts["warnings"] = [*facts["warnings"], f"{message} {hint}"]
