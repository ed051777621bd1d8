# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interrupt imc_delivery at one request or write, and judge what it says and leaves."""

from __future__ import annotations

import shutil
from typing import Any

from ansible_collections.postmaster.exchange.plugins.module_utils._imc.routes import RoutesFile
from fault_cases import (
    CONTROLLER_DISK,
    EXECUTED,
    HANG,
    HANG_AFTER,
    HOST_DISK,
    KILLED,
    WIRE,
    Case,
    Finding,
    Measured,
    Notes,
    claim_of,
    hit,
)
from fault_engine import Outcome
from fault_imc import CHANGES, EXTRA, FOREIGN, OURS, RIGHT, Look, Site


class HostDisk:
    """The disk of a host, as far as the collection writes to it; full from the n-th write on."""

    def __init__(self, site: Site, full_at: int = 0) -> None:
        self._files = {site.entry.fs, site.machine.host.fs}
        self._full_at = full_at
        self.count = 0

    def __enter__(self) -> HostDisk:
        for files in self._files:
            self._watch(files)
        return self

    def _watch(self, files: Any) -> None:
        write = files._write

        def watched(winpath: str, data: bytes, *, append: bool) -> None:
            if data and (OURS in winpath or "pmx-" in winpath):
                self.count += 1
                if self.count == self._full_at:
                    for each in self._files:
                        each.quota_bytes = each.used_bytes()
            write(winpath, data, append=append)

        files._write = watched

    def __exit__(self, *_why: object) -> None:
        for files in self._files:
            del files._write
            files.quota_bytes = None


def measure(site: Site, name: str) -> Measured:
    """Run a change without a fault."""
    change = CHANGES[name]
    site.begin(change)
    with HostDisk(site) as disk:
        outcome = site.run(change.options)
    assert outcome.kind == ("failed" if change.stuck else "done"), outcome
    return Measured(tuple(site.machine.winrm.traffic.actions), disk.count, outcome.writes)


def judge(site: Site, case: Case) -> Finding:
    """Interrupt a run, judge what it says and leaves, and let the next ones go on from there."""
    notes = Notes()
    change = CHANGES[case.change]
    original = site.begin(change)
    old = site.look()
    inherited = frozenset(site.litter())
    outcome, met = _interrupted(site, case)
    site.quiet()
    site.machine.winrm.faults.clear()
    claim = claim_of(outcome)
    found = site.look()
    _check_shells(site, case.fault, met, notes)
    _check_left(site, outcome, notes, inherited)
    noted = "journal.txt" in site.litter()

    site._is_stuck = False
    after = site.run(change.options)
    new = site.look()
    notes.expect(outcome.kind != "defect", f"a defect: {outcome.text}")
    notes.expect(after.kind == "done", f"the next run: {after.kind} {after.text}")
    warned = any("broke off" in words for words in after.told.get("warnings", ()))
    notes.expect(warned or not noted, "the next run does not say what it recovered")
    _check_new(site, new, notes)
    _check_state(claim, outcome, (old, found, new), notes)
    third = site.run(change.options)
    changed = third.kind != "done" or third.told["changed"]
    notes.expect(not changed, f"the third run: {third.kind} {third.text} {third.told.get('diff')}")
    notes.expect(not site.litter(), f"left in the end: {site.litter()}")
    if (new.value, new.table) != (original.value, original.table):
        _check_backup(site, original, notes)
    site.machine.winrm.shells.expire()
    shutil.rmtree(site.base)
    return Finding(case, met, claim, noted, tuple(notes.problems), outcome.endings)


def _interrupted(site: Site, case: Case) -> tuple[Outcome, str]:
    """Run with the fault of a case; returns what it met, too."""
    options, fault, writes = site.change.options, case.fault, 0
    if fault == KILLED:
        outcome = site.run(options, dies_at=case.at)
    elif fault == CONTROLLER_DISK:
        outcome = site.run(options, full_at=case.at)
    elif fault == HOST_DISK:
        with HostDisk(site, case.at) as disk:
            outcome = site.run(options)
        writes = disk.count
    else:
        assert fault in WIRE
        site.machine.winrm.faults.at(case.at, fault, seconds=10)
        outcome = site.run(options, impatient=fault in {HANG, HANG_AFTER})
    return outcome, hit(case, outcome, site.machine.winrm.traffic.actions, writes)


