# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two things that change a host's settings, each verified by reading back what it did.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from dataclasses import dataclass

from .._base.errors import ExchangeError
from .._remote import commands
from .._remote.parse import RegistryValue, excerpt, find_value
from .._remote.session import Batch, Session
from .gather import add_save, parameters, run_with_temp, saved_table
from .host_lock import changed, changing, check_fence
from .layout import Layout, TempFile, copy
from .routes import RoutesFile
from .setting import VALUE_NAME, SettingPlan, same_value, shown


@dataclass(frozen=True, slots=True)
class Reach:
    """How a step gets at its host; ``timeout`` is in seconds, for one command line."""

    session: Session
    layout: Layout
    timeout: float


@dataclass(frozen=True, slots=True)
class Source:
    """The file that imccopy is to read: first copied from a path, and removed unless kept."""

    file: TempFile
    copied_from: str = ""
    keep: bool = False


def put_table(reach: Reach, imccopy: str, source: Source, wanted: RoutesFile) -> None:
    """Let imccopy restore the table from a file, and see that it is ``wanted``."""
    session, layout, file = reach.session, reach.layout, source.file
    temp = layout.temp_file()
    batch = changing(layout)
    if source.copied_from:
        batch.add("copy", copy(source.copied_from, file.seen))
    batch.add("restore", layout.restore(imccopy, file))
    if not source.keep:
        batch.add("drop", commands.delete(file.seen))
    changed(batch, layout)
    add_save(batch, layout, [imccopy], temp)
    sections = run_with_temp(session, batch, temp, reach.timeout)
    check_fence(session.host, sections)
    restored = sections["restore"]
    if not restored.ok:
        raise ExchangeError(
            f"{session.host}: imccopy did not take the route table (exit code"
            f" {restored.exit_code}, {excerpt(restored.output)})."
        )
    table = saved_table(session.host, [imccopy], sections)
    if table is None or not table.file.same_as(wanted):
        raise ExchangeError(
            f"{session.host}: the route table reads back different from what was written."
        )


def read_setting(reach: Reach) -> RegistryValue | None:
    """Return the registry value as stored."""
    return put_setting(reach, None)


def put_setting(reach: Reach, plan: SettingPlan | None) -> RegistryValue | None:
    """Change the registry value as planned, and see that it is so; without a plan only look."""
    session, layout = reach.session, reach.layout
    batch = changing(layout) if plan else Batch()
    if plan and plan.delete:
        batch.add("delete", layout.delete_value(plan.delete))
    if plan and plan.add:
        batch.add("add", layout.add_value(plan.add))
    if plan:
        changed(batch, layout)
    batch.add("parameters", layout.query(layout.registry_key))
    sections = batch.run(session, timeout=reach.timeout)
    check_fence(session.host, sections)
    value = find_value(parameters(session.host, layout, sections), VALUE_NAME)
    if plan and not same_value(value, plan.after):
        said = b"".join(sections[x].output for x in ("delete", "add") if x in sections)
        raise ExchangeError(
            f"{session.host}: the registry value reads back as {shown(value)!r} and should be"
            f" {shown(plan.after)!r} ({excerpt(said)})."
        )
    return value
