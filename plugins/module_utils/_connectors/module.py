# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""transport_delivery: gather, plan, and carry the plan out as one transaction an organisation.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .._base.alive import private_folder
from .._base.context import Context, EngineModule
from .._base.errors import ExchangeError, say_untouched
from .._remote.psrp import connect
from .._run import backups
from .connector import Connector
from .gather import Organisation, Reader, View
from .lock import Turns
from .plan import Plan, make_plan
from .read import look
from .report import refused, result, size, steps
from .rollback import Site
from .snapshot import facts, load, restore_plan, worth_keeping
from .spec import ARGUMENT_SPEC, Options, parse_options
from .transaction import apply


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Bring an organisation to what the options say; returns the result of the task.

    Raises ExchangeError for everything that went wrong.
    """
    defers = not params["may_change"] and not context.check_mode
    context = replace(context, check_mode=context.check_mode or defers)
    try:
        options = parse_options(params, context.basedir)
        work = _Work(
            context,
            options,
            Reader(context.need_cmdlets(), options.cmdlet_timeout),
            Turns(private_folder(), context.now),
        )
        view = look(work.reader, work.turns, options.domain_controller)
        wanted = work.wanted(view.organisation)
        plan = wanted.plan(view)
    except ExchangeError as error:
        say_untouched(error)
        raise
    if plan.changes and not context.check_mode:
        found = work.change(view, wanted)
    else:
        found = result(view, plan, options, check_mode=context.check_mode)
        found["warnings"] += work.broken(view.organisation)
        if plan.changes and options.run_id and not defers:
            found |= work.only_once(view.organisation, found)
        if not plan.changes and not context.check_mode:
            backups.settled(work.folder(view.organisation))
    if defers:
        found |= {"changed": False, "diff": [], "deferred": plan.changes}
    if wanted.source:
        found["restored_from"] = wanted.source
    found["requests"] = work.reader.session.requests
    return found


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the connectors are to be: by the options, or by a backup."""

    context: Context
    options: Options
    saved: tuple[Connector, ...] = ()
    source: str = ""

    def plan(self, view: View) -> Plan:
        """Return the plan; a refusal of any part of it fails the whole, and nothing is changed.

        So does a change that is too large, unless this run only looks.
        """
        plan = self.bare_plan(view.connectors)
        if plan.refusals:
            raise _refusal(self.context.host, plan)
        how_large = size(view, plan)
        if self.options.change_limit.refuses(how_large) and not self.context.check_mode:
            raise self.options.change_limit.refusal(self.context.host, how_large)
        return plan

    def bare_plan(self, connectors: Sequence[Connector]) -> Plan:
        """Return the plan with its refusals."""
        if self.options.desired is None:
            return restore_plan(connectors, self.saved)
        return make_plan(connectors, self.options.desired)


def _refusal(host: str, plan: Plan) -> ExchangeError:
    reasons = "; ".join(
        f"{each.domain}: the connector {each.connector!r} {each.reason}" for each in plan.refusals
    )
    return ExchangeError(
        f"{host}: connectors of somebody else are in the way. {reasons}.",
        hint="Change or remove them, adopt them (existing: adopt) where that is offered, or leave"
        " these domains out.",
        details={"refused": refused(plan)},
    )


@dataclass(frozen=True, slots=True)
class _Work:
    """One run of the module at one host."""

    context: Context
    options: Options
    reader: Reader
    turns: Turns

    def wanted(self, organisation: Organisation) -> _Wanted:
        """Return what the options want of this organisation."""
        if self.options.backup is None:
            return _Wanted(self.context, self.options)
        folder = backups.find(
            self.options.backup,
            organisation.label,
            kind="this organisation",
        )
        saved = load(folder, organisation, self.context.host)
        return _Wanted(self.context, self.options, saved, str(folder))

    def only_once(self, organisation: Organisation, found: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is different in a look that finds the same as one before it in this run.

        One of an organisation's hosts would make the change, and the others would find it made.
        """
        what = json.dumps([found["steps"], found["connectors"]])
        here = self.context.host
        first = self.turns.first_to_tell(organisation.key, self.options.run_id, what, here)
        return {} if first == here else {"changed": False, "diff": [], "same_as": first}

    def change(self, view: View, wanted: _Wanted) -> dict[str, Any]:
        """Make the change, alone on this controller; or find that somebody else just made it."""
        key = view.organisation.key
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self.turns.turn(key, self.options.lock_timeout))
                view = self._again(view)
                plan = wanted.plan(view)
                found = result(view, plan, self.options)
                if not plan.changes:
                    return found
                found["warnings"] += self.broken(view.organisation)
                backup = self._save(view, plan)
                stack.enter_context(backups.at_work(backup, self.context.host))
                found["backup"] = str(backup.path)
                self._remember(view, backup)
            except ExchangeError as error:
                say_untouched(error)
                raise
            try:
                site = Site(self.reader, view.domain_controller, self.context.progress)
                applied = apply(site, plan, wanted.bare_plan)
            except ExchangeError as error:
                path = backup.path
                if error.details["state"] == "old":
                    backups.withdrawn(backup)
                    path = backups.put_aside(path)
                error.details["backup"] = str(path)
                raise
            backups.withdrawn(backup)
            backups.settled(backup.path.parent)
        found["steps"] = steps(Plan(applied.steps))
        if self.turns.folder is None:
            found["warnings"].append(
                "There is no private folder for this user's cache, so runs at the same moment are"
                " not kept apart."
            )
        return found

    def _again(self, view: View) -> View:
        """Look once more: whoever held the lock before may have changed everything."""
        controller = self.options.domain_controller or self.turns.remembered(view.organisation.key)
        return self.reader.view(controller or view.domain_controller)

    def folder(self, organisation: Organisation) -> Path:
        """Return the folder of the organisation's backups."""
        return backups.folder_of(self.options.backup_dir, organisation.label)

    def broken(self, organisation: Organisation) -> list[str]:
        """Return a warning of runs of this controller that broke off."""
        first = backups.before_broken_runs(self.folder(organisation))
        warning = (
            f"An earlier run broke off. What was there before it is in the backup {first}; this run"
            " takes up where it stopped."
        )
        return [warning] if first else []

    def _remember(self, view: View, backup: backups.Folder) -> None:
        try:
            self.turns.remember(view.organisation.key, view.domain_controller)
        except ExchangeError:
            backups.discard(backup)
            raise

    def _save(self, view: View, plan: Plan) -> backups.Folder:
        label, now = view.organisation.label, self.context.now()
        folder = backups.make_folder(self.options.backup_dir, label, now)
        known = facts(
            view.organisation,
            view.domain_controller,
            worth_keeping(view.connectors, plan),
            now=now,
        )
        known["run"] = self.options.run_id
        known |= backups.history(
            restores=self.options.desired is None,
            continues=backups.before_broken_runs(folder.path.parent),
        )
        backups.write(folder, self.context.host, known, {})
        return folder


MODULE = EngineModule(ARGUMENT_SPEC, run, needs_session=False, connects=connect)
