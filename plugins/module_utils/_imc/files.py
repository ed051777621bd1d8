# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that list, search and read the end of files of any size, and what they print.

There is no PowerShell on these hosts, and no tool that reads the end of a file:

- ``more +N`` turns tabs into spaces, which are the only thing that divides the fields of the
  tracking log, and waits for a key after 65,534 lines even when nobody sits there;
- ``findstr`` reads a file of any size and prints only lines that hold a text, with their numbers:
  right where the text is known, such as the random part of our own Message-IDs;
- ``for /f "skip=N"`` prints the lines after the first N with their tabs: right for the end of a
  log, once ``find /c`` has counted its lines. It drops empty lines, which no log here needs.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from .._base.errors import InvalidInput
from .._remote.commands import quoted, windows_path
from .._remote.parse import decode
from .._remote.session import Batch

#: Characters of search strings in one findstr command: a line holds more than one command.
SEARCH_LIMIT = 3_000
#: Room for commands on one line, and what the batch puts around each of them.
_LINE_ROOM, _MARKS = 7_400, 130

_SEARCHABLE = re.compile(r"[A-Za-z0-9@._+=~/-]{1,120}")
_MASK = re.compile(r"[A-Za-z0-9]?\*(?:\.[A-Za-z]{1,3})?")
_COUNT = re.compile(rb":[ \t]*(\d{1,18})\s*\Z")
_SIZE = re.compile(r"(\d{1,18}) (.+)")


def is_searchable(text: str) -> bool:
    """Whether a text can be looked for without any character that a command line takes."""
    return _SEARCHABLE.fullmatch(text) is not None


def within(folder: str, mask: str) -> str:
    r"""Return ``"FOLDER\MASK"`` in quotes; the mask is ours, such as ``L*.LOG``."""
    if not _MASK.fullmatch(mask):
        raise InvalidInput(f"{mask!a} is no file name pattern of this collection.")
    return f'"{windows_path(folder)}\\{mask}"'


def list_by_age(folder: str, mask: str = "*", *, newest_first: bool = False) -> str:
    """List the files of a folder by the time they were written, oldest first."""
    return f"dir /b /a-d /o:{'-' if newest_first else ''}d {within(folder, mask)}"


def list_sizes(folder: str, mask: str = "*") -> str:
    """List the files of a folder as ``SIZE NAME``; ``dir`` shows sizes in the local fashion."""
    return f"for %F in ({within(folder, mask)}) do @echo %~zF %~nxF"


def parse_sizes(output: bytes) -> dict[str, int]:
    """Return the sizes in bytes by file name, as ``list_sizes`` printed them."""
    sizes: dict[str, int] = {}
    for line in decode(output).split("\n"):
        match = _SIZE.fullmatch(line.rstrip("\r "))
        if match is not None:
            sizes[match[2]] = int(match[1])
    return sizes


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
    parts: list[list[str]] = []
    size = limit
    for text in texts:
        size += len(text) + 6
        if size > limit:
            parts.append([])
            size = len(text) + 6
        parts[-1].append(text)
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
