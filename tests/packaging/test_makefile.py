# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Makefile names the remedy where a checkout cannot be worked in."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_read_only_checkout_is_said_with_the_remedy() -> None:
    done = make("WRITABLE=", "demo")
    assert done.returncode == 2
    assert "This checkout is read-only. Work in a copy of it, or" in done.stderr
    assert "make demo VENV=" in done.stderr


def test_a_read_only_checkout_serves_with_other_places(tmp_path: Path) -> None:
    places = (f"VENV={tmp_path}/venv", f"BUILD={tmp_path}/build")
    done = make("--dry-run", "WRITABLE=", *places, "demo")
    assert done.returncode == 0, done.stderr
    written = [line for line in done.stdout.splitlines() if " .venv" in line or " .build" in line]
    assert written == []
    assert f"{tmp_path}/build/installed" in done.stdout


def test_help_is_there_in_any_checkout() -> None:
    assert "make demo" in make("WRITABLE=").stdout
