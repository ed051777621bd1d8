# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of the backups of all hosts as text. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .._run.backups import folder_of
from .host_result import NOT_CHECKED, HostResult
from .text import columns, count, failure_of, listed, wrapped

Result = Mapping[str, Any]

_BEFORE = {"enforced": ", before a change", "restored": ", before a rollback"}


def backup_list(hosts: Sequence[HostResult]) -> list[str]:
    """Return the lines, from each host's result of backup_info.

    An organisation is listed once, whichever of its hosts was asked.
    """
    lines: list[str] = []
    seen: set[str] = set()
    usable = []
    for host in hosts:
        result = host.backups
        failure = failure_of(host.exchange) or failure_of(result)
        failure = failure or (host.failure if result is None else "")
        if failure or result is None:
            text = failure.removeprefix(f"{host.name}: ") or NOT_CHECKED
            lines += [*wrapped(f"{host.name}: {text}"), ""]
        elif result.get("skipped"):
            lines += [*wrapped(f"{host.name}: {result.get('skip_reason') or 'skipped'}"), ""]
        else:
            usable += [one for one in result["backups"] if one["usable"]]
            key = f"{result['family']} {result['folder']}"
            if key not in seen:
                seen.add(key)
                lines += [*_backups_of(result), ""]
    if any(not one["same"] for one in usable):
        lines.append("To restore one: -e mx_delivery_backup=NAME, the name of a backup or a run.")
    elif lines:
        lines.pop()
    return lines


def _backups_of(result: Result) -> Iterator[str]:
    """Yield the backups of one host or organisation."""
    backups = result["backups"]
    if not backups:
        yield f"{result['of']}: no backup in {result['folder']}"
        return
    yield f"{result['of']}: {count(result['count'], 'backup')} in {result['folder']}"
    yield "  newest first, each with what restoring it would change now"
    rows = []
    for one in backups:
        run = f"run {one['run']}" if one["run"] else "unnamed run"
        note = f", {one['note']}" if one.get("note") else ""
        rows.append([one["name"], run + _BEFORE.get(one["before"], "") + note, one["summary"]])
    for one, line in zip(backups, columns(rows, indent="    "), strict=True):
        yield line
        for block in one.get("diff") or ():
            before, after = block["before"].splitlines(), block["after"].splitlines()
            headers = block["before_header"], block["after_header"]
            for text in difflib.unified_diff(before, after, *headers, lineterm=""):
                yield f"      {text}"
    if (more := result["count"] - len(backups)) > 0:
        yield f"    and {more} older"


def restored_lines(
    hosts: Sequence[HostResult], undoes: Result | None = None, *, check_mode: bool
) -> list[str]:
    """Return which run is undone, and for each host the backup that it was restored from.

    ``undoes`` is the run that was chosen as the last one. Its changes that no host restored are
    named.
    """
    lines = []
    if undoes:
        lines.append(f"The last run is {undoes['run']}, begun on {undoes['began']}.")
        sources = [str((host.delivery or {}).get("restored_from") or "") for host in hosts]
        restored = {source.rpartition("/")[0] for source in sources if source}
        bases = {folder.rpartition("/")[0] for folder in restored}
        left = [
            name
            for name in undoes["of"]
            if not any(str(folder_of(Path(base), name)) in restored for base in bases)
        ]
        if restored and left:
            lines.append(f"It changed {listed(left)} as well, not undone here.")
    for host in hosts:
        delivery = host.delivery or {}
        source = delivery.get("restored_from")
        if delivery.get("failed") or not (source or delivery.get("no_backup")):
            continue
        if not source:
            text = "has no such backup, and was left alone"
        elif delivery.get("deferred"):
            text = f"leaves the restore of {source} to another host of its organisation"
        elif delivery.get("same_as") or (delivery.get("changed") and check_mode):
            text = f"would be as in {source}"
        else:
            again = "again" if delivery.get("changed") else "already"
            text = f"is {again} as in {source}"
        lines.append(f"{host.name} {text}.")
    return lines
