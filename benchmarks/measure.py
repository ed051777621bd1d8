# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command and tell what it cost; show what several cost as a table."""

from __future__ import annotations

import os
import platform
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_SECONDS = 0.25
_MEGABYTE = 1024  # in the kilobytes that /proc counts in


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command cost: seconds of wall and of CPU (user and system, all its children
    included; ``own_cpu`` without them), and memory in MB at the moment it was most: of the process
    itself (its resident set), and of it and all its children (each page shared between processes
    counted once).
    """

    status: int
    wall: float
    cpu: float
    own_cpu: float
    own_memory: float
    memory: float
    output: str


def run(
    command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], timeout: float = 3600.0
) -> Cost:
    """Run a command to its end."""
    log = cwd / "output.txt"
    with log.open("wb") as stream:
        began = time.monotonic()
        child = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        watch = _Watch(child.pid)
        watch.start()
        killer = threading.Timer(timeout, child.kill)
        killer.start()
        _pid, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - began
        killer.cancel()
        watch.end()
    return Cost(
        status=child.returncode,
        wall=wall,
        cpu=used.ru_utime + used.ru_stime,
        own_cpu=watch.cpu,
        own_memory=watch.own / _MEGABYTE,
        memory=watch.all / _MEGABYTE,
        output=log.read_text(encoding="utf-8", errors="replace"),
    )


class _Watch(threading.Thread):
    """Looks at the memory of a process and of its children again and again."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._over = threading.Event()
        self.own = self.all = 0
        self.cpu = 0.0

    def run(self) -> None:
        while not self._over.wait(_SAMPLE_SECONDS):
            family = _family(self._pid)
            self.cpu = _seconds(self._pid) or self.cpu
            self.own = max(self.own, _kilobytes(self._pid, "status", "VmHWM"))
            self.all = max(self.all, sum(_kilobytes(pid, "smaps_rollup", "Pss") for pid in family))

    def end(self) -> None:
        """Stop looking."""
        self._over.set()
        self.join()


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [pid, *(member for child in children for member in _family(int(child)))]


def _kilobytes(pid: int, file: str, name: str) -> int:
    try:
        text = Path(f"/proc/{pid}/{file}").read_text(encoding="ascii")
    except OSError:
        return 0
    return next(
        (int(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name}:")), 0
    )


def _seconds(pid: int) -> float:
    """Return the CPU seconds of a process so far, without its children (proc(5), stat)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def machine() -> str:
    """Return a line that says on what the numbers were taken."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores of {model}, Linux {platform.release()},"
        f" Python {platform.python_version()}, load average {load:.1f} at the start"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table: the first column to the left, numbers to the right."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
