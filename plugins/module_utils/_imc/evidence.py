# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can still be found out about messages that the tracking log does not show as gone.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from .._base.errors import ExchangeError
from .._remote.commands import list_folder
from .._remote.parse import decode, parse_dir_bare
from .._remote.session import Section, Session
from .files import batches, search_folder
from .host import ImcHost
from .logs import LoggedFailure, newest_by_domain, read_smtp_logs, smtp_log_commands
from .pickup import FOLDER
from .reader import Reader

#: SMTP protocol logs that are read, the newest.
_LOGS = 20
_MAX_OUTPUT, _TIMEOUT = 4_000_000, 120.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """``waiting`` are the tags of messages found in ``RootDir\\Out``, ``untouched`` the names of
    files that still lie in Pickup, ``failures`` the last failure by domain.
    """

    waiting: frozenset[str] = frozenset()
    untouched: frozenset[str] = frozenset()
    failures: Mapping[str, LoggedFailure] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def gather_evidence(session: Session, host: ImcHost, run_tag: str) -> Evidence:
    """Look for the messages of a run; what cannot be looked at is said in a note, never raised.

    The three looks are apart from each other: a queue with a giant file in it takes longer to
    search than anybody waits, and that must not hide what the logs say.
    """
    notes: list[str] = []
    waiting: frozenset[str] = frozenset()
    untouched: frozenset[str] = frozenset()
    failures: Mapping[str, LoggedFailure] = {}
    try:
        untouched, failures = _pickup_and_logs(session, host, notes)
        waiting = _waiting(session, host, run_tag)
    except ExchangeError as error:
        notes.append(error.message)
    return Evidence(waiting, untouched, failures, tuple(notes))


def _pickup_and_logs(
    session: Session, host: ImcHost, notes: list[str]
) -> tuple[frozenset[str], Mapping[str, LoggedFailure]]:
    pickup = {"pickup": list_folder(host.reach(host.root_dir, FOLDER))}
    sections = _run(session, pickup | smtp_log_commands(host))
    untouched = frozenset(parse_dir_bare(sections["pickup"].output))
    reader = Reader(session)
    try:
        failures = read_smtp_logs(reader, host, sections, _LOGS)
    except ExchangeError as error:
        notes.append(error.message)
        return untouched, {}
    notes += reader.notes
    return untouched, newest_by_domain(failures)


def _waiting(session: Session, host: ImcHost, run_tag: str) -> frozenset[str]:
    """Return the tags of the messages that lie in the outbound queue."""
    folder = host.reach(host.root_dir, "Out")
    found = _run(session, {"out": search_folder(folder, [run_tag])})["out"].output
    tags = re.findall(re.escape(run_tag) + r"-\d+", decode(found), re.IGNORECASE)
    return frozenset(tag.lower() for tag in tags)


def _run(session: Session, commands: Mapping[str, str]) -> dict[str, Section]:
    sections: dict[str, Section] = {}
    for batch in batches(commands):
        sections |= batch.run(session, timeout=_TIMEOUT, max_output=_MAX_OUTPUT)
    return sections
