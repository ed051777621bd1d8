# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds of Exchange 2010 to Subscription Edition, as cmdlets and the registry tell them.

Boundaries are those of Microsoft's list "Exchange Server build numbers and release dates":
Subscription Edition continues the numbers of Exchange 2019, beginning with 15.2.2562.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .._remote.parse import RegistryValue, find_value

#: What Setup of Exchange 2010 (v14) and of all later versions (v15) writes about itself.
SETUP_KEYS = (
    r"HKLM\SOFTWARE\Microsoft\ExchangeServer\v15\Setup",
    r"HKLM\SOFTWARE\Microsoft\ExchangeServer\v14\Setup",
)
_SETUP_VALUES = ("MsiProductMajor", "MsiProductMinor", "MsiBuildMajor", "MsiBuildMinor")

_PRODUCTS = {(15, 0): "2013", (15, 1): "2016"}
_EXCHANGE_2010 = 14
_SERVICE_PACKS = ("RTM", "SP1", "SP2", "SP3")
_SHARED = (15, 2)  # 2019, and Subscription Edition from this build on
_FIRST_SE_BUILD = 2562

_DISPLAY = re.compile(
    r"\s*(?:Version\s+)?(\d{1,5})\.(\d{1,5})\s*(?:\(Build\s+|\.)(\d{1,6})\.(\d{1,6})\)?\s*",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, order=True)
class Build:
    """A build number, in four parts."""

    major: int
    minor: int
    build: int
    revision: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.build}.{self.revision}"

    @property
    def version(self) -> str | None:
        """``2010``, ``2013``, ``2016``, ``2019`` or ``SE``; None for a build of none of them."""
        if self.major == _EXCHANGE_2010 and self.minor < len(_SERVICE_PACKS):
            return "2010"
        if (self.major, self.minor) == _SHARED:
            return "SE" if self.build >= _FIRST_SE_BUILD else "2019"
        return _PRODUCTS.get((self.major, self.minor))

    @property
    def service_pack(self) -> str | None:
        """The service pack of Exchange 2010, which its minor number tells; None for others."""
        return _SERVICE_PACKS[self.minor] if self.version == "2010" else None

    @property
    def logs_external(self) -> bool:
        """Whether the tracking log tells mail that leaves the organisation (SENDEXTERNAL) apart."""
        return self.major > _EXCHANGE_2010


def parse_display_version(text: str) -> Build | None:
    """Return the build in ``Version 15.1 (Build 2507.6)`` (AdminDisplayVersion), or None.

    The property is a structure that PowerShell remoting hands over as this text, or as
    ``15.1.2507.6``.
    """
    match = _DISPLAY.fullmatch(text)
    return Build(*(int(part) for part in match.groups())) if match else None


def installed_build(values: Mapping[str, RegistryValue]) -> Build | None:
    """Return the build that the values of one of ``SETUP_KEYS`` tell, or None."""
    numbers = [
        value.number if (value := find_value(values, name)) else None for name in _SETUP_VALUES
    ]
    known = [number for number in numbers if number is not None]
    return Build(*known) if len(known) == len(_SETUP_VALUES) else None
