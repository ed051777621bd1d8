# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths on a host, by options and registry, and the commands that use them.

A host is either the Exchange computer itself, or a management host that reaches it by name: then
registry and service are asked over the network, files go through ``\\\\HOST\\C$``, and imccopy is
started by a command of the administrator's. All arguments are checked, none is escaped.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace

from .._base.errors import InvalidInput
from .._remote import commands
from .._remote.parse import RegistryValue
from .host import PARAMETERS_KEY, SERVICE_NAME
from .setting import can_be_added

#: Where imccopy usually lies: in Exchange's own folder. Q262126 copies it to the root of C:, where
#: every user of NT and 2000 can put a program of this name, so that only an option leads there.
IMCCOPY_PLACES = (r"C:\exchsrvr\bin\imccopy.exe",)
_CANDIDATES = ("", *IMCCOPY_PLACES)  # first by PATH
_ARGUMENTS = "{arguments}"
# A command of the administrator's, word by word; no quote and nothing that cmd.exe interprets.
_COMMAND = re.compile(r"[A-Za-z0-9\\][A-Za-z0-9 \\:./_\-$~,=@+]*")
_LOCAL_FOLDER = re.compile(r"[A-Za-z]:\\[A-Za-z0-9._\-$~\\]+")
_HOST_FOLDER = "postmaster.exchange"
# Characters of the longest names that a transaction makes in its folder, with some to spare.
_FOLDER_NAME, _FILE_NAME = 40, 60
_CHANGING = frozenset({"start", "stop"})


@dataclass(frozen=True, slots=True)
class TempFile:
    """A temporary file: its path in our commands, and its path for imccopy."""

    seen: str
    argument: str


@dataclass(frozen=True, slots=True)
class Layout:
    """``computer`` is the Exchange computer behind this host, or empty; the rest are options.

    With a ``fence``, a file on the host, what changes a setting or the service is carried out only
    while that file is there.
    """

    computer: str = ""
    imccopy: str = ""
    target_imccopy: str = ""
    target_directory: str = r"C:\TEMP"
    registry_key: str = PARAMETERS_KEY
    host_backup_dir: str = ""
    fence: str = ""

    def check(self) -> None:
        """Build one command of each kind; raises InvalidInput for an option that is unusable."""
        for name, check in (
            ("registry_key", lambda: self.query(self.registry_key)),
            ("imccopy", self.imccopy_commands),
            (
                "host_backup_dir",
                lambda: commands.quoted(self.backup_path("x" * _FOLDER_NAME, "x" * _FILE_NAME)),
            ),
        ):
            try:
                check()
            except InvalidInput as error:
                if not error.message.startswith("target_"):
                    error.message = f"{name}: {error.message}"
                raise
        temp = self.temp_file()
        self.save("imccopy", temp)
        commands.quoted(temp.seen)

    # -- registry and service

    def query(self, key: str, *, recursive: bool = False) -> str:
        """List a key, whole."""
        command = commands.reg_query(key, computer=self.computer or None)
        return f"{command} /s" if recursive else command

    def delete_value(self, name: str) -> str:
        """Delete a value of the Parameters key."""
        computer = self.computer or None
        return self._fenced(commands.reg_delete_value(self.registry_key, name, computer=computer))

    def add_value(self, value: RegistryValue) -> str:
        """Add a value to the Parameters key."""
        if not can_be_added(value):
            raise InvalidInput(f"The registry value {value.name} {value.type} cannot be added.")
        key = commands.registry_key(self.registry_key, self.computer or None)
        data = str(value.number) if value.type == "REG_DWORD" else f'"{value.data}"'
        return self._fenced(f'reg add "{key}" /v "{value.name}" /t {value.type} /d {data} /f')

    def service(self, verb: str, name: str = SERVICE_NAME) -> str:
        """``query``, ``queryex``, ``start`` or ``stop`` the Internet Mail Connector."""
        command = commands.sc(verb, name, computer=self.computer or None)
        return self._fenced(command) if verb in _CHANGING else command

    def export(self, path: str) -> str:
        """Save the Parameters key to a file of this host.

        ``reg export`` reaches no other computer; there its whole listing is saved instead.
        """
        if self.computer:
            return f"{self.query(self.registry_key, recursive=True)} >{commands.quoted(path)}"
        return commands.reg_export(self.registry_key, path)

    # -- imccopy

    def imccopy_commands(self) -> list[str]:
        """Return the commands to try, in this order; none where there cannot be one."""
        if self.computer:
            return [_checked_command(self.target_imccopy)] if self.target_imccopy else []
        if self.imccopy:
            return [commands.quoted(self.imccopy)]
        return [commands.quoted(path) if path else "imccopy" for path in _CANDIDATES]

    def temp_file(self, name: str = "") -> TempFile:
        """Return a temporary file; without its name, an unused one."""
        name = name or f"pmx-{secrets.token_hex(8)}.txt"
        if not self.computer:
            path = commands.in_folder(commands.USER_TEMP, name)
            return TempFile(path, commands.quoted(path))
        folder = self.target_directory.rstrip("\\")
        if not _LOCAL_FOLDER.fullmatch(folder):
            raise InvalidInput(
                f"target_directory {self.target_directory!a} must be a folder such as C:\\TEMP,"
                " without spaces, on the Exchange computer."
            )
        local = commands.in_folder(folder, name)
        computer = commands.computer_name(self.computer)
        return TempFile(rf"\\{computer}\{local[0]}${local[2:]}", local)

    def save(self, imccopy: str, file: TempFile) -> str:
        """Save the route table to a file."""
        return _with_arguments(imccopy, f"-save routes {file.argument}")

    def restore(self, imccopy: str, file: TempFile) -> str:
        """Replace the route table by that of a file."""
        return self._fenced(_with_arguments(imccopy, f"-restore routes {file.argument}"))

    def restore_over(self, imccopy: str, file: TempFile, now: TempFile, expected: str) -> str:
        """Print ``same`` and replace the route table, if ``now`` is byte for byte as expected.

        ``fc`` exits with 1 if it is not.
        """
        compare = f"fc /b {commands.quoted(now.seen)} {commands.quoted(expected)} >nul"
        restore = _with_arguments(imccopy, f"-restore routes {file.argument}")
        return self._fenced(f"{compare}&&echo same&&{restore}")

    # -- our own folder on the host

    def backup_path(self, *names: str) -> str:
        """Return a path in the folder of backups of this Exchange computer."""
        if self.host_backup_dir:
            return commands.in_folder(self.host_backup_dir, self._owner, *names)
        return self.own_path(*names)

    def own_path(self, *names: str) -> str:
        """Return a path in the folder where runs meet: the same one, whatever their options."""
        return commands.in_folder(commands.ALL_USERS, _HOST_FOLDER, self._owner, *names)

    @property
    def _owner(self) -> str:
        return commands.computer_name(self.computer) if self.computer else SERVICE_NAME

    @property
    def journal_path(self) -> str:
        """The journal of a run at work."""
        return self.own_path("journal.txt")

    @property
    def pending_restart_path(self) -> str:
        """The note of a pending restart of the service."""
        return self.own_path("pending-restart.txt")

    # -- the lease, see ``host_lock``

    def lease_path(self, *names: str) -> str:
        """Return the folder of the lease, or a path in it."""
        return self.own_path("lease", *names)

    @property
    def busy_path(self) -> str:
        """The folder that is there while a command line that changes something has not ended."""
        return self.lease_path("busy")

    def behind_fence(self, name: str) -> Layout:
        """Return this layout with the file of a lease as its fence."""
        return replace(self, fence=self.lease_path(name))

    def busy(self) -> str:
        """Mark that a command line that changes something begins."""
        return self._fenced(commands.make_folder(self.busy_path))

    def idle(self) -> str:
        """Mark that it has ended."""
        return self._fenced(commands.remove_folder(self.busy_path))

    def _fenced(self, command: str) -> str:
        return commands.if_exists(self.fence, command) if self.fence else command


