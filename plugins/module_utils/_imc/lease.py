# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who works on a host: the claim that a run leaves there, and whether it may still be alive. Pure.

A claim is the name of an empty file on the host; see ``hold``. It says who works there, since when,
and until when no other run may.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .._remote.parse import decode

_STAMP_FORMAT = "%Y-%m-%dT%H%M%SZ"
_UNKNOWN = "unknown"
_STAMP = rf"\d{{4}}-\d\d-\d\dT\d{{6}}Z|{_UNKNOWN}"
_NAME = re.compile(
    rf"(?P<run>[0-9a-f]{{16}})_(?P<since>{_STAMP})_(?P<until>{_STAMP})_(?P<owner>[A-Za-z0-9-]{{1,40}})",
    re.IGNORECASE,  # as Windows takes names
)
_NO_LETTERS = re.compile(r"[^A-Za-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Claim:
    """Which run works on a host; times are those of the host's clock, None where it tells none.

    ``owner`` is the controller, ``busy`` whether a command of the run had not ended.
    """

    run: str
    owner: str
    since: datetime | None
    until: datetime | None
    busy: bool = False

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.run}_{_stamp(self.since)}_{_stamp(self.until)}_{self.owner}"

    @property
    def words(self) -> str:
        """Which run that is, for messages."""
        since = f" since {shown(self.since)} (the host's clock)" if self.since else ""
        return f"a run of the controller {self.owner}{since}"

    def is_over(self, now: datetime | None) -> bool:
        """Whether its time is up by the host's clock; False where that is not known."""
        return now is not None and self.until is not None and now > self.until


def is_of(claim: Claim, controller: str) -> bool:
    """Whether a run of that machine made the claim."""
    return claim.owner.lower() == _label(controller).lower()


def _label(controller: str) -> str:
    """Return the name of a controller as it stands in a claim."""
    return _NO_LETTERS.sub("-", controller.partition(".")[0])[:40].strip("-") or "controller"


def new_claim(owner: str, now: datetime | None, lasts: timedelta) -> Claim:
    """Return the claim of a run that begins now, by the host's clock."""
    since = now and now.astimezone(UTC).replace(microsecond=0)
    return Claim(secrets.token_hex(8), _label(owner), since, since and since + lasts)


def parse_claim(listing: bytes) -> Claim | None:
    """Read what is in the folder; None where there is no claim, or none made by this collection."""
    lines = [line.strip() for line in decode(listing).splitlines()]
    found = [match for line in lines if (match := _NAME.fullmatch(line))]
    if not found:
        return None
    match = found[0]
    return Claim(
        match["run"].lower(),
        match["owner"],
        _moment(match["since"]),
        _moment(match["until"]),
        busy="busy" in map(str.lower, lines),
    )


def _stamp(moment: datetime | None) -> str:
    return moment.strftime(_STAMP_FORMAT) if moment else _UNKNOWN


def _moment(stamp: str) -> datetime | None:
    try:
        return datetime.strptime(stamp.upper(), _STAMP_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def shown(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC") if moment else _UNKNOWN


def why_alive(claim: Claim, now: datetime | None, ended: bool | None) -> str:
    """Return why the run of a claim may still be at work, or nothing if that cannot be.

    ``now`` is the host's clock. ``ended`` is what this controller knows of its own run for certain,
    see ``alive``; a command that it left behind may go on without it until the claim's time is up.
    """
    if claim.is_over(now) or (ended and not claim.busy):
        return ""
    if ended is False:
        return "it is at work on this very controller"
    if ended:
        return "it has ended, but its last command may still be at work on the host"
    if claim.until is None:
        return "nobody can tell whether it is, since the host tells no time"
    return "nobody here can tell whether it is"