def _check_shells(site: Site, fault: str, met: str, notes: Notes) -> None:
    """Nothing stays open, but where nobody could know that something was opened."""
    unknown = met == KILLED or (met == "Create" and fault in EXECUTED)
    left = site.machine.winrm.open_shells
    notes.expect(left <= (1 if unknown else 0), f"{left} shells were left open")


def _check_left(site: Site, outcome: Outcome, notes: Notes, inherited: frozenset[str]) -> None:
    """No temporary file, note or claim stays, but those that the message names or that have to.

    What an earlier broken run left stays until a run is through.
    """
    if outcome.kind == "killed":
        return
    allowed = set(inherited) if outcome.kind == "failed" else set()
    if outcome.kind == "failed" and outcome.told.get("state", "old") != "old":
        allowed.add("journal.txt")
    warned = " ".join(outcome.told.get("warnings", ()))
    for name in site.litter():
        told = name in outcome.text or name in warned
        notes.expect(name in allowed or told, f"{name} was left on the host: {outcome.text}")


def _check_new(site: Site, new: Look, notes: Notes) -> None:
    """After the next run the host is as the task wants it."""
    change, rows = site.change, site.machine.imc.connector.rows
    mine = tuple(row for row in rows if row.lower().startswith("nestle.com"))
    exact, routes = change.options.get("state") == "exact", change.options.get("routes")
    if change.options.get("state") == "restored":
        notes.expect(new.value is None and rows == FOREIGN, f"not restored: {new.shown()}")
    elif routes and change.machine != "mail40":
        addresses = [row.split(";")[1] for row in mine]
        notes.expect(addresses == routes[0].get("addresses", []), f"rows are {rows}")
    kept = tuple(row for row in rows if row not in mine)
    notes.expect(kept == (() if exact else FOREIGN), f"rows of others are {kept}")
    notes.expect(EXTRA.encode().split(b"\n")[1] in new.table, "a section of others is gone")
    wanted = {"disabled": RIGHT, "enabled": None}.get(
        change.options.get("resolver_search_list", "")
    )
    if "resolver_search_list" in change.options:
        notes.expect(new.value == wanted, f"the value is {new.value}")
    notes.expect(new.running == change.running, f"the service runs: {new.running}")
    never = change.options.get("service_restart") == "never"
    if change.running and not never:
        notes.expect(new.loaded == (new.value, new.table), "the service works with other settings")


def _check_state(
    claim: str, outcome: Outcome, looks: tuple[Look, Look, Look], notes: Notes
) -> None:
    """What a run says of the state it left has to be so."""
    old, found, new = looks
    notes.expect(found.others == old.others, "something of somebody else's changed")
    # A restart lets the service work with the settings that are there.
    fresh = found.running and found.loaded == (found.value, found.table) == (old.value, old.table)
    is_old = {
        "registry_value": found.value == old.value,
        "route_table": found.table == old.table,
        "service": (found.running, found.loaded) == (old.running, old.loaded) or fresh,
    }
    is_new = {
        "registry_value": found.value == new.value,
        "route_table": found.table == new.table,
        "service": found.running == new.running,
    }
    for part in ("registry_value", "route_table"):
        notes.expect(
            is_old[part] or is_new[part], f"{part} is neither old nor new: {found.shown()}"
        )
    if outcome.kind == "done":
        notes.expect(all(is_new.values()), f"said to be done: {is_new}")
    elif outcome.kind == "failed":
        parts: dict[str, str] = dict(outcome.told.get("parts", {}))
        notes.expect(claim in {"untouched", "old", "new", "unknown"}, f"no claim: {outcome}")
        notes.expect(claim in {"untouched", "old"} or parts, f"does not name the parts: {outcome}")
        for part in is_old:
            said = parts.get(part, "old")
            right = {"old": is_old[part], "new": is_new[part], "unknown": True}[said]
            notes.expect(right, f"{part} is said to be {said}: {found.shown()} {outcome}")


def _check_backup(site: Site, original: Look, notes: Notes) -> None:
    """The newest backup puts back what was there before the interrupted run."""
    saved = site.saved()
    if isinstance(saved, str):
        notes.expect(False, f"there is no backup to restore: {saved}")
        return
    value, routes = saved
    notes.expect(value == original.value, f"the backup holds {value}, and was {original.value}")
    if routes is not None:
        same = routes.same_as(RoutesFile.parse(original.table))
        notes.expect(same, "the backup holds another table than there was")