def beside(root_dir: str) -> str:
    r"""Return where imccopy would be beside RootDir (``C:\exchsrvr\imcdata``), or nothing.

    RootDir comes from the host: a path that is unusable on a command line is ignored.
    """
    folder, _skipped, _skipped = root_dir.rstrip("\\").rpartition("\\")
    try:
        path = commands.in_folder(folder, "bin", "imccopy.exe")
    except InvalidInput:
        return ""
    return "" if path.lower() in map(str.lower, _CANDIDATES) else path


def copy(source: str, target: str) -> str:
    """Copy a file byte for byte."""
    return f"copy /b /y {commands.quoted(source)} {commands.quoted(target)}"


def print_size(path: str) -> str:
    """Print ``size=N`` for a file of N bytes; ``dir`` prints it in the country's own style."""
    return f"for %I in ({commands.quoted(path)}) do @echo size=%~zI"


def wait(seconds: int) -> str:
    """Let time pass on the host: NT has no command for it but ping, one packet a second."""
    return f"ping -n {seconds + 1} 127.0.0.1 >nul"


def _with_arguments(command: str, arguments: str) -> str:
    if _ARGUMENTS in command:
        return command.replace(_ARGUMENTS, arguments)
    return f"{command} {arguments}"


def _checked_command(command: str) -> str:
    text = command.replace(_ARGUMENTS, "", 1).strip()
    if not _COMMAND.fullmatch(text):
        raise InvalidInput(
            f"target_imccopy is {command!a}, which is not usable as a command.",
            hint="Only ASCII letters, digits, spaces and \\ : . / _ - $ ~ , = @ + may occur, and"
            f" {_ARGUMENTS} once, where the arguments of imccopy go.",
        )
    return command.strip()
