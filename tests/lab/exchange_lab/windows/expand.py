# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cmd.exe's substitutions: ``%VAR%`` (command-line mode), ``!VAR!``, and ``%I`` of a FOR loop.

In command-line mode, which is what ``cmd /c`` has, an undefined variable is left as typed, and
``%%`` is two characters.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from datetime import datetime

from .errors import WinError
from .shell import Shell

_MODIFIED = re.compile(r"%~([fdpnxsatzFDPNXSATZ]*)(\$[^:%\s]+:)?")
_ATTRIBUTES_FILE, _ATTRIBUTES_DIR = "--a------", "d--------"


def dynamic_variables(shell: Shell) -> Mapping[str, Callable[[], str]]:
    """Return the variables cmd computes when they are asked for and not set."""
    return {
        "CD": lambda: shell.cwd,
        "ERRORLEVEL": lambda: str(shell.errorlevel),
        "RANDOM": lambda: str(random.randrange(32768)),
        "DATE": lambda: format(shell.host.clock(), "%a %m/%d/%Y"),
        "TIME": lambda: _time(shell.host.clock()),
        "CMDEXTVERSION": lambda: "2",
    }


def _time(now: datetime) -> str:
    return f"{now.hour:2}:{now:%M:%S}.{now.microsecond // 10000:02}"


def lookup(shell: Shell, name: str) -> str | None:
    """Return a variable's value, or None when it is not defined."""
    value = shell.environment.get(name)
    if value is None and (compute := dynamic_variables(shell).get(name.upper())):
        return compute()
    return value


def percent(line: str, shell: Shell) -> str:
    """Replace ``%VAR%``, ``%VAR:old=new%`` and ``%VAR:~start,length%``."""
    return _expand(line, "%", shell)


def delayed(line: str, shell: Shell) -> str:
    """Replace ``!VAR!`` (``cmd /v:on``)."""
    return _expand(line, "!", shell)


def _expand(line: str, mark: str, shell: Shell) -> str:
    output, position = [], 0
    while (start := line.find(mark, position)) >= 0:
        output.append(line[position:start])
        value, position = _one(line, start, mark, shell)
        output.append(mark if value is None else value)
    output.append(line[position:])
    return "".join(output)


def _one(line: str, start: int, mark: str, shell: Shell) -> tuple[str | None, int]:
    """Return the value at ``start`` and where to go on; None leaves the first mark as typed."""
    match = re.compile(f"[^{mark}:]+:?(?={mark})|[^{mark}:]+(?=:)").match(line, start + 1)
    value = lookup(shell, match[0]) if match else None
    if match is None or value is None:
        return None, start + 1
    if line[match.end()] == mark:
        return value, match.end() + 1
    end = line.find(mark, match.end() + 1)
    if end < 0:
        return None, start + 1
    return _modified(value, line[match.end() + 1 : end]), end + 1


def _modified(value: str, modifier: str) -> str:
    if match := re.fullmatch(r"~(-?\d+)?(?:,(-?\d+)?)?", modifier):
        first = int(match[1] or 0)
        first = max(0, len(value) + first) if first < 0 else first
        if match[2] is None:
            return value[first:]
        length = int(match[2])
        return value[first:length] if length < 0 else value[first : first + length]
    old, _skipped, new = modifier.partition("=")
    if old.startswith("*"):
        position = value.casefold().find(old[1:].casefold())
        return value if position < 0 else new + value[position + len(old) - 1 :]
    return re.sub(re.escape(old), lambda _unused: new, value, flags=re.IGNORECASE) if old else value


def loop_variables(text: str, variables: Mapping[str, str], shell: Shell) -> str:
    """Replace ``%I`` and ``%~modifiersI``; a letter that is no loop variable stays as typed."""
    if not variables or "%" not in text:
        return text
    output, position = [], 0
    while (start := text.find("%", position)) >= 0:
        output.append(text[position:start])
        value, position = _loop_variable(text, start, variables, shell)
        output.append("%" if value is None else value)
    output.append(text[position:])
    return "".join(output)


def _loop_variable(
    text: str, start: int, variables: Mapping[str, str], shell: Shell
) -> tuple[str | None, int]:
    letter = text[start + 1 : start + 2]
    if letter in variables:
        return variables[letter], start + 2
    match = _MODIFIED.match(text, start)
    if match is None:
        return None, start + 1
    # The longest run of modifiers wins, as long as a loop variable's letter follows it.
    for end in range(match.end(), match.start() + 1, -1):
        letter = text[end : end + 1]
        if letter in variables and (end == match.end() or not match[2]):
            letters = match[1][: end - start - 2].lower()
            value = modified_path(variables[letter], letters, match[2] or "", shell)
            return value, end + 1
    return None, start + 1


def modified_path(value: str, letters: str, search: str, shell: Shell) -> str:
    """Return ``%~fdpnxsatz$PATH:I``: parts of the path, or size and time of the file."""
    value = value.strip('"')
    if search:
        value = _searched(value, search[1:-1], shell)
        if not value:
            return ""
        letters = letters or "f"
    if not letters:
        return value
    try:
        full = shell.absolute(value)
    except WinError:
        return ""
    facts = [_fact(full, letter, shell) for letter in "atz" if letter in letters]
    return " ".join(fact for fact in [*facts, _path_parts(full, letters)] if fact)


def _path_parts(full: str, letters: str) -> str:
    if "f" in letters or letters.strip("atz") == "s":
        return full
    folder, _skipped, name = full.rpartition("\\")
    stem, dot, suffix = name.rpartition(".")
    if not dot:
        stem, suffix = name, ""
    parts = {"d": full[:2], "p": folder[2:] + "\\", "n": stem, "x": dot + suffix}
    return "".join(part for letter, part in parts.items() if letter in letters)


def _fact(full: str, letter: str, shell: Shell) -> str:
    try:
        files, path = shell.locate(full)
        found = files.stat(path)
    except WinError:
        return ""
    if letter == "z":
        return "0" if files.is_dir(path) else str(found.st_size)
    if letter == "t":
        return datetime.fromtimestamp(found.st_mtime).strftime("%m/%d/%Y %I:%M %p")
    return _ATTRIBUTES_DIR if files.is_dir(path) else _ATTRIBUTES_FILE


def _searched(name: str, variable: str, shell: Shell) -> str:
    folders = [shell.cwd, *(shell.environment.get(variable) or "").split(";")]
    for folder in filter(None, folders):
        candidate = f"{folder.rstrip(chr(92))}\\{name}"
        files, path = shell.locate(candidate)
        if files.is_file(path):
            return files.spelling(path)
    return ""
