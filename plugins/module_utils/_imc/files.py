# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a host: small ones whole, the ends of big ones, never more than allowed.

These hosts have no PowerShell and no tool that reads the end of a file:

- ``more +N`` turns tabs into spaces, which are the only thing that divides the fields of the
  tracking log, and waits for a key after 65,534 lines even in a session without a keyboard;
- ``findstr`` reads a file of any size and prints only lines that hold a text, with their numbers:
  right where the text is known, such as the random part of our own Message-IDs;
- ``for /f "skip=N"`` prints the lines after the first N with their tabs: right for the end of a
  log, once ``find /c`` has counted its lines. It drops empty lines, which no log here needs.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .._base.errors import CommandTimeout, InvalidInput
from .._remote.commands import quoted, type_file, windows_path
from .._remote.parse import decode, excerpt
from .._remote.session import Batch, Section, Session

#: Characters of search strings in one findstr command: a line holds more than one command.
SEARCH_LIMIT = 3_000
#: Room for commands on one line, and what the batch puts around each of them.
_LINE_ROOM, _MARKS = 7_400, 130
#: Bytes read by one command line, what it prints besides, and seconds it may take.
_PORTION, _OVERHEAD, _TIMEOUT = 4_000_000, 65_536, 120.0

_SEARCHABLE = re.compile(r"[A-Za-z0-9@._+=~/-]{1,120}")
_MASK = re.compile(r"[A-Za-z0-9]?\*(?:\.[A-Za-z]{1,3})?")
_COUNT = re.compile(rb":[ \t]*(\d{1,18})\s*\Z")
_SIZE = re.compile(r"(\d{1,18}) (.+)")


def is_searchable(text: str) -> bool:
    """True for a text without characters that a command line interprets."""
    return _SEARCHABLE.fullmatch(text) is not None


def within(folder: str, mask: str) -> str:
    r"""Return ``"FOLDER\MASK"`` in quotes; the mask is ours, such as ``L*.LOG``."""
    if not _MASK.fullmatch(mask):
        raise InvalidInput(f"{mask!a} is not a file name pattern of this collection.")
    return f'"{windows_path(folder)}\\{mask}"'


def list_by_age(folder: str, mask: str = "*", *, newest_first: bool = False) -> str:
    """List the files of a folder by the time they were written, oldest first."""
    return f"dir /b /a-d /o:{'-' if newest_first else ''}d {within(folder, mask)}"


def list_sizes(folder: str, mask: str = "*") -> str:
    """List the files of a folder as ``SIZE NAME``; ``dir`` shows sizes in the local fashion."""
    return f"for %F in ({within(folder, mask)}) do @echo %~zF %~nxF"


def parse_sizes(output: bytes) -> dict[str, int]:
    """Return the sizes in bytes by file name, as ``list_sizes`` printed them."""
    matches = (_SIZE.fullmatch(line.rstrip("\r ")) for line in decode(output).split("\n"))
    return {match[2]: int(match[1]) for match in matches if match is not None}


def search(path: str, texts: Iterable[str]) -> str:
    """Print the lines of a file that hold any of the texts, with their numbers.

    ``/i`` is not for the case: without it findstr overlooks lines when several literal texts are
    given.
    """
    return f"findstr /n /i /l {_texts(texts)} {quoted(path)}"


def search_folder(folder: str, texts: Iterable[str]) -> str:
    """Print the lines of all files of a folder that hold any of the texts, as ``PATH:LINE``."""
    return f"findstr /i /l {_texts(texts)} {within(folder, '*')}"


def _texts(texts: Iterable[str]) -> str:
    chosen = list(texts)
    for text in chosen:
        if not is_searchable(text):
            raise InvalidInput(f"{text!a} cannot be searched for on a host.")
    return " ".join(f'/c:"{text}"' for text in chosen)


def portions(texts: Sequence[str], limit: int = SEARCH_LIMIT) -> list[list[str]]:
    """Divide search strings so that each portion fits into one command."""
    return _divided(((text, len(text) + 6) for text in texts), limit)


def _divided(sizes: Iterable[tuple[str, int]], limit: int) -> list[list[str]]:
    """Divide names, in their order, so that no portion of several is larger than the limit."""
    parts: list[list[str]] = []
    total = 0
    for name, size in sizes:
        total += size
        if not parts or total > limit:
            parts.append([])
            total = size
        parts[-1].append(name)
    return parts


