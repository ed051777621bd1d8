# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Send connectors of an organisation (Exchange 2010 and later), as a family that is changed.

Another writer may be at work at the same moment, from another host or another controller. So a
cmdlet that Exchange refuses is not a failure yet: the connectors are read again, and only where the
step is still needed it failed; see ``transaction``.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from .._base.errors import CommandTimeout, ExchangeError, HostUnreachable, SessionLost
from .._base.texts import utc_text
from .._remote.session import Cmdlet, CmdletError
from .._run.family import Change, Part, Snapshot, Undone
from .canonical import server_name
from .connector import NO_RUN, Connector, connector_from, of_any_run, origin_of, without_change
from .external_dns import (
    DnsStep,
    Former,
    Place,
    Services,
    Values,
    make_dns_plan,
    present,
    read_former,
    restoring_dns_plan,
)
from .lock import Held, OrganisationLock, Written
from .organisation import Organisation, Reader, Surroundings, View, same_controller
from .plan import (
    NEW,
    OTHER_SETTINGS,
    PIN_PARAMETERS,
    REMOVE,
    SET,
    ConnectorPlan,
    Desired,
    Step,
    all_parameters,
    back_to,
    changes_to,
    differing,
    make_plan,
    new_parameters,
    restore_plan,
    same,
)
from .report import result

KIND = "send_connectors"
EXTERNAL_DNS = "external_dns"  # its key in a backup
EDGE_SYNC = "Start-EdgeSynchronization"
# Properties that ``connector_from`` reads, and so all that a backup needs. Never a credential.
_SAVED = (
    *OTHER_SETTINGS,
    "AddressSpaces",
    "Comment",
    "DNSRoutingEnabled",
    "Enabled",
    "Guid",
    "Identity",
    "IsScopedConnector",
    "Name",
    "Port",
    "ProtocolLoggingLevel",
    "RequireTLS",
    "SmartHostAuthMechanism",
    "SmartHosts",
    "SourceTransportServers",
    "TlsAuthLevel",
    "TlsDomain",
    "WhenCreated",
    "WhenCreatedUTC",
)
# The most cmdlets between two signs of progress under the lock, and seconds for all else.
_MOST_CMDLETS, _REST = 12, 60.0


@dataclass(frozen=True, slots=True)
class Saved:
    """What a backup puts back: our connectors, and the external DNS that later runs changed.

    ``made_since`` are the marks of these runs; their pins are removed.
    """

    connectors: tuple[Connector, ...]
    external_dns: Mapping[Place, Former] = field(default_factory=dict)
    made_since: frozenset[str] = frozenset()


