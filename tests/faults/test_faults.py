# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A transaction is interrupted at every request, in every way, for every kind of change.

Each time: the old state, or the new one, or the error says which; nothing of anybody else's is
lost; nothing stays behind but what the error names; the next run converges and says what it
recovered; the one after it changes nothing; and the newest backup holds what was there at first.

``FAULTS=all`` takes hours. With ``FAULTS_KEPT=FILE`` what was found so far is kept there, and a run
that is cut off goes on where it was; ``FAULTS_WORKERS`` is the number of processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import fault_cases
import pytest
from fault_kept import Kept
from fault_sweep import CHANGES, Workers, cases, same_endings

pytestmark = pytest.mark.faults

_SHOWN = 12


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    count = int(os.environ.get("FAULTS_WORKERS", "0"))
    running = Workers(tmp_path_factory.mktemp("faults"), count)
    yield running
    running.close()


@pytest.mark.parametrize("family", CHANGES)
def test_whatever_happens(family: str, workers: Workers) -> None:
    everything = os.environ.get("FAULTS") == "all"
    measured = workers.measured(family)
    wanted = list(cases(family, measured, everything=everything))
    assert {case.change for case in wanted} == set(CHANGES[family])
    with Kept(os.environ.get("FAULTS_KEPT")) as kept:
        found = workers.findings(wanted, kept)
    fault_cases.FOUND += found
    wrong = [finding for finding in found if finding.problems]
    shown = [f"{each.case}: {'; '.join(each.problems)[:1500]}" for each in wrong[:_SHOWN]]
    assert not wrong, f"{len(wrong)} of {len(found)}:\n" + "\n".join(shown)
    assert same_endings(found) == []
