# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry a plan out on an organisation, see that it holds, or put back what was there.

Another writer may be at work at the same moment, from another host or another controller. So a
step that Exchange refuses is not a failure yet: the connectors are read again, and only if the
step is still needed it failed.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .._base.errors import CommandTimeout, ExchangeError, SessionLost
from .._remote.session import Cmdlet, CmdletError
from .connector import Connector
from .plan import Plan, Planner, Step
from .rollback import Site, given_up

#: How often a plan is made anew because somebody else changed the connectors meanwhile.
ATTEMPTS = 4
_PAUSE = 0.5  # seconds, times the number of the attempt, before a transient error is tried again


@dataclass(slots=True)
class _Progress:
    """What was done so far, for a way back."""

    done: list[Step] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Applied:
    """What a transaction did: the steps that were its own, and the connectors it left."""

    steps: tuple[Step, ...]
    connectors: tuple[Connector, ...]


def apply(site: Site, plan: Plan, planner: Planner) -> Applied:
    """Carry out a plan and verify it; raises ExchangeError after everything was put back."""
    state = _Progress()
    try:
        connectors = _until_right(site, plan, planner, state)
    except ExchangeError as error:
        raise given_up(site, state.done, error) from error
    return Applied(tuple(state.done), connectors)


def _until_right(
    site: Site, plan: Plan, planner: Planner, state: _Progress
) -> tuple[Connector, ...]:
    for attempt in range(1, ATTEMPTS + 1):
        failure = _carry_out(site, plan, state)
        connectors = site.connectors()
        again = planner(connectors)
        if again.refusals:
            raise ExchangeError(
                f"{site.host}: somebody made a connector meanwhile that stands in the way:"
                f" {again.refusals[0].connector!r} for {again.refusals[0].domain}."
            )
        if not again.steps:
            return connectors
        if failure and any(_same_need(step, failure[0]) for step in again.steps):
            if not failure[1].transient or attempt == ATTEMPTS:
                raise failure[1]
            site.reader.sleep(_PAUSE * attempt)
        plan = again
    raise ExchangeError(
        f"{site.host}: the Send connectors do not read back as they were written"
        f" ({', '.join(sorted({step.domain for step in plan.steps}))})."
    )


def _carry_out(site: Site, plan: Plan, state: _Progress) -> tuple[Step, CmdletError] | None:
    """Run the steps; return the first that Exchange refused, with its error."""
    for step in plan.steps:
        site.progress(f"{step.cmdlet} for {step.domain}")
        try:
            site.invoke(Cmdlet(step.cmdlet, step.parameters))
        except CmdletError as error:
            return step, error
        except (SessionLost, CommandTimeout):
            # Nobody knows whether it was carried out, so the way back has to look.
            state.done.append(step)
            raise
        state.done.append(step)
    return None


def _same_need(one: Step, other: Step) -> bool:
    return one.cmdlet == other.cmdlet and one.domain == other.domain
