# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a host: taken there in one command line, and read back without trusting a byte.

The folder on the host is what a rollback puts back; ``backup.json``, ``routes.txt`` and
``parameters.reg`` on the controller are what a later run does.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._base.errors import ExchangeError, HostUnreachable
from .._remote import commands
from .._remote.parse import RegistryValue, canonical_key, decode, excerpt, find_value
from .._remote.session import Batch, Section, Session
from .._run.family import Snapshot
from .gather import Sections, parameters, run_with_temp
from .host import VALUE_NAME
from .host_lock import HostLock, run_again_if_lost
from .layout import Layout, TempFile, copy
from .plan import Saved
from .report import service_facts
from .routes import NotARoutesFile, RoutesFile
from .setting import can_be_added, same_value
from .state import HostState

ROUTES_FILE = "routes.txt"
EXPORT_FILE = "parameters.reg"
_MOST_ROUTES = 16_000_000  # bytes of routes.txt, as much as is read from a host


@dataclass(frozen=True, slots=True)
class HostBackup:
    """A backup folder on the host, and its contents; ``routes`` None without a table."""

    folder: str
    export: bytes
    routes: bytes | None

    @property
    def routes_file(self) -> TempFile:
        """The saved table, with its path for imccopy on this very host."""
        path = f"{self.folder}\\{ROUTES_FILE}"
        return TempFile(path, commands.quoted(path))


def take(
    session: Session, lock: HostLock, state: HostState, stamp: str, *, timeout: float
) -> HostBackup:
    """Lock the host, save key and table there, and compare them with what the plan was made of.

    Raises ExchangeError when that fails or another writer changed them meanwhile; the folder
    is then removed. The lease stays.
    """
    layout, host = lock.layout, session.host
    folder = layout.backup_path(f"{stamp}-{secrets.token_hex(2)}")
    export, routes, temp = (
        f"{folder}\\{EXPORT_FILE}",
        f"{folder}\\{ROUTES_FILE}",
        layout.temp_file(),
    )
    batch = Batch()
    lock.add_to(batch)
    batch.add("folder", commands.make_folder(folder))
    batch.add("export", layout.export(export))
    batch.add("exported", commands.type_file(export))
    batch.add("parameters", layout.query(layout.registry_key))
    batch.add("noted", commands.echo_if_exists(layout.journal_path))
    if state.table is not None:
        batch.add("save", layout.save(state.table.imccopy, temp))
        batch.add("copy", copy(temp.seen, routes))
        batch.add("routes", commands.type_file(routes))
        batch.add("remove", commands.delete(temp.seen))
        batch.add("left", commands.echo_if_exists(temp.seen))
    try:
        sections = run_with_temp(session, batch, temp, timeout)
        lock.check(host, sections)
        _compare(host, layout, state, sections)
        return HostBackup(
            folder,
            _export(host, layout, sections["exported"]),
            sections["routes"].output if state.table else None,
        )
    except HostUnreachable:
        raise
    except ExchangeError:
        discard(session, folder)
        raise


def _compare(host: str, layout: Layout, state: HostState, sections: Sections) -> None:
    """Raise ExchangeError where the backup is not whole, or not what the plan was made of."""
    if bool(sections["noted"].output.strip()) != (state.journal is not None):
        raise ExchangeError(
            f"{host}: another run started or ended during this run.",
            hint="Run again when the other run has ended.",
        )
    if state.table is not None:
        save, copied = sections["save"], sections["routes"]
        if not save.ok:
            raise ExchangeError(
                f"{host}: imccopy could not save the route table again (exit code"
                f" {save.exit_code}, {excerpt(save.output)}).",
                hint="Check free disk space on the host.",
            )
        if sections["copy"].ok and copied.output != state.table.content:
            raise changed_meanwhile(host, "route table")
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
        raise changed_meanwhile(host, "registry value")


def changed_meanwhile(host: str, what: str) -> ExchangeError:
    """Return the error for a part that another writer changed during this run."""
    return ExchangeError(
        f"{host}: the {what} changed during this run.",
        hint="Check who changed it, then run again.",
    )


