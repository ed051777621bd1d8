# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of backups of all hosts, as lines that a person reads. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .text import columns, count, reason, wrapped

Result = Mapping[str, Any]

_BEFORE = {"enforced": "before a change", "restored": "before a rollback"}


def history(found: Sequence[tuple[str, Result | None]]) -> list[str]:
    """Return the lines; ``found`` are the hosts' results of backup_info, None where there is none.

    An organisation is listed once, whichever of its hosts was asked.
    """
    lines: list[str] = []
    seen: set[str] = set()
    for name, result in found:
        trouble = "" if result and result.get("skipped") else reason(name, result)
        if trouble or result is None:
            lines += [*wrapped(f"{name}: {trouble}"), ""]
        elif result.get("skipped"):
            lines += [*wrapped(f"{name}: {result.get('skip_reason') or 'skipped'}"), ""]
        elif (key := f"{result['family']} {result['of']}") not in seen:
            seen.add(key)
            lines += [*_one(result), ""]
    usable = [one for _name, each in found for one in _backups(each) if one["usable"]]
    if any(not one["same"] for one in usable):
        lines.append("Put one back: -e mx_delivery_backup=NAME, the name of a backup or of a run.")
    elif lines:
        lines.pop()
    return lines


def _backups(result: Result | None) -> Sequence[Mapping[str, Any]]:
    return (result or {}).get("backups") or ()


def _one(result: Result) -> Iterator[str]:
    backups = _backups(result)
    if not backups:
        yield f"{result['of']}: no backup in {result['folder']}"
        return
    yield f"{result['of']}: {count(result['count'], 'backup')} in {result['folder']}"
    yield "  the newest first, each with what putting it back would change now"
    rows = [_cells(one) for one in backups]
    for one, line in zip(backups, columns(rows, indent="    "), strict=True):
        yield line
        yield from (f"      {text}" for block in one.get("diff") or () for text in _diff(block))
    if (more := result["count"] - len(backups)) > 0:
        yield f"    and {more} older"


def _cells(backup: Mapping[str, Any]) -> list[str]:
    run = f"run {backup['run']}" if backup["run"] else "a run without a name"
    before = _BEFORE.get(backup["before"])
    return [backup["name"], f"{run}, {before}" if before else run, backup["summary"]]


def _diff(block: Mapping[str, str]) -> Iterator[str]:
    """Yield a block of a diff, unified."""
    before, after = block["before"].splitlines(), block["after"].splitlines()
    names = block["before_header"], block["after_header"]
    yield from difflib.unified_diff(before, after, *names, lineterm="")
