# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mx_pairs_info against each broken server: asked directly, and through three resolvers.

Each domain is asked for twice in a row, with the caches of the resolvers as the first run left
them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from dns_peers.ask import mx_pairs

from .cases import CASES, FAILS, WAYS, Case, Expected

pytestmark = pytest.mark.peers

Runs = dict[tuple[str, str], list[dict[str, Any]]]
_AT_ONCE = 12


def _ask(server: str, domain: str) -> dict[str, Any]:
    """Return what a run of its own returns of a domain, with the timeouts that are the default."""
    return mx_pairs(server, domains=[domain], evidence=True)["domains"][0]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def runs(authorities: dict[str, str], resolvers: dict[str, str]) -> Runs:
    """The results of two runs a domain, one after the other, by the way that the questions took."""

    def twice(server: str, case: Case) -> list[dict[str, Any]]:
        return [_ask(server, case.domain) for _run in range(2)]

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = {
            (way, case.domain): pool.submit(twice, server, case)
            for case in CASES
            for way, server in {"direct": authorities[case.domain], **resolvers}.items()
        }
        return {key: results.result() for key, results in asked.items()}


def _found(entry: dict[str, Any]) -> Expected:
    codes = {warning["code"] for warning in entry["warnings"]}
    return Expected(entry["status"], aaaa="aaaa_trouble" in codes)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_fault_is_read_as_the_table_expects(case: Case, way: str, runs: Runs) -> None:
    first, second = runs[way, case.domain]
    expected = case.expected(way)
    if way in case.by_chance:
        assert {first["status"], second["status"]} <= {expected.status, FAILS}
        return
    assert (_found(first), _found(second)) == (expected, expected)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_pairs_that_are_known_are_the_zone_s(case: Case, way: str, runs: Runs) -> None:
    exchanges = case.records.count(" MX ") or 1
    for result in runs[way, case.domain]:
        assert len(result["pairs"]) == (exchanges if result["status"] == "ok" else 0)
