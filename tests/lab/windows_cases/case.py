# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a case of the table is: lines to type, and all that they have to come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from exchange_lab.windows.registry import Data

#: Stands in lines and outputs for the case's own folder, and for its own registry key.
HERE, KEY, LONG_KEY = "{here}", "{key}", "{longkey}"

Content = bytes | str
"""What is in a file: bytes, or text in which the placeholders are filled in."""

#: How an export of the case's own key begins.
REG_FILE = "Windows Registry Editor Version 5.00\r\n\r\n[{longkey}]\r\n"

#: What reg.exe says.
DONE = "The operation completed successfully.\r\n"
MISSING = "ERROR: The system was unable to find the specified registry key or value.\r\n"

#: What is in the folder of a case that says nothing else.
FILES: Mapping[str, Content] = {
    "f1.txt": b"a\r\n",
    "f2.txt": b"one\r\ntwo\r\nthree\r\n",
    "with space.txt": b"spaced\r\n",
}

Stored = tuple[str, str, str, Data]
"""A registry value: key below the case's own ("" for that), name, type, data."""


@dataclass(frozen=True, slots=True)
class Difference:
    """In what Wine differs: ``out``, ``level``, ``files`` or ``values``; the rest is the same.

    ``decides`` is the document that tells what Windows does. The lab follows it.
    """

    parts: frozenset[str]
    wine: str
    decides: str


@dataclass(frozen=True, slots=True)
class Case:
    """Lines typed one after another into one shell with ECHO off.

    ``out`` and ``err`` is what they print, ``code`` what ``cmd /c`` ends with for the last of them,
    and ``level`` the ERRORLEVEL after it. ``files`` are in the folder before, ``after`` tells those
    that are new, changed or, with None, gone (a folder ends in a backslash, its content is empty).
    ``values`` are in the registry before; ``stored`` is all that is there afterwards, None where
    that is the same. ``alone``: Wine needs a cmd.exe of its own for it, since the case reads
    standard input or ends the shell.
    """

    name: str
    lines: tuple[str, ...]
    out: str | bytes = ""
    err: str = ""
    code: int = 0
    level: int = 0
    files: Mapping[str, Content] = field(default_factory=lambda: FILES)
    after: Mapping[str, Content | None] = field(default_factory=dict)
    values: tuple[Stored, ...] = ()
    stored: tuple[Stored, ...] | None = None
    alone: bool = False
    differs: Difference | None = None


def case(name: str, *lines: str, **more: Any) -> Case:
    """Return a case; what is not said is as ``Case`` has it."""
    return Case(name, lines, **more)


def wine(parts: str, does: str, decides: str) -> Difference:
    """Return a known difference: in which parts, what Wine 8 does, and who decides."""
    return Difference(frozenset(parts.split()), does, decides)


def syntax(verb: str) -> str:
    """Return what reg.exe says of a command line that it does not take."""
    return f'ERROR: Invalid syntax.\r\nType "REG {verb} /?" for usage.\r\n'


def bad_key(verb: str) -> str:
    """Return what reg.exe says of a key's name that cannot be one."""
    return f'ERROR: Invalid key name.\r\nType "REG {verb} /?" for usage.\r\n'


@dataclass(frozen=True, slots=True)
class Result:
    """What a case came to; ``code`` and ``err`` are known of the lab only."""

    out: bytes
    level: int
    files: Mapping[str, bytes | None]
    values: tuple[Stored, ...]
    err: bytes = b""
    code: int = 0
