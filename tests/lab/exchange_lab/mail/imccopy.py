# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``imccopy.exe``: saves and restores the delivery route table as text (Q182522, Q262126).

Its words and exit codes are not documented: 0 for success and 1 for anything else are the lab's.
It does not look into the rows; only the service does, at its next start.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..windows.errors import WinError
from ..windows.process import Invocation
from .imc_directory import Connector, FormatError

OK, FAILED = 0, 1
USAGE = "Usage: IMCCOPY -save routes filename\r\n       IMCCOPY -restore routes filename\r\n"
_ARGUMENTS = 4


@dataclass(slots=True)
class ImccopyFaults:
    """What can go wrong with the tool, to be switched on by a test.

    ``corrupt`` saves only the first half of the file, ``deaf`` says that it restored and did not,
    ``delay`` is how long it takes, in seconds.
    """

    fail_save: bool = False
    fail_restore: bool = False
    corrupt: bool = False
    deaf: bool = False
    delay: float = 0.0


class Imccopy:
    """The tool of one host, working on its connector; ``calls`` counts what it was asked for."""

    def __init__(self, connector: Connector) -> None:
        self.connector = connector
        self.faults = ImccopyFaults()
        self.calls: list[str] = []

    def __call__(self, call: Invocation) -> int:
        """Run one command line."""
        verb, noun, path = self._arguments(call.argv)
        self.calls.append(verb)
        call.streams.sleep(self.faults.delay)
        if verb == "-save" and noun == "routes":
            return self._save(call, path)
        if verb == "-restore" and noun == "routes":
            return self._restore(call, path)
        call.out(USAGE)
        return FAILED

    @staticmethod
    def _arguments(argv: list[str]) -> tuple[str, str, str]:
        if len(argv) != _ARGUMENTS:
            return "", "", ""
        return argv[1].casefold(), argv[2].casefold(), argv[3]

    def _save(self, call: Invocation, path: str) -> int:
        data = self.connector.save()
        if self.faults.fail_save:
            call.err("Cannot read the configuration of the Internet Mail Service.\r\n")
            return FAILED
        try:
            call.write_file(path, data[: len(data) // 2] if self.faults.corrupt else data)
        except WinError as exc:
            call.err(f"Cannot write {path}: {call.shell.message(exc.code)}\r\n")
            return FAILED
        return OK

    def _restore(self, call: Invocation, path: str) -> int:
        try:
            data = call.read_file(path)
            if self.faults.fail_restore:
                call.err("Cannot change the configuration of the Internet Mail Service.\r\n")
                return FAILED
            if not self.faults.deaf:
                self.connector.restore(data)
        except WinError as exc:
            call.err(f"Cannot read {path}: {call.shell.message(exc.code)}\r\n")
            return FAILED
        except FormatError as exc:
            call.err(f"{path}: {exc}\r\n")
            return FAILED
        return OK
