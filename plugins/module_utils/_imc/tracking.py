# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The message tracking log of Exchange 4.0 to 5.5, read as hostile text.

One file a day, ``yyyymmdd.log``, tab separated, times in GMT (KB Q173280). A record is an event
line of 13 fields, then one line for each recipient with two fields, recipient and report status.
The events are those of KB Q173364 (5.0, 5.5) and Q174078 (4.0).

Lines come with their numbers, since a search on the host returns only some of them: a recipient
belongs to the event directly above it.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from .._base.errors import CommandTimeout
from .._mail.delivery import Observation, Poll, Stage
from .._mail.message import Probe
from .._remote.commands import echo_if_exists, list_folder
from .._remote.parse import excerpt, parse_dir_bare
from .._remote.session import Section, Session
from .files import batches, is_searchable, portions, search
from .host import ImcHost, Release

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


def log_names(names: Iterable[str]) -> list[str]:
    """Return the daily logs among file names, oldest first: their names sort by day."""
    return sorted({name.lower() for name in names if _LOG_NAME.fullmatch(name)})


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
    """Parse a whole piece of a log, numbered from ``first_line``."""
    return parse_lines(
        (number, raw.rstrip(b"\r")) for number, raw in enumerate(data.split(b"\n"), first_line)
    )


def parse_lines(lines: Iterable[tuple[int, bytes]]) -> Iterator[TrackingEvent]:
    """Yield the events of numbered lines, which must come in ascending order.

    Lines that are neither an event nor a recipient below one are skipped. Never raises, and
    holds one event at a time.
    """
    fields: list[str] = []
    recipients: list[Recipient] = []
    line = declared = seen = 0
    for number, raw in lines:
        found = [field[:MAX_FIELD] for field in raw.decode("utf-8", "replace").split("\t")]
        if len(found) >= _EVENT_FIELDS and _small_number(found[1]) is not None:
            if fields:
                yield _event(line, fields, recipients)
            fields, recipients, line, seen = found, [], number, 0
            count = _small_number(found[_EVENT_FIELDS]) if len(found) > _EVENT_FIELDS else None
            declared = 1 if count is None else count
        elif seen < declared and number == line + seen + 1:
            seen += 1
            address = found[0].strip()
            status = _small_number(found[1]) if len(found) > 1 else None
            if address and len(recipients) < MAX_RECIPIENTS:
                known = status if status in {DELIVERED, NOT_DELIVERED} else None
                recipients.append(Recipient(address, known))
    if fields:
        yield _event(line, fields, recipients)


def _event(line: int, fields: list[str], recipients: list[Recipient]) -> TrackingEvent:
    return TrackingEvent(
        line=line,
        number=_small_number(fields[1]) or 0,
        message_id=fields[0].strip(),
        time=parse_time(fields[2]),
        time_text=fields[2].strip(),
        gateway=fields[3].strip(),
        partner=fields[4].strip(),
        remote_id=fields[5].strip(),
        originator=fields[6].strip(),
        report_id=fields[11].strip(),
        recipients=tuple(recipients),
    )


def _small_number(text: str) -> int | None:
    text = text.strip()
    if len(text) > _MAX_DIGITS or not (text.isascii() and text.isdigit()):
        return None
    return int(text)


