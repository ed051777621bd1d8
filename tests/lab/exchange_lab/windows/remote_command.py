# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One command of a remote shell: runs in a thread, its output waits to be fetched."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from .cmdline import command_tail
from .errors import FILE_NOT_FOUND, WinError
from .host import CONTROL_C_EXIT
from .process import Invocation, Stdin, Streams, Terminated
from .programs import find_program, split_arguments
from .shell import Shell

_LINGER = 0.2  # seconds that Receive waits for the command to end once there is output


Runner = Callable[[str, Shell, Streams], int]
"""Who runs a command line as ``cmd /c`` does: in a shell, with streams; returns its exit code."""


def run_in_lab(line: str, shell: Shell, streams: Streams) -> int:
    """Let the lab's own interpreter run it."""
    return shell.host.execute(line, shell, streams)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What Receive gives: pieces of output in order, and the exit code with the last of them."""

    output: list[tuple[str, bytes]]
    exit_code: int | None


class RunningCommand:
    """A command started in a shell of its own."""

    def __init__(
        self, line: str, shell: Shell, *, direct: bool = False, runner: Runner = run_in_lab
    ) -> None:
        """Start it. ``direct`` runs a program without cmd.exe; WinError(2) without the program."""
        self.line = line
        self._runner = runner
        self._changed = threading.Condition()
        self._output: list[tuple[str, bytes]] = []
        self._exit_code: int | None = None
        self._printed_at = 0.0
        self.streams = Streams(
            stdout=lambda data: self._add("stdout", data),
            stderr=lambda data: self._add("stderr", data),
            stdin=Stdin(),
        )
        work = self._direct(shell) if direct else self._shell_line(shell)
        self._thread = threading.Thread(
            target=self._run, args=(work,), name=f"winrs-{shell.host.name}", daemon=True
        )
        self._thread.start()

    def _shell_line(self, shell: Shell) -> Callable[[], int]:
        return lambda: self._runner(command_tail(self.line, shell), shell, self.streams)

    def _direct(self, shell: Shell) -> Callable[[], int]:
        name, *arguments = split_arguments(self.line)
        tool = find_program(name, shell)
        if tool is None:
            raise WinError(FILE_NOT_FOUND, name)
        raw = self.line.partition(name)[2].removeprefix('"')
        return lambda: tool(Invocation(shell, self.streams, [name, *arguments], raw))

    def _run(self, work: Callable[[], int]) -> None:
        code = CONTROL_C_EXIT
        try:
            code = work()
        except Terminated:
            pass
        except WinError as exc:
            code = exc.code
        finally:
            with self._changed:
                self._exit_code = code
                self._changed.notify_all()

    def _add(self, stream: str, data: bytes) -> None:
        if not data:
            return
        with self._changed:
            if self._output and self._output[-1][0] == stream:
                self._output[-1] = (stream, self._output[-1][1] + data)
            else:
                self._output.append((stream, data))
            self._printed_at = self._printed_at or time.monotonic()
            self._changed.notify_all()

    def fetch(self, timeout: float, limit: int) -> Fetched | None:
        """Wait (seconds) for output or the end; at most ``limit`` bytes. None: nothing came.

        Output of a command that goes on is held back for a moment, so that a short command's
        output and exit code come together.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while self._exit_code is None and self._size() < limit:
                now = time.monotonic()
                due = min(deadline, self._printed_at + _LINGER if self._output else deadline)
                if now >= due:
                    break
                self._changed.wait(due - now)
            if self._exit_code is None and not self._output:
                return None
            output = self._take(limit)
            return Fetched(output, None if self._output else self._exit_code)

    def _size(self) -> int:
        return sum(len(data) for _skipped, data in self._output)

    def _take(self, limit: int) -> list[tuple[str, bytes]]:
        taken: list[tuple[str, bytes]] = []
        while self._output and limit > 0:
            stream, data = self._output.pop(0)
            taken.append((stream, data[:limit]))
            if len(data) > limit:
                self._output.insert(0, (stream, data[limit:]))
            limit -= len(data[:limit])
        self._printed_at = time.monotonic() if self._output else 0.0
        return taken

    @property
    def running(self) -> bool:
        """Whether the command has not ended."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Tell the command to end, whatever it is doing or waiting for."""
        self.streams.stop.set()
        with self._changed:
            self._changed.notify_all()

    def join(self, timeout: float) -> None:
        """Wait (seconds) until its thread is gone."""
        self._thread.join(timeout)
