# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""imc_delivery: gather, plan, and carry the plan out as one transaction.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .._base import alive
from .._base.context import Context, EngineModule
from .._base.errors import ExchangeError, say_untouched
from .._remote import commands
from .._remote.session import Session
from .._run.backups import find
from .desired import State
from .gather import MissingService, gather
from .host_lock import at_work
from .layout import Layout
from .lease import is_of, why_alive
from .plan import Plan, Saved, make_plan
from .report import installation, result, service_facts, worksheet_text
from .saved import Origin, load
from .spec import ARGUMENT_SPEC, Options, parse_options
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
        found = _look(session, options, origin)
        state, plan = found.state, found.plan
        _refuse(plan, options, context)
    except MissingService as error:
        if options.skips_missing_service:
            return {"changed": False, "skipped": True, "skip_reason": error.message}
        say_untouched(error)
        raise
    except ExchangeError as error:
        say_untouched(error)
        raise

    facts = result(plan, state, context.host, options.return_routes)
    facts |= _limit_facts(options, plan, check_mode=context.check_mode)
    if found.backup:
        facts["restored_from"] = str(found.backup)
    if plan.changed and not context.check_mode:
        transaction = Transaction(
            context, options.layout, state, plan, origin, options.backup_dir, options.limits
        )
        transaction.restores = found.backup is not None
        done = _carry_out(transaction)
        facts |= {**done, "warnings": [*facts["warnings"], *done["warnings"]]}
    elif state.debt and not (state.restart_owed or context.check_mode):
        commands.discard_file(session, options.layout.owed_path)
    facts["requests"] = session.requests
    if plan.worksheet:
        _refuse_table(options, context, plan, facts)
    return facts


@dataclass(frozen=True, slots=True)
class _Found:
    """What a host has, and what is to be done; ``backup`` is the one to put back, if any."""

    state: HostState
    plan: Plan
    backup: Path | None


def _look(session: Session, options: Options, origin: Origin) -> _Found:
    """Gather and plan; raises ExchangeError where another run is at work there."""
    backup = _backup_to_restore(options, origin)
    saved = load(backup, origin) if backup else None
    state = _gather(session, options, saved)
    _check_alone(session, options.layout, state)
    return _Found(state, make_plan(state, options.desired, options.policy, saved), backup)


def _refuse(plan: Plan, options: Options, context: Context) -> None:
    """Raise ExchangeError for what must not be done, or is too much at once."""
    if plan.refusal:
        raise ExchangeError(
            f"{context.host}: {plan.refusal}.",
            hint="Change it in the Administrator program, or with imccopy, and run again.",
        )
    if options.change_limit.refuses(plan.size) and not context.check_mode:
        raise options.change_limit.refusal(context.host, plan.size)


def _origin(options: Options, context: Context) -> Origin:
    layout = options.layout
    return Origin(context.host, layout.computer, layout.registry_key, options.run_id)


def _limit_facts(options: Options, plan: Plan, *, check_mode: bool) -> dict[str, Any]:
    """Return what the result says about the limit, and by which run the backup is found again."""
    return {
        "change_limit": options.change_limit.to_dict(plan.size),
        "would_refuse": check_mode and options.change_limit.refuses(plan.size),
        "run_id": options.run_id,
        "warnings": [
            *plan.warnings,
            *options.change_limit.warnings(plan.size, check_mode=check_mode),
        ],
    }


def _backup_to_restore(options: Options, origin: Origin) -> Path | None:
    if options.desired.state is not State.RESTORED or options.backup is None:
        return None
    return find(options.backup, origin.host)


def _gather(session: Session, options: Options, saved: Saved | None) -> HostState:
    wanted = saved.routes if saved else options.desired.routes
    return gather(
        session,
        options.layout,
        with_table=wanted is not None,
        known=options.known,
        timeout=options.limits.command,
    )


def _check_alone(session: Session, layout: Layout, state: HostState) -> None:
    """See that no other run is at work on the host; raises ClaimLost."""
    claim, now = state.claim, session.host_time
    if claim is None:
        return
    file = alive.file_of(claim.run) if is_of(claim, alive.controller()) else None
    why = why_alive(claim, now, alive.has_ended(file) if file else None)
    if why:
        raise at_work(session.host, layout, claim, now, why)


def _carry_out(transaction: Transaction) -> dict[str, Any]:
    after = transaction.run()
    return {
        "backup": str(transaction.folder) if transaction.folder else None,
        "service": service_facts(after.service),
        "installation": installation(replace(transaction.before, service=after.service)),
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


MODULE = EngineModule(ARGUMENT_SPEC, run)
