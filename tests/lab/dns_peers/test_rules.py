# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each rule by its cases: the lab's server, NSD and Unbound lead to what stands there."""

from __future__ import annotations

from typing import Any

import pytest
from exchange_lab.mail.dns_server import DnsServer

from . import cases_answers, cases_mx
from .ask import one
from .cases import LAB, NSD, UNBOUND, Case, told, wanted
from .servers import Server

pytestmark = pytest.mark.peers

CASES = [*cases_mx.CASES, *cases_answers.CASES]


@pytest.fixture
def servers(lab: DnsServer, authority: Server, resolver: Server) -> dict[str, object]:
    """Where to ask each server."""
    return {LAB: f"{lab.address}:{lab.port}", NSD: authority, UNBOUND: resolver}


@pytest.mark.parametrize(
    ("case", "asked"),
    [(case, name) for case in CASES for name in case.servers],
    ids=str,
)
def test_rule(case: Case, asked: str, servers: dict[str, object], lab: DnsServer) -> None:
    for name, rdtype, fault in case.faults:
        lab.set_fault(name, rdtype, fault)
    try:
        options = {"timeout": 5.0, "retries": 0, **case.options}
        found = one(servers[asked], domain=case.asked or case.domain, **options)
    finally:
        lab.clear_faults()
    assert told(found) == wanted(case, asked)
    if case.ttl is not None:
        _check_ttl(found, case.ttl, cached=asked == UNBOUND)


def _check_ttl(found: dict[str, Any], ttl: int, *, cached: bool) -> None:
    """A resolver counts down from when it asked; what it tells can only be less."""
    assert found["ttl"] <= ttl if cached else found["ttl"] == ttl
    assert all(found["ttl"] <= pair["ttl"] for pair in found["pairs"])
