# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Wine that is up: its drive C, and lines typed into its cmd.exe.

Lines are fed by a file, for Wine 8 reads no pipe, and one cmd.exe takes as many as there are: to
start one costs 0.2 s, a line in one that runs 0.005 s and each program that it starts 0.05 s.
``tools/with-wine`` brings a Wine up and names its folder in LAB_WINEPREFIX.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from .host import Completed

VARIABLE = "LAB_WINEPREFIX"
_PAUSE = 0.005  # seconds between two looks at whether it ended
CODE_PAGE = "cp437"  # the OEM code page of Wine in English


class Wine:
    """The Wine of one prefix."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.drive_c = prefix / "drive_c"

    def unix(self, winpath: str) -> Path:
        r"""Return the real path of ``C:\...``, spelled as it is on the disk."""
        return self.drive_c.joinpath(*winpath.split("\\")[1:])

    def type_in(
        self,
        lines: Iterable[str],
        *,
        timeout: float = 60.0,
        environment: Mapping[str, str] | None = None,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> Completed:
        """Type lines into a fresh cmd.exe, with ECHO off; return what it printed, and its end.

        Wine gives a process's exit code to the outside cut to 8 bits. ``meanwhile`` is called again
        and again until then; what it raises ends the cmd.exe. ``timeout`` is in seconds;
        TimeoutError where it goes on.
        """
        mark = secrets.token_hex(8)
        text = "\r\n".join(["@echo off", f"echo {mark}", *lines, "exit %errorlevel%", ""])
        with ExitStack() as stack:
            script, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _file in "012")
            script.write(text.encode(CODE_PAGE))
            script.seek(0)
            process = subprocess.Popen(
                ["wine", "cmd"],
                stdin=script,
                stdout=out,
                stderr=err,
                env=self._environment(environment or {}),
            )
            stack.callback(_end, process)
            _wait(process, timeout, meanwhile)
            out.seek(0)
            err.seek(0)
            printed = out.read().partition(f"{mark}\r\n".encode())[2]
            return Completed(process.returncode, printed, err.read())

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if name != VARIABLE}
        return {
            **ours,
            "WINEPREFIX": str(self.prefix),
            "WINEDEBUG": "-all",
            "LC_ALL": "C.UTF-8",
            **more,
        }


def _wait(
    process: subprocess.Popen[bytes], timeout: float, meanwhile: Callable[[], object]
) -> None:
    deadline = time.monotonic() + timeout
    while process.poll() is None:
        meanwhile()
        if time.monotonic() > deadline:
            raise TimeoutError(f"Wine's cmd.exe did not end within {timeout:.0f} seconds.")
        time.sleep(_PAUSE)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()


def running() -> Wine | None:
    """Return the Wine that LAB_WINEPREFIX names, or None."""
    prefix = os.environ.get(VARIABLE)
    return Wine(Path(prefix)) if prefix else None
