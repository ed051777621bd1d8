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

from ..errors import CommandTimeout, ExchangeError, HostUnreachable, SessionLost
from ..remote.cmdlets import Cmdlet, CmdletError
from .connector import Connector
from .gather import Reader
from .plan import Plan, Planner, Step
from .snapshot import new_parameters, set_parameters

#: How often a plan is made anew because somebody else changed the connectors meanwhile.
ATTEMPTS = 4
_PAUSE = 0.5  # seconds, times the number of the attempt, before a transient error is tried again


@dataclass(frozen=True, slots=True)
class Site:
    """Where a transaction works: one runspace, one domain controller."""

    reader: Reader
    domain_controller: str
    progress: Callable[[str], None]

    @property
    def host(self) -> str:
        """Name of the host that carries the cmdlets out."""
        return self.reader.session.host

    def invoke(self, cmdlet: Cmdlet) -> None:
        """Run a cmdlet at the transaction's domain controller."""
        self.reader.invoke(cmdlet, self.domain_controller)

    def connectors(self) -> tuple[Connector, ...]:
        """Read the connectors at the transaction's domain controller."""
        return self.reader.connectors(self.domain_controller)


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
        _give_up(site, state.done, error)
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


def _give_up(site: Site, done: Sequence[Step], error: ExchangeError) -> None:
    """Put back what was changed, and raise the error with the state things are in.

    A host that cannot be reached in the middle is a failure of the task, not an unreachable host.
    """
    if not done:
        error.details.update(changed=False, rolled_back=False, state="old")
        error.message = f"{error.message} Nothing was changed."
        raise error
    failure = error if not isinstance(error, HostUnreachable) else ExchangeError(error.message)
    try:
        if isinstance(error, SessionLost | HostUnreachable):
            site.reader.session.reopen()
        _undo(site, done)
    except ExchangeError as second:
        failure.details.update(changed=True, rolled_back=False, state="unknown")
        failure.message = (
            f"{failure.message} Putting the connectors back failed too ({second.message}) These may"
            f" be changed: {', '.join(sorted({step.domain for step in done}))}."
        )
        failure.hint = "Compare with the backup by Get-SendConnector, then run again."
        raise failure from second
    late = isinstance(error, CommandTimeout)
    failure.details.update(changed=False, rolled_back=True, state="unknown" if late else "old")
    end = ", but what hung may still take effect." if late else "."
    failure.message = f"{failure.message} The previous connectors were put back{end}"
    raise failure


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
    now = present.get(before.identity)
    if now is None:
        return Cmdlet("New-SendConnector", new_parameters(before))
    changes = set_parameters(before, now)
    return Cmdlet("Set-SendConnector", {"Identity": now.identity, **changes}) if changes else None


def _verify_undone(site: Site, done: Sequence[Step]) -> None:
    by_name = {connector.name: connector for connector in site.connectors()}
    for step in done:
        if step.before is None:
            wrong = step.parameters["Name"] in by_name
        else:
            now = by_name.get(step.before.name)
            wrong = now is None or bool(set_parameters(step.before, now))
        if wrong:
            raise ExchangeError(f"the connector of {step.domain} does not read back as it was.")
