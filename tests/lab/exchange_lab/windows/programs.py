# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the program behind a name, and splitting its arguments as the C runtime does."""

from __future__ import annotations

from .errors import WinError
from .process import Tool
from .shell import Shell


def find_program(name: str, shell: Shell) -> Tool | None:
    """Look in the current folder, then along PATH, trying each suffix of PATHEXT."""
    suffixes = (shell.environment.get("PATHEXT") or "").split(";")
    names = [name] if "." in name.rpartition("\\")[2] else []
    names += [name + suffix for suffix in suffixes if suffix]
    if set(name) & {"\\", ":"}:
        folders = [""]
    else:
        path = (shell.environment.get("Path") or "").split(";")
        folders = [shell.cwd, *(folder.strip('"') for folder in path if folder)]
    for folder in folders:
        for candidate in names:
            tool = _program(
                f"{folder.rstrip(chr(92))}\\{candidate}" if folder else candidate, shell
            )
            if tool is not None:
                return tool
    return None


def _program(path: str, shell: Shell) -> Tool | None:
    try:
        full = shell.absolute(path)
        files, local = shell.locate(full)
        if not files.is_file(local):
            return None
        if not full.startswith("\\\\"):
            return shell.host.program(local)
        return shell.remote(full[2:].partition("\\")[0]).program(local)
    except WinError:
        return None


def split_arguments(raw: str) -> list[str]:
    r"""Split a command line: quotes group, ``\"`` is a quote, backslashes elsewhere are literal."""
    arguments: list[str] = []
    current: str | None = None
    quoted = False
    index = 0
    while index < len(raw):
        char = raw[index]
        backslashes = 0
        while index < len(raw) and raw[index] == "\\":
            backslashes, index = backslashes + 1, index + 1
        if backslashes:
            before_quote = raw[index : index + 1] == '"'
            count = backslashes // 2 if before_quote else backslashes
            current = (current or "") + "\\" * count
            if before_quote and backslashes % 2:
                current += '"'
                index += 1
            continue
        index += 1
        if char == '"':
            if quoted and raw[index : index + 1] == '"':
                current = (current or "") + '"'
                index += 1
            quoted = not quoted
            current = current or ""
        elif char in " \t" and not quoted:
            if current is not None:
                arguments.append(current)
            current = None
        else:
            current = (current or "") + char
    return arguments if current is None else [*arguments, current]
