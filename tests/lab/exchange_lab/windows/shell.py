# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one command shell has of its own: directory, environment, code page and identity."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .errors import ACCESS_DENIED, INVALID_NAME, WinError, text
from .filesystem import FileSystem, normalise

if TYPE_CHECKING:
    from .host import LabHost

_UNC = re.compile(r"^\\\\([^\\/?*]+)\\([^\\]+)(\\.*)?$")


class Environment:
    """Environment variables: names match without case, spelling is kept, listed in order."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._variables: dict[str, tuple[str, str]] = {}
        for name, value in (variables or {}).items():
            self.set(name, value)

    def get(self, name: str) -> str | None:
        """Return a value or None."""
        found = self._variables.get(name.upper())
        return found[1] if found else None

    def set(self, name: str, value: str) -> None:
        """Set a variable; an empty value removes it, as cmd does."""
        if value:
            self._variables[name.upper()] = (name, value)
        else:
            self._variables.pop(name.upper(), None)

    def copy(self) -> Environment:
        """Return a copy, for a child process."""
        return Environment(dict(self))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter([self._variables[name] for name in sorted(self._variables)])


@dataclass(slots=True)
class Shell:
    """State of one cmd.exe.

    ``delegated`` says whether its logon can be used towards other machines: a network logon by
    NTLM or plain Kerberos cannot (the "second hop"), Basic and CredSSP can.
    """

    host: LabHost
    user: str
    environment: Environment
    cwd: str
    code_page: int = 437
    delegated: bool = True
    echo: bool = True
    errorlevel: int = 0
    delayed_expansion: bool = False
    directory_stack: list[str] = field(default_factory=list)

    def child(self) -> Shell:
        """Return the state a nested cmd.exe starts with."""
        return Shell(
            host=self.host,
            user=self.user,
            environment=self.environment.copy(),
            cwd=self.cwd,
            code_page=self.code_page,
            delegated=self.delegated,
        )

    @property
    def codec(self) -> str:
        """Python's name of the code page."""
        return "utf-8" if self.code_page == 65001 else f"cp{self.code_page}"

    def encode(self, output: str) -> bytes:
        """Encode output in the code page; what it lacks becomes ``?``."""
        return output.encode(self.codec, "replace")

    def message(self, code: int) -> str:
        """Return the sentence for an error number in the host's language."""
        return text(code, self.host.language)

    def absolute(self, path: str) -> str:
        """Return a full local or UNC path for what was typed."""
        path = path.strip('"').replace("/", "\\")
        return path if path.startswith("\\\\") else normalise(path, self.cwd)

    def locate(self, path: str) -> tuple[FileSystem, str]:
        r"""Return the file system and local path of a path; ``\\HOST\C$`` reaches neighbours."""
        full = self.absolute(path)
        if not full.startswith("\\\\"):
            return self.host.fs, full
        match = _UNC.match(full)
        if match is None:
            raise WinError(INVALID_NAME, path)
        remote = self.remote(match[1])
        return remote.fs, normalise(remote.share(match[2]) + (match[3] or "\\"))

    def remote(self, name: str) -> LabHost:
        """Return another machine as this logon may use it; WinError(53) or (5).

        It may where the same user has the same password, if the logon can be passed on at all.
        """
        machine = self.host.machine(name)
        if machine is self.host:
            return machine
        password = self.host.users.get(self.user)
        if not self.delegated or password is None or machine.users.get(self.user) != password:
            raise WinError(ACCESS_DENIED, name)
        return machine
