# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Users' mail in the tracking log, where no test message can be sent: Exchange 4.0 (Q148985).

Mail that leaves, or comes back, after the first look is a verdict; earlier records only
show when the last mail left. Waiting makes sense while mail for a domain lies in ``RootDir\Out``.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .._mail.addresses import domain_of
from .._mail.delivery import Observation, Poll, Stage
from .._mail.message import Probe
from .._remote.commands import echo_if_exists, list_folder
from .._remote.parse import decode, parse_dir_bare
from .._remote.session import Section, Session
from .files import count_lines, is_searchable, parse_count, print_tail, run_all, search_folder
from .host import ImcHost
from .tracking import log_names, observe, parse_text

_TIMEOUT, _MAX_OUTPUT = 120.0, 4_000_000
#: Daily logs that are read, the newest, and lines of each before the first look.
_LOGS, _LINES = 2, 2_000
NO_TRACKING = (
    "the host has no tracking log. Enable message tracking on the connector; Standard Edition has"
    " it only with the Site Connector (Q164175)"
)


@dataclass(slots=True)
class RealMail:
    """Follows the mail of users to the domains of probes.

    ``last`` is the newest record of each domain before the first look, by the domain.
    """

    session: Session
    host: ImcHost
    last: dict[str, Observation] = field(default_factory=dict)
    _read: dict[str, int] | None = None

    def poll(self, pending: Sequence[Probe]) -> Poll:
        """Look once. Raises SessionLost, CommandTimeout or HostUnreachable."""
        if not self.host.tracking_dir:
            return Poll(blind=NO_TRACKING, hopeless=True)
        folder = self.host.reach(self.host.tracking_dir)
        wanted = {probe.domain for probe in pending}
        texts = [f"@{name}" for name in sorted(wanted) if is_searchable(f"@{name}")]
        commands = {"folder": echo_if_exists(folder), "names": list_folder(folder)}
        if texts:
            out = self.host.reach(self.host.root_dir, "Out")
            commands["out"] = search_folder(out, texts)
        sections = _all(self.session, commands)
        if not sections["folder"].output.strip():
            return Poll(blind=NO_TRACKING, hopeless=True)
        names = log_names(parse_dir_bare(sections["names"].output))[-_LOGS:]
        waiting = decode(sections["out"].output).lower() if texts else ""
        found: dict[str, list[Observation]] = {}
        for domain, observation in self._records(names, wanted):
            found.setdefault(domain, []).append(observation)
        tags = {probe.domain: probe.tag for probe in pending}
        return Poll(
            {tags[domain]: _decisive(seen) for domain, seen in found.items()},
            hopeless=not any(f"@{name}" in waiting for name in wanted - found.keys()),
        )

    def _records(self, names: Sequence[str], wanted: set[str]) -> Iterator[tuple[str, Observation]]:
        """Yield what is new about domains; what the first look finds is kept as ``last``."""
        paths = self.host.reach_files((self.host.tracking_dir,), names)
        counted = self._run(paths, count_lines)
        lines = {name: parse_count(counted[name].output) or 0 for name in paths}
        first, before = self._read is None, self._read or {}
        skips = {
            name: max(lines[name] - _LINES, 0) if first else before.get(name, 0) for name in paths
        }
        tails = self._run(paths, lambda path: print_tail(path, skips[path.rpartition("\\")[2]]))
        self._read = before | lines
        for name in paths:
            for event in parse_text(tails[name].output, skips[name] + 1):
                observation = observe(event, self.host.release)
                if observation.stage not in {Stage.TRANSFERRED, Stage.RETURNED}:
                    continue
                for domain in {domain_of(one.address) for one in event.recipients} & wanted:
                    if domain and first:
                        self.last[domain] = observation
                    elif domain:
                        yield domain, observation

    def _run(self, paths: Mapping[str, str], command: Callable[[str], str]) -> dict[str, Section]:
        """Run a command on each log; a log that is not there yet has printed nothing."""
        names = {f"log{number}": name for number, name in enumerate(paths)}
        commands = {key: command(paths[name]) for key, name in names.items()}
        sections = _all(self.session, commands) if commands else {}
        return {name: sections[key] for key, name in names.items()}


def _all(session: Session, commands: Mapping[str, str]) -> dict[str, Section]:
    return run_all(session, commands, timeout=_TIMEOUT, max_output=_MAX_OUTPUT)


def _decisive(seen: Sequence[Observation]) -> list[Observation]:
    """Return the mail that left, if any did: what came back may have a reason of its own."""
    left = [one for one in seen if one.stage is Stage.TRANSFERRED]
    return [replace(one, event=f"{one.event} (mail of a user)") for one in left or seen]
