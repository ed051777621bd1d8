# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Waiting mail of a host with an Internet Mail Connector: ``RootDir\Out``, logs and counters.

Three command lines at most for a usual host: facts and folders, small files, ends of big logs.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .._base.errors import ExchangeError
from .._mail.addresses import domain_of, parse_head
from .._mail.delivery import LoggedError, NextHop, QueueLimits, QueueReport, ReturnedMail
from .._remote.commands import computer_name, echo_if_exists
from .._remote.parse import decode, parse_dir_bare
from .._remote.session import Section, Session
from .files import Reader, list_by_age, list_sizes, parse_sizes, run_all
from .host import SERVICE_NAME, ImcHost
from .protocol_log import (
    NO_ROUTING_HOSTS,
    WHOLE,
    LogContents,
    LoggedFailure,
    read_smtp_logs,
    smtp_log_commands,
)
from .tracking import DELIVERED, TrackingEvent, event_name, has_left, is_ndr, log_names, parse_text

#: Where outbound messages await delivery (release notes of Exchange 5.0, 3.2.11).
FOLDER = "Out"
#: Bytes that the lists of files may have: a hundred thousand of them.
_MAX_LISTS, _TIMEOUT = 16_000_000, 120.0
#: Days of the tracking log: the newest one may have begun a minute ago.
_DAYS, _TRACKING_MASK = 2, "*.log"

#: Counters by their names in the result (release notes of Exchange 5.0, 3.2.10).
COUNTERS: Mapping[str, str] = {
    "queued_outbound": "Queued Outbound",
    "connections_failed": "Connections Total Failed",
    "ndrs": "NDRs Total Inbound",
    "outbound_messages": "Outbound Messages Total",
}
_MARK, _NO_PROGRAM, _LONGEST_LINE = "(PDH-CSV", 9009, 10_000


@dataclass(frozen=True, slots=True)
class ImcQueues:
    """Reads the queue of a host; see ``_run/queue_info.QueueReader``."""

    session: Session
    host: ImcHost

    def queues(self, limits: QueueLimits) -> QueueReport:
        """Return what waits; raises ExchangeError where even the folder cannot be listed."""
        host = self.host
        if host.service is None:
            raise ExchangeError(
                f"{host.name}: the Internet Mail Connector is not installed, so it has no queue.",
                hint="Run exchange_info to see what the host runs.",
            )
        if not host.root_dir:
            raise ExchangeError(
                f"{host.name}: the registry does not contain the connector's folder (RootDir).",
                hint="Check that the connector is completely installed.",
            )
        report = QueueReport("imc", host.version, host.service.words)
        sections = self._lists(counters=limits.counters)
        report.counters = dict.fromkeys(COUNTERS)
        if "counters" in sections:
            report.counters = read_counters(sections["counters"], report.warnings)
        reader = Reader(self.session)
        self._read_messages(reader, sections, limits, report)
        logs = read_smtp_logs(reader, host, sections, limits.logs)
        failures = logs.failures
        for failure in failures:
            entry = report.entries.get(failure.domain or "")
            if entry is not None and entry.error is None:  # the newest comes first
                entry.error = failure.error
        report.failures = _grouped(failures)
        report.next_hops = next_hops(logs)
        events = self._tracked(reader, sections, limits.tracking_lines)
        report.returned = _returned(events)
        report.sent_domains = _sent(events, report.next_hops, host)
        report.warnings += reader.warnings
        if report.unread:
            report.warnings.append(
                f"{report.unread} of {report.files} messages were not read: too many, too"
                " long, or removed meanwhile. Their domains may be missing (max_files, max_bytes)."
            )
        if report.files and not failures:
            report.warnings.append(
                "The SMTP protocol log shows no failure. The connector writes it only at"
                " diagnostics level 3 or more (KB Q154505), so this may mean nothing."
            )
        return report

    def _lists(self, *, counters: bool) -> dict[str, Section]:
        host = self.host
        folder = host.reach(host.root_dir, FOLDER)
        commands = {
            "out": echo_if_exists(folder),
            "out-names": list_by_age(folder),
            "out-sizes": list_sizes(folder),
            **smtp_log_commands(host),
        }
        if host.tracking_dir:
            tracking = host.reach(host.tracking_dir)
            commands["tracking-sizes"] = list_sizes(tracking, _TRACKING_MASK)
        if counters:
            commands["counters"] = counters_command(host.computer)
        sections = run_all(self.session, commands, timeout=_TIMEOUT, max_output=_MAX_LISTS)
        if not sections["out"].output.strip():
            raise ExchangeError(
                f"{host.name}: the folder {folder} does not exist, so its queue is unknown.",
                hint="Check the registry value RootDir, and the rights of the account.",
            )
        return sections

    def _read_messages(
        self,
        reader: Reader,
        sections: Mapping[str, Section],
        limits: QueueLimits,
        report: QueueReport,
    ) -> None:
        """Read the oldest messages first: they have waited longest."""
        sizes = parse_sizes(sections["out-sizes"].output)
        report.files, report.bytes = len(sizes), sum(sizes.values())
        listed = parse_dir_bare(sections["out-names"].output)
        short = [name for name in listed if name in sizes and sizes[name] <= limits.bytes]
        paths = self.host.reach_files((self.host.root_dir, FOLDER), short)
        wanted = {path: sizes[name] for name, path in list(paths.items())[: limits.messages]}
        contents = reader.wholes(wanted)
        heads = [parse_head(contents[path]) for path in wanted if path in contents]
        report.unread = report.files - len(heads)
        report.oldest = min((head.date for head in heads if head.date), default=None)
        for head in heads:
            for domain in head.domains:
                if domain not in limits.own_domains:
                    report.entry(domain).add(head.date)

    def _tracked(
        self, reader: Reader, sections: Mapping[str, Section], lines: int
    ) -> list[TrackingEvent]:
        """Return what the ends of the newest tracking logs hold."""
        if "tracking-sizes" not in sections:
            return []
        listed = parse_sizes(sections["tracking-sizes"].output)
        sizes = {name.lower(): size for name, size in listed.items()}
        paths = self.host.reach_files((self.host.tracking_dir,), log_names(sizes)[-_DAYS:])
        wanted = {path: sizes[name] for name, path in paths.items()}
        ends = reader.ends(wanted, whole=WHOLE, lines=lines)
        return [event for path in wanted for event in parse_text(ends.get(path, b""))]


