# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running command: its three streams, the way to stop it, and what a program is given."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .host import LabHost
    from .shell import Shell

Sink = Callable[[bytes], None]


class Terminated(Exception):  # noqa: N818 - what happened to the command, not an error in it
    """The command was told to stop (WinRM Signal, shell deleted, host closed)."""


class Stdin:
    """Standard input that can be fed while the command runs. Without ``close`` a reader waits."""

    def __init__(self, data: bytes = b"", *, closed: bool = False) -> None:
        self._data = bytearray(data)
        self._closed = closed
        self._changed = threading.Condition()

    def feed(self, data: bytes) -> None:
        """Add input."""
        with self._changed:
            self._data += data
            self._changed.notify_all()

    def close(self) -> None:
        """Say that no more input comes."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def read_line(self, stop: threading.Event) -> bytes:
        """Return one line with its end, or what was left at the end of input."""
        return self._read(stop, lambda: self._data.find(b"\n") + 1)

    def read_all(self, stop: threading.Event) -> bytes:
        """Return everything up to the end of input."""
        return self._read(stop, lambda: 0)

    def _read(self, stop: threading.Event, complete: Callable[[], int]) -> bytes:
        with self._changed:
            while not (length := complete()):
                if stop.is_set():
                    raise Terminated
                if self._closed:
                    length = len(self._data)
                    break
                self._changed.wait(0.05)
            taken = bytes(self._data[:length])
            del self._data[:length]
            return taken


@dataclass(slots=True)
class Streams:
    """Where a command reads and writes. ``stop`` is set to end it."""

    stdout: Sink
    stderr: Sink
    stdin: Stdin = field(default_factory=lambda: Stdin(closed=True))
    stop: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Raise Terminated when the command was told to stop."""
        if self.stop.is_set():
            raise Terminated

    def sleep(self, seconds: float) -> None:
        """Sleep, but end at once when told to stop."""
        if self.stop.wait(seconds):
            raise Terminated


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a program: ``argv[0]`` is the name as typed, ``raw`` the text after it."""

    shell: Shell
    streams: Streams
    argv: list[str]
    raw: str

    @property
    def host(self) -> LabHost:
        """The host the program runs on."""
        return self.shell.host

    def out(self, text: str) -> None:
        """Print to standard output in the shell's code page."""
        self.streams.check()
        self.streams.stdout(self.shell.encode(text))

    def err(self, text: str) -> None:
        """Print to standard error in the shell's code page."""
        self.streams.check()
        self.streams.stderr(self.shell.encode(text))

    def read_file(self, winpath: str) -> bytes:
        """Read a file named on the command line (relative and UNC paths too)."""
        files, path = self.shell.locate(winpath)
        return files.read_bytes(path)

    def write_file(self, winpath: str, data: bytes) -> None:
        """Write a file named on the command line; WinError when the disk is full."""
        files, path = self.shell.locate(winpath)
        files.write_bytes(path, data)


Tool = Callable[[Invocation], int]
