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

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..errors import ExchangeError, SessionLost
from ..remote.cmdlets import Cmdlet, CmdletError, CmdletSession
from .connector import Connector
from .gather import at, read_connectors
from .plan import Desired, Plan, Step, make_plan, present_parameters

#: How often a plan is made anew because somebody else changed the connectors meanwhile.
ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Site:
    """Where a transaction works: one runspace, one domain controller."""

    session: CmdletSession
    domain_controller: str
    progress: Callable[[str], None]

    def invoke(self, cmdlet: Cmdlet) -> None:
        """Run a cmdlet at the transaction's domain controller."""
        self.session.invoke(at(self.domain_controller, cmdlet))

    def connectors(self) -> tuple[Connector, ...]:
        """Read the connectors at the transaction's domain controller."""
        return read_connectors(self.session, self.domain_controller)


@dataclass(slots=True)
class _Progress:
    """What was done so far, for a way back."""

    done: list[Step] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Applied:
    """What a transaction did: the steps that were its own, and the connectors it left."""

    steps: tuple[Step, ...]
    connectors: tuple[Connector, ...]


def apply(site: Site, plan: Plan, desired: Desired) -> Applied:
    """Carry out a plan and verify it; raises ExchangeError after everything was put back."""
    state = _Progress()
    try:
        connectors = _until_right(site, plan, desired, state)
    except ExchangeError as error:
        _give_up(site, state.done, error)
    return Applied(tuple(state.done), connectors)


def _until_right(
    site: Site, plan: Plan, desired: Desired, state: _Progress
) -> tuple[Connector, ...]:
    for _attempt in range(ATTEMPTS):
        failure = _carry_out(site, plan, state)
        connectors = site.connectors()
        again = make_plan(connectors, desired)
        if not again.steps:
            return connectors
        if failure and any(_same_need(step, failure[0]) for step in again.steps):
            raise failure[1]
        plan = again
    raise ExchangeError(
        f"{site.session.host}: the Send connectors do not read back as they were written"
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
        except SessionLost:
            # Nobody knows whether it was carried out, so the way back has to look.
            state.done.append(step)
            raise
        state.done.append(step)
    return None


def _same_need(one: Step, other: Step) -> bool:
    return one.cmdlet == other.cmdlet and one.domain == other.domain


def _give_up(site: Site, done: Sequence[Step], error: ExchangeError) -> None:
    """Put back what was changed, and raise the error with the state things are in."""
    if not done:
        error.details.update(rolled_back=False, state="old")
        error.message = f"{error.message} Nothing was changed."
        raise error
    try:
        if isinstance(error, SessionLost):
            site.session.reopen()
        _undo(site, done)
    except ExchangeError as second:
        error.details.update(rolled_back=False, state="unknown")
        error.message = (
            f"{error.message} Putting the connectors back failed too ({second}). These may be"
            f" changed: {', '.join(sorted({step.domain for step in done}))}."
        )
        error.hint = "Compare with the backup by Get-SendConnector, then run again."
        raise error from second
    error.details.update(rolled_back=True, state="old")
    error.message = f"{error.message} The previous connectors were put back."
    raise error


def _undo(site: Site, done: Sequence[Step]) -> None:
    """Take steps back, the last first; each looks whether there is anything to take back."""
    for step in reversed(done):
        by_identity = {connector.identity: connector for connector in site.connectors()}
        cmdlet = _reverse(step, by_identity)
        if cmdlet:
            site.progress(f"taking back: {cmdlet.name} for {step.domain}")
            site.invoke(cmdlet)
    _verify_undone(site, done)


def _reverse(step: Step, present: dict[str, Connector]) -> Cmdlet | None:
    """Return the cmdlet that takes a step back, or nothing where it never happened."""
    before = step.before
    if before is None:
        made = [c for c in present.values() if c.name == step.parameters["Name"] and c.ours]
        if not made:
            return None
        return Cmdlet("Remove-SendConnector", {"Identity": made[0].identity, "Confirm": False})
    old = {k: v for k, v in present_parameters(before).items() if v is not None}
    now = present.get(before.identity)
    if now is None:
        return Cmdlet("New-SendConnector", {"Name": before.name, **old})
    there = present_parameters(now)
    changes = {key: value for key, value in old.items() if value != there[key]}
    return Cmdlet("Set-SendConnector", {"Identity": now.identity, **changes}) if changes else None


def _verify_undone(site: Site, done: Sequence[Step]) -> None:
    by_name = {connector.name: connector for connector in site.connectors()}
    for step in done:
        if step.before is None:
            wrong = step.parameters["Name"] in by_name
        else:
            now = by_name.get(step.before.name)
            wrong = now is None or present_parameters(now) != present_parameters(step.before)
        if wrong:
            raise ExchangeError(f"the connector of {step.domain} does not read back as it was")
