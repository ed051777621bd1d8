# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of progress for a person who waits: on standard error, and never more than one can read.

Standard output belongs to the callback that shows the results, which may write JSON there.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ansible.utils.display import Display

display = Display()

#: So many lines of a task are shown at once, and after them one in so many seconds.
BURST, EVERY = 5, 2.0


class Progress:
    """Shows the progress of one task. Lines that come too fast are counted instead of shown."""

    def __init__(self, host: str, clock: Callable[[], float] = time.monotonic) -> None:
        """``host`` begins each line; ``clock`` counts seconds."""
        self._host = host
        self._clock = clock
        self._credit = float(BURST)
        self._last = clock()
        self._left_out = 0

    def __call__(self, text: str) -> None:
        """Show a line, or count it."""
        now = self._clock()
        self._credit = min(BURST, self._credit + (now - self._last) / EVERY)
        self._last = now
        if self._credit < 1:
            self._left_out += 1
            return
        self._credit -= 1
        more = f" ({self._left_out} more before)" if self._left_out else ""
        self._left_out = 0
        show(f"{self._host}: {text}{more}")


def show(text: str) -> None:
    """Show a line; a host's words in it cannot move the cursor or colour the screen."""
    display.display("".join(c if c.isprintable() else " " for c in text), stderr=True)
