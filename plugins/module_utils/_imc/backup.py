# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a host on the controller: ``backup.json``, ``routes.txt`` and ``parameters.reg``.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from .._run import backups
from .._run.backups import Folder

ROUTES_FILE = "routes.txt"
EXPORT_FILE = "parameters.reg"


def write(
    folder: Folder, host: str, facts: Mapping[str, object], export: bytes, routes: bytes | None
) -> None:
    """Write a backup so that it is on the disk when this returns; see ``backups.write``."""
    files, known = {EXPORT_FILE: export}, dict(facts)
    if routes is not None:
        files[ROUTES_FILE] = routes
        known["routes_sha256"] = hashlib.sha256(routes).hexdigest()
    backups.write(folder, host, known, files)
