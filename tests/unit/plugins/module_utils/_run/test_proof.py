# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes of changes without proof: who tests them, what ends them, and what is not believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import ExchangeError
from ansible_collections.postmaster.exchange.plugins.module_utils._run.proof import (
    NOTE,
    ProofPolicy,
    Proofs,
)

DOMAINS = ["nestle.com", "aol.com"]
SINCE = "2026-12-01T12:00:00Z"


def proofs(folder: Path, run: str, host: str = "ex1", *, claim: bool = True) -> Proofs:
    """What a run on a host finds beside the one backup."""
    found = Proofs(ProofPolicy("test"), run, host)
    found.read([folder], claim=claim)
    return found


def result(domain: str, verdict: str) -> dict[str, Any]:
    return {"domain": domain, "verdict": verdict, "reason": "why", "error": None}


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A backup of a run that was killed after its change."""
    killed = Proofs(ProofPolicy("test"), "r1", "ex1")
    killed.begin(tmp_path, DOMAINS, SINCE, everywhere=False)
    killed.close()
    return tmp_path


def test_while_one_host_tests_the_others_of_its_run_leave_it_to_it(left: Path) -> None:
    tester = proofs(left, "r2")
    assert tester.domains == DOMAINS
    beside = proofs(left, "r2", "ex2")
    assert (beside.domains, beside.unproved()) == ([], [])
    other = proofs(left, "r3", "ex2")
    assert other.domains == []
    assert [(one.domain, one.left_to) for one in other.unproved()] == [
        ("nestle.com", "r2"),
        ("aol.com", "r2"),
    ]
    tester.record([result("aol.com", "relayed"), result("nestle.com", "queued")], ())
    tester.close()
    again = proofs(left, "r2", "ex2")  # the same run: tested by another host, and not proved
    assert again.domains == []
    assert [(one.domain, one.verdict) for one in again.unproved()] == [("nestle.com", "queued")]
    again.close()
    assert proofs(left, "r2").domains == ["nestle.com"]  # a fixed name of the run, the next night


@pytest.mark.parametrize("verdict", ["delivered", "relayed", "not_tested"])
def test_what_arrived_or_cannot_be_tested_is_proved(left: Path, verdict: str) -> None:
    found = proofs(left, "r2")
    found.record([result("nestle.com", verdict)], missing={"aol.com"})
    assert found.unproved() == []
    assert not (left / NOTE).exists()


def test_only_what_a_run_would_test_is_noted(tmp_path: Path) -> None:
    found = Proofs(ProofPolicy("test", frozenset({"aol.com"})), "r1", "ex1")
    found.begin(tmp_path, ["*", "NESTLE.com", "AOL.com."], SINCE, everywhere=False)
    assert found.domains == ["aol.com"]
    for use in ("keep", "show", "forget"):
        none = Proofs(ProofPolicy(use), "r1", "ex1")  # type: ignore[arg-type]
        none.begin(tmp_path, DOMAINS, SINCE, everywhere=True)
        assert none.domains == []


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"format": 2}', "link", json.dumps({"format": 1, "domains": {}})]
)
def test_a_note_that_cannot_be_read_is_no_empty_one(left: Path, content: str) -> None:
    (left / NOTE).unlink()
    if content == "link":
        (left / NOTE).symlink_to("/etc/passwd")
    else:
        (left / NOTE).write_text(content)
    with pytest.raises(ExchangeError, match="unknown which changes are tested"):
        proofs(left, "r2")
