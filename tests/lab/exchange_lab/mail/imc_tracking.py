# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The message tracking log: ``yyyymmdd.log``, tab separated, in GMT (Q173280, Q173364, Q174078)."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from .imc_model import Site, Version


class Event(enum.IntEnum):
    """The events of the connector that the lab writes."""

    GATEWAY_TRANSFER_OUT = 1003
    GATEWAY_REPORT_GENERATED = 1007
    SMTP_QUEUED_OUTBOUND = 1010
    SMTP_TRANSFERRED_OUTBOUND = 1011
    SMTP_RECEIVED = 1012


@dataclass(frozen=True, slots=True)
class Tracked:
    """What the log says about a message; ``remote_id`` is its Internet Message-ID."""

    mts_id: str
    remote_id: str
    originator: str
    length: int
    recipients: tuple[str, ...]


def record(
    site: Site, event: Event, at: datetime, message: Tracked, *, report_id: str = ""
) -> bytes:
    """Return one record: 13 fields, then one line for each recipient.

    The form of the time is not documented; year.month.day and no leading zeros are the lab's.
    """
    moment = at.astimezone(UTC)
    fields = (
        message.mts_id,
        str(int(event)),
        f"{moment.year}.{moment.month}.{moment.day} {moment.hour}:{moment.minute}:{moment.second}",
        site.gateway,
        site.store,
        message.remote_id,
        message.originator,
        "0",
        str(message.length),
        "0",
        "1",
        report_id,
        str(len(message.recipients)),
    )
    status = "1" if event is Event.GATEWAY_REPORT_GENERATED else ""
    lines = ["\t".join(fields), *(f"SMTP:{name}\t{status}" for name in message.recipients)]
    return "\n".join(lines).encode("latin-1", "replace") + b"\r\n"


class TrackingLog:
    """Appends records to the file of the day, if the administrator enabled tracking."""

    def __init__(
        self,
        site: Site,
        version: Version,
        append: Callable[[str, bytes], None],
        now: Callable[[], datetime],
        *,
        enabled: bool,
    ) -> None:
        self._site = site
        self._version = version
        self._append = append
        self._now = now
        self._enabled = enabled

    def queued(self, message: Tracked) -> None:
        """The message waits for delivery; 4.0 has no event for that."""
        if self._version.smtp_events:
            self._write(Event.SMTP_QUEUED_OUTBOUND, message)

    def received(self, message: Tracked) -> None:
        """The message came in over SMTP; 4.0 has no event for that."""
        if self._version.smtp_events:
            self._write(Event.SMTP_RECEIVED, message)

    def transferred(self, message: Tracked) -> None:
        """A far server took the message for these recipients."""
        smtp = self._version.smtp_events
        self._write(
            Event.SMTP_TRANSFERRED_OUTBOUND if smtp else Event.GATEWAY_TRANSFER_OUT, message
        )

    def returned(self, message: Tracked, report_id: str) -> None:
        """A report of non-delivery was made for these recipients."""
        self._write(Event.GATEWAY_REPORT_GENERATED, message, report_id)

    def _write(self, event: Event, message: Tracked, report_id: str = "") -> None:
        if self._enabled:
            now = self._now()
            data = record(self._site, event, now, message, report_id=report_id)
            self._append(f"{now.astimezone(UTC):%Y%m%d}.log", data)
