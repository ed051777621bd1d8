# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take back what a transaction did to the connectors, and say precisely what came of it.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .._base.errors import CommandTimeout, ExchangeError, HostUnreachable, SessionLost
from .._remote.session import Cmdlet
from .connector import Connector
from .gather import Reader
from .plan import Step, changes_to, present_parameters
from .snapshot import new_parameters, set_parameters


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


def given_up(site: Site, done: Sequence[Step], error: ExchangeError) -> ExchangeError:
    """Put back what was changed; returns the error to raise, with the state things are in.

    Its details tell ``rolled_back``, ``state`` and, by domain, ``parts``: ``old``, ``new`` or
    ``unknown``. A host that cannot be reached in the middle is a failure of the task, not an
    unreachable host.
    """
    if not done:
        error.details.update(changed=False, rolled_back=False, state="old", parts={})
        error.message = f"{error.message} Nothing was changed."
        return error
    failure = error if not isinstance(error, HostUnreachable) else ExchangeError(error.message)
    trouble = _put_back(site, done, error)
    parts = _parts(done, _last_look(site, trouble))
    if isinstance(error, CommandTimeout):
        parts[done[-1].domain] = "unknown"  # what hung may still take effect
    known = set(parts.values())
    state = known.pop() if len(known) == 1 else "unknown"
    back = trouble is None or state == "old"
    failure.details.update(
        changed=not back, rolled_back=back, state=state, parts=dict(sorted(parts.items()))
    )
    if back:
        late = isinstance(error, CommandTimeout)
        end = ", but what hung may still take effect." if late else "."
        failure.message = f"{failure.message} The previous connectors were put back{end}"
        return failure
    words = ", ".join(f"{domain} {part}" for domain, part in sorted(parts.items()))
    failure.message = (
        f"{failure.message} Putting the connectors back failed too"
        f" ({trouble.message if trouble else ''}) State of the connectors now: {words}."
    )
    failure.hint = "Compare with the backup by Get-SendConnector, then run again."
    return failure


def _put_back(site: Site, done: Sequence[Step], error: ExchangeError) -> ExchangeError | None:
    """Undo the steps; returns why that failed, or None."""
    try:
        if isinstance(error, SessionLost | HostUnreachable):
            site.reader.session.reopen()
        _undo(site, done)
    except ExchangeError as second:
        return second
    return None


def _last_look(site: Site, trouble: ExchangeError | None) -> Sequence[Connector] | None:
    """Read the connectors as they are in the end; None where they cannot be read."""
    for _attempt in range(2):
        try:
            if isinstance(trouble, SessionLost | HostUnreachable):
                site.reader.session.reopen()
            return site.connectors()
        except ExchangeError as error:
            trouble = error
    return None


def _undo(site: Site, done: Sequence[Step]) -> None:
    """Take steps back, the last first; each looks whether there is anything to take back.

    A session that breaks on the way is opened anew, and the step begun again.
    """
    for step in reversed(done):
        try:
            _take_back(site, step)
        except SessionLost:
            site.reader.session.reopen()
            _take_back(site, step)
    _verify_undone(site, done)


def _take_back(site: Site, step: Step) -> None:
    by_identity = {connector.identity: connector for connector in site.connectors()}
    cmdlet = _reverse(step, by_identity)
    if cmdlet:
        site.progress(f"taking back: {cmdlet.name} for {step.domain}")
        site.invoke(cmdlet)


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
    wrong = [domain for domain, part in _parts(done, site.connectors()).items() if part != "old"]
    if wrong:
        raise ExchangeError(
            f"the connector of {', '.join(sorted(wrong))} does not read back as it was."
        )


def _parts(done: Sequence[Step], present: Sequence[Connector] | None) -> dict[str, str]:
    """Return by domain whether its connectors are as before the steps, as after, or neither."""
    parts: dict[str, str] = {}
    by_name = {connector.name: connector for connector in present or ()}
    for step in done:
        part = "unknown" if present is None else _part(step, by_name)
        parts[step.domain] = part if parts.get(step.domain, part) == part else "unknown"
    return parts


def _part(step: Step, by_name: Mapping[str, Connector]) -> str:
    before = step.before
    if before is None:
        now = by_name.get(str(step.parameters["Name"]))
        return "old" if now is None else _if_as_wanted(step, now)
    now = by_name.get(before.name)
    if now is None:
        return "new" if step.cmdlet == "Remove-SendConnector" else "unknown"
    if not set_parameters(before, now):
        return "old"
    return "unknown" if step.cmdlet == "Remove-SendConnector" else _if_as_wanted(step, now)


def _if_as_wanted(step: Step, now: Connector) -> str:
    """Compare what a step set; what is given once to a new connector is none of it."""
    known = present_parameters(now)
    wanted = {name: value for name, value in step.parameters.items() if name in known}
    return "unknown" if changes_to(wanted, now) else "new"
