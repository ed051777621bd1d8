# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of command lines, in the lab and, as a second opinion, in Wine.

Each case is compared in what it prints, in ERRORLEVEL, in every file of its folder and in every
value below its registry key. A difference has to stand in the table, with the document that
decides it in the lab's favour; one that is gone has to be taken out of the table.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from exchange_lab.windows import wine
from exchange_lab.windows.host import LabHost
from windows_cases import CASES, documents
from windows_cases.case import Case, Result
from windows_cases.runs import expected, in_lab, in_wine, parts

#: So many cases there are, and so many of them come out otherwise in Wine 8 and are documented.
TOLD, DIFFERENT = 607, 63
_running = wine.running()
_PARTS = {"out", "level", "files", "values"}


_NOT_STARTED = 9009  # ERRORLEVEL of a program that is not found


@pytest.fixture
def host(tmp_path: Path) -> LabHost:
    return LabHost("MAIL5A", tmp_path / "disk", time_scale=0.01)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_lab_does_what_the_table_says(host: LabHost, case: Case) -> None:
    assert in_lab(case, host) == expected(case)


def test_the_table_is_whole() -> None:
    names = Counter(case.name for case in CASES)
    assert [name for name, count in names.items() if count > 1] == []
    known = [case.differs for case in CASES if case.differs]
    assert (len(CASES), len(known)) == (TOLD, DIFFERENT)
    named = (name for name in vars(documents) if name.isupper() and not name.startswith("_"))
    sources = {getattr(documents, name) for name in named}
    assert {difference.decides for difference in known} == sources
    assert all(x.wine and x.parts and x.parts <= _PARTS for x in known)


# -- in Wine ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Result, Result]]:
    """What each case came to in the lab and in Wine; both begin with nothing."""
    assert _running
    disks = tmp_path_factory.mktemp("disks")
    here = {}
    for number, case in enumerate(CASES):
        host = LabHost("MAIL5A", disks / str(number), time_scale=0.01)
        here[case.name] = in_lab(case, host, number)
        shutil.rmtree(disks / str(number))
    there = in_wine(CASES, _running)
    # Now and then Wine fails to start a program that is there, on a busy machine: once more then.
    if any(there[name].level == _NOT_STARTED != here[name].level for name in here):
        there = in_wine(CASES, _running)
    return {name: (here[name], there[name]) for name in here}


@pytest.mark.peers
@pytest.mark.skipif(not _running, reason=f"{wine.VARIABLE} names no Wine prefix")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_wine_agrees(results: dict[str, tuple[Result, Result]], case: Case) -> None:
    differ = parts(*results[case.name])
    known = case.differs.parts if case.differs else frozenset()
    assert differ.keys() == known, differ


@pytest.mark.peers
@pytest.mark.skipif(not _running, reason=f"{wine.VARIABLE} names no Wine prefix")
def test_counts(
    results: dict[str, tuple[Result, Result]],
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    equal = sum(not parts(*pair) for pair in results.values())
    other = len(results) - equal
    line = f"\nWine: {len(results)} cases, {equal} equal, {other} known differences"
    with capsys.disabled():
        request.config.get_terminal_writer().line(line)
    assert (len(results), other) == (TOLD, DIFFERENT)
