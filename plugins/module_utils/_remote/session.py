# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session on a Windows host, as the engine sees it: command lines, batches of them, and cmdlets.

A batch puts several commands on one command line, so that to read a host costs one round trip.
Every command is between two lines of our own::

    echo #NONCE#NAME&COMMAND 2>&1&call echo #NONCE#rc %^errorlevel%

``%^errorlevel%`` names no variable, so cmd.exe leaves it alone when it reads the line and drops
the caret; ``call`` expands what remains after COMMAND ran (seen so in cmd.exe and in Wine 8), and
leaves errorlevel at 0 for the next command. The nonce is random, so no output of a command can
pass for one of our lines.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from .._base.errors import ExchangeError, InvalidInput, SessionLost
from .parse import excerpt

#: Longest command line cmd.exe takes, in characters (Microsoft KB 830473).
COMMAND_LINE_LIMIT = 8191

#: A context around each login of a session; see ``plugin_utils/_logins.py``.
Gate = Callable[[], AbstractContextManager[None]]

_NONCE = re.compile(r"[0-9a-f]{16,64}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_\-]{0,31}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# IF and FOR take the rest of the line for their own body unless parentheses end it.
_GREEDY = re.compile(r"(?:if|for)\b", re.IGNORECASE)
# What follows the mark and the name of a command, and the mark and "rc".
_HEAD_END = re.compile(rb"[ ]*\r?\n")
_EXIT_CODE = re.compile(rb" ?(-?[0-9]{1,10})[ ]*\r?\n?")
_CMDLET = re.compile(r"[A-Z][A-Za-z]+-[A-Z][A-Za-z0-9]+\Z")
_PARAMETER = re.compile(r"[A-Z][A-Za-z0-9]+\Z")


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended: its exit code and its output, as raw bytes.

    ``truncated`` is set where the output was longer than allowed and the command was stopped.
    """

    exit_code: int
    stdout: bytes
    stderr: bytes
    truncated: bool = False


class _Open(Protocol):
    """Any session: one host, and a shell or runspace that opens with the first request."""

    @property
    def host(self) -> str:
        """Name of the host as the administrator uses it, for messages."""

    @property
    def requests(self) -> int:
        """Requests sent to the host so far."""

    def reopen(self) -> None:
        """Forget what is broken; the next command or cmdlet opens a new shell or runspace."""

    def close(self) -> None:
        """Close what this session opened itself. Never raises, and may be called again."""


class Session(_Open, Protocol):
    """Runs command lines on one host."""

    @property
    def host_time(self) -> datetime | None:
        """The host's own clock now (UTC), exact to two seconds or so; None before an answer."""

    def run(
        self, command: str, *, timeout: float = 60.0, max_output: int = 16_000_000
    ) -> Completed:
        """Run one cmd.exe command line and wait for its end.

        ``timeout`` is in seconds, ``max_output`` in bytes. Raises HostUnreachable, CommandTimeout
        or SessionLost, and InvalidInput for a line that cmd.exe would cut.
        """


@dataclass(frozen=True, slots=True)
class Section:
    """What one command of a batch did: its exit code and both its streams, as raw bytes.

    Programs, and ``type``, ``dir``, ``copy``, ``move``, ``mkdir`` set the exit code; ``if``,
    ``echo`` and ``del`` do not, so judge these by their output or by another command.
    """

    name: str
    exit_code: int
    output: bytes

    @property
    def ok(self) -> bool:
        """Whether the command ended with exit code 0."""
        return self.exit_code == 0


class Batch:
    """A command line in the making: add commands, run the line, take the answer apart.

    >>> batch = Batch()
    >>> batch.add("service", sc("query", "MSExchangeIMC"))
    >>> batch.run(session)["service"].exit_code
    """

    def __init__(self, nonce: str = "") -> None:
        self._nonce = nonce or secrets.token_hex(8)
        if not _NONCE.fullmatch(self._nonce):
            raise InvalidInput("The nonce of a batch must be 16 to 64 hexadecimal digits.")
        self._commands: dict[str, str] = {}

    def add(self, name: str, command: str) -> None:
        """Append ``command`` (built by ``commands``) under a ``name`` of its own."""
        if not _NAME.fullmatch(name) or name == "rc" or name in self._commands:
            raise InvalidInput(f"{name!r} is not usable as the name of a command in this batch.")
        if not command.strip() or _CONTROL.search(command) or self._nonce in command:
            raise InvalidInput(f"The command {name!r} of this batch is not a command line.")
        self._commands[name] = command

    def line(self) -> str:
        """Return the command line. Raises InvalidInput where cmd.exe would cut it."""
        mark, parts = f"#{self._nonce}#", []
        for name, command in self._commands.items():
            body = f"({command})" if _GREEDY.match(command) else command
            # A closing parenthesis must not carry the redirect: Wine 8 gets that wrong.
            redirect = "" if body.endswith(")") and body.startswith("(") else " 2>&1"
            parts.append(f"echo {mark}{name}&{body}{redirect}&call echo {mark}rc %^errorlevel%")
        line = "&".join(parts)
        if len(line) > COMMAND_LINE_LIMIT:
            raise InvalidInput(
                f"The command line has {len(line)} characters; the limit is {COMMAND_LINE_LIMIT}.",
                hint="Shorten the paths and commands given as options.",
            )
        return line

    def run(
        self, session: Session, *, timeout: float = 60.0, max_output: int = 16_000_000
    ) -> dict[str, Section]:
        """Run the line and return the sections by name; an empty batch sends nothing.

        ``timeout`` is in seconds.
        """
        if not self._commands:
            return {}
        done = session.run(self.line(), timeout=timeout, max_output=max_output)
        return self.parse(done, host=session.host)

    def parse(self, completed: Completed, *, host: str = "the host") -> dict[str, Section]:
        """Take the output apart. Every command must have answered, in order; else SessionLost."""
        if completed.truncated:
            raise ExchangeError(f"{host}: the output was longer than allowed and was cut off.")
        mark = f"#{self._nonce}#".encode()
        sections: dict[str, Section] = {}
        position = 0
        for name in self._commands:
            begin = _find(mark + name.encode(), _HEAD_END, completed.stdout, position)
            end = _find(mark + b"rc", _EXIT_CODE, completed.stdout, begin[1]) if begin else None
            if begin is None or end is None:
                raise SessionLost(
                    f"{host}: unexpected output from command {name!r}: "
                    f"{excerpt(completed.stdout[position:] + completed.stderr)}.",
                    hint="Check the host; then run again.",
                    details={"exit_code": completed.exit_code},
                )
            output = completed.stdout[begin[1] : end[0]]
            sections[name] = Section(name=name, exit_code=int(end[2][1]), output=output)
            position = end[1]
        return sections


def _find(
    mark: bytes, rest: re.Pattern[bytes], text: bytes, position: int
) -> tuple[int, int, re.Match[bytes]] | None:
    """Return start, end and match of the first mark that ``rest`` follows.

    No pattern is made of the mark: each one is used once, and to compile it costs more than the
    search.
    """
    while (start := text.find(mark, position)) >= 0:
        position = start + len(mark)
        if match := rest.match(text, position):
            return start, match.end(), match
    return None


@dataclass(frozen=True, slots=True)
class Cmdlet:
    """An Exchange cmdlet, never a script; values are text, numbers, booleans or lists of text.

    ``None`` is PowerShell's ``$null``: it empties a property. A switch is given as a boolean.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse names that could be syntax."""
        if not _CMDLET.match(self.name) or not all(map(_PARAMETER.match, self.parameters)):
            raise ValueError(f"{self.name!r} or one of its parameters is not a name")


class CmdletError(ExchangeError):
    """Exchange rejected a cmdlet: its own message, and its error id to search for."""

    def __init__(
        self, message: str, *, cmdlet: str, error_id: str = "", reason: str = "", hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint, details={"cmdlet": cmdlet, "error_id": error_id})
        self.cmdlet = cmdlet
        self.error_id = error_id
        self.reason = reason

    @property
    def transient(self) -> bool:
        """Whether Exchange itself calls it transient (``ADTransientException`` and its like)."""
        return "Transient" in self.reason or "TransientException" in self.error_id


class CmdletSession(_Open, Protocol):
    """Runs cmdlets in one runspace of one host."""

    def invoke(self, cmdlet: Cmdlet, *, timeout: float = 120.0) -> Sequence[Mapping[str, Any]]:
        """Run one cmdlet and return its objects as plain properties; ``timeout`` in seconds.

        Raises CmdletError where Exchange wrote an error, whether it ended the cmdlet or not, and
        HostUnreachable, CommandTimeout or SessionLost as a command session does.
        """


@dataclass(slots=True)
class RememberingSession:
    """A ``CmdletSession`` that runs some cmdlets without parameters once, and then remembers.

    ``once`` are their names: cmdlets with results that do not change within one task.
    """

    session: CmdletSession
    once: frozenset[str]
    _results: dict[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict, init=False)

    @property
    def host(self) -> str:
        """See ``CmdletSession``."""
        return self.session.host

    @property
    def requests(self) -> int:
        """See ``CmdletSession``."""
        return self.session.requests

    def invoke(self, cmdlet: Cmdlet, *, timeout: float = 120.0) -> Sequence[Mapping[str, Any]]:
        """Run a cmdlet, or return its earlier result; see ``CmdletSession``."""
        if cmdlet.parameters or cmdlet.name not in self.once:
            return self.session.invoke(cmdlet, timeout=timeout)
        if cmdlet.name not in self._results:
            self._results[cmdlet.name] = self.session.invoke(cmdlet, timeout=timeout)
        return self._results[cmdlet.name]

    def reopen(self) -> None:
        """See ``CmdletSession``."""
        self.session.reopen()

    def close(self) -> None:
        """See ``CmdletSession``."""
        self.session.close()
