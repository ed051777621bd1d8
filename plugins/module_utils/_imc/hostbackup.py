# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup on the host itself: what a rollback puts back, and the last look before a change.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import codecs
import contextlib
import secrets
from dataclasses import dataclass

from .._base.errors import ExchangeError, HostUnreachable
from .._remote import commands
from .._remote.parse import canonical_key, decode, excerpt, find_value
from .._remote.session import Batch, Section, Session
from .backup import EXPORT_FILE, ROUTES_FILE
from .gather import Sections, parameters, run_with_temp
from .host_lock import Hold, run_again_if_lost
from .layout import Layout, TempFile, copy
from .setting import VALUE_NAME, same_value
from .state import HostState, Table


@dataclass(frozen=True, slots=True)
class HostBackup:
    """A backup folder on the host, and what it holds; ``routes`` None without a table."""

    folder: str
    export: bytes
    routes: bytes | None

    @property
    def routes_file(self) -> TempFile:
        """The saved table, as imccopy on this very host is told of it."""
        path = f"{self.folder}\\{ROUTES_FILE}"
        return TempFile(path, commands.quoted(path))


def take(
    session: Session, hold: Hold, state: HostState, stamp: str, *, timeout: float
) -> HostBackup:
    """Claim the host, save key and table there, and compare them with what the plan was made of.

    Raises ExchangeError when that fails or somebody changed them meanwhile; then the folder is
    removed again. The claim stays.
    """
    layout = hold.layout
    folder = layout.backup_path(f"{stamp}-{secrets.token_hex(2)}")
    temp = layout.temp_file()
    try:
        batch = _batch(hold, state, folder, temp)
        sections = run_with_temp(session, batch, temp, timeout)
        hold.check(session.host, sections)
        _check(session.host, layout, state, sections)
        return HostBackup(
            folder,
            _export(session.host, layout, sections["exported"]),
            sections["routes"].output if state.table else None,
        )
    except HostUnreachable:
        raise
    except ExchangeError:
        discard(session, folder)
        raise


def _batch(hold: Hold, state: HostState, folder: str, temp: TempFile) -> Batch:
    layout, export = hold.layout, f"{folder}\\{EXPORT_FILE}"
    batch = Batch()
    hold.add_to(batch)
    batch.add("folder", commands.make_folder(folder))
    batch.add("export", layout.export(export))
    batch.add("exported", commands.type_file(export))
    batch.add("parameters", layout.query(layout.registry_key))
    batch.add("noted", commands.echo_if_exists(layout.marker_path))
    if state.table is not None:
        routes = f"{folder}\\{ROUTES_FILE}"
        batch.add("save", layout.save(state.table.imccopy, temp))
        batch.add("copy", copy(temp.seen, routes))
        batch.add("routes", commands.type_file(routes))
        batch.add("remove", commands.delete(temp.seen))
        batch.add("left", commands.echo_if_exists(temp.seen))
    return batch


def _check(host: str, layout: Layout, state: HostState, sections: Sections) -> None:
    if bool(sections["noted"].output.strip()) != (state.marker is not None):
        raise ExchangeError(
            f"{host}: another run of imc_delivery started or ended while this one was at work.",
            hint="Let one run work on a host at a time; run again when the other has ended.",
        )
    _check_table(host, state.table, sections)
    for name in ("folder", "export", "copy"):
        section = sections.get(name)
        if section is not None and not section.ok:
            raise ExchangeError(
                f"{host}: the backup on the host failed at {name!r} (exit code"
                f" {section.exit_code}, {excerpt(section.output)}).",
                hint="Check free disk space and permissions there; host_backup_dir chooses"
                " another folder.",
            )
    value = find_value(parameters(host, layout, sections), VALUE_NAME)
    if not same_value(value, state.value):
        raise _changed_meanwhile(host, "registry value")


def _check_table(host: str, table: Table | None, sections: Sections) -> None:
    if table is None:
        return
    save, copied = sections["save"], sections["routes"]
    if not save.ok:
        raise ExchangeError(
            f"{host}: imccopy could not save the route table once more (exit code"
            f" {save.exit_code}, {excerpt(save.output)}).",
            hint="Check free disk space on the host.",
        )
    if sections["copy"].ok and copied.output != table.content:
        raise _changed_meanwhile(host, "route table")


def _changed_meanwhile(host: str, what: str) -> ExchangeError:
    return ExchangeError(
        f"{host}: somebody else changed the {what} while this run was at work.",
        hint="See what they do, then run again.",
    )


def _export(host: str, layout: Layout, section: Section) -> bytes:
    """Return the export as bytes that can be imported again, once it proved to be one."""
    text = _text(section.output)
    key = canonical_key(layout.registry_key)
    header = text.startswith(("Windows Registry Editor", "REGEDIT4"))
    if not section.ok or key not in text.upper() or not (header or layout.computer):
        raise ExchangeError(
            f"{host}: the registry key was not exported: {excerpt(section.output)}.",
            hint="Check free disk space and permissions on the host.",
        )
    return codecs.BOM_UTF16_LE + text.encode("utf-16-le", "surrogatepass")


def _text(output: bytes) -> str:
    """Decode an export: UTF-16 as it lies on the disk, or as ``type`` converted it."""
    if output.startswith(codecs.BOM_UTF16_LE):
        return output[len(codecs.BOM_UTF16_LE) :].decode("utf-16-le", "replace")
    return decode(output).removeprefix("\ufeff")


def discard(session: Session, folder: str) -> None:
    """Remove a backup that nothing needs, since nothing was changed after it; never raises."""
    batch = Batch()
    for name in (EXPORT_FILE, ROUTES_FILE):
        batch.add(name.partition(".")[0], commands.delete(f"{folder}\\{name}"))
    batch.add("folder", commands.remove_folder(folder))
    with contextlib.suppress(ExchangeError):
        run_again_if_lost(session, batch, timeout=60.0)
