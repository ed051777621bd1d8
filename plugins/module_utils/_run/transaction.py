# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring an installation of Exchange to its required state in one transaction, for all families.

Read, plan, and hold the plan against the limit: check mode ends here. Then lock, read and plan
again, back up, apply each change, and verify; a failure takes all changes back, and its error
reports the resulting state.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import sleep
from typing import Any, Generic

from .._base.access import PRIVATE, Access, parse_access
from .._base.context import Context
from .._base.errors import ExchangeError, HostUnreachable, InvalidInput, say_untouched
from .._base.texts import one_line
from .._remote.session import CmdletError
from . import backups
from .approval import APPROVAL_SPEC, Approved, Planned, parse_approved
from .change_limit import (
    CHANGE_LIMIT_SPEC,
    ChangeLimit,
    Size,
    parse_change_limit,
    parse_removal_limit,
)
from .family import B, Change, Family, P, Plan, Refusal, S, W_contra
from .moves import moved_often
from .proof import ProofPolicy, Proofs
from .routes import NOTE_LIMIT

#: Options of every module that changes an installation; see ``parse_policy``.
POLICY_SPEC: dict[str, dict[str, Any]] = {
    "backup": {"type": "path"},
    "backup_dir": {"type": "path"},
    "backup_mode": {"type": "str"},
    "backup_group": {"type": "str"},
    "run_id": {"type": "str"},
    "note": {"type": "str"},
    "moved_often": {"type": "int", "default": 0},
    **CHANGE_LIMIT_SPEC,
    **APPROVAL_SPEC,
}

#: How often a plan is made anew, since another writer changed the same meanwhile.
ATTEMPTS = 4
_PAUSE = 0.5  # seconds, times the number of the attempt, before what may pass is tried again
_BROKE_OFF = (
    "An earlier run broke off. The state before it is in the backup {}; this run takes up where"
    " it stopped."
)


@dataclass(frozen=True, slots=True)
class Policy:
    """How a change is made. ``backup`` is the one to restore; None means to enforce.

    ``removals`` limits the domains that lose their pins at once since they do not exist in DNS.
    ``tests`` is what becomes of changes that no test message proves, None where none is sent.
    ``note`` is why it is made, as one line. ``approved`` is what the change has to be like, None
    where it need not be approved.
    """

    limit: ChangeLimit
    backup_dir: Path
    backup: Path | None = None
    run_id: str = ""
    tests: ProofPolicy | None = None
    access: Access = PRIVATE
    note: str = ""
    approved: Approved | None = None
    moved_often: int = 0
    returns_plan: bool = False
    removals: ChangeLimit = field(default_factory=ChangeLimit)

    def limits(self, plan: Plan) -> list[tuple[ChangeLimit, Size]]:
        """Return each limit with what it limits in a plan; those that are exceeded come first."""
        limits = [(self.limit, plan.size), (self.removals, plan.missing)]
        return sorted(limits, key=lambda each: not each[0].exceeded_by(each[1]))


def parse_policy(params: Mapping[str, Any], basedir: Path) -> Policy:
    """Check the common options; relative paths count from ``basedir``. Raises InvalidInput."""
    for name in ("backup", "backup_dir"):
        if params[name] and "\0" in params[name]:  # no system call takes one
            raise InvalidInput(f"{name} is not a path: {params[name]!a}.")
    restores = params["state"] == "restored"
    if restores and not params["backup"]:
        raise InvalidInput("state: restored needs the option backup.")
    if params["backup"] and not restores:
        raise InvalidInput("The option backup is for state: restored only.")
    return Policy(
        limit=parse_change_limit(params),
        backup_dir=basedir / (params["backup_dir"] or "backups"),
        backup=basedir / params["backup"] if restores else None,
        run_id=backups.parse_run_id(params["run_id"]),
        tests=params.get("tests"),
        access=parse_access(params),
        note=one_line(params["note"] or "", NOTE_LIMIT),
        approved=parse_approved(params),
        moved_often=_not_negative(params, "moved_often"),
        returns_plan=params["return_plan"],
        removals=parse_removal_limit(params),
    )


def _not_negative(params: Mapping[str, Any], name: str) -> int:
    number: int = params[name]
    if number < 0:
        raise InvalidInput(f"{name} must be 0 or more, not {number}.")
    return number