def count_lines(path: str) -> str:
    """Count the lines of a file of any size."""
    return f'find /c /v "" {quoted(path)}'


def parse_count(output: bytes) -> int | None:
    """Return the number that ``count_lines`` printed behind the name, or None."""
    match = _COUNT.search(output)
    return int(match[1]) if match else None


def print_tail(path: str, skip: int) -> str:
    """Print the lines of a file after the first ``skip``."""
    skipping = f"skip={skip} " if skip else ""  # skip=0 is a syntax error
    return f'for /f "usebackq {skipping}delims=" %L in ({quoted(path)}) do @echo.%L'


def batches(commands: Mapping[str, str]) -> Iterator[Batch]:
    """Put named commands into as few command lines as they fit, in their order."""
    batch, room = Batch(), _LINE_ROOM
    for name, command in commands.items():
        need = len(command) + len(name) + _MARKS
        if need > room and room < _LINE_ROOM:
            yield batch
            batch, room = Batch(), _LINE_ROOM
        batch.add(name, command)
        room -= need
    yield batch


def run_all(
    session: Session, commands: Mapping[str, str], *, timeout: float, max_output: int = 16_000_000
) -> dict[str, Section]:
    """Run named commands by as few command lines as they fit; return their sections by name."""
    sections: dict[str, Section] = {}
    for batch in batches(commands):
        sections |= batch.run(session, timeout=timeout, max_output=max_output)
    return sections


@dataclass(slots=True)
class Reader:
    """Reads files by their paths in the session; ``warnings`` name those that it could not read.

    A file may be locked, grow, or vanish between being listed and being read. ``sizes`` in the
    methods are in bytes, as the folder's listing gave them.
    """

    session: Session
    warnings: list[str] = field(default_factory=list)

    def wholes(self, sizes: Mapping[str, int], *, expected: bool = False) -> dict[str, bytes]:
        """Return the contents of files by path; a warning names those ``expected`` but not read."""
        contents: dict[str, bytes] = {}
        for portion in _divided(sizes.items(), _PORTION):
            commands = {f"f{n}": type_file(path) for n, path in enumerate(portion)}
            sections = self._run(commands, sum(sizes[path] for path in portion))
            for number, path in enumerate(portion):
                section = sections.get(f"f{number}")
                # A file may have grown since it was listed; then it is longer than allowed.
                if section is not None and section.ok:
                    contents[path] = section.output
                elif section is not None and expected:
                    self._unread(path, section)
        return contents

    def ends(self, sizes: Mapping[str, int], *, whole: int, lines: int) -> dict[str, bytes]:
        """Return logs of at most ``whole`` bytes whole, of others the last ``lines`` lines.

        A log that cannot be read leaves a warning.
        """
        small = {path: size for path, size in sizes.items() if size <= whole}
        contents = self.wholes(small, expected=True)
        big = [path for path in sizes if path not in small]
        counts = self._run({f"f{n}": count_lines(path) for n, path in enumerate(big)}, 0)
        tails: dict[str, str] = {}
        for name, section in counts.items():
            path = big[int(name[1:])]
            count = parse_count(section.output) if section.ok else None
            if count is None:
                self._unread(path, section)
            else:
                tails[name] = print_tail(path, max(count - lines, 0))
        for name, section in self._run(tails, _PORTION).items():
            contents[big[int(name[1:])]] = section.output
        return contents

    def _unread(self, path: str, section: Section) -> None:
        self.warnings.append(f"{path} could not be read ({excerpt(section.output)}).")

    def _run(self, commands: Mapping[str, str], limit: int) -> dict[str, Section]:
        """Run commands that may print ``limit`` bytes a line; what does not answer is left out."""
        sections: dict[str, Section] = {}
        for batch in batches(commands) if commands else ():
            try:
                done = self.session.run(
                    batch.line(), timeout=_TIMEOUT, max_output=limit + _OVERHEAD
                )
            except CommandTimeout as error:
                self.warnings.append(error.message)
                continue
            if done.truncated:
                self.warnings.append("Some files grew while they were read and were left out.")
            else:
                sections |= batch.parse(done, host=self.session.host)
        return sections
