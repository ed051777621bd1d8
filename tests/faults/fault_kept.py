# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings in a file, so that a sweep of hours can go on where it was cut off."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from fault_cases import Case, Finding

_PLUGINS = Path(__file__).resolve().parents[2] / "plugins"


class Kept:
    """The findings of a file, a line of JSON each; of no file where None is given.

    Findings count for the code that they were made with only.
    """

    def __init__(self, file: str | None) -> None:
        self.findings: dict[Case, Finding] = {}
        self._path = Path(file) if file else None
        self._file: IO[str] | None = None
        self._code = _digest()

    def __enter__(self) -> Self:
        if self._path is not None:
            self._file = self._path.open("a+", encoding="utf-8")
            self._file.seek(0)
            for line in self._file:
                if line.endswith("\n"):
                    self._read(json.loads(line))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, finding: Finding) -> None:
        """Keep a finding."""
        self.findings[finding.case] = finding
        if self._file is not None:
            entry = {"code": self._code, **dataclasses.asdict(finding)}
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()

    def _read(self, entry: dict[str, Any]) -> None:
        if entry.pop("code") != self._code:
            return
        case = Case(**entry.pop("case"))
        entry |= {name: tuple(entry[name]) for name in ("problems", "endings")}
        self.findings[case] = Finding(case=case, **entry)


def _digest() -> str:
    found = hashlib.sha256()
    for path in sorted(_PLUGINS.rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]
