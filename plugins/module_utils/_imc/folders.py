# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the connector and the message tracking log have their folders, as the registry tells.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from ntpath import dirname

from .._base.errors import ExchangeError, InvalidInput
from .._remote.commands import windows_path
from .._remote.parse import RegistryValue, find_value

Values = Mapping[str, RegistryValue]

ATTENDANT_KEY = r"HKLM\SYSTEM\CurrentControlSet\Services\MSExchangeSA\Parameters"

#: The articles write the name both ways (KB Q169770).
_TRACKING_VALUES = ("LogDirectory", "Log Directory")


def folder(host: str, values: Values, name: str) -> str:
    """Return the folder that a registry value names, or nothing.

    Raises ExchangeError where it holds what no command line can carry.
    """
    value = find_value(values, name)
    if value is None or not value.data.strip():
        return ""
    try:
        return windows_path(value.data.strip())
    except InvalidInput as error:
        raise ExchangeError(
            f"{host}: the registry value {name} holds no folder this can work with. {error.message}"
        ) from None


def tracking_folder(host: str, attendant: Values, root_dir: str) -> str:
    """Return the folder of the tracking log, by the values of the System Attendant's key."""
    named = next(filter(None, (folder(host, attendant, x) for x in _TRACKING_VALUES)), "")
    return named or _default_tracking_folder(root_dir)


def _default_tracking_folder(root_dir: str) -> str:
    r"""Return ``exchsrvr\tracking.log``, which lies beside the connector's folder by default."""
    home = dirname(root_dir)
    return f"{home}\\tracking.log" if home.rstrip("\\:")[1:] else ""
