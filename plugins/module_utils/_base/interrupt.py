# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An orderly end for a run that gets a stop signal: Ctrl-C, or SIGTERM.

Ansible ends its workers, and a job its processes, by a signal that leaves no time to a Python
program: nothing is closed, and a shell or a claim stays on the host. In ``orderly_end`` the first
such signal becomes a KeyboardInterrupt, so that everything is closed on the way out; then the
signal takes the course that it would have taken. Ansible sends another one soon, and so does a
person without patience: that takes effect at once only when the way out takes too long.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

#: Seconds for the way out.
_GRACE = 15.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def orderly_end() -> Iterator[None]:
    """Raise in the block when a stop signal arrives, so that it closes what it opened."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals come to the main thread only
        return
    watch = _Watch()
    watch.begin()
    try:
        yield
    finally:
        watch.end()
        if watch.first is not None:
            os.kill(os.getpid(), watch.first)


class _Watch:
    """Takes the signals; ``first`` is the one that came first."""

    def __init__(self) -> None:
        self.first: int | None = None
        self._since = 0.0
        self._before = {number: signal.getsignal(number) or signal.SIG_DFL for number in _SIGNALS}

    def begin(self) -> None:
        """Take the signals that are not ignored."""
        for number, handler in self._before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._stop)

    def end(self) -> None:
        """Let them take the course they took before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        if self.first is None:
            self.first, self._since = number, time.monotonic()
            raise KeyboardInterrupt
        if time.monotonic() - self._since >= _GRACE:
            self.end()
            os.kill(os.getpid(), number)
