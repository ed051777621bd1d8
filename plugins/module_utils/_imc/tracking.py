# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the records of our test messages in the tracking log of a host.

A record holds our Message-ID, or only an identifier that an earlier record gave the message:
such identifiers are remembered and searched for too. All of a day's log is searched each time,
by the host; only lines about our messages travel. So neither the size of the log nor the host's
clock or time zone matters: the logs searched are the newest one at the start and every later one.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from .._base.errors import CommandTimeout
from .._remote.commands import echo_if_exists, list_folder
from .._remote.parse import excerpt, parse_dir_bare
from .._remote.session import Section, Session
from .._run.follow import Sight
from .._run.message import Probe
from .._run.verdict import Observation
from .events import observe
from .files import batches, is_searchable, portions, search
from .host import ImcHost
from .tracking_format import TrackingEvent, log_names, parse_lines, split_numbered

#: Logs searched at once, the newest: a test that goes on over midnight needs two.
_LOGS = 3
#: Looks at a folder that is not there before the waiting ends.
_MISSING_LOOKS = 3
#: Identifiers remembered of one message, and the shortest one that can be nobody else's.
_IDS, _SHORTEST_ID = 8, 8
#: Bytes that a search may print, and seconds it may take.
_MAX_OUTPUT, _TIMEOUT = 4_000_000, 120.0

#: What is searched for: our tag, also identifiers tied to it, also the recipients.
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


class TrackingLogTracker:
    """Looks at the tracking log of a host; see ``follow.Tracker``.

    ``logs`` are the names of the daily logs that exist before the first message is sent.
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

    def look(self, pending: Sequence[Probe]) -> Sight:
        folder = self._host.tracking_dir
        if not folder:
            return Sight(blind="the host does not tell where its tracking log is", hopeless=True)
        events, complaint, exists = self._search(pending)
        if not exists:
            self._missing += 1
            return Sight(
                blind=f"message tracking is off: there is no folder {folder}",
                hopeless=self._missing >= _MISSING_LOOKS,
            )
        self._missing = 0
        return Sight(self._observations(events), blind=complaint)

    def recover(self) -> None:
        self._session.reopen()

    def _observations(self, events: Sequence[TrackingEvent]) -> Mapping[str, Sequence[Observation]]:
        release = self._host.release
        return {
            tag: [observe(event, release) for event in found]
            for tag, found in self._trail.sort(events).items()
        }

    def _search(self, pending: Sequence[Probe]) -> tuple[list[TrackingEvent], str, bool]:
        """Return events, what hindered the search, and whether the folder exists."""
        searched = list(self._logs)
        sections = self._ask(pending, searched)
        exists = bool(sections["folder"].output.strip())
        if exists:
            names = log_names(parse_dir_bare(sections["list"].output))
            self._logs = [name for name in names if name >= self._first][-_LOGS:]
            if new := [name for name in self._logs if name not in searched]:
                searched += new
                sections = {**sections, **self._ask(pending, new, start=len(searched))}
        events, complaint = _understand(sections)
        if exists and not self._logs:
            complaint = f"message tracking is off: there is no log in {self._host.tracking_dir}"
        return events, complaint, exists

    def _ask(
        self, pending: Sequence[Probe], logs: Sequence[str], start: int = 0
    ) -> dict[str, Section]:
        """Search the logs for the messages; the folder is listed by the same command."""
        sections = self._run(self._commands(pending, logs, start))
        while sections is None and self._detail > _TAG_ONLY:
            # Somebody's flood of mail to one of our recipients must not hide our own records.
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
            # The recipient stands on a line of its own, and its report status with it.
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


def _understand(sections: Mapping[str, Section]) -> tuple[list[TrackingEvent], str]:
    """Put the found lines of each log together again, in order."""
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
