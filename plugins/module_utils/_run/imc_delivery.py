# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""imc_delivery: the door to changing the Internet Mail Connector of a host.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from .._base.context import Context, EngineModule
from .._base.errors import ExchangeError, say_untouched
from .._imc.family import MailConnector
from .._imc.host import MissingService
from .._imc.plan import ImcPlan
from .._imc.report import worksheet_text
from .._imc.spec import IMC_SPEC, Options, parse_options
from .transaction import POLICY_SPEC, change, parse_policy

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {**IMC_SPEC, **POLICY_SPEC}


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Bring a host to the state that the options require; returns the result of the task.

    Raises ExchangeError for everything that went wrong.
    """
    session = context.need_session()
    try:
        options, policy = parse_options(params), parse_policy(params, context.basedir)
    except ExchangeError as error:
        say_untouched(error)
        raise
    family = MailConnector(
        session,
        context.host,
        options.layout,
        options.timeouts,
        options.policy,
        context.learned,
        options.return_routes,
    )
    try:
        done = change(family, options.desired, policy, context)
    except MissingService as error:
        if options.skips_missing_service:
            return {"changed": False, "skipped": True, "skip_reason": str(error.args[0])}
        raise
    result = {**done.to_dict(), "requests": session.requests}
    plan = cast("ImcPlan", done.plan)
    if plan.worksheet:
        _report_worksheet(options, context, plan, result)
    return result


#: The error of a host without imccopy, and its hint.
NO_IMCCOPY = (
    "imccopy was not found, so the delivery route table can be neither read nor written. It was not"
    " changed."
)
NO_IMCCOPY_HINT = (
    r"For Exchange 5.x, copy imccopy.exe from the CD (server\support\utils\i386) to"
    r" C:\exchsrvr\bin, and run again. For 4.0 no such tool is documented: set the rows by hand"
    " (properties of the connector, Connections, Message Delivery, E-Mail Domain), then restart the"
    " service; missing_imccopy: warn makes this a warning."
)


def _report_worksheet(
    options: Options, context: Context, plan: ImcPlan, result: dict[str, Any]
) -> None:
    """Fail or warn with the rows to type by hand, since no tool can read or write the table."""
    where = f" for {options.layout.computer}" if options.layout.computer else ""
    setting = ""
    if plan.manages_setting:
        setting = " The registry value " + (
            "would be set." if context.check_mode and plan.setting.changed else "is as wanted."
        )
    message = f"{context.host}: {NO_IMCCOPY.replace(' found', f' found{where}', 1)}{setting}"
    hint = f"{NO_IMCCOPY_HINT}\n{worksheet_text(plan.worksheet)}"
    if not options.warns_of_missing_imccopy:
        raise ExchangeError(message, hint=hint, details=result)
    result["warnings"] = [*result["warnings"], f"{message} {hint}"]


MODULE = EngineModule(ARGUMENT_SPEC, run)
