# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An independent reading of a command line: what would cmd.exe run, and with which arguments?

The line is read by the lab's interpreter, not by what built it. Every variable of the environment
but the three that this collection uses holds a command; so a percent sign that gets through shows.
"""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from exchange_lab.windows.cmdline import _split_name, _split_program
from exchange_lab.windows.commands import BUILTINS
from exchange_lab.windows.dir_command import DIR_BUILTINS
from exchange_lab.windows.expand import delayed, percent
from exchange_lab.windows.file_commands import FILE_BUILTINS
from exchange_lab.windows.host import LabHost
from exchange_lab.windows.programs import split_arguments
from exchange_lab.windows.shell import Environment, Shell
from exchange_lab.windows.syntax import (
    DELIMITERS,
    Block,
    Chain,
    Command,
    CommandSyntaxError,
    For,
    If,
    Node,
    parse,
)

_OURS = {"TEMP": r"C:\Temp", "SYSTEMROOT": r"C:\Windows", "ALLUSERSPROFILE": r"C:\ProgramData"}
_INTERNAL = {*BUILTINS, *DIR_BUILTINS, *FILE_BUILTINS, "call", "exit"}
#: What this collection runs on a host; all that is internal changes nothing or only our files.
COMMANDS = frozenset(
    {"echo", "call", "type", "del", "rd", "mkdir", "move", "ren", "copy", "dir"}
    | {"reg", "sc", "ping", "find", "findstr", "typeperf", "imccopy", "fc"}
)
_PROGRAM = re.compile(r"(?:.*\\)?imccopy(?:\.exe)?", re.IGNORECASE)


class _Hostile(Environment):
    """Variables that cannot be looked at without harm."""

    def get(self, name: str) -> str | None:
        if name.upper() in _OURS:
            return _OURS[name.upper()]
        return '"&calc&"' if re.fullmatch(r"[A-Za-z_(][A-Za-z0-9_()]+", name) else None


@dataclass(frozen=True, slots=True)
class Ran:
    """A command as cmd.exe would run it: its name, its arguments, where its streams go."""

    name: str
    arguments: tuple[str, ...]
    redirects: tuple[tuple[int, str, str], ...]


class MisreadError(AssertionError):
    """cmd.exe would not understand the line."""


@cache
def _shell() -> Shell:
    folder = tempfile.mkdtemp(prefix="fuzz-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    host = LabHost("HOST", Path(folder), time_scale=0.01)
    shell = host.open_shell()
    shell.environment = _Hostile({})
    return shell


def commands_of(line: str) -> list[Ran]:
    """Return every command on a line, those of loops, conditions and blocks too."""
    assert len(line) <= 8191, "cmd.exe would cut it"
    assert "\n" not in line, "cmd.exe would run its first line only"
    assert "\r" not in line
    try:
        node = parse(percent(line, _shell()))
    except CommandSyntaxError as error:
        raise MisreadError(f"{error} in {line!r}") from error
    found = [] if node is None else list(_walk(node))
    # Delayed expansion is off where we open shells, but an administrator may switch it on.
    assert delayed(line, _shell()) == line, "an exclamation mark gets through"
    return found


def _walk(node: Node) -> Iterator[Ran]:
    match node:
        case Command():
            yield _command(node)
        case Block():
            if node.body is not None:
                yield from _walk(node.body)
            if node.redirects:
                yield Ran("()", (), _redirects(node))
        case Chain():
            left, right = list(_walk(node.left)), list(_walk(node.right))
            # A table is written only where the comparison in the same line finds it unchanged.
            compares = [ran.name for ran in left] in (["fc"], ["fc", "echo"])
            joined = node.operator == "&" or (node.operator == "&&" and compares)
            assert joined, f"commands are joined by {node.operator}"
            yield from (*left, *right)
        case If():
            assert node.otherwise is None
            yield Ran("if", (node.condition.kind, node.condition.left, node.condition.right), ())
            yield from _walk(node.then)
        case For():
            yield Ran("for", (node.kind, node.options, node.letter, node.items), ())
            yield from _walk(node.body)


def _command(node: Command) -> Ran:
    text = node.text.lstrip(DELIMITERS)
    name, rest = _split_name(text)
    if name.lower() not in _INTERNAL:
        name, rest = _split_program(text)
    words = (rest,) if name.lower() in {"echo", "call"} else tuple(split_arguments(rest))
    return Ran(name, words, _redirects(node))


def _redirects(node: Command | Block) -> tuple[tuple[int, str, str], ...]:
    return tuple((one.handle, one.mode, one.target) for one in node.redirects)


def only_ours(line: str, *, chosen: str = "") -> list[Ran]:
    """Check that a line runs nothing but our commands, and writes to nothing but our files.

    ``chosen`` is a path that an administrator chose: a program, or a folder for our files.
    """
    ran = commands_of(line)
    for one in ran:
        known = one.name.lower() in COMMANDS | {"if", "for", "()", chosen.lower()}
        assert known or _PROGRAM.fullmatch(one.name), f"{one.name!r} is run by {line!r}"
        for _handle, mode, to in one.redirects:
            harmless = mode == "&" or to.lower() == "nul" or _is_ours(to, chosen)
            assert mode != "<", line
            assert harmless, f"{line!r} writes to {to!r}"
        if one.name.lower() in {"del", "rd", "move", "copy", "mkdir", "ren"}:
            # The new name of a folder is no path; it lies where the old one does.
            paths = [word for word in one.arguments if not word.startswith("/")]
            paths = paths[:1] if one.name.lower() == "ren" else paths
            assert all(_is_ours(path, chosen) for path in paths), one
        if one.name.lower() == "call":
            assert re.fullmatch(r" echo #[0-9a-f]{16}#rc %errorlevel%", one.arguments[0]), one
    return ran


def _is_ours(path: str, chosen: str) -> bool:
    """Whether a path is one of a file or folder that we make: by its name, or by its folder."""
    if chosen and path.strip('"').startswith(chosen + "\\"):
        return True
    ours = r"pmx-[0-9a-f]{16}\.txt|postmaster\.exchange|test-[0-9a-z-]+\.(?:tmp|txt)|our-backups"
    return re.search(ours, path) is not None
