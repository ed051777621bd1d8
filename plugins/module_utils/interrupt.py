# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An orderly end for a run that is told to stop: Ctrl-C, or SIGTERM.

Ansible ends its workers, and a job its processes, by a signal that leaves no time to a Python
program: nothing is closed, and a shell or a claim stays on the host. In ``orderly_end`` the first
such signal becomes a KeyboardInterrupt, so that everything is closed on the way out; then the
signal takes the course that it would have taken. A second one takes it at once.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def orderly_end() -> Iterator[None]:
    """Let what runs here close what it opened when the process is told to stop."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals come to the main thread only
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in _SIGNALS}

    def stop(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        if len(came) == 1:
            raise KeyboardInterrupt
        _pass_on(number)

    def _pass_on(number: int) -> None:
        for each, handler in before.items():
            signal.signal(each, handler)
        os.kill(os.getpid(), number)

    for number in _SIGNALS:
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            os.kill(os.getpid(), came[0])
