# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of what is fuzzed: each target is a source of hostile values and a check of one value.

A check passes when the collection answers with a result or with one of its own exceptions. It fails
with whatever else is raised, with ``Hang`` when one value costs more than its bound of processor
time, and with ``Flood`` when it costs more than its bound of memory.
"""

from __future__ import annotations

import contextlib
import resource
import secrets
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import hypothesis
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

#: Seconds of processor time that one value may cost. Linear work on a megabyte needs a few; what
#: is quadratic needs hours.
CPU_SECONDS = 30
_FEWEST = 10
#: Bytes that one value may cost beyond what the process has. An input has a few millions at most.
MEMORY = 256 * 1024 * 1024
#: What it may not even ask for, so that a failing check does no harm to the machine.
_CEILING = 4 * 1024 * 1024 * 1024


class Hang(BaseException):
    """One value kept the processor busy for far longer than its size allows.

    Not an Exception, so that no handler of the collection takes it for a host's doing.
    """


class Flood(BaseException):
    """One value took far more memory than its size allows."""


@dataclass(slots=True)
class Target:
    """One thing that is fuzzed. ``examples`` are those of the short run.

    ``each`` are values that every run checks, one after the other, before it draws others.
    ``guided`` says that coverage guidance pays: the check is quick and runs in one thread.
    """

    name: str
    area: str
    values: SearchStrategy[Any]
    check: Callable[[Any], None]
    examples: int
    guided: bool = False
    each: Sequence[Any] = ()
    done: int = field(default=0, init=False)

    def property(self) -> Callable[[], None]:
        """Return the test that draws values and checks them."""

        @given(value=self.values)
        def holds(value: Any) -> None:
            self._one(value)

        return holds

    def _one(self, value: Any) -> None:
        self.done += 1
        with bounded():
            self.check(value)

    def run(self, seconds: float = 0, share: int = 1) -> None:
        """Check the usual number of values, always the same; or new ones for some seconds.

        With a ``share`` of 8, an eighth of the usual number.
        """
        for value in self.each:
            try:
                self._one(value)
            except BaseException as error:
                error.add_note(f"value: {value!r:.2000}")
                raise
        if not seconds:
            self._round(max(_FEWEST, self.examples // share), seed=None)
            return
        deadline, seed = monotonic() + seconds, secrets.randbits(48)
        while monotonic() < deadline:
            self._round(self.examples, seed=seed)
            seed += 1

    def _round(self, examples: int, seed: int | None) -> None:
        test = self.property()
        if seed is not None:
            test = hypothesis.seed(seed)(test)
        settings(
            max_examples=examples,
            deadline=None,
            derandomize=seed is None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.explicit, Phase.generate, Phase.shrink),
        )(test)()


TARGETS: dict[str, Target] = {}


def target(
    name: str,
    area: str,
    values: SearchStrategy[Any],
    *,
    examples: int,
    guided: bool = False,
    each: Sequence[Any] = (),
) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Register a check of one value under a name of its own."""

    def register(check: Callable[[Any], None]) -> Callable[[Any], None]:
        assert name not in TARGETS, f"two targets are called {name}"
        TARGETS[name] = Target(name, area, values, check, examples, guided, each)
        return check

    return register


def calmly(
    function: Callable[..., Any], *args: Any, allowed: tuple[type[Exception], ...] = ()
) -> Any:
    """Call what is fuzzed; return its result, or its own exception. Any other one goes on.

    The message of an error is put together too, for that is where a hostile value is shown.
    """
    try:
        return function(*args)
    except (ExchangeError, *allowed) as error:
        found = error
    assert str(found) or not isinstance(found, ExchangeError)
    return found


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Bound processor time and memory of what runs inside."""

    def too_long(_number: int, _frame: object) -> None:
        raise Hang(f"more than {CPU_SECONDS} s of processor time for one value")

    before = signal.signal(signal.SIGPROF, too_long)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    limit = resource.getrlimit(resource.RLIMIT_AS)
    space, resident = _pages()
    resource.setrlimit(resource.RLIMIT_AS, (space + _CEILING, limit[1]))
    _PEAK.write_text("5")
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limit)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    if (grown := _peak() - resident) > MEMORY:
        raise Flood(f"{grown:,} bytes of memory for one value")


#: Where writing 5 makes the kernel begin anew with the peak of this process's memory (proc(5)).
_PEAK = Path("/proc/self/clear_refs")


def _pages() -> tuple[int, int]:
    """Return the bytes of address space and of memory that this process has now."""
    space, resident, *_others = Path("/proc/self/statm").read_text().split()
    return int(space) * resource.getpagesize(), int(resident) * resource.getpagesize()


def _peak() -> int:
    """Return the most bytes of memory that this process had since the peak was forgotten."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
