# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of mx_pairs_info: options in, result out, the same wherever it runs.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._base.context import Context, EngineModule
from .._base.errors import ExchangeError
from .collector import collector_paused
from .engine import resolve
from .model import Outcome
from .options import Options, from_params
from .result import as_dict, first_reason, listed
from .spec import ARGUMENT_SPEC


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the task result.

    Raises InvalidInput for options that cannot be used, and ExchangeError with the whole result as
    details where a domain ends in one of the statuses of ``fail_on``.
    """
    options = from_params(params)
    started = context.now()
    outcome = resolve(options, context.progress)
    with collector_paused():
        result = as_dict(outcome, started)
    message = _failure(options, outcome)
    if message:
        raise ExchangeError(
            message,
            hint="Nothing was changed; the result holds all domains, these and the others.",
            details=result,
        )
    return result


def _failure(options: Options, outcome: Outcome) -> str:
    """Return what the statuses of ``fail_on`` say about a run, or nothing."""
    named: dict[str, list[str]] = {}
    for result in outcome.results:
        if result.status in options.fail_on:
            named.setdefault(result.status.value, []).append(result.domain)
    if not named:
        return ""
    told = "; ".join(f"{status}: {listed(names)}" for status, names in named.items())
    count = sum(len(names) for names in named.values())
    reason = first_reason(r for r in outcome.results if r.status in options.fail_on)
    return (
        f"{count} of {len(outcome.results)} domains ended in a status of fail_on ({told})."
        f"{reason and f' Questions to name servers failed; {reason}.'}"
    )


MODULE = EngineModule(ARGUMENT_SPEC, run, needs_session=False)
