# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backup says of a host: written down, and read back without trusting a byte of it.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .._base.errors import ExchangeError
from .._remote.parse import RegistryValue
from .._run.backups import COLLECTION, FACTS_FILE
from .backup import ROUTES_FILE
from .plan import Saved
from .report import service_facts
from .routes import NotARoutesFile, RoutesFile
from .setting import can_be_added
from .state import HostState

_FORMAT = 1
_MOST_FACTS = 100_000  # bytes of backup.json
_MOST_ROUTES = 16_000_000  # bytes of routes.txt, as much as is read from a host


@dataclass(frozen=True, slots=True)
class Origin:
    """Of which host a backup is: all must agree before it is put back.

    ``run`` is which run makes it, if that has a name.
    """

    host: str
    target_computer: str
    registry_key: str
    run: str = ""


def facts(origin: Origin, state: HostState, *, now: datetime, host_folder: str) -> dict[str, Any]:
    """Return what backup.json holds about a host, but for the routes."""
    value = state.value
    return {
        "format": _FORMAT,
        "collection": COLLECTION,
        "taken": now.astimezone(UTC).isoformat(timespec="seconds"),
        "run": origin.run,
        "host": origin.host,
        "target_computer": origin.target_computer,
        "registry_key": origin.registry_key,
        "host_folder": host_folder,
        "value": value and {"name": value.name, "type": value.type, "data": value.data},
        "service": service_facts(state.service),
        "exchange_build": state.build,
    }


def load(folder: Path, origin: Origin) -> Saved:
    """Read a backup of this host; raises ExchangeError for anything that is not exactly that."""
    try:
        known = json.loads(_read(folder / FACTS_FILE, _MOST_FACTS))
        if not isinstance(known, dict) or known.get("format") != _FORMAT:
            raise _Broken(f"{FACTS_FILE} is not of the format this version writes")
        _check_origin(known, origin)
        return Saved(_value(known.get("value")), _routes(folder, known.get("routes_sha256")))
    except (OSError, ValueError, RecursionError, _Broken) as error:
        raise ExchangeError(
            f"{origin.host}: the backup in {folder} cannot be used: {error}.",
            hint="Choose another backup.",
        ) from error


class _Broken(Exception):  # noqa: N818 - a reason, given on to the caller
    """Why a backup cannot be used."""


def _read(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise _Broken(f"{path.name} is longer than {limit} bytes")
    return content


def _check_origin(known: dict[str, Any], origin: Origin) -> None:
    for name, wanted in (
        ("host", origin.host),
        ("target_computer", origin.target_computer),
        ("registry_key", origin.registry_key),
    ):
        found = known.get(name)
        if not isinstance(found, str) or found.lower() != wanted.lower():
            raise _Broken(f"it was taken with {name} {found!r:.80}, and this is {wanted!r}")


def _value(entry: object) -> RegistryValue | None:
    if entry is None:
        return None
    if isinstance(entry, dict):
        name, kind, data = (entry.get(field) for field in ("name", "type", "data"))
        if isinstance(name, str) and isinstance(kind, str) and isinstance(data, str):
            value = RegistryValue(name, kind, data)
            if can_be_added(value):
                return value
    raise _Broken(f"the registry value in {FACTS_FILE} is none that can be put back")


def _routes(folder: Path, digest: object) -> RoutesFile | None:
    if digest is None:
        return None
    content = _read(folder / ROUTES_FILE, _MOST_ROUTES)
    if hashlib.sha256(content).hexdigest() != digest:
        raise _Broken(f"{ROUTES_FILE} is not what was saved (its SHA-256 differs)")
    try:
        return RoutesFile.parse(content)
    except NotARoutesFile as error:
        raise _Broken(f"{ROUTES_FILE} is no routes file: {error}") from None