@dataclass(slots=True)
class DeliveryResult:
    """The changes of a run, only planned in check mode; ``facts`` are the family's part of it.

    The caller must close ``proofs`` after the tests of the change.
    """

    plan: Plan
    facts: dict[str, Any]
    policy: Policy
    check_mode: bool
    backup: Path | None = None
    restored_from: Path | None = None
    planned: Planned | None = None
    warnings: list[str] = field(default_factory=list)
    proofs: Proofs | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the result of a task, but for what its module adds."""
        limits = self.policy.limits(self.plan)
        limit, size = limits[0]
        return {
            "changed": self.plan.changed,
            "rolled_back": False,
            "backup": str(self.backup) if self.backup else None,
            **({"restored_from": str(self.restored_from)} if self.restored_from else {}),
            "change_limit": limit.to_dict(size),
            "would_refuse": self.check_mode and any(one.refuses(of) for one, of in limits),
            "removed_domains": list(self.plan.missing.domains),
            "unpinned": list(self.plan.unpinned),
            "run_id": self.policy.run_id,
            **({"proofs": self.proofs} if self.proofs else {}),
            **({"planned": self.planned.to_dict()} if self.planned else {}),
            **self.facts,
            "warnings": [
                *self.plan.warnings,
                *(
                    text
                    for one, of in limits
                    for text in one.warnings(of, check_mode=self.check_mode)
                ),
                *self.warnings,
            ],
        }


def change(
    family: Family[S, W_contra, B, P], wanted: W_contra, policy: Policy, context: Context
) -> DeliveryResult:
    """Bring an installation to its required state, or back to the backup that ``policy`` names.

    Raises ExchangeError. Its message reports the resulting state. After the first change its
    details do, too: ``changed``, ``rolled_back``, ``backup``, ``state`` (``old``, ``new`` or
    ``unknown``), and ``parts`` with the same for each part.
    """
    transaction = _Transaction(family, wanted, policy, context)
    try:
        return transaction.run()
    except BaseException:
        if transaction.proofs:
            transaction.proofs.close()
        raise


@dataclass(slots=True)
class _Transaction(Generic[S, W_contra, B, P]):
    family: Family[S, W_contra, B, P]
    wanted: W_contra
    policy: Policy
    context: Context
    saved: B | None = None
    source: Path | None = None
    done: list[Change] = field(default_factory=list)
    proofs: Proofs | None = None

    def run(self) -> DeliveryResult:
        try:
            state = self.family.read(self.wanted)
            self._find_backup(state)
            plan = self._plan(state)
            self._permit(plan)
            self._read_proofs(state)
            if self.context.check_mode:
                self._compare_with_approved(state, plan)
        except ExchangeError as error:
            say_untouched(error)
            raise
        if plan.changed and not self.context.check_mode:
            return self._change(state)
        result = self._result(state, plan, None)
        result.warnings += self._broken(state)
        if self.policy.moved_often and self.context.check_mode:
            shelf = backups.Shelf(self.policy.backup_dir, self.policy.access, self.context.now())
            result.warnings += moved_often(self.family, state, shelf, self.policy.moved_often)
        if not (plan.changed or self.context.check_mode):
            self.family.settle(state)
            if self.family.interrupted(state) is None:
                backups.settled(self._folder(state))
            self._rolled_back()
        return result

    # -- before the first change

    def _find_backup(self, state: S) -> None:
        """Read the backup to put back, now that it is known of what it has to be."""
        policy, context = self.policy, self.context
        if policy.backup is None:
            return
        self.source = backups.find(
            policy.backup,
            self.family.owner(state),
            kind=self.family.kind,
            host=context.host,
            shelf=backups.Shelf(policy.backup_dir, policy.access, context.now()),
        )
        self.saved = load(self.family, self.source, state, context.host)

    def _plan(self, state: S) -> P:
        if self.saved is not None:
            return self.family.restore_plan(state, self.saved)
        return self.family.plan(state, self.wanted)

    def _planned(self, state: S, plan: P) -> Planned:
        return Planned.of(self.family.state_facts(state), self.family.change_facts(plan))

    def _compare_with_approved(self, state: S, plan: P) -> None:
        """Raise ExchangeError for a change that was not approved.

        Without the lock another host of the organisation may be half way through its change.
        """
        if self.policy.approved is not None and plan.changed:
            self.policy.approved.check(self.context.host, self._planned(state, plan))

    def _permit(self, plan: P) -> None:
        """Raise ExchangeError where any part of a plan is refused, or the whole is too large."""
        host = self.context.host
        if plan.refusals:
            raise ExchangeError(
                f"{host}: {'; '.join(each.text for each in plan.refusals)}.",
                hint=" ".join(
                    dict.fromkeys(each.hint or self.family.refusal_hint for each in plan.refusals)
                ),
                details={
                    "refused": [each.to_dict() for each in plan.refusals if each.name],
                    "refusals": [each.text for each in plan.refusals],
                    **plan.evidence,
                },
            )
        for limit, size in self.policy.limits(plan):
            if limit.refuses(size) and not self.context.check_mode:
                raise limit.refusal(host, size)

    def _read_proofs(self, state: S) -> None:
        """Find the changes of this installation that no test message has proved."""
        if self.policy.tests is None:
            return
        self.proofs = Proofs(self.policy.tests, self.policy.run_id, self.context.host)
        claims = self.policy.tests.use in {"test", "forget"} and not self.context.check_mode
        owner = self.family.owner(state)
        self.proofs.read(
            backups.every(self.policy.backup_dir, owner, self.policy.access), claim=claims
        )

    def _rolled_back(self) -> None:
        """Things are as in the backup that was to be put back: later changes need no proof."""
        if self.proofs and self.source:
            self.proofs.rolled_back(self.source)

    def _folder(self, state: S) -> Path:
        return backups.folder_of(self.policy.backup_dir, self.family.owner(state))

    def _before_broken_runs(self, state: S) -> str:
        """Return the name of the backup from before runs that broke off, or nothing."""
        named = self.family.interrupted(state)
        return backups.before_broken_runs(self._folder(state)) if named is None else named

    def _broken(self, state: S) -> list[str]:
        name = self._before_broken_runs(state)
        return [_BROKE_OFF.format(name)] if name else []

    def _result(self, state: S, plan: P, after: S | None) -> DeliveryResult:
        return DeliveryResult(
            plan,
            self.family.result(state, plan, after, self.done),
            self.policy,
            check_mode=self.context.check_mode,
            restored_from=self.source,
            proofs=self.proofs,
            planned=self._planned(state, plan) if self.policy.returns_plan else None,
        )

    def _change(self, first: S) -> DeliveryResult:
        """Lock the installation, and change what is planned then."""
        backup: backups.Folder | None = None
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self.family.lock(first))
                state = self.family.read_again(first)
                plan = self._plan(state)
                self._permit(plan)
                if not plan.changed:  # another host of the organisation made the change meanwhile
                    self._rolled_back()
                    return self._result(state, plan, None)
                self._compare_with_approved(state, plan)
                warnings = self._broken(state)
                if plan.writes:
                    owner, now = self.family.owner(state), self.context.now()
                    base, access = self.policy.backup_dir, self.policy.access
                    backup = backups.make_folder(base, owner, now, access)
                self._back_up(state, plan, backup, stack)
                self.family.prepare(plan, backup.stamp if backup else "")
            except ExchangeError as error:
                if backup:
                    backups.discard(backup)
                if not isinstance(error, HostUnreachable):
                    self.family.abandon()
                say_untouched(error)
                raise
            try:
                after, refused = self._until_right(plan)
            except ExchangeError as error:
                raise self._taken_back(error, backup) from error
            if backup and self.family.interrupted(state) is None:
                backups.withdrawn(backup)
                backups.settled(backup.path.parent)
            self._rolled_back()
            warnings += self.family.finish(plan)
        known = {each.domain for each in plan.refused}
        warnings += [f"{each.text}." for each in refused if each.domain not in known]
        plan = replace(plan, refused=refused)
        result = self._result(state, plan, after)
        result.backup = backup.path if backup else None
        result.warnings += warnings
        return result

    def _back_up(
        self, state: S, plan: P, backup: backups.Folder | None, stack: contextlib.ExitStack
    ) -> None:
        """Write the backup, complete on the disk, and mark it as that of a run at work."""
        snapshot = self.family.snapshot(state, plan, backup.stamp if backup else "")
        if backup is None:
            return
        origin = backups.Origin(
            owner=self.family.owner(state),
            host=self.context.host,
            run=self.policy.run_id,
            note=self.policy.note,
            restores=self.source,
            continues=self._before_broken_runs(state),
        )
        facts = {**snapshot.facts, **origin.facts(self.context.now())}
        backups.write(backup, self.context.host, facts, snapshot.files)
        try:
            load(self.family, backup.path, state, self.context.host)
        except backups.Unusable as error:
            raise ExchangeError(
                f"{self.context.host}: the backup could not be restored later: {error.reason}."
            ) from None
        if self.proofs:
            changing = [change for change in plan.changes if change.writes]
            self.proofs.begin(
                backup.path,
                [domain for change in changing for domain in change.domains],
                str(facts["taken"]).replace("+00:00", "Z"),
                everywhere=any(change.everywhere for change in changing),
            )
        if self.family.interrupted(state) is None:
            stack.enter_context(backups.at_work(backup, self.context.host))
        backups.grant(backup)

    # -- the change

    def _until_right(self, plan: P) -> tuple[S, tuple[Refusal, ...]]:
        """Apply a plan, and plan anew while another writer comes between.

        Returns the new state, and the refusals of single domains in it.
        """
        host = self.context.host
        for attempt in range(1, ATTEMPTS + 1):
            refused = self._apply(plan)
            after, left = self.family.verify(plan, self._plan)
            if left.refusals:
                raise ExchangeError(
                    f"{host}: a change by another writer conflicts with this run:"
                    f" {left.refusals[0].text}."
                )
            if not left.changed:
                return after, left.refused
            if self.policy.approved is not None:
                self.policy.approved.covers(host, self.family.change_facts(left))
            if refused and any(refused[0].text == each.text for each in left.changes):
                if not refused[1].transient or attempt == ATTEMPTS:
                    raise refused[1]
                sleep(_PAUSE * attempt)
            plan = left
        changes = (each.domains or (each.text,) for each in plan.changes)
        names = ", ".join(sorted({name for names in changes for name in names}))
        raise ExchangeError(f"{host}: the written values read back differently ({names}).")

    def _apply(self, plan: P) -> tuple[Change, CmdletError] | None:
        """Carry the changes out; returns the first that was refused, with the error.

        Each is noted before it is begun: when the session breaks, it may have been carried out.
        """
        for each in plan.changes:
            self.context.progress(each.doing)
            self.done.append(each)
            try:
                self.family.apply(each)
            except CmdletError as error:
                self.done.pop()
                return each, error
        return None

    def _taken_back(self, cause: ExchangeError, backup: backups.Folder | None) -> ExchangeError:
        """Take back what was done; returns the error to raise, with the state things are in.

        The task fails even if the host is no longer reachable.
        """
        undone = self.family.undo(self.done, cause)
        state, path = undone.state, backup and backup.path
        if backup and state == "old":
            if self.proofs:
                self.proofs.taken_back(backup.path)
            backups.withdrawn(backup)
            path = backups.put_aside(backup.path)
        return ExchangeError(
            f"{cause.message} {undone.outcome}",
            hint=f"The backup is in {path}. {undone.hint}" if path else undone.hint,
            details={
                **cause.details,
                "rolled_back": state == "old" and bool(undone.parts),
                "state": state,
                "parts": {str(part): what for part, what in undone.parts.items()},
                "changed": state != "old",
                **({"backup": str(path)} if path else {}),
                **undone.details,
            },
        )


def load(family: Family[S, W_contra, B, P], folder: Path, state: S, host: str) -> B:
    """Read a backup of this very installation; raises ExchangeError for anything else."""
    try:
        facts, later = backups.read_facts(folder), backups.facts_since(folder)
        return family.load(facts, folder, state, later)
    except (OSError, ValueError, RecursionError, ExchangeError) as error:
        why = error.message if isinstance(error, ExchangeError) else str(error)
        raise backups.Unusable(
            f"{host}: the backup in {folder} cannot be used: {why.rstrip('.')}.",
            reason=why.rstrip("."),
        ) from error
