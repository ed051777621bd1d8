# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The versions of Exchange that the lab knows, and what differs between them.

Build numbers: "Exchange Server build numbers and release dates". Subscription Edition continues the
version number of Exchange 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Family(IntEnum):
    """Product generations, comparable."""

    E2010 = 2010
    E2013 = 2013
    E2016 = 2016
    E2019 = 2019
    SE = 2025


SINCE_2013 = frozenset(family for family in Family if family >= Family.E2013)
SINCE_2016 = frozenset(family for family in Family if family >= Family.E2016)
ONLY_2010 = frozenset({Family.E2010})


@dataclass(frozen=True, slots=True)
class ExchangeVersion:
    """A build, as ``Get-ExchangeServer`` shows it."""

    family: Family
    major: int
    minor: int
    build: int
    revision: int

    def __str__(self) -> str:
        return f"Version {self.major}.{self.minor} (Build {self.build}.{self.revision})"


VERSIONS = {
    Family.E2010: ExchangeVersion(Family.E2010, 14, 3, 123, 4),
    Family.E2013: ExchangeVersion(Family.E2013, 15, 0, 1497, 2),
    Family.E2016: ExchangeVersion(Family.E2016, 15, 1, 2507, 6),
    Family.E2019: ExchangeVersion(Family.E2019, 15, 2, 1118, 7),
    Family.SE: ExchangeVersion(Family.SE, 15, 2, 2562, 17),
}

# ExchangeVersion of objects: that of connectors and servers is the oldest on every version, that of
# an accepted domain is its own (real servers of 2016 and 2019; of 2010 it is the lab's assumption).
OLDEST_OBJECT = "0.1 (8.0.535.0)"
DOMAIN_OBJECT = {
    family: OLDEST_OBJECT if family is Family.E2010 else "0.20 (15.0.0.0)" for family in Family
}

# "Set-SendConnector" names 25 MB as the default; 10 MB (2010) and 35 MB (2016 and later) are the
# values seen in those versions' tables.
DEFAULT_SIZE_MB = {
    Family.E2010: 10,
    Family.E2013: 25,
    Family.E2016: 35,
    Family.E2019: 35,
    Family.SE: 35,
}