def _export(host: str, layout: Layout, section: Section) -> bytes:
    """Return the export as bytes that can be imported again, once it proved to be one.

    It arrives as UTF-16, as it is on the disk, or as ``type`` converted it.
    """
    if section.output.startswith(codecs.BOM_UTF16_LE):
        text = section.output[len(codecs.BOM_UTF16_LE) :].decode("utf-16-le", "replace")
    else:
        text = decode(section.output).removeprefix("\ufeff")
    key = canonical_key(layout.registry_key)
    header = text.startswith(("Windows Registry Editor", "REGEDIT4"))
    if not section.ok or key not in text.upper() or not (header or layout.computer):
        raise ExchangeError(
            f"{host}: the registry key was not exported: {excerpt(section.output)}.",
            hint="Check free disk space and permissions on the host.",
        )
    return codecs.BOM_UTF16_LE + text.encode("utf-16-le", "surrogatepass")


def discard(session: Session, folder: str) -> None:
    """Remove a backup that nothing needs, since nothing was changed after it; never raises."""
    batch = Batch()
    for name in (EXPORT_FILE, ROUTES_FILE):
        batch.add(name.partition(".")[0], commands.delete(f"{folder}\\{name}"))
    batch.add("folder", commands.remove_folder(folder))
    with contextlib.suppress(ExchangeError):
        run_again_if_lost(session, batch, timeout=60.0)


# -- on the controller


@dataclass(frozen=True, slots=True)
class Identity:
    """The computer of a backup: all fields must match before it is restored.

    ``build`` is Exchange's, and ``organisation`` the name of its site. A field that is unknown
    on one side does not count.
    """

    computer: str
    registry_key: str
    build: int | None = None
    organisation: str = ""

    def check(self, facts: Mapping[str, Any]) -> None:
        """Raise ValueError where a backup is of another computer, or of another Exchange there."""
        pairs = {
            "computer": (facts.get("computer"), self.computer),
            "registry_key": (facts.get("registry_key"), self.registry_key),
            "Exchange build": (facts.get("exchange_build") or self.build, self.build),
            "organisation": (facts.get("organisation") or "", self.organisation),
        }
        for name, (found, wanted) in pairs.items():
            known = name in {"computer", "registry_key"} or (found and wanted)
            if known and str(found).lower() != str(wanted).lower():
                raise ValueError(
                    f"its {name} is {found!r:.80}, but this host's is {wanted!r} (force: true"
                    " restores it anyway)"
                )


def snapshot(identity: Identity, state: HostState, saved: HostBackup) -> Snapshot:
    """Return what a backup on the controller holds."""
    value = state.value
    files = {EXPORT_FILE: saved.export}
    facts = {
        "computer": identity.computer,
        "organisation": identity.organisation,
        "registry_key": identity.registry_key,
        "host_folder": saved.folder,
        "value": value and {"name": value.name, "type": value.type, "data": value.data},
        "service": service_facts(state.service),
        "exchange_build": state.build,
    }
    if saved.routes is not None:
        files[ROUTES_FILE] = saved.routes
        facts["routes_sha256"] = hashlib.sha256(saved.routes).hexdigest()
    return Snapshot(facts, files)


def load(facts: Mapping[str, Any], folder: Path) -> Saved:
    """Read a backup; raises ValueError or OSError where it is not whole."""
    return Saved(_value(facts.get("value")), _routes(folder, facts.get("routes_sha256")))


def _value(entry: object) -> RegistryValue | None:
    if entry is None:
        return None
    if isinstance(entry, dict):
        name, kind, data = (entry.get(field) for field in ("name", "type", "data"))
        if isinstance(name, str) and isinstance(kind, str) and isinstance(data, str):
            value = RegistryValue(name, kind, data)
            if can_be_added(value):
                return value
    raise ValueError("the registry value in backup.json cannot be restored exactly")


def _routes(folder: Path, digest: object) -> RoutesFile | None:
    if digest is None:
        return None
    with (folder / ROUTES_FILE).open("rb") as file:
        content = file.read(_MOST_ROUTES + 1)
    if len(content) > _MOST_ROUTES:
        raise ValueError(f"{ROUTES_FILE} is longer than {_MOST_ROUTES} bytes")
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{ROUTES_FILE} is not the saved file (its SHA-256 differs)")
    try:
        return RoutesFile.parse(content)
    except NotARoutesFile as error:
        raise ValueError(f"{ROUTES_FILE} is not a routes file: {error}") from None
