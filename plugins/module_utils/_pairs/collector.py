# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python's collector of cycles, and when it is of no use.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Look for no cycles within the block.

    A run over many domains makes many small things, none of which leads back to itself. Looking
    for cycles among them takes a sixth of its time and finds none. So what was made counts as old
    at the end, or the collector would look through all of it at once.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            _count_all_as_old()
            gc.enable()


def _count_all_as_old() -> None:
    if not gc.get_freeze_count():  # or what somebody else has put aside would come back
        gc.freeze()
        gc.unfreeze()
