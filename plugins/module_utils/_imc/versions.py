# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds of Exchange 4.0 to 5.5, as Setup writes the newest one into the registry.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from dataclasses import dataclass

#: First and last build of each version.
_RANGES = {"4.0": (837, 996), "5.0": (1457, 1460), "5.5": (1960, 2653)}
#: Builds that Microsoft's list of Exchange build numbers names; hotfixes lie between them.
_SERVICE_PACKS = {
    837: "RTM",
    838: "SP1",
    993: "SP2",
    994: "SP3",
    995: "SP4",
    996: "SP5",
    1457: "RTM",
    1458: "SP1",
    1460: "SP2",
    1960: "RTM",
    2232: "SP1",
    2448: "SP2",
    2650: "SP3",
    2653: "SP4",
}


@dataclass(frozen=True, slots=True)
class Release:
    """A version of Exchange and what this collection needs to know about it.

    ``service_pack`` is None for a build that stands in no list.
    """

    version: str
    service_pack: str | None

    @property
    def has_pickup(self) -> bool:
        """Whether a file dropped into RootDir\\Pickup is sent (KB Q201314)."""
        return self.version == "5.5"

    @property
    def has_smtp_events(self) -> bool:
        """Whether the tracking log has the events 1010 to 1018 (KB Q173364, Q174078)."""
        return self.version != "4.0"


def release_of(build: int | None) -> Release | None:
    """Return the release a build belongs to; None for a build outside 4.0 to 5.5."""
    if build is None:
        return None
    for version, (first, last) in _RANGES.items():
        if first <= build <= last:
            return Release(version, _SERVICE_PACKS.get(build))
    return None