def parse_time(text: str) -> datetime | None:
    """Return a time of the log (GMT) where the year comes first; None for anything else.

    The articles do not document the format. Day and month are ambiguous where the year
    comes last, and a guess would be wrong in half the world.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups())
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


_NAMES = {
    0: "message transfer in",
    1: "probe transfer in",
    2: "report transfer in",
    4: "message submission",
    7: "message transfer out",
    8: "report transfer out",
    9: "message delivered",
    10: "report delivered",
    26: "distribution list expansion",
    28: "message redirected",
    29: "message rerouted",
    33: "report absorption",
    34: "report generation",
    43: "unroutable report discarded",
    50: "gateway deleted message",
    1000: "local delivery",
    1001: "backbone transfer in",
    1002: "backbone transfer out",
    1003: "gateway transfer out",
    1004: "gateway transfer in",
    1005: "gateway report transfer in",
    1006: "gateway report transfer out",
    1007: "gateway report generation",
    1010: "SMTP queued outbound",
    1011: "SMTP transferred outbound",
    1012: "SMTP received inbound",
    1013: "SMTP transferred inbound",
    1014: "SMTP message rerouted",
    1015: "SMTP report transferred in",
    1016: "SMTP report transferred out",
    1017: "SMTP report generated",
    1018: "SMTP report absorbed",
}
_GATEWAY_OUT, _NDR, _QUEUED, _TRANSFERRED, _REROUTED = 1003, 1007, 1010, 1011, 1014


def event_name(number: int) -> str:
    """Return an event as a person reads it, such as ``1011 SMTP transferred outbound``."""
    return f"{number} {_NAMES.get(number, '')}".rstrip()


def is_ndr(event: TrackingEvent) -> bool:
    """Whether a record shows that a message did not reach a recipient."""
    return event.number == _NDR or any(
        recipient.status == NOT_DELIVERED for recipient in event.recipients
    )


def has_left(event: TrackingEvent, release: Release | None) -> bool:
    """Whether a record shows that a message left the host."""
    gateway = release is not None and not release.has_smtp_events
    return event.number == (_GATEWAY_OUT if gateway else _TRANSFERRED)


_BY_RELAY = "the relay {} accepted the message; this host cannot follow it further"


def observe(event: TrackingEvent, release: Release | None, relay: str = "") -> Observation:
    """Translate a record about a message into an observation.

    ``relay`` is the host to which the connector hands the message's mail, if that is known.

    Exchange 4.0 has no SMTP events: there 1003, "the message was sent through a gateway", is the
    only sign that a message left. In 5.x the same event only hands it to the connector.
    """
    receipt = any(recipient.status == DELIVERED for recipient in event.recipients)
    reason = ""
    if is_ndr(event):
        stage = Stage.RETURNED
    elif has_left(event, release) and relay and not receipt:
        stage, reason = Stage.RELAYED, _BY_RELAY.format(relay)
    elif has_left(event, release) or receipt:
        stage = Stage.TRANSFERRED
    else:
        stage = Stage.QUEUED if event.number in {_QUEUED, _REROUTED} else Stage.SEEN
    return Observation(stage, event_name(event.number), event.time, event.time_text, reason=reason)


#: Logs searched at once, the newest: a test that goes on over midnight needs two.
_LOGS = 3
#: Looks at a folder that is not there before the waiting ends.
_MISSING_LOOKS = 3
#: Identifiers remembered of one message, and the shortest one that is unambiguous.
_IDS, _SHORTEST_ID = 8, 8
#: Bytes that a search may print, and seconds it may take.
_MAX_OUTPUT, _TIMEOUT = 4_000_000, 120.0

#: Search texts: our tag, also identifiers tied to it, also the recipients.
_TAG_ONLY, _WITH_RECIPIENTS = 0, 2

_WORD = re.compile(r"[A-Za-z0-9._-]+")


class Trail:
    """Which identifiers belong to which of our messages. Pure."""

    def __init__(self, run_tag: str) -> None:
        self._tag = re.compile(re.escape(run_tag) + r"-\d+", re.IGNORECASE)
        self._owner: dict[str, str] = {}

    def sort(self, events: Sequence[TrackingEvent]) -> dict[str, list[TrackingEvent]]:
        """Return the events about our messages by the message's tag, in the order given."""
        # Twice: the record that ties two identifiers may come after its neighbours.
        for _round in range(2):
            for event in events:
                self._learn(event)
        found: dict[str, list[TrackingEvent]] = {}
        for event in events:
            tag = self._tag_of(event)
            if tag:
                found.setdefault(tag, []).append(event)
        return found

    def search_texts(self, tags: Iterable[str]) -> list[str]:
        """Return what finds records that hold only another identifier of these messages."""
        wanted = set(tags)
        words = {_search_word(name) for name, tag in self._owner.items() if tag in wanted}
        return sorted(words - {""})

    def _learn(self, event: TrackingEvent) -> None:
        tag = self._tag_of(event)
        if not tag:
            return
        known = sum(owner == tag for owner in self._owner.values())
        for name in event.ids:
            if known < _IDS and len(name) >= _SHORTEST_ID and not self._tag.search(name):
                known += name not in self._owner
                self._owner.setdefault(name, tag)

    def _tag_of(self, event: TrackingEvent) -> str:
        for name in event.ids:
            match = self._tag.search(name)
            if match is not None:
                return match[0].lower()
        return next((self._owner[name] for name in event.ids if name in self._owner), "")


def _search_word(name: str) -> str:
    """Return the longest part of an identifier that can be searched for, or nothing."""
    word = max(_WORD.findall(name), key=len, default="")
    return word[-120:] if len(word) >= _SHORTEST_ID else ""


