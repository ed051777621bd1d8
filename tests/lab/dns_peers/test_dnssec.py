# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DNSSEC: what Unbound validates and refuses, what mx_pairs_info makes of it, and delv's word."""

from __future__ import annotations

import pytest

from . import delv
from .ask import one
from .cases import told
from .conftest import Site
from .dnssec import PARENT, VERDICTS, Verdict
from .servers import Server

pytestmark = pytest.mark.peers

_each = pytest.mark.parametrize("verdict", VERDICTS, ids=str)


def _resolved(server: Server, verdict: Verdict) -> dict[str, object]:
    return one(server, domain=verdict.domain, evidence=True, retries=0, timeout=5.0)


def _check(verdict: Verdict, found: dict[str, object]) -> None:
    seen = told(found)
    assert seen["status"] == verdict.status
    assert seen["pairs"] == verdict.pairs
    wanted = {f"{verdict.bogus} bogus"} if verdict.bogus else set()
    assert wanted <= set(seen["failures"])
    # A resolver is never asked for AAAA as evidence, and who validates nothing sees no trouble.
    assert "aaaa_trouble" not in seen["warnings"]
    evidence = found["evidence"]
    assert (evidence and evidence["authentic"]) == verdict.authentic  # type: ignore[index]


@_each
def test_rules_13_14_19_with_a_resolver_that_explains(resolver: Server, verdict: Verdict) -> None:
    found = _resolved(resolver, verdict)
    _check(verdict, found)
    if verdict.bogus:
        assert "extended error" in str(found["failures"])


@_each
def test_rules_13_14_19_with_a_resolver_that_does_not(
    terse_resolver: Server, verdict: Verdict
) -> None:
    found = _resolved(terse_resolver, verdict)
    _check(verdict, found)
    if verdict.bogus:
        assert "answers without DNSSEC validation" in str(found["failures"])


@pytest.mark.parametrize("label", ["good", "expired", "wrongds", "stripped", "nomxsig"])
def test_rule_19_an_authority_vouches_for_nothing(authority: Server, label: str) -> None:
    found = one(authority, domain=f"{label}.{PARENT}", evidence=True)
    assert found["status"] == "ok"
    assert found["evidence"]["authentic"] is False


@_each
def test_delv_says_the_same(authority: Server, site: Site, verdict: Verdict) -> None:
    """delv validates by itself what NSD gives; the AD flag and SERVFAIL are Unbound's words."""
    anchor = delv.trusted(site.anchor)
    said: set[str] = set()
    for question in verdict.questions:
        rdtype, name = question.split()
        said |= delv.verdicts(authority, PARENT, anchor, name, rdtype)
    assert (delv.BOGUS in said) == bool(verdict.bogus)
    if not verdict.bogus:
        assert (said == {delv.AUTHENTIC}) == (verdict.authentic is not False)
