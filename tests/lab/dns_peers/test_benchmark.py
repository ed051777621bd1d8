# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark of mx_pairs_info, with a few domains: it runs, and all contenders find the same."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from peer_programs import output, program

pytestmark = pytest.mark.peers

_BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "pairs.py"
_CONTENDERS = ("ours", "adnshost", "dig", "dnspython")


def _rows(table: str) -> list[dict[str, str]]:
    """Return the lines of a table; what contenders are called may hold a space."""
    head, *lines = table.splitlines()
    names = head.split()[:3]
    found = []
    for line in lines:
        title, *cells = line.replace(" (", "(").split()
        found.append({"title": title, **dict(zip(names, cells, strict=False))})
    return found


def test_all_contenders_find_the_same_pairs() -> None:
    for name in ("adnshost", "dig", "nsd", "unbound"):
        program(name)
    if os.geteuid():
        pytest.skip("port 53, which adnshost asks, is root's")
    command = [sys.executable, _BENCHMARK, "--domains", "20", "--delay", "0", "1", "--runs", "1"]
    told = output(*command, "--only", *_CONTENDERS)
    parts = [part.partition("\n") for part in told.split("\n\n")[1:]]
    assert len(parts) == 2
    for heading, _newline, table in parts:
        rows = [row for row in _rows(table) if not row["title"].startswith("max_rate")]
        assert {row["title"].partition("(")[0] for row in rows} == set(_CONTENDERS)
        assert {row["pairs"] for row in rows} == {"60"}
        # What domains share is asked once; adnshost keeps nothing.
        asked = {row["title"]: row["asked"] for row in rows}
        assert f" {asked['ours']} questions" in heading
        assert asked["ours"] == asked["ours(200)"] == asked["dnspython"]
        assert int(asked["adnshost(60)"]) == 80 > int(asked["ours"])
