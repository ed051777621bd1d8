# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the connector's own logs tell about mail that is not delivered.

The SMTP protocol log has one file a connection; the newest are read, each from its end. The
tracking log of the last days is read from its end, for reports of non-delivery.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from .._mail.addresses import domain_of
from .._remote.parse import parse_dir_bare
from .._remote.session import Section
from .._run.verdict import DeliveryError
from .events import event_name, is_ndr
from .files import list_by_age, list_sizes, parse_sizes
from .host import ImcHost
from .protocol_log import SmtpFailure, parse_log
from .reader import Reader
from .tracking_format import DELIVERED, TrackingEvent, log_names, parse_text

_SMTP_FOLDER, _SMTP_MASK, _TRACKING_MASK = "Log", "L*.LOG", "*.log"
#: A log of at most so many bytes is read whole, of a longer one the last lines.
_WHOLE, _LINES = 262_144, 2_000
#: Days of the tracking log: the newest one may have begun a minute ago.
_DAYS = 2


@dataclass(frozen=True, slots=True)
class LoggedFailure:
    """A failure and the log it stands in."""

    log: str
    failure: SmtpFailure

    @property
    def error(self) -> DeliveryError:
        return DeliveryError(
            self.failure.text,
            f"SMTP protocol log {self.log}",
            self.failure.code,
            self.failure.enhanced,
        )


@dataclass(frozen=True, slots=True)
class NotDelivered:
    """A recipient that a report of non-delivery was made for; ``time`` as in a tracking event."""

    recipient: str
    domain: str | None
    time: datetime | None
    time_text: str
    event: str


def smtp_log_commands(host: ImcHost) -> dict[str, str]:
    """Return the commands that list the SMTP protocol logs, by section."""
    folder = host.reach(host.root_dir, _SMTP_FOLDER)
    return {
        "smtp-names": list_by_age(folder, _SMTP_MASK, newest_first=True),
        "smtp-sizes": list_sizes(folder, _SMTP_MASK),
    }


def tracking_log_commands(host: ImcHost) -> dict[str, str]:
    """Return the command that lists the tracking logs; none where their folder is not known."""
    if not host.tracking_dir:
        return {}
    return {"tracking-sizes": list_sizes(host.reach(host.tracking_dir), _TRACKING_MASK)}


def read_smtp_logs(
    reader: Reader, host: ImcHost, sections: Mapping[str, Section], most: int
) -> list[LoggedFailure]:
    """Return the failures in the newest ``most`` logs, the newest failure first."""
    sizes = parse_sizes(sections["smtp-sizes"].output)
    names = [name for name in parse_dir_bare(sections["smtp-names"].output) if name in sizes]
    paths = _paths(host, (host.root_dir, _SMTP_FOLDER), names[:most])
    ends = reader.ends(
        {path: sizes[name] for name, path in paths.items()}, whole=_WHOLE, lines=_LINES
    )
    return [
        LoggedFailure(name, failure)
        for name, path in paths.items()
        for failure in reversed(parse_log(ends.get(path, b"")))
    ]


def read_not_delivered(
    reader: Reader, host: ImcHost, sections: Mapping[str, Section], lines: int
) -> list[NotDelivered]:
    """Return the recipients of mail returned of late, by the ends of the newest tracking logs."""
    if "tracking-sizes" not in sections:
        return []
    sizes = {
        name.lower(): size for name, size in parse_sizes(sections["tracking-sizes"].output).items()
    }
    newest = log_names(sizes)[-_DAYS:]
    paths = _paths(host, (host.tracking_dir,), newest)
    wanted = {path: sizes[name] for name, path in paths.items()}
    ends = reader.ends(wanted, whole=_WHOLE, lines=lines)
    return [
        returned
        for path in wanted
        for event in parse_text(ends.get(path, b""))
        for returned in _not_delivered(event)
    ]


def _not_delivered(event: TrackingEvent) -> Iterator[NotDelivered]:
    if not is_ndr(event):
        return
    for recipient in event.recipients:
        if recipient.status != DELIVERED:
            yield NotDelivered(
                recipient.address,
                domain_of(recipient.address),
                event.time,
                event.time_text,
                event_name(event.number),
            )


def newest_by_domain(failures: Iterable[LoggedFailure]) -> dict[str, LoggedFailure]:
    """Return the newest failure of each domain; ``failures`` come newest first."""
    newest: dict[str, LoggedFailure] = {}
    for logged in failures:
        if logged.failure.domain is not None:
            newest.setdefault(logged.failure.domain, logged)
    return newest


def _paths(host: ImcHost, folder: Sequence[str], names: Iterable[str]) -> dict[str, str]:
    """Return the paths of the files whose names a command line can carry, by name."""
    return {name: path for name in names if (path := host.reach_file(*folder, name)) is not None}
