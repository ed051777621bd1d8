# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every object of the directory shows, as real servers of Exchange 2016 and 2019 do."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from . import wire

LOCAL_TIME = timezone(timedelta(hours=1))
"""Where the organisation's servers stand: they show local times with their offset."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An object as a domain controller shows it; ``schema`` is the common name of its class.

    ``classes`` are those of the directory, the most general one first.
    """

    identity: str
    distinguished_name: str
    guid: uuid.UUID
    schema: str
    classes: tuple[str, ...]
    version: str
    created: datetime
    changed: datetime
    controller: str

    def properties(self, *, display_name: bool = True) -> dict[str, object]:
        """Its common properties. Only some classes show an AdminDisplayName."""
        domain = ".".join(
            part.removeprefix("DC=") for part in self.distinguished_name.split(",") if "DC=" in part
        )
        local = _whole(self.created).astimezone(LOCAL_TIME)
        return {
            **({"AdminDisplayName": ""} if display_name else {}),
            "ExchangeVersion": self.version,
            "DistinguishedName": self.distinguished_name,
            "Identity": self.identity,
            "Guid": self.guid,
            "ObjectCategory": f"{domain}/Configuration/Schema/{self.schema}",
            "ObjectClass": wire.Multi(wire.STRING, self.classes),
            "WhenChanged": _whole(self.changed).astimezone(LOCAL_TIME),
            "WhenCreated": local,
            "WhenChangedUTC": _whole(self.changed),
            "WhenCreatedUTC": _whole(self.created),
            "OrganizationId": "",
            "Id": self.identity,
            "OriginatingServer": self.controller,
            "IsValid": True,
            "ObjectState": "Unchanged",
        }


def _whole(moment: datetime) -> datetime:
    """The directory keeps whole seconds."""
    return moment.astimezone(UTC).replace(microsecond=0)
