# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts for the tests below this folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from delivery_fakes import ROOT, TRACKING, DirectSession
from exchange_lab.windows.host import LabHost


@pytest.fixture
def machine(tmp_path: Path) -> LabHost:
    """A Windows host with the connector's folders and nothing in them."""
    host = LabHost("mail55", tmp_path / "host", time_scale=0.01)
    for folder in (f"{ROOT}\\Out", f"{ROOT}\\Log", f"{ROOT}\\Pickup", TRACKING):
        host.fs.mkdir(folder)
    return host


@pytest.fixture
def session(machine: LabHost) -> DirectSession:
    """A session on that host."""
    return DirectSession(machine)
