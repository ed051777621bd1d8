# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Windows host of the lab: files, registry, services, events, programs, neighbours."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from .cmdline import run_line
from .errors import ALREADY_EXISTS, BAD_NETWORK_PATH, WinError
from .filesystem import FileSystem, normalise
from .process import Stdin, Streams, Terminated, Tool
from .registry import Registry
from .services import ServiceManager
from .shell import Environment, Shell
from .tools import install_standard

CONTROL_C_EXIT = 0xC000013A - (1 << 32)  # STATUS_CONTROL_C_EXIT as a signed number
_NAME_KEY = r"HKLM\SYSTEM\CurrentControlSet\Control\ComputerName\ActiveComputerName"
_PROGRAM = b"MZ\x90\x00"  # how every Windows program starts


@dataclass(frozen=True, slots=True)
class Completed:
    """What a command left: exit code and raw output."""

    exit_code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the event log."""

    source: str
    event_id: int
    text: str
    when: datetime


@dataclass(slots=True)
class EventLog:
    """The application event log."""

    entries: list[Event] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, source: str, event_id: int, text: str) -> None:
        """Add an entry."""
        with self._lock:
            self.entries.append(Event(source, event_id, text, datetime.now(UTC)))

    def find(self, event_id: int) -> list[Event]:
        """Return the entries with this number."""
        with self._lock:
            return [event for event in self.entries if event.event_id == event_id]


class LabHost:
    """A host. ``name`` is its computer name, ``users`` maps each login to its password.

    ``language`` is that of its messages (``en`` or ``de``); ``version`` that of Windows;
    ``time_scale`` multiplies every wait on the host (0.1: ten times faster). ``on_command`` is
    called with each command line before it runs: the place for another administrator's doings.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        *,
        users: Mapping[str, str] | None = None,
        language: str = "en",
        version: str = "6.1.7601",
        time_scale: float = 1.0,
    ) -> None:
        self.name = name
        self.users = dict(users or {"Administrator": "Passw0rd!"})
        self.language = language
        self.version = version
        self.oem_code_page = 850 if language == "de" else 437
        self.time_scale = time_scale
        self.fs = FileSystem(root)
        self.registry = Registry()
        own = name.partition(".")[0][:15].upper()  # NetBIOS takes no more
        self.registry.set(_NAME_KEY, "ComputerName", "REG_SZ", own)
        self.services = ServiceManager(self.registry, time_scale=time_scale)
        self.events = EventLog()
        self.shares = {"C$": "C:\\", "ADMIN$": "C:\\Windows"}
        self.counters: dict[str, Callable[[], float]] = {}
        self.commands: list[str] = []
        self.on_command: Callable[[str], object] = lambda _line: None
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._programs: dict[str, Tool] = {}
        self._neighbours: dict[str, LabHost] = {}
        for folder in (r"C:\Windows\system32", r"C:\Windows\Temp", r"C:\ProgramData"):
            self._ensure_dir(folder)
        install_standard(self)

    # -- programs ----------------------------------------------------------------------------

    def install(self, winpath: str, tool: Tool) -> None:
        """Put a program on the disk; deleting or renaming the file removes it again."""
        self._ensure_dir(winpath.rpartition("\\")[0])
        self.fs.write_bytes(winpath, _PROGRAM)
        self._programs[normalise(winpath).casefold()] = tool

    def program(self, winpath: str) -> Tool | None:
        """Return the program behind an existing file, or None."""
        return self._programs.get(self.fs.spelling(winpath).casefold())

    # -- shells ------------------------------------------------------------------------------

    def open_shell(
        self, user: str = "Administrator", *, code_page: int | None = None, delegated: bool = True
    ) -> Shell:
        """Return a fresh command shell of a user, in the user's own folder."""
        environment = self.environment(user)
        home = environment.get("USERPROFILE") or "C:\\"
        page = code_page or self.oem_code_page
        return Shell(self, user, environment, home, code_page=page, delegated=delegated)

    def environment(self, user: str) -> Environment:
        """Return the environment a logon of this user starts with."""
        bare = user.rpartition("\\")[2].partition("@")[0]
        home = f"C:\\Users\\{bare}"
        temp = home + r"\AppData\Local\Temp"
        self._ensure_dir(temp)
        return Environment(
            {
                "ALLUSERSPROFILE": r"C:\ProgramData",
                "APPDATA": home + r"\AppData\Roaming",
                "COMPUTERNAME": self.name.upper(),
                "ComSpec": r"C:\Windows\system32\cmd.exe",
                "OS": "Windows_NT",
                "Path": r"C:\Windows\system32;C:\Windows",
                "PATHEXT": ".COM;.EXE;.BAT;.CMD",
                "PROMPT": "$P$G",
                "ProgramFiles": r"C:\Program Files",
                "SystemDrive": "C:",
                "SystemRoot": r"C:\Windows",
                "TEMP": temp,
                "TMP": temp,
                "USERDOMAIN": self.name.upper(),
                "USERNAME": bare,
                "USERPROFILE": home,
                "windir": r"C:\Windows",
            }
        )

    def execute(self, command: str, shell: Shell, streams: Streams) -> int:
        """Run a command line in a shell as ``cmd /c`` does; -1073741510 when terminated."""
        self.commands.append(command)
        self.on_command(command)
        try:
            return run_line(command, shell, streams)
        except Terminated:
            return CONTROL_C_EXIT

    def run(
        self, command: str, *, shell: Shell | None = None, stdin: bytes | None = b""
    ) -> Completed:
        """Run a command line and collect what it prints; ``stdin=None`` is one never closed."""
        out, err = bytearray(), bytearray()
        source = Stdin(stdin or b"", closed=stdin is not None)
        code = self.execute(
            command, shell or self.open_shell(), Streams(out.extend, err.extend, source)
        )
        return Completed(code, bytes(out), bytes(err))

    # -- other machines ----------------------------------------------------------------------

    def connect(self, other: LabHost) -> None:
        """Let this host reach another one by its name (one way)."""
        self._neighbours[other.name.casefold()] = other

    def disconnect(self, other: LabHost) -> None:
        """Cut what ``connect`` made."""
        self._neighbours.pop(other.name.casefold(), None)

    def machine(self, name: str) -> LabHost:
        """Return the machine of that name, this one included; WinError(53) when unknown."""
        wanted = name.casefold()
        if wanted in {self.name.casefold(), "localhost", "127.0.0.1", "."}:
            return self
        if wanted in self._neighbours:
            return self._neighbours[wanted]
        raise WinError(BAD_NETWORK_PATH, name)

    def share(self, name: str) -> str:
        """Return the local folder of a share; WinError(53) when there is none."""
        for share, folder in self.shares.items():
            if share.casefold() == name.casefold():
                return folder
        raise WinError(BAD_NETWORK_PATH, name)

    # -- life --------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop all services and wait for their threads."""
        self.services.close()

    def _ensure_dir(self, folder: str) -> None:
        """Make a folder unless it is there; shells opened at the same moment may both try."""
        try:
            self.fs.mkdir(folder)
        except WinError as exc:
            if exc.code != ALREADY_EXISTS:
                raise
