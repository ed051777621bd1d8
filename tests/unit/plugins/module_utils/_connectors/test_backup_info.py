# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backups of an organisation, compared with its connectors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from ansible_collections.postmaster.exchange.plugins.module_utils._base.context import Context
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.connector import (
    Connector,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._connectors.organisation import (
    Organisation,
    View,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run.backup_info import compared
from test_backup import ORGANISATION, connector, family, save

A, B = connector("a", "a.example"), connector("b", "b.example")


def difference(folder: Path, there: View) -> dict[str, Any]:
    return compared(family(), there, folder, Context("ex1", diff=True))


def view(*connectors: Connector, organisation: Organisation = ORGANISATION) -> View:
    return View(organisation, "dc1", connectors)


def test_nothing_differs(tmp_path: Path) -> None:
    found = difference(save(tmp_path, A, B), view(A, B))
    assert (found["same"], found["summary"], found["diff"]) == (True, "as it is now", [])


def test_connectors_that_differ_went_or_came(tmp_path: Path) -> None:
    moved = connector("a", "a.example", "192.0.2.9")
    found = difference(save(tmp_path, A, B), view(moved, connector("c", "c.example")))
    assert found["changes"] == 3
    assert found["summary"] == "3 connectors (b.example, a.example, c.example)"
    assert [block["before_header"] for block in found["diff"]] == [
        f"First Organization: Send connector for {name}.example, now" for name in "bac"
    ]


def test_one_of_another_organisation_cannot_be_put_back(tmp_path: Path) -> None:
    other = view(A, organisation=Organisation("Other", "hq.example"))
    found = difference(save(tmp_path, A), other)
    assert found["problem"] == (
        "it is of the organisation 'First Organization', and this is Other (hq.example)"
    )
    assert not found["same"]


def test_a_name_that_somebody_else_has_now(tmp_path: Path) -> None:
    theirs = connector("a", "a.example", Guid="another", Comment="")
    found = difference(save(tmp_path, A), view(theirs))
    assert found["summary"] == (
        "cannot be put back: a.example: 'a' has the name of one that was ours"
    )
