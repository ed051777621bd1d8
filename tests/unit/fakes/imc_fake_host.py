# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host in memory that understands the command lines of a transaction, and breaks on demand.

It is a Session. What a service has loaded is kept apart from what is set, so that a test can tell
whether a restart was due and happened.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import (
    CommandTimeout,
    ExchangeError,
    HostUnreachable,
    SessionLost,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import (
    COMMAND_LINE_LIMIT,
    Completed,
)

SERVICE = r"hklm\system\currentcontrolset\services\msexchangeimc"
PARAMETERS = SERVICE + r"\parameters"
NAME_KEY = r"hklm\system\currentcontrolset\control\computername\activecomputername"
SETUP = r"hklm\software\microsoft\exchange\setup"
NAME = "DisableResolverSearchList"
EMPTY_TABLE = b"[Header]\r\nVersion=1\r\n\r\n[Routes]\r\nDeliveryRouting=\r\nDefaultRouting=\r\n"

QUERYEX = (
    "SERVICE_NAME: X\r\n        TYPE : 10  OWN\r\n        STATE : {state}  X\r\n"
    "                                (STOPPABLE)\r\n"
    "        WIN32_EXIT_CODE : 0  (0x0)\r\n        SERVICE_EXIT_CODE : 0  (0x0)\r\n"
    "        CHECKPOINT : 0x0\r\n        WAIT_HINT : 0x0\r\n"
    "        PID : {process}\r\n        FLAGS :\r\n"
)

Reply = tuple[int, bytes]


class PowerCut(BaseException):
    """The controller dies in the middle of a run."""


def table(*rows: str) -> bytes:
    """Return a routes file with these rows."""
    if not rows:
        return EMPTY_TABLE
    lines = "".join(f"+{row}\r\n" for row in rows).encode("latin-1")
    return EMPTY_TABLE.replace(b"DeliveryRouting=\r\n", b"DeliveryRouting=+\r\n" + lines)


@dataclass
class FakeHost:
    """One Exchange computer, or a management host and the one behind it (``computer``).

    ``faults`` maps the number of a command line (from 1) to what goes wrong with it: ``exit 1``,
    or ``lost``/``timeout``/``gone`` with ``before`` or ``after`` the commands had their effect.
    ``hooks`` answer in place of a program, or return None; ``current`` is the command they are
    asked about. ``power_lasts`` is for how many command lines the controller has power.
    """

    host: str = "mail5-a"
    computer: str = ""
    value: tuple[str, str, str] | None = None
    routes: bytes = EMPTY_TABLE
    state: int = 4
    start_type: int = 2
    installed: bool = True
    cluster: bool = False
    imccopy_at: str = "imccopy"
    sc_exit: int = 0
    root_dir: str = r"C:\exchsrvr\imcdata"
    own_name: str = ""
    build: int = 2653
    site_dn: str = ""
    bad_routes: tuple[str, ...] = ()
    disk_full: bool = False
    faults: dict[int, str] = field(default_factory=dict)
    hooks: dict[str, Callable[[FakeHost], Reply | None]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    lines: list[str] = field(default_factory=list)
    loaded: tuple[bool, bytes] | None = None
    broken: bool = False
    unreachable: bool = False
    requests: int = 0
    clock: float = 0.0
    current: str = ""
    power_lasts: int | None = None
    process: int = 1000
    host_time: datetime | None = datetime(2026, 11, 23, 11, 45, tzinfo=UTC)

    def __post_init__(self) -> None:
        self.own_name = self.own_name or (self.computer or self.host).partition(".")[0].upper()
        if self.state == 4 and self.loaded is None:
            self.loaded = (self.search_list_off, self.routes)

    @property
    def search_list_off(self) -> bool:
        """Whether a service that starts now would leave the search list alone."""
        return self.value is not None and self.value[0] == NAME and self.value[2] not in {"0x0", ""}

    @property
    def rows(self) -> list[str]:
        """The rows of the table as it is set."""
        return [x[1:] for x in self.routes.decode("latin-1").split("\r\n") if x.startswith("+")]

    def litter(self) -> list[str]:
        """Temporary files that somebody left behind."""
        return [path for path in self.files if "pmx-" in path]

    def tick(self) -> float:
        """The clock of the transaction; commands that wait let it go on."""
        return self.clock

    # -- Session

    def run(
        self, command: str, *, timeout: float = 60.0, max_output: int = 16_000_000
    ) -> Completed:
        """Run a command line, or fail as ordered."""
        assert len(command) <= COMMAND_LINE_LIMIT
        if len(self.lines) == self.power_lasts:
            raise PowerCut
        self.lines.append(command)
        self.requests += 3
        if self.unreachable:
            raise HostUnreachable(f"{self.host}: no route to host.")
        if self.broken:
            raise SessionLost(f"{self.host}: the connection is broken.")
        fault = self.faults.get(len(self.lines), "")
        if fault.endswith("before"):
            raise self._failure(fault)
        output = b"".join(self._statements(command, fails=fault == "exit 1"))
        if fault not in {"", "exit 1"}:
            raise self._failure(fault)
        assert len(output) <= max_output
        return Completed(0, output, b"")

    def _failure(self, fault: str) -> ExchangeError:
        if fault.startswith("timeout"):
            return CommandTimeout(f"{self.host}: the command did not end in time.")
        self.broken = True
        self.unreachable = fault.startswith("gone")
        return SessionLost(f"{self.host}: the connection broke.")

    def reopen(self) -> None:
        """Open a new session with the next command."""
        self.broken = False

    def close(self) -> None:
        """Nothing to close."""

    # -- cmd.exe

    def _statements(self, line: str, *, fails: bool) -> Iterator[bytes]:
        code = 0
        for statement in _split(line):
            if match := re.fullmatch(r"echo (#[0-9a-f]+#\w+)", statement):
                yield match[1].encode() + b"\r\n"
            elif match := re.fullmatch(r"call echo (#[0-9a-f]+#rc) %\^errorlevel%", statement):
                yield match[1].encode() + b" %d\r\n" % code
            elif fails and not re.fullmatch(r'\(if exist "[^"]+" echo \w+\)', statement):
                code = 1
            else:
                code, output = self._execute(statement)
                yield output

    def _chain(self, statements: str) -> Reply:
        """Carry out commands joined by ``&&``, up to the first that fails."""
        code, output = 0, b""
        for statement in statements.split("&&"):
            code, said = self._execute(statement.removesuffix(" >nul"))
            output += b"" if statement.endswith(" >nul") else said
            if code:
                break
        return code, output

    def _execute(self, statement: str) -> Reply:
        if match := re.fullmatch(r'(>>?)"([^"]+)" echo[ .](.*)', statement):
            return self._echo(match[2], match[3], append=match[1] == ">>")
        if match := re.fullmatch(r'\(if exist "([^"]+)" echo (\w+)\)', statement):
            return 0, match[2].encode() + b"\r\n" if self._exists(match[1]) else b""
        if match := re.fullmatch(r'type nul>"([^"]+)" 2>&1', statement):
            self.files[self._key(match[1])] = b""
            return 0, b""
        if match := re.fullmatch(r'\(if (not )?exist "([^"]+)" (.+?)( 2>&1)?\)', statement):
            # A command that is not carried out leaves the exit code of the last one.
            runs = self._exists(match[2]) != bool(match[1])
            return self._chain(match[3] + (match[4] or "")) if runs else (0, b"")
        if match := re.fullmatch(r'\(for %I in \("([^"]+)"\) do @echo size=%~zI\)', statement):
            content = self.files.get(self._key(match[1]))
            return 0, b"size=%s\r\n" % (b"" if content is None else b"%d" % len(content))
        words = re.findall(r'"[^"]*"|[^ ]+', statement.removesuffix(" 2>&1"))
        return self._program(words)

    def _program(self, words: list[str]) -> Reply:
        self.current = " ".join(words)
        name, args = words[0], [word.strip('"') for word in words[1:]]
        if name in self.hooks and (reply := self.hooks[name](self)) is not None:
            return reply
        simple: dict[str, Callable[[list[str]], Reply]] = {
            "type": self._type,
            "echo": lambda args: (0, " ".join(args).encode() + b"\r\n"),
            "fc": self._fc,
            "del": self._del,
            "mkdir": self._mkdir,
            "rd": self._rd,
            "copy": self._copy,
            "reg": self._reg,
            "sc": self._sc,
            "ping": self._ping,
            "ren": self._ren,
            "dir": self._dir,
        }
        if name in simple:
            return simple[name](args)
        if name.strip('"').lower() == self.imccopy_at.lower():
            return self._imccopy(args)
        return 9009, b"is not recognized\r\n"

    # -- files

    def _key(self, path: str) -> str:
        path = path.lower()
        share = rf"\\{self.computer}\c$".lower()
        if self.computer and path.startswith(share):
            return "there:c:" + path.removeprefix(share)
        return path

    def _exists(self, path: str) -> bool:
        key = self._key(path)
        there = {self.imccopy_at.lower(), f"{self.root_dir}\\out".lower()}
        return key in self.files or key in self.folders or key.removeprefix("there:") in there

    def _echo(self, path: str, text: str, *, append: bool) -> Reply:
        key = self._key(path)
        before = self.files.get(key, b"") if append else b""
        if self.disk_full:
            self.files[key] = before
            return 1, b"There is not enough space on the disk.\r\n"
        self.files[key] = before + text.encode("latin-1") + b"\r\n"
        return 0, b""

    def _type(self, args: list[str]) -> Reply:
        content = self.files.get(self._key(args[0]))
        return (1, b"not found\r\n") if content is None else (0, content)

    def _fc(self, args: list[str]) -> Reply:
        one, other = (self.files.get(self._key(name)) for name in args[1:3])
        if one is None or other is None:
            return 2, b"cannot open\r\n"
        return (0, b"no differences\r\n") if one == other else (1, b"00000000: 00 01\r\n")

    def _del(self, args: list[str]) -> Reply:
        return (0, b"") if self.files.pop(self._key(args[0]), None) is not None else (0, b"?\r\n")

    def _mkdir(self, args: list[str]) -> Reply:
        key = self._key(args[0])
        if key in self.folders:
            return 1, b"already exists\r\n"
        self.folders.add(key)
        return 0, b""

    def _rd(self, args: list[str]) -> Reply:
        key = self._key(args[0])
        if any(path.startswith(key + "\\") for path in (*self.files, *self.folders)):
            return 145, b"not empty\r\n"
        self.folders.discard(key)
        return 0, b""

    def _ren(self, args: list[str]) -> Reply:
        old, folder = self._key(args[0]), self._key(args[0]).rpartition("\\")[0]
        new = f"{folder}\\{args[1].lower()}"
        if not self._exists(old) or self._exists(new):
            return 1, b"A duplicate file name exists, or the file cannot be found.\r\n"
        for path in [x for x in self.files if x == old or x.startswith(old + "\\")]:
            self.files[new + path.removeprefix(old)] = self.files.pop(path)
        if old in self.folders:
            self.folders.symmetric_difference_update({old, new})
        return 0, b""

    def _dir(self, args: list[str]) -> Reply:
        folder = self._key(args[1]) + "\\"
        there = (*self.files, *self.folders)
        names = [path.removeprefix(folder) for path in there if path.startswith(folder)]
        if not names:
            return 1, b"File Not Found\r\n"
        return 0, "".join(f"{name}\r\n" for name in names).encode()

    def _copy(self, args: list[str]) -> Reply:
        content = self.files.get(self._key(args[2]))
        if content is None:
            return 1, b"not found\r\n"
        return self._write(args[3], content)

    def _write(self, path: str, content: bytes) -> Reply:
        if self.disk_full:
            return 1, b"There is not enough space on the disk.\r\n"
        self.files[self._key(path)] = content
        return 0, b""

    # -- registry and service

    def _remote(self, text: str) -> str:
        prefix = f"\\\\{self.computer}\\" if self.computer else ""
        assert text.startswith(prefix)
        return text.removeprefix(prefix).lower()

    def _reg(self, args: list[str]) -> Reply:
        verb, key = args[0], self._remote(args[1])
        if not self.installed and key not in {SETUP, NAME_KEY}:
            return 1, b"ERROR: unable to find\r\n"
        if verb == "query":
            return self._reg_query(key, args[2:])
        if verb == "export":
            text = "Windows Registry Editor Version 5.00\r\n\r\n[" + _long(key) + "]\r\n"
            return self._write(args[2], b"\xff\xfe" + text.encode("utf-16-le"))
        if verb == "delete":
            if self.value is None or self.value[0].lower() != args[3].lower():
                return 1, b"ERROR: unable to find\r\n"
            self.value = None
            return 0, b""
        name, kind, data = args[3], args[5], args[7]
        stored = self.value[0] if self.value else name
        self.value = (stored, kind, f"{int(data):#x}" if kind == "REG_DWORD" else data)
        return 0, b""

    def _reg_query(self, key: str, rest: list[str]) -> Reply:
        values: list[tuple[str, str, str]] = []
        if key == SERVICE:
            values = [("Start", "REG_DWORD", f"{self.start_type:#x}")]
        elif key == PARAMETERS:
            values = [("RootDir", "REG_SZ", self.root_dir)]
            values += [("SiteDN", "REG_SZ", self.site_dn)] if self.site_dn else []
            values += [self.value] if self.value else []
        elif key == SETUP:
            values = [("NewestBuild", "REG_DWORD", f"{self.build:#x}")]
        elif key == NAME_KEY:
            values = [("ComputerName", "REG_SZ", self.own_name)]
        else:
            return 1, b"ERROR: unable to find\r\n"
        text = "".join(f"    {name}    {kind}    {data}\r\n" for name, kind, data in values)
        output = f"\r\n{_long(key)}\r\n{text}\r\n".encode("latin-1")
        if rest and rest[-1].startswith(">"):
            return self._write(rest[-1].strip('>"'), output)
        return 0, output

    def _sc(self, args: list[str]) -> Reply:
        if self.computer:
            assert args.pop(0) == f"\\\\{self.computer}"
        if not (self.cluster if args[-1] == "ClusSvc" else self.installed):
            return 1060, b"[SC] EnumQueryServicesStatus:OpenService FAILED 1060\r\n"
        if self.sc_exit:
            return self.sc_exit, b"[SC] FAILED\r\n"
        if args[0] == "queryex":
            return 0, QUERYEX.format(state=self.state, process=self.process).encode()
        if args[0] == "stop":
            return self._stop()
        if args[0] == "start":
            return self._start()
        state = self.state
        if args[-1] == "ClusSvc":
            pass
        elif state == 2:
            self.state = 4 if self.loaded else 1
        elif state == 3:
            self.state = 1
        text = f"SERVICE_NAME: X\r\n        TYPE  : 10  OWN\r\n        STATE  : {state}  X\r\n"
        return 0, text.encode()

    def _stop(self) -> Reply:
        if self.state == 1:
            return 1062, b""
        self.state, self.loaded = 3, None
        return 0, b""

    def _start(self) -> Reply:
        if self.start_type == 4:
            return 1058, b""
        if self.state != 1:
            return 1056, b""
        self.state = 2
        self.process += 4
        good = not any(row in self.bad_routes for row in self.rows)
        self.loaded = (self.search_list_off, self.routes) if good else None
        return 0, b""

    def _ping(self, args: list[str]) -> Reply:
        self.clock += int(args[1]) - 1
        return 0, b""

    def _imccopy(self, args: list[str]) -> Reply:
        verb, path = args[-3], args[-1]
        if self.computer and not path.startswith("\\\\"):
            path = rf"\\{self.computer}\c${path[2:]}"
        if verb == "-save":
            return self._write(path, self.routes)
        content = self.files.get(self._key(path))
        if content is None:
            return 1, b"cannot open\r\n"
        self.routes = content
        return 0, b""


def _long(key: str) -> str:
    """Print a key as reg does."""
    return key.upper().replace("HKLM\\", "HKEY_LOCAL_MACHINE\\", 1)


def _split(line: str) -> Iterator[str]:
    """Split a command line at its ampersands; those of ``2>&1`` are none."""
    depth, quoted, piece = 0, False, ""
    for index, char in enumerate(line):
        if char == '"':
            quoted = not quoted
        elif not quoted and char in "()":
            depth += 1 if char == "(" else -1
        elif char == "&" and not quoted and depth == 0 and line[index - 1] != ">":
            yield piece
            piece = ""
            continue
        piece += char
    yield piece
