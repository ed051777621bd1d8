# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often pins moved, as the backups on the controller have it.

Each backup holds what was there before a change, so two in a row show one change.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from .._base.errors import ExchangeError
from .._base.texts import listed
from . import backups
from .family import B, Family, P, S, W_contra

#: Backups that are read, the newest ones.
MOST_READ = 20

Pins = Mapping[str, Sequence[str]]


def moves(states: Iterable[Pins]) -> Counter[str]:
    """Return how often the pin of each domain moved; one that comes or goes does not."""
    counted: Counter[str] = Counter()
    for before, after in pairwise(states):
        counted.update(name for name, to in after.items() if before.get(name, to) != to)
    return counted


def moved_often(
    family: Family[S, W_contra, B, P], state: S, shelf: backups.Shelf, most: int
) -> list[str]:
    """Return a warning of the pins that moved more than ``most`` times.

    Backups that cannot be read, or are not to be believed, are left out.
    """
    try:
        folder = backups.folder_of(shelf.base, family.owner(state))
        paths = [entry.path for entry in shelf.entries(folder)][-MOST_READ:]
    except ExchangeError:
        return []
    states = []
    for path in paths:
        with contextlib.suppress(OSError, ValueError, RecursionError, ExchangeError):
            saved = family.load(backups.read_facts(path), path, state, ())
            states.append(family.saved_pins(saved))
    counted = moves([*states, family.pins(state)])
    often = [f"{name} ({times} times)" for name, times in counted.items() if times > most]
    if not often:
        return []
    return [f"Pins moved often in the last {len(states)} backups: {listed(often)}."]
