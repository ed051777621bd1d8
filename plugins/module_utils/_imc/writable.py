# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a routes file can be written on a host exactly, with ``echo`` and nothing else. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from .._remote.commands import is_safe_line
from .routes import Line, RoutesFile

_LONGEST_LINE = 7_000  # a command line holds 8,191 characters, and has to name the file, too


def why_unwritable(file: RoutesFile, saved: RoutesFile) -> str:
    """Return why a file cannot be written byte for byte, naming the line; or nothing.

    The line is numbered as in ``saved``, which the administrator can look at, where it is from
    there. Only the end of the last line does not matter: ``echo`` always writes one.
    """
    if file.utf16:
        return "the route table is saved as UTF-16, and only ANSI text can be written"
    lines = file.lines
    for number, line in enumerate(lines, start=1):
        if problem := _problem(line, last=number == len(lines)):
            where = saved.lines.index(line) + 1 if line in saved.lines else number
            return f"line {where} of the saved route table {problem}: {line.text[:80]!a}"
    return ""


def _problem(line: Line, *, last: bool) -> str:
    if not line.text.isascii():
        return "holds characters beyond ASCII, whose code page is unknown"
    if not is_safe_line(line.text):
        return "holds what cmd.exe would not write as it stands"
    if len(line.text) > _LONGEST_LINE:
        return f"is longer than {_LONGEST_LINE} characters"
    if line.end != "\r\n" and not (last and not line.end):
        return "does not end in CR LF"
    return ""
