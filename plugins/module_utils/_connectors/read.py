# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first look at an organisation: at the domain controller that knows the last change.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from .._base.errors import CommandTimeout
from .._remote.session import CmdletError
from .gather import Reader, View
from .lock import Turns


def look(reader: Reader, turns: Turns, domain_controller: str) -> View:
    """Read the connectors at the domain controller that is named, or else has to be asked.

    That is one where a change was just written that the others may not have heard of.
    """
    view = reader.view(domain_controller)
    last = turns.remembered(view.organisation.key)
    if domain_controller or last.casefold() in ("", view.domain_controller.casefold()):
        return view
    try:
        return reader.view(last)
    except (CmdletError, CommandTimeout) as error:
        error.hint = (
            f"Connectors were changed at the domain controller {last} less than a quarter of an"
            f" hour ago, so it has to be asked. Wait, or name another by domain_controller."
        )
        raise
