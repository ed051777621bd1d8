# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thousands of generated domains: mx_pairs_info beside dig with naive sums, and beside adns.

Neither of these knows this project's rules, so they differ where a rule decides; no difference may
be without one (see ``differences``). The counts are printed.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from exchange_lab.mail.dns_server import DnsServer

from .adnshost import Told, adnshost
from .ask import mx_pairs
from .differences import UNEXPLAINED, Result, aliases_of, from_adns, from_naive, from_naive_times
from .generated import DOMAINS, Generated
from .naive import Naive
from .servers import Server

pytestmark = pytest.mark.peers

Report = Callable[[str, Result, int, Counter[str]], None]


@pytest.fixture(scope="module")
def by_authority(authority: Server, generated: Generated) -> dict[str, Any]:
    """What mx_pairs_info makes of what NSD says."""
    return _resolve(authority, generated)


@pytest.fixture(scope="module")
def by_resolver(resolver: Server, generated: Generated) -> dict[str, Any]:
    """What mx_pairs_info makes of what Unbound says."""
    return _resolve(resolver, generated)


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Report:
    """Return a function that prints the counts of a comparison, whatever is captured."""

    def write(title: str, result: Result, asked: int, counted: Counter[str]) -> None:
        lines = [
            f"{title}: {len(result['domains'])} domains, {len(result['pairs'])} pairs,",
            f"{result['stats']['questions']} and {asked} questions, no difference unexplained;",
            *(f"{number:7} {rule}" for rule, number in sorted(counted.items())),
        ]
        with capsys.disabled():
            sys.stdout.write("\n" + "\n".join(lines) + "\n")

    return write


def _resolve(server: object, generated: Generated) -> dict[str, Any]:
    return mx_pairs(server, domains=generated.domains, retries=0, timeout=5.0)


def _compared(
    result: Result, others: Mapping[str, Any], difference: Callable[[Result, Any], str]
) -> Counter[str]:
    """Count the differences by the rule that explains them."""
    counted: Counter[str] = Counter()
    for domain in result["domains"]:
        other = others[domain["domain"]]
        rule = difference(domain, other)
        assert rule != UNEXPLAINED, (domain, other)
        if rule:
            counted[rule] += 1
    return counted


def test_there_are_thousands_of_all_kinds(by_authority: dict[str, Any]) -> None:
    statuses = Counter(domain["status"] for domain in by_authority["domains"])
    assert sum(statuses.values()) == DOMAINS
    kinds = {"ok", "null_mx", "no_such_domain", "no_address", "temporary_failure"}
    assert set(statuses) == kinds
    assert min(statuses.values()) >= 50
    assert len(by_authority["pairs"]) > 2 * DOMAINS


def test_nsd_by_dig(
    authority: Server,
    generated: Generated,
    by_authority: dict[str, Any],
    tmp_path: Path,
    report: Report,
) -> None:
    naive = Naive(authority, tmp_path)
    found = naive.compute(generated.domains)
    counted = _compared(by_authority, found, from_naive)
    counted += _compared(by_authority, found, from_naive_times)
    report("mx_pairs_info and dig, by NSD", by_authority, naive.questions, counted)
    assert {rule.split(":")[0] for rule in counted} == {"rule 5", "rule 7", "rule 12", "rule 14"}


def test_unbound_by_dig(
    resolver: Server,
    generated: Generated,
    by_resolver: dict[str, Any],
    tmp_path: Path,
    report: Report,
) -> None:
    naive = Naive(resolver, tmp_path)
    counted = _compared(by_resolver, naive.compute(generated.domains), from_naive)
    report("mx_pairs_info and dig, by Unbound", by_resolver, naive.questions, counted)
    assert {rule.split(":")[0] for rule in counted} == {"rule 5", "rule 12", "rule 14"}


def test_unbound_by_adns(
    resolver: Server, generated: Generated, by_resolver: dict[str, Any], report: Report
) -> None:
    if not resolver.also:
        pytest.skip("only root may listen on port 53, and adns asks at no other")
    aliases = aliases_of(generated)

    def difference(result: Result, told: Told) -> str:
        return from_adns(result, told, aliases)

    counted = _compared(by_resolver, adnshost(resolver.also, generated.domains), difference)
    report("mx_pairs_info and adns, by Unbound", by_resolver, len(generated.domains), counted)
    expected = {"rule 4", "rule 5", "rule 6", "rule 12", "rule 14"}
    assert {rule.split(":")[0] for rule in counted} == expected


def test_nsd_unbound_and_the_lab_lead_to_the_same(
    generated: Generated, by_authority: dict[str, Any], by_resolver: dict[str, Any]
) -> None:
    assert by_resolver["routes"] == by_authority["routes"]
    with DnsServer(generated.zones) as lab:
        by_lab = _resolve(f"{lab.address}:{lab.port}", generated)
    assert by_lab["routes"] == by_authority["routes"]
    assert by_lab["pairs"] == by_authority["pairs"]