@dataclass(slots=True)
class SendConnectors:
    """One organisation, seen from one host; implements ``Family``.

    ``controller`` is the domain controller to use, empty for Exchange's choice. With
    ``edge_synchronization`` Edge Transport servers get a change at once. ``run`` is the mark of the
    run, see ``run_mark``. ``written`` returns the last change of an organisation that the backups
    know of.
    """

    reader: Reader
    turns: OrganisationLock
    controller: str = ""
    edge_synchronization: bool = True
    run: str = NO_RUN
    written: Callable[[Organisation], Written | None] = lambda _organisation: None
    kind: str = "this organisation"
    refusal_hint: str = (
        "Change or remove these connectors, adopt them (existing: adopt) where that is offered, or"
        " leave the domains out."
    )
    _organisation: Organisation | None = field(default=None, init=False)
    _at: str = field(default="", init=False)  # the domain controller of this transaction
    _around: Surroundings | None = field(default=None, init=False)
    _edges: dict[str, Any] | None = field(default=None, init=False)  # their synchronization
    _held: Held = field(default_factory=lambda: Held(0.0), init=False)
    _services: Services | None = field(default=None, init=False)  # those of the last look

    @property
    def host(self) -> str:
        """Name of the host that runs the cmdlets."""
        return self.reader.session.host

    # -- read and plan

    def owner(self, state: View) -> str:
        """Return the organisation's name."""
        return state.organisation.label

    def read(self, _wanted: Desired) -> View:
        """Read the connectors where the last change was written.

        The other domain controllers may not have received it yet. One that the administrator names
        has to show it as well.
        """
        view = self.reader.view(self.controller)
        last = self._last(view.organisation)
        if last is None or same_controller(last.domain_controller, view.domain_controller):
            return self._seen(view)
        try:
            there = self.reader.view(last.domain_controller)
        except (CmdletError, CommandTimeout) as error:
            if self.controller:  # it may be gone for good
                return self._seen(view)
            error.hint = (
                f"The last change was written to {last.domain_controller} at {utc_text(last.when)},"
                " and the other domain controllers may not have it yet. Wait until it answers,"
                " or set domain_controller to another one that has the change."
            )
            raise
        if self.controller and _pins(there) != _pins(view):
            raise ExchangeError(
                f"{self.host}: the domain controller {view.domain_controller} does not show what"
                f" was written to {last.domain_controller} at {utc_text(last.when)}.",
                hint="Wait for replication, or set domain_controller to that one.",
            )
        return self._seen(view if self.controller else there)

    def _last(self, organisation: Organisation) -> Written | None:
        """Return the last change that may not be everywhere, from this controller or another."""
        return self.turns.last_written(organisation.key, self.written(organisation))

    def _seen(self, view: View) -> View:
        self._organisation, self._at = view.organisation, view.domain_controller
        self._services = None
        return view

    def _services_now(self) -> Services:
        """Return the Transport services, read where the connectors were; once for each look."""
        if self._services is None:
            self._held.progress()
            self._services = self.reader.services(self._at)
        return self._services

    def plan(self, state: View, wanted: Desired) -> ConnectorPlan:
        """Return the plan to the required pins; the first with a change reads its surroundings.

        So a host that is up to date costs one cmdlet.
        """
        plan = make_plan(state.connectors, wanted, self._around)
        if (plan.changed or plan.refused) and self._around is None:
            self._around = self.reader.surroundings(state.connectors)
            plan = make_plan(state.connectors, wanted, self._around)
        if wanted.external_dns is None:
            return plan
        services = self._services_now()
        return plan.with_external_dns(
            make_dns_plan(state.connectors, services, wanted.external_dns, plan.taken)
        )

    def restore_plan(self, state: View, saved: Saved) -> ConnectorPlan:
        """Return the plan back to a backup."""
        around = self._around or Surroundings()
        plan = restore_plan(state.connectors, saved.connectors, around.version, saved.made_since)
        if not saved.external_dns:
            return plan
        services = self._services_now()
        return plan.with_external_dns(
            restoring_dns_plan(state.connectors, services, saved.external_dns, plan.taken)
        )

    # -- what is approved

    def pins(self, state: View) -> dict[str, tuple[str, ...]]:
        """Return the smart hosts of our connectors."""
        return _smart_hosts(state.connectors)

    def saved_pins(self, saved: Saved) -> dict[str, tuple[str, ...]]:
        """Return those of a backup."""
        return _smart_hosts(saved.connectors)

    def state_facts(self, state: View) -> Any:
        """Return all connectors of the organisation, as far as they can be written."""
        connectors = [{"Name": c.name, **all_parameters(c)} for c in state.connectors]
        connectors.sort(key=lambda each: str(each["Name"]))
        return {"organisation": str(state.organisation), "connectors": connectors}

    def change_facts(self, plan: ConnectorPlan) -> list[dict[str, Any]]:
        """Return the cmdlets with their parameters; the values they replace are in ``before``."""
        return [_facts(step) for step in plan.changes]

    # -- backup

    def load(
        self,
        facts: Mapping[str, Any],
        _folder: Path,
        state: View,
        later: Iterable[Mapping[str, Any]] = (),
    ) -> Saved:
        """Read a backup of this organisation, without trusting a byte of it."""
        if facts.get("kind") != KIND:
            raise ValueError("backup.json is not of the format this version writes")
        organisation = state.organisation
        name, forest = facts.get("organisation"), facts.get("forest")
        if f"{name}@{forest}".casefold() != organisation.key:
            raise ValueError(f"it is of the organisation {name!r:.80}, and this is {organisation}")
        entries = facts.get("connectors")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ValueError("it holds no list of connectors")
        for name in OTHER_SETTINGS:
            for entry in entries:
                value = entry.get(name)
                items = value if isinstance(value, list) else [value]
                if not all(map(_is_setting, items)):
                    raise ValueError(f"its {name} has a type that no connector's setting has")
        connectors = tuple(connector_from(entry, self.host) for entry in entries)
        for connector in connectors:
            for name, value in connector.unread.items():
                raise ValueError(f"its {name} is {value!r:.80}, which is not valid for a connector")
        since = [facts, *later]
        runs = (each.get("made_by") for each in since)
        entries = [each.get(EXTERNAL_DNS) for each in since]
        return Saved(
            connectors,
            read_former([each for each in entries if each is not None]),
            frozenset(run for run in runs if isinstance(run, str)),
        )

    def interrupted(self, _state: View) -> None:
        """Active Directory has no place for a journal; marks on the controller serve as one."""

    @contextlib.contextmanager
    def lock(self, state: View) -> Iterator[None]:
        """Hold the organisation's lock of this controller."""
        within = _MOST_CMDLETS * self.reader.timeout + _REST
        with self.turns.held(state.organisation.key, within) as self._held:
            yield

    def read_again(self, state: View) -> View:
        """Read once more: the run that held the lock before may have changed everything."""
        self._held.progress()
        last = self._last(state.organisation)
        controller = self.controller or (last and last.domain_controller) or state.domain_controller
        try:
            view = self.reader.view(controller)
        except (SessionLost, HostUnreachable):  # the session may have expired while it waited
            self.reader.session.reopen()
            view = self.reader.view(controller)
        self._around = self._around or self.reader.surroundings(state.connectors)
        return self._seen(view)

    def snapshot(self, state: View, plan: ConnectorPlan, _name: str) -> Snapshot:
        """Return our connectors, and those that the plan touches; unread ones are left alone."""
        touched = {step.key for step in plan.steps}
        saved = [c for c in state.connectors if c.identity in touched or (c.ours and not c.unread)]
        facts = {
            "kind": KIND,
            "organisation": state.organisation.name,
            "forest": state.organisation.forest,
            "domain_controller": state.domain_controller,
            "made_by": self.run,
            "connectors": [{name: c.raw[name] for name in _SAVED if name in c.raw} for c in saved],
            EXTERNAL_DNS: [s.to_dict() for s in plan.external_dns or () if s.changes],
        }
        return Snapshot(facts)

    def prepare(self, _plan: ConnectorPlan, _name: str) -> None:
        """Remember where the change is written, so that later runs ask there."""
        if self._organisation:
            self.turns.remember(self._organisation.key, self._at)

    def abandon(self) -> None:
        """Nothing was left."""

    # -- change

    def apply(self, change: Change) -> None:
        """Run the cmdlet of a step."""
        step = cast("Step | DnsStep", change)
        self._held.progress()
        self.reader.invoke(Cmdlet(step.cmdlet, step.parameters), self._at)

    def verify(
        self, _plan: ConnectorPlan, planner: Callable[[View], ConnectorPlan]
    ) -> tuple[View, ConnectorPlan]:
        """Read the connectors, and plan anew."""
        view = self._look()
        return view, planner(view)

    def _look(self) -> View:
        if self._organisation is None:
            raise AssertionError("the organisation is known after read")
        self._held.progress()
        return self._seen(View(self._organisation, self._at, self.reader.connectors(self._at)))

    def finish(self, plan: ConnectorPlan) -> list[str]:
        """Synchronize Edge Transport servers; warns if simultaneous runs are not prevented."""
        warnings = self._synchronise(plan)
        if self.turns.folder is None:
            warnings.append(
                "Simultaneous runs are not prevented: this user's cache has no private folder."
            )
        return warnings

    def _synchronise(self, plan: ConnectorPlan) -> list[str]:
        """Start EdgeSync where an Edge sends by a connector that changed; never raises."""
        sources: set[str] = set()
        for step in plan.steps:
            old, new = step.present, plan.later.get(step.key, {})
            sources.update(old.source_servers if old else ())
            sources.update(map(server_name, new.get("SourceTransportServers") or ()))
        edges = sorted(sources & (self._around or Surroundings()).edges)
        if not edges:
            return []
        self._edges = {"servers": edges, "started": False, "succeeded": False, "message": ""}
        if not self.edge_synchronization:
            return []
        try:
            found = self.reader.session.invoke(Cmdlet(EDGE_SYNC), timeout=self.reader.timeout)
        except ExchangeError as error:
            self._edges["message"] = error.message
        else:
            failed = [one for one in found if str(one.get("Result")).casefold() != "success"]
            details = [str(one.get("FailureDetails") or one.get("Result")) for one in failed]
            self._edges |= {
                "started": True,
                "succeeded": bool(found) and not failed,
                "message": "; ".join(dict.fromkeys(details)),
            }
        if self._edges["succeeded"]:
            return []
        why = self._edges["message"] or "no result"
        late = f"{', '.join(edges)} will get the connectors at the next synchronization."
        return [f"{EDGE_SYNC} failed ({why}). {late}"]

    def settle(self, _state: View) -> None:
        """Nothing is left on the host."""

    def result(
        self, before: View, plan: ConnectorPlan, after: View | None, done: Sequence[Change]
    ) -> dict[str, Any]:
        """Return the organisation's part of the result."""
        made = plan.changes if after is None else done
        steps = [step for step in made if isinstance(step, Step)]
        return {**result(before, plan, steps), "edge_synchronization": self._edges}

    # -- undo

    def undo(self, done: Sequence[Change], cause: ExchangeError) -> Undone:
        """Take steps back, the last first; what they changed is read once before and once after.

        A step takes back only the parameters it set, and only where they still are as it left them.
        """
        steps = cast("Sequence[Step | DnsStep]", done)
        if not steps:
            return Undone({}, "Nothing was changed.", cause.hint)
        trouble: ExchangeError | None = cause
        for _attempt in range(2):  # a session that breaks on the way is opened once more
            try:
                if isinstance(trouble, SessionLost | HostUnreachable):
                    self.reader.session.reopen()
                self._take_back(steps)
                trouble = None
                break
            except ExchangeError as error:
                trouble = error
                if not isinstance(error, SessionLost):
                    break
        parts = self._parts(steps, trouble)
        if isinstance(cause, CommandTimeout):
            parts[steps[-1].domain] = "unknown"  # what hung may still take effect
        if trouble is None or set(parts.values()) == {"old"}:
            late = isinstance(cause, CommandTimeout)
            end = ", but the command that hung may still take effect." if late else "."
            hint = cause.hint or "Correct the cause, and run again."
            return Undone(parts, f"The previous {_things(steps)} were put back{end}", hint)
        words = ", ".join(f"{domain} {part}" for domain, part in parts.items())
        return Undone(
            parts,
            f"Not all {_things(steps)} could be put back ({trouble.message}). Their state now:"
            f" {words}.",
            f"Compare it with {_readers(steps)}, then run again.",
        )

    def _take_back(self, steps: Sequence[Step | DnsStep]) -> None:
        """Undo the steps, the last first, from the present state of the connectors."""
        connectors = self._look().connectors
        settings = self._settings(steps, connectors)
        now = {connector.identity: all_parameters(connector) for connector in connectors}
        made = {c.name: c for c in connectors if c.made_by}
        for step in reversed(steps):
            if isinstance(step, DnsStep):
                back = step.reverse(settings.get(step.setting.place) or {})
                cmdlet = Cmdlet(step.cmdlet, back) if back else None
            else:
                cmdlet = _reverse(step, now, made, (self._around or Surroundings()).version)
            if cmdlet:
                self._held.progress()
                self.reader.invoke(cmdlet, self._at)
        wrong = [d for d, part in self._parts(steps, None).items() if part != "old"]
        if wrong:
            raise ExchangeError(
                f"{', '.join(wrong)} differs from the state before the run; changes by another"
                " writer were kept"
            )

    def _settings(
        self, steps: Sequence[Step | DnsStep], connectors: Sequence[Connector]
    ) -> dict[Place, Values]:
        """Return the present external DNS where steps changed it, as far as it can be read."""
        if not any(isinstance(step, DnsStep) for step in steps):
            return {}
        found = present(connectors, self._services_now())
        return {place: one.values for place, one in found.items() if one.values is not None}

    def _parts(
        self, steps: Sequence[Step | DnsStep], trouble: ExchangeError | None
    ) -> dict[str, Part]:
        """Return by domain whether its connectors are as before the steps, as after, or neither.

        A server, or a connector with changed external DNS, is listed by its name.
        """
        connectors: Sequence[Connector] | None = None
        settings: Mapping[Place, Values] = {}
        for _attempt in range(2):
            try:
                if isinstance(trouble, SessionLost | HostUnreachable):
                    self.reader.session.reopen()
                seen = self._look().connectors
                settings = self._settings(steps, seen)
                connectors = seen
                break
            except ExchangeError as error:
                trouble = error
        by_name = {connector.name: connector for connector in connectors or ()}
        parts: dict[str, Part] = {}
        for step in steps:
            domain = step.domain
            part: Part = "unknown"
            if isinstance(step, DnsStep):
                part = step.part(settings.get(step.setting.place))
            elif connectors is not None:
                part = _part(step, by_name)
            parts[domain] = part if parts.get(domain, part) == part else "unknown"
        return dict(sorted(parts.items()))