class TrackingLog:
    """Looks for test messages in the tracking log of a host.

    A record holds our Message-ID, or only an identifier that an earlier record gave the message:
    such identifiers are remembered and searched for too. All of a day's log is searched each time,
    by the host; only lines about our messages travel. So neither the size of the log nor the host's
    clock or time zone matters: the logs searched are the newest one at the start and every later
    one. ``logs`` are the names of the daily logs that exist before the first message is sent.
    """

    def __init__(self, session: Session, host: ImcHost, run_tag: str, logs: Sequence[str]) -> None:
        self._session = session
        self._host = host
        self._run_tag = run_tag
        self._first = max(logs, default="")
        self._logs = list(logs[-1:])
        self._trail = Trail(run_tag)
        self._missing = 0
        self._detail = _WITH_RECIPIENTS

    def poll(self, pending: Sequence[Probe]) -> Poll:
        """Look once. Raises SessionLost, CommandTimeout or HostUnreachable."""
        folder = self._host.tracking_dir
        if not folder:
            return Poll(blind="the folder of the tracking log is unknown", hopeless=True)
        searched = list(self._logs)
        sections = self._ask(pending, searched)
        if not sections["folder"].output.strip():
            self._missing += 1
            return Poll(
                blind=f"message tracking is off: the folder {folder} does not exist",
                hopeless=self._missing >= _MISSING_LOOKS,
            )
        self._missing = 0
        names = log_names(parse_dir_bare(sections["list"].output))
        self._logs = [name for name in names if name >= self._first][-_LOGS:]
        if new := [name for name in self._logs if name not in searched]:
            sections |= self._ask(pending, new, start=len(searched) + len(new))
        events, complaint = _events(sections)
        if not self._logs:
            complaint = f"message tracking is off: {folder} contains no log"
        found = self._trail.sort(events)
        release = self._host.release
        relays = {probe.tag: probe.relay for probe in pending}
        seen = {
            tag: [observe(x, release, relays.get(tag, "")) for x in found[tag]] for tag in found
        }
        return Poll(seen, complaint)

    def _ask(
        self, pending: Sequence[Probe], logs: Sequence[str], start: int = 0
    ) -> dict[str, Section]:
        """Search the logs for the messages; the folder is listed by the same command."""
        sections = self._run(self._commands(pending, logs, start))
        while sections is None and self._detail > _TAG_ONLY:
            # A flood of other mail to one of our recipients must not hide our own records.
            self._detail -= 1
            sections = self._run(self._commands(pending, logs, start))
        if sections is None:
            raise CommandTimeout(
                f"{self._host.name}: the tracking log holds more about the test messages than"
                f" the {_MAX_OUTPUT} bytes that are read."
            )
        return sections

    def _commands(
        self, pending: Sequence[Probe], logs: Sequence[str], start: int
    ) -> dict[str, str]:
        folder = self._host.reach(self._host.tracking_dir)
        commands = {"folder": echo_if_exists(folder), "list": list_folder(folder)}
        texts = [self._run_tag]
        if self._detail > _TAG_ONLY:
            texts += self._trail.search_texts(probe.tag for probe in pending)
        if self._detail == _WITH_RECIPIENTS:
            # The recipient and its report status have a line of their own.
            texts += sorted({p.recipient for p in pending if is_searchable(p.recipient)})
        for number, name in enumerate(logs, start):
            path = self._host.reach(self._host.tracking_dir, name)
            for part, portion in enumerate(portions(texts)):
                commands[f"log{number}-{part}"] = search(path, portion)
        return commands

    def _run(self, commands: Mapping[str, str]) -> dict[str, Section] | None:
        """Run the commands; None where they print more than is read."""
        sections: dict[str, Section] = {}
        for batch in batches(commands):
            done = self._session.run(batch.line(), timeout=_TIMEOUT, max_output=_MAX_OUTPUT)
            if done.truncated:
                return None
            sections |= batch.parse(done, host=self._session.host)
        return sections


def _events(sections: Mapping[str, Section]) -> tuple[list[TrackingEvent], str]:
    """Put the found lines of each log together again, in order; return what hindered it, too."""
    logs: dict[str, dict[int, bytes]] = {}
    complaint = ""
    for name, section in sections.items():
        if not name.startswith("log"):
            continue
        lines, noise = split_numbered(section.output)
        logs.setdefault(name.partition("-")[0], {}).update(lines)
        if noise:
            complaint = f"the tracking log cannot be read: {excerpt(noise[0].encode())}"
    events = [event for log in sorted(logs) for event in parse_lines(sorted(logs[log].items()))]
    return events, complaint
