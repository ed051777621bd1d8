# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The domain controller of an organisation's last change, from its newest backup.

Every controller that shares the backups finds it there, and so does a job in a container of its
own. A change that was taken back counts as well: it was written, too.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .._base.access import PRIVATE, Access
from .._connectors.lock import Written
from .._connectors.organisation import Organisation
from .backups import Shelf, folder_of


def written_by_backups(
    base: Path, access: Access = PRIVATE
) -> Callable[[Organisation], Written | None]:
    """Return what finds the last change of an organisation in the folder of all backups."""

    def written(organisation: Organisation) -> Written | None:
        entries = Shelf(base, access).entries(folder_of(base, organisation.label), undone=True)
        for entry in reversed(entries):
            if entry.domain_controller and entry.about.time:
                return Written(entry.domain_controller, entry.about.time)
        return None

    return written
