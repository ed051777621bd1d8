# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several commands on one command line, so that a whole look at a host costs one round trip.

Every command stands between two lines of our own::

    echo #NONCE#NAME&COMMAND 2>&1&call echo #NONCE#rc %^errorlevel%

``%^errorlevel%`` names no variable, so cmd.exe leaves it alone when it reads the line and drops
the caret; ``call`` expands what remains after COMMAND ran (seen so in cmd.exe and in Wine 8), and
leaves errorlevel at 0 for the next command. The nonce is random, so nothing that a command prints
can pass for one of our lines.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from .._base.errors import ExchangeError, InvalidInput, SessionLost
from .parse import excerpt
from .session import COMMAND_LINE_LIMIT, Completed, Session

_NONCE = re.compile(r"[0-9a-f]{16,64}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_\-]{0,31}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# IF and FOR take the rest of the line for their own body unless parentheses end it.
_GREEDY = re.compile(r"(?:if|for)\b", re.IGNORECASE)
# What follows the mark and the name of a command, and the mark and "rc".
_HEAD_END = re.compile(rb"[ ]*\r?\n")
_EXIT_CODE = re.compile(rb" ?(-?[0-9]{1,10})[ ]*\r?\n?")


def new_nonce() -> str:
    """Return a fresh, unguessable mark for one batch."""
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class Section:
    """What one command of a batch did: its exit code and both its streams, as raw bytes.

    Programs, and ``type``, ``dir``, ``copy``, ``move``, ``mkdir`` set the exit code; ``if``,
    ``echo`` and ``del`` do not, so judge these by what they print or by a second look.
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
        self._nonce = nonce or new_nonce()
        if not _NONCE.fullmatch(self._nonce):
            raise InvalidInput("The nonce of a batch is 16 to 64 hexadecimal digits.")
        self._commands: dict[str, str] = {}

    def add(self, name: str, command: str) -> None:
        """Append ``command`` (built by ``commands``) under a ``name`` of its own."""
        if not _NAME.fullmatch(name) or name == "rc" or name in self._commands:
            raise InvalidInput(f"{name!r} is not usable as the name of a command in this batch.")
        if not command.strip() or _CONTROL.search(command) or self._nonce in command:
            raise InvalidInput(f"The command {name!r} of this batch is no command line.")
        self._commands[name] = command

    def line(self) -> str:
        """Return the command line. Raises InvalidInput where cmd.exe would cut it."""
        line = "&".join(self._wrap(name, command) for name, command in self._commands.items())
        if len(line) > COMMAND_LINE_LIMIT:
            raise InvalidInput(
                f"The command line has {len(line)} characters; cmd.exe takes {COMMAND_LINE_LIMIT}.",
                hint="Shorten the paths and commands given as options.",
            )
        return line

    def run(
        self, session: Session, *, timeout: float = 60.0, max_output: int = 16_000_000
    ) -> dict[str, Section]:
        """Run the line on a session and return the sections by name; ``timeout`` in seconds.

        Without any command nothing is asked.
        """
        if not self._commands:
            return {}
        done = session.run(self.line(), timeout=timeout, max_output=max_output)
        return self.parse(done, host=session.host)

    def parse(self, completed: Completed, *, host: str = "the host") -> dict[str, Section]:
        """Take the output apart. Every command must have answered, in order; else SessionLost."""
        if completed.truncated:
            raise ExchangeError(f"{host}: the answer was longer than allowed and was cut off.")
        sections: dict[str, Section] = {}
        position = 0
        for name in self._commands:
            section, position = self._section(name, completed, position, host)
            sections[name] = section
        return sections

    def _wrap(self, name: str, command: str) -> str:
        body = f"({command})" if _GREEDY.match(command) else command
        # A closing parenthesis must not carry the redirect: Wine 8 gets that wrong.
        redirect = "" if body.endswith(")") and body.startswith("(") else " 2>&1"
        mark = f"#{self._nonce}#"
        return f"echo {mark}{name}&{body}{redirect}&call echo {mark}rc %^errorlevel%"

    def _section(
        self, name: str, completed: Completed, position: int, host: str
    ) -> tuple[Section, int]:
        mark = f"#{self._nonce}#".encode()
        begin = _find(mark + name.encode(), _HEAD_END, completed.stdout, position)
        end = _find(mark + b"rc", _EXIT_CODE, completed.stdout, begin[1]) if begin else None
        if begin is None or end is None:
            raise SessionLost(
                f"{host}: answered with garbage to the command {name!r}: "
                f"{excerpt(completed.stdout[position:] + completed.stderr)}",
                hint="Look at the host; then run again.",
                details={"exit_code": completed.exit_code},
            )
        output = completed.stdout[begin[1] : end[0]]
        return Section(name=name, exit_code=int(end[2][1]), output=output), end[1]


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
