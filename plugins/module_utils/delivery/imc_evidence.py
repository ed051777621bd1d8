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

from ..errors import ExchangeError
from ..remote.batch import Section
from ..remote.commands import list_folder
from ..remote.parse import decode, parse_dir_bare
from ..remote.session import Session
from .imc_files import batches, search_folder
from .imc_host import ImcHost
from .imc_logs import LoggedFailure, newest_by_domain, read_smtp_logs, smtp_log_commands
from .imc_pickup import FOLDER
from .imc_reader import Reader

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
    """Look for the messages of a run; what cannot be looked at is said in a note, never raised."""
    reader = Reader(session)
    try:
        sections = _look(session, host, run_tag)
        failures = read_smtp_logs(reader, host, sections, _LOGS)
    except ExchangeError as error:
        return Evidence(notes=(error.message,))
    tags = re.findall(re.escape(run_tag) + r"-\d+", decode(sections["out"].output), re.IGNORECASE)
    return Evidence(
        waiting=frozenset(tag.lower() for tag in tags),
        untouched=frozenset(parse_dir_bare(sections["pickup"].output)),
        failures=newest_by_domain(failures),
        notes=tuple(reader.notes),
    )


def _look(session: Session, host: ImcHost, run_tag: str) -> dict[str, Section]:
    commands = {
        "out": search_folder(host.reach(host.root_dir, "Out"), [run_tag]),
        "pickup": list_folder(host.reach(host.root_dir, FOLDER)),
        **smtp_log_commands(host),
    }
    sections: dict[str, Section] = {}
    for batch in batches(commands):
        sections |= batch.run(session, timeout=_TIMEOUT, max_output=_MAX_OUTPUT)
    return sections
