# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""An Exchange computer whose command lines are run by Wine, behind the lab's WinRM.

Wine's own are cmd.exe with all that is built into it, reg.exe and the registry, ping.exe, and the
files. Not judged by Wine, since Wine 8 does not have it, is what these stand for:

- ``sc``: asks the lab's service manager; where a service starts, the lab's connector reads its
  settings from Wine's registry.
- ``imccopy``: the lab's own, on Wine's files.
- ``type`` of a .reg file: Windows converts UTF-16 to the code page, Wine 8 stops at its first NUL.
  It is taken out of the command line and put back as a program of another name.

Each is a batch file in a folder ahead of PATH. It puts its command line into a file, and waits for
the answer of this process in two others: what to print, and the exit code.

Variables that name folders are expanded before Wine gets the line. Windows does that before it
looks at the line at all; Wine 8 does it command by command, and not in the set of FOR.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from .errors import WinError
from .filesystem import FileSystem, normalise
from .host import CONTROL_C_EXIT, LabHost
from .process import Invocation, Stdin, Streams, Terminated, Tool
from .programs import split_arguments
from .regfile import export, load
from .registry import Registry, Value
from .sc_tool import sc
from .shell import Shell
from .wine import Wine

_FOLDER = r"C:\lab"
_STUB = rf"""@echo off
>{_FOLDER}\asked.tmp echo %~n0 %*
move {_FOLDER}\asked.tmp {_FOLDER}\asked.txt >nul
:wait
if not exist {_FOLDER}\answer.cmd goto wait
call {_FOLDER}\answer.cmd
del {_FOLDER}\answer.cmd
type {_FOLDER}\answer.txt
exit /b %LABCODE%
"""
_WIDE = "typewide"
_TYPE_REG = re.compile(r'\btype (?="[^"]+\.reg")')
_FOLDERS = ("TEMP", "ALLUSERSPROFILE", "SystemRoot")
_MARK = "~~~lab~~~"


class _WineShell(Shell):
    """A shell whose paths lead to Wine's files."""

    files: FileSystem

    def locate(self, path: str) -> tuple[FileSystem, str]:
        """Return Wine's file system and the path there."""
        return self.files, normalise(path.strip('"'), self.cwd)


class WineComputer:
    """Runs the command lines of one lab host in Wine; ``keys`` are the host's keys that Wine gets.

    ``folder`` is where this object may keep things. ``run`` is what a WinRM listener's ``runner``
    has to be; it runs one command line at a time.
    """

    def __init__(
        self, wine: Wine, host: LabHost, folder: Path, keys: tuple[str, ...], imccopy: Tool
    ) -> None:
        self._wine = wine
        self._host = host
        self._keys = keys
        self._lock = threading.Lock()
        self._tools: Mapping[str, Tool] = {
            "sc": self._sc,
            "imccopy": imccopy,
            _WIDE: _type_wide,
        }
        (folder / "wine").mkdir()
        (folder / "wine" / "C").symlink_to(wine.drive_c)
        self.files = FileSystem(folder / "wine")
        self._desk = wine.unix(_FOLDER)
        self._desk.mkdir(exist_ok=True)
        for left in self._desk.iterdir():
            left.unlink()
        for name in self._tools:
            (self._desk / f"{name}.cmd").write_bytes(_STUB.replace("\n", "\r\n").encode())
        self._folders = self._ask_for_folders()
        self._push()

    # -- command lines -----------------------------------------------------------------------

    def run(self, line: str, shell: Shell, streams: Streams) -> int:
        """Run a command line as ``cmd /c`` does; its exit code here is ERRORLEVEL after it."""
        self._host.commands.append(line)
        self._host.on_command(line)
        typed = [self._prepared(line), f"echo {_MARK}%errorlevel%"]

        def meanwhile() -> None:
            streams.check()
            self._answer(shell)

        with self._lock:
            try:
                done = self._wine.type_in(
                    typed, environment={"WINEPATH": _FOLDER}, meanwhile=meanwhile, timeout=300.0
                )
            except Terminated:
                return CONTROL_C_EXIT
        output, _mark, code = done.stdout.rpartition(_MARK.encode())
        streams.stdout(output)
        streams.stderr(done.stderr)
        return int(code)

    def _prepared(self, line: str) -> str:
        for name, folder in self._folders.items():
            line = line.replace(f"%{name}%", folder)
        return _TYPE_REG.sub(f"{_WIDE} ", line)

    def _ask_for_folders(self) -> dict[str, str]:
        printed = self.type_in(*(f"echo %{name}%" for name in _FOLDERS)).decode()
        return dict(zip(_FOLDERS, printed.splitlines(), strict=True))

    def _answer(self, shell: Shell) -> None:
        """Answer a batch file that asks."""
        asked = self._desk / "asked.txt"
        if not asked.exists():
            return
        name, _blank, raw = asked.read_text().strip().partition(" ")
        asked.unlink()
        printed = bytearray()
        call = self._invocation(shell, name, raw, printed.extend)
        try:
            code = self._tools[name](call)
        except WinError as exc:
            code = exc.code
        (self._desk / "answer.txt").write_bytes(printed)
        (self._desk / "answer.tmp").write_text(f"@set LABCODE={code}\r\n")
        (self._desk / "answer.tmp").rename(self._desk / "answer.cmd")

    def _invocation(
        self, shell: Shell, name: str, raw: str, sink: Callable[[bytes], None]
    ) -> Invocation:
        there = _WineShell(
            host=self._host,
            user=shell.user,
            environment=shell.environment,
            cwd=shell.cwd,
            code_page=shell.code_page,
        )
        there.files = self.files
        streams = Streams(sink, sink, Stdin(closed=True))
        return Invocation(there, streams, [name, *split_arguments(raw)], raw)

    def _sc(self, call: Invocation) -> int:
        if call.argv[1:2] == ["start"]:
            self.pull()
        return sc(call)

    # -- the registry ------------------------------------------------------------------------

    def _push(self) -> None:
        """Give Wine the host's keys, in place of what it has there."""
        lines = [rf'reg delete "{key}" /f' for key in self._keys]
        for number, key in enumerate(self._keys):
            (self._desk / f"{number}.reg").write_bytes(export(self._host.registry, key))
            lines.append(rf"reg import {_FOLDER}\{number}.reg")
        self._wine.type_in(lines)

    def pull(self) -> None:
        """Give the host's registry what Wine has, so that the connector reads that."""
        found = self.registry()
        for key in self._keys:
            self._host.registry.delete_key(key)
            load(self._host.registry, export(found, key))

    def registry(self) -> Registry:
        """Return Wine's registry below the host's keys."""
        registry = Registry()
        lines = [
            rf'reg export "{key}" {_FOLDER}\{number}.reg /y'
            for number, key in enumerate(self._keys)
        ]
        self._wine.type_in(lines)
        for number, _key in enumerate(self._keys):
            load(registry, (self._desk / f"{number}.reg").read_bytes())
        return registry

    def values(self, key: str) -> list[Value]:
        """Return the values of a key as Wine has stored them."""
        return self.registry().values(key)

    def type_in(self, *lines: str) -> bytes:
        """Type lines as somebody at the computer does; return what is printed."""
        return self._wine.type_in(lines).stdout


def _type_wide(call: Invocation) -> int:
    """``type`` of a file in UTF-16, as Windows converts it."""
    data = call.read_file(call.argv[1])
    if data.startswith(b"\xff\xfe"):
        data = call.shell.encode(data[2:].decode("utf-16-le", "replace"))
    call.streams.stdout(data)
    return 0
