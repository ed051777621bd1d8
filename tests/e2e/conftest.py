# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests share that run real Ansible commands against the lab."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    """An administrator's folder, with this checkout as the installed collection."""
    return Controller(tmp_path / "project", ROOT / ".build")


@pytest.fixture
def lab(tmp_path: Path, controller: Controller) -> Iterator[Lab]:
    """The lab of three hosts, running, with its inventory in the administrator's folder."""
    with Lab(folder=tmp_path / "lab") as running:
        running.write_inventory(controller.inventory)
        yield running
