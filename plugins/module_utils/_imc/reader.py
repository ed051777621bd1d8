# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading files of a host: small ones whole, the ends of big ones, never more than allowed.

What cannot be read is left out and said in a note: a file may be locked, grow, or vanish between
being listed and being read.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .._base.errors import CommandTimeout
from .._remote.commands import type_file
from .._remote.session import Section, Session
from .files import batches, count_lines, parse_count, print_tail

#: Bytes read by one command line, and seconds it may take.
_PORTION, _TIMEOUT = 4_000_000, 120.0
#: Output of a command line beside the files' bytes: marks and error texts.
_OVERHEAD = 65_536


@dataclass(slots=True)
class Reader:
    """Reads files by their paths as the session reaches them, and keeps notes of what it did not.

    ``sizes`` in the methods are in bytes, as the folder's listing gave them.
    """

    session: Session
    notes: list[str] = field(default_factory=list)

    def wholes(self, sizes: Mapping[str, int]) -> dict[str, bytes]:
        """Return the contents of files by path."""
        found: dict[str, bytes] = {}
        for portion in _portions(sizes):
            commands = {f"f{n}": type_file(path) for n, path in enumerate(portion)}
            limit = sum(sizes[path] for path in portion)
            sections = self._run(commands, limit)
            for number, path in enumerate(portion):
                section = sections.get(f"f{number}")
                # A file may have grown since it was listed; then it is longer than allowed.
                if section is not None and section.ok:
                    found[path] = section.output
        return found

    def ends(self, sizes: Mapping[str, int], *, whole: int, lines: int) -> dict[str, bytes]:
        """Return files of at most ``whole`` bytes whole, of others the last ``lines`` lines."""
        small = {path: size for path, size in sizes.items() if size <= whole}
        found = self.wholes(small)
        big = [path for path in sizes if path not in small]
        if not big:
            return found
        counts = self._run({f"f{n}": count_lines(path) for n, path in enumerate(big)}, 0)
        tails: dict[str, str] = {}
        for number, path in enumerate(big):
            section = counts.get(f"f{number}")
            count = parse_count(section.output) if section and section.ok else None
            if count is None:
                self.notes.append(f"{path} cannot be read.")
            else:
                tails[f"f{number}"] = print_tail(path, max(count - lines, 0))
        for name, section in self._run(tails, _PORTION).items():
            found[big[int(name[1:])]] = section.output
        return found

    def _run(self, commands: Mapping[str, str], limit: int) -> dict[str, Section]:
        """Run commands that may print ``limit`` bytes a line; what does not answer is left out."""
        sections: dict[str, Section] = {}
        for batch in batches(commands) if commands else ():
            try:
                done = self.session.run(
                    batch.line(), timeout=_TIMEOUT, max_output=limit + _OVERHEAD
                )
            except CommandTimeout as error:
                self.notes.append(error.message)
                continue
            if done.truncated:
                self.notes.append("Some files grew while they were read and were left out.")
            else:
                sections |= batch.parse(done, host=self.session.host)
        return sections


def _portions(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Divide files into portions whose contents together are not too long for one command."""
    portion: list[str] = []
    total = 0
    for path, size in sizes.items():
        if portion and total + size > _PORTION:
            yield portion
            portion, total = [], 0
        portion.append(path)
        total += size
    if portion:
        yield portion