def _returned(events: Sequence[TrackingEvent]) -> list[ReturnedMail]:
    """Return the recipients of recently returned mail."""
    return [
        ReturnedMail(
            recipient.address,
            domain_of(recipient.address),
            event.time,
            event.time_text,
            event_name(event.number),
        )
        for event in events
        for recipient in (event.recipients if is_ndr(event) else ())
        if recipient.status != DELIVERED
    ]


def _sent(
    events: Sequence[TrackingEvent], hops: Sequence[NextHop], host: ImcHost
) -> tuple[str, ...]:
    """Return the domains with mail that left recently, as far as the logs show it."""
    recipients = (
        one.address for event in events if has_left(event, host.release) for one in event.recipients
    )
    tracked = filter(None, map(domain_of, recipients))
    return tuple(dict.fromkeys((*tracked, *(name for hop in hops for name in hop.domains))))


def next_hops(logs: LogContents) -> list[NextHop]:
    """Return the addresses that the service connected to, the newest first.

    A log without any reply was written at a level that shows none, so nothing in it is silence.
    """
    replies = any(one.silent is False for one in logs.contacts)
    replies |= any(one.error.code == NO_ROUTING_HOSTS for one in logs.failures)
    silent: dict[str, bool] = {}
    domains: dict[str, dict[str, None]] = {}
    for contact in logs.contacts:
        if contact.silent is not None:
            silent.setdefault(contact.address, contact.silent and replies)
        domains.setdefault(contact.address, {}).update(dict.fromkeys(sorted(contact.domains)))
    return [
        NextHop(address, tuple(names), silent.get(address, False))
        for address, names in domains.items()
    ]


def _grouped(failures: Sequence[LoggedFailure]) -> list[LoggedError]:
    """Return each failure once, with its number in the logs, the newest first."""
    alike = [replace(one, log="", error=replace(one.error, source="")) for one in failures]
    counts = Counter(alike)
    newest = dict(reversed(list(zip(alike, failures, strict=True))))
    return [
        LoggedError(newest[key].error, key.domain, count, newest[key].log)
        for key, count in counts.items()
    ]


def counters_command(computer: str) -> str:
    """Return the command that prints each counter once; it takes about a second."""
    where = f"\\\\{computer_name(computer)}" if computer else ""
    paths = " ".join(f'"{where}\\{SERVICE_NAME}\\{name}"' for name in COUNTERS.values())
    return f"typeperf {paths} -sc 1"


def read_counters(section: Section, warnings: list[str]) -> dict[str, int | None]:
    """Return the counters by their names in the result; a warning explains why some are missing."""
    rows = [
        row
        for line in decode(section.output).splitlines()
        if line.startswith('"') and len(line) <= _LONGEST_LINE
        for row in csv.reader([line])
    ]
    header = next((row for row in rows if row and row[0].startswith(_MARK)), [])
    data = rows[-1] if len(rows) > 1 else []
    values: dict[str, int] = {}
    for column, text in zip(header[1:], data[1:], strict=False):
        name = column.lower().rpartition("\\")[2]  # without computer and object
        try:
            values[name] = int(float(text))
        except (ValueError, OverflowError):
            continue
    counters = {name: values.get(counter.lower()) for name, counter in COUNTERS.items()}
    if None in counters.values():
        warnings.append(
            "typeperf was not found on the host, so its performance counters are unknown."
            if section.exit_code == _NO_PROGRAM
            else "The host does not return all performance counters of the connector."
        )
    return counters
