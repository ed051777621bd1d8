# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking into the outbound queue of an Internet Mail Connector: folder, logs, counters.

Three command lines at most for a usual host: facts and folders, small files, ends of big logs.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .._base.errors import ExchangeError
from .._remote.commands import echo_if_exists
from .._remote.parse import parse_dir_bare
from .._remote.session import Section, Session
from .._run.headers import MessageHead, parse_head
from .._run.queue import DomainError
from .counters import counters_command, no_counters, read_counters
from .files import batches, list_by_age, list_sizes, parse_sizes
from .host import ImcHost
from .logs import (
    LoggedFailure,
    NotDelivered,
    newest_by_domain,
    read_not_delivered,
    read_smtp_logs,
    smtp_log_commands,
    tracking_log_commands,
)
from .reader import Reader

#: Where outbound messages await delivery (release notes of Exchange 5.0, 3.2.11).
FOLDER = "Out"
#: Bytes that the lists of files may have: a hundred thousand of them.
_MAX_LISTS, _TIMEOUT = 16_000_000, 120.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is read: messages and bytes of each, SMTP logs, lines of the tracking log."""

    files: int
    bytes: int
    logs: int
    tracking_lines: int


@dataclass(slots=True)
class Found:
    """What was found. ``files`` and ``size`` count all messages, ``unread`` those not looked into.

    ``failures`` come newest first.
    """

    files: int = 0
    size: int = 0
    unread: int = 0
    heads: list[MessageHead] = field(default_factory=list)
    failures: list[LoggedFailure] = field(default_factory=list)
    returned: list[NotDelivered] = field(default_factory=list)
    counters: dict[str, int | None] = field(default_factory=no_counters)
    notes: list[str] = field(default_factory=list)

    def errors(self) -> dict[str, DomainError]:
        """Return the last error of each domain that the logs name."""
        return {
            domain: DomainError(logged.error, logged.failure.address)
            for domain, logged in newest_by_domain(self.failures).items()
        }


def look(session: Session, host: ImcHost, limits: Limits, *, counters: bool) -> Found:
    """Look into the queue; raises ExchangeError where even its folder cannot be listed."""
    found = Found()
    sections = _lists(session, host, counters=counters)
    if "counters" in sections:
        found.counters, note = read_counters(sections["counters"])
        if note:
            found.notes.append(note)
    reader = Reader(session)
    _read_messages(reader, host, sections, limits, found)
    found.failures = read_smtp_logs(reader, host, sections, limits.logs)
    found.returned = read_not_delivered(reader, host, sections, limits.tracking_lines)
    found.notes += reader.notes
    return found


def _lists(session: Session, host: ImcHost, *, counters: bool) -> dict[str, Section]:
    folder = host.reach(host.root_dir, FOLDER)
    commands = {
        "out": echo_if_exists(folder),
        "out-names": list_by_age(folder),
        "out-sizes": list_sizes(folder),
    }
    commands |= smtp_log_commands(host) | tracking_log_commands(host)
    if counters:
        commands["counters"] = counters_command(host.computer)
    sections: dict[str, Section] = {}
    for batch in batches(commands):
        sections |= batch.run(session, timeout=_TIMEOUT, max_output=_MAX_LISTS)
    if not sections["out"].output.strip():
        raise ExchangeError(
            f"{session.host}: there is no folder {folder}, so nothing can be said of its queue.",
            hint="Check the registry value RootDir, and the rights of the account.",
        )
    return sections


def _read_messages(
    reader: Reader,
    host: ImcHost,
    sections: Mapping[str, Section],
    limits: Limits,
    found: Found,
) -> None:
    """Read the oldest messages first: they have waited longest."""
    sizes = parse_sizes(sections["out-sizes"].output)
    found.files, found.size = len(sizes), sum(sizes.values())
    ordered = [name for name in parse_dir_bare(sections["out-names"].output) if name in sizes]
    wanted: dict[str, int] = {}
    for name in ordered:
        path = host.reach_file(host.root_dir, FOLDER, name)
        if path is not None and sizes[name] <= limits.bytes and len(wanted) < limits.files:
            wanted[path] = sizes[name]
    contents = reader.wholes(wanted)
    found.heads = [parse_head(contents[path]) for path in wanted if path in contents]
    found.unread = found.files - len(found.heads)