def _things(steps: Sequence[Step | DnsStep]) -> str:
    """Return what steps changed, in the plural."""
    kinds = {type(step) for step in steps}
    known = {Step: "connectors", DnsStep: "DNS settings"}
    return " and ".join(words for kind, words in known.items() if kind in kinds)


def _readers(steps: Sequence[Step | DnsStep]) -> str:
    """Return the cmdlets that show what steps changed."""
    setters = [step.cmdlet for step in steps if isinstance(step, DnsStep)]
    return " and ".join(
        dict.fromkeys(["Get-SendConnector", *(f"Get-{name.partition('-')[2]}" for name in setters)])
    )


def _pins(view: View) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Return our connectors as a domain controller shows them."""
    return {c.identity: (c.name, all_parameters(c)) for c in view.connectors if c.ours}


def _reverse(
    step: Step, now: dict[str, dict[str, Any]], made: Mapping[str, Connector], version: str
) -> Cmdlet | None:
    """Return the cmdlet that takes a step back, or None where there is nothing to take back.

    ``now`` are the parameters of the present connectors by identity, kept up to date; ``made`` are
    our own by name. A new one is taken back where this very run made it, and as it left it.
    """
    old = step.present
    if old is None:
        new = made.get(step.connector)
        if new is None or not _is_its(step, new) or changes_to(_own(step), new):
            return None
        return Cmdlet(REMOVE, {"Identity": new.identity, "Confirm": False})
    present = now.get(old.identity)
    if present is None:
        return Cmdlet(NEW, new_parameters(old, version))
    before = all_parameters(old)
    back = {name: before[name] for name in _own(step) if same(_own(step)[name], present[name])}
    changes = differing(back, present)
    present |= changes
    return Cmdlet(SET, {"Identity": old.identity, **changes}) if changes else None


def _own(step: Step) -> dict[str, Any]:
    """Return the parameters that a step sets, as far as a connector shows them."""
    names = {*PIN_PARAMETERS, *OTHER_SETTINGS}
    return {name: value for name, value in step.parameters.items() if name in names}


def _smart_hosts(connectors: Sequence[Connector]) -> dict[str, tuple[str, ...]]:
    pins = (c for c in connectors if c.ours)
    return {c.pinned_domain: c.smart_hosts for c in pins if c.pinned_domain}


def _facts(step: Step | DnsStep) -> dict[str, Any]:
    """Return a step as people approve it."""
    facts: dict[str, Any] = {"change": step.text, "domains": list(step.domains)}
    if isinstance(step, DnsStep):
        before = {name: step.setting.before.get(name) for name in step.changes}
        return {**facts, "before": before, "after": dict(step.changes)}
    after = None if step.cmdlet == REMOVE else _written(step)
    return {**facts, "connector": step.connector, "before": _replaced(step), "after": after}


def _written(step: Step) -> dict[str, Any]:
    """Return what a step writes, without what only names its connector, or the run."""
    named = ("Identity", "Confirm")
    written = {name: x for name, x in step.parameters.items() if name not in named}
    if "Comment" in written:
        comment = without_change(of_any_run(str(written["Comment"] or "")))
        present = step.present.comment if step.present else ""
        if step.present and comment == without_change(of_any_run(present)):
            del written["Comment"]  # only the note of the run differs
        else:
            written["Comment"] = comment
    return written


def _replaced(step: Step) -> dict[str, Any] | None:
    """Return the present values of what a step writes, all of them where it removes a connector."""
    if step.present is None:
        return None
    present = all_parameters(step.present)
    if step.cmdlet == REMOVE:
        return present
    return {name: present.get(name) for name in _written(step)}


def _is_its(step: Step, connector: Connector) -> bool:
    """True if a step made the connector, by the run in its comment."""
    return origin_of(connector.comment) == origin_of(str(step.parameters.get("Comment") or ""))


def _part(step: Step, by_name: Mapping[str, Connector]) -> Part:
    now, old = by_name.get(step.connector), step.present
    if now and old is None and not _is_its(step, now):
        return "old"  # another writer made one of this name
    if now is None:
        return "old" if old is None else "new" if step.cmdlet == REMOVE else "unknown"
    shown = all_parameters(now)
    before = all_parameters(old) if old else {}
    if step.cmdlet == REMOVE:
        return "unknown" if back_to(old or now, now) else "old"
    own = {name: value for name, value in _own(step).items() if name in shown}
    if old and not changes_to({name: before[name] for name in own}, now):
        return "old"
    return "unknown" if changes_to(own, now) else "new"


def _is_setting(item: object) -> bool:
    """True if a value of a backup has a type that a connector's setting can have."""
    if isinstance(item, int):
        return item.bit_length() < 64  # noqa: PLR2004 - PowerShell's longest integer
    return item is None or isinstance(item, str)
