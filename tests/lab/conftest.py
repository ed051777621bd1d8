# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labs for the lab's own tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from exchange_lab.lab import Lab
from exchange_lab.scenario import simple


@pytest.fixture
def lab() -> Iterator[Lab]:
    """The lab as it comes up by default."""
    with Lab() as running:
        yield running


@pytest.fixture
def small_lab() -> Iterator[Lab]:
    """One untreated host, the domain of the article, and the hijacking zone."""
    with Lab(simple()) as running:
        yield running
