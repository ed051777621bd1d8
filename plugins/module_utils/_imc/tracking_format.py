# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The message tracking log of Exchange 4.0 to 5.5, read as hostile text.

One file a day, ``yyyymmdd.log``, tab separated, times in GMT (KB Q173280). A record is an event
line of 13 fields, then one line for each recipient with two fields, recipient and report status.
The events are those of KB Q173364 (5.0, 5.5) and Q174078 (4.0).

Lines come with their numbers, since a search on the host returns only some of them: a recipient
belongs to the event whose line stands directly above it.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

#: Recipients kept of one event; a test message has one, a distribution list may have thousands.
MAX_RECIPIENTS = 100
#: Characters kept of one field.
MAX_FIELD = 512
#: Report status of a recipient (KB Q173280, field 15); blank except in reports.
DELIVERED, NOT_DELIVERED = 0, 1

_EVENT_FIELDS = 12  # the 13th, the number of recipients, is missing in a line cut short
_MAX_DIGITS = 6
_TIME = re.compile(
    r"(\d{4})[./-](\d{1,2})[./-](\d{1,2})[ T]+(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.\d+)?Z?"
)
_NUMBERED = re.compile(rb"(\d{1,12}):(.*)", re.DOTALL)
_LOG_NAME = re.compile(r"\d{8}\.log", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Recipient:
    """A recipient of a tracked message; ``status`` is DELIVERED, NOT_DELIVERED or None (blank)."""

    address: str
    status: int | None


@dataclass(frozen=True, slots=True)
class TrackingEvent:
    """One record. ``time`` is None where the text in ``time_text`` leaves the date ambiguous."""

    line: int
    number: int
    message_id: str
    time: datetime | None
    time_text: str
    gateway: str
    partner: str
    remote_id: str
    originator: str
    report_id: str
    recipients: tuple[Recipient, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The identifiers of this record that are not blank: message, gateway's, report."""
        return tuple(name for name in (self.message_id, self.remote_id, self.report_id) if name)


@dataclass(slots=True)
class _Open:
    """An event whose recipient lines are being collected."""

    fields: list[str]
    line: int
    declared: int
    recipients: list[Recipient]
    seen: int = 0


def log_names(names: Iterable[str]) -> list[str]:
    """Return the daily logs among file names, oldest first: their names sort by day."""
    return sorted({name.lower() for name in names if _LOG_NAME.fullmatch(name)})


def day_log(day: datetime) -> str:
    """Return the name of a day's log; ``day`` is converted to GMT, which names the files."""
    return f"{day.astimezone(UTC):%Y%m%d}.log"


def split_numbered(data: bytes) -> tuple[dict[int, bytes], list[str]]:
    """Split the output of ``findstr /n`` into lines by number and lines that have none.

    The latter are what the command complains about, in whatever language.
    """
    lines: dict[int, bytes] = {}
    noise: list[str] = []
    for raw in data.split(b"\n"):
        text = raw.rstrip(b"\r")
        match = _NUMBERED.fullmatch(text)
        if match is not None:
            lines[int(match[1])] = match[2]
        elif text.strip():
            noise.append(text[:MAX_FIELD].decode("utf-8", "replace"))
    return lines, noise


def parse_text(data: bytes, first_line: int = 1) -> Iterator[TrackingEvent]:
    """Parse a whole piece of a log whose first line has the number ``first_line``."""
    return parse_lines(
        (number, raw.rstrip(b"\r")) for number, raw in enumerate(data.split(b"\n"), first_line)
    )


def parse_lines(lines: Iterable[tuple[int, bytes]]) -> Iterator[TrackingEvent]:
    """Yield the events of numbered lines, which must come in ascending order.

    What is neither an event nor a recipient directly below one is passed over. Never raises, and
    holds one event at a time.
    """
    current: _Open | None = None
    for number, raw in lines:
        fields = [field[:MAX_FIELD] for field in raw.decode("utf-8", "replace").split("\t")]
        if len(fields) >= _EVENT_FIELDS and _small_number(fields[1]) is not None:
            if current is not None:
                yield _close(current)
            current = _Open(fields, number, _declared(fields), [])
        elif current is not None and number == current.line + current.seen + 1:
            _take_recipient(current, fields)
    if current is not None:
        yield _close(current)


def _take_recipient(current: _Open, fields: list[str]) -> None:
    if current.seen >= current.declared:
        return
    current.seen += 1
    address = fields[0].strip()
    if address and len(current.recipients) < MAX_RECIPIENTS:
        status = _small_number(fields[1]) if len(fields) > 1 else None
        known = status if status in (DELIVERED, NOT_DELIVERED) else None
        current.recipients.append(Recipient(address, known))


def _close(event: _Open) -> TrackingEvent:
    fields = event.fields
    return TrackingEvent(
        line=event.line,
        number=_small_number(fields[1]) or 0,
        message_id=fields[0].strip(),
        time=parse_time(fields[2]),
        time_text=fields[2].strip(),
        gateway=fields[3].strip(),
        partner=fields[4].strip(),
        remote_id=fields[5].strip(),
        originator=fields[6].strip(),
        report_id=fields[11].strip(),
        recipients=tuple(event.recipients),
    )


def _declared(fields: list[str]) -> int:
    """Number of recipient lines that follow, by field 13; one where that is unreadable."""
    count = _small_number(fields[_EVENT_FIELDS]) if len(fields) > _EVENT_FIELDS else None
    return 1 if count is None else count


def _small_number(text: str) -> int | None:
    text = text.strip()
    if len(text) > _MAX_DIGITS or not (text.isascii() and text.isdigit()):
        return None
    return int(text)


def parse_time(text: str) -> datetime | None:
    """Return a time of the log (GMT) where the year stands first; None for anything else.

    The articles do not document the format. Day and month cannot be told apart where the year
    stands last, and a guess would be wrong in half the world.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups())
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
