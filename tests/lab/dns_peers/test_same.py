# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One task for all domains: the lab's server, NSD and Unbound lead to the same, word for word."""

from __future__ import annotations

from typing import Any

import pytest
from exchange_lab.mail.dns_server import DnsServer

from . import cases_answers, cases_mx
from .ask import mx_pairs
from .cases import ALL
from .servers import Server

pytestmark = pytest.mark.peers

# What fails does so in the words of the server; and what only some servers have is left out.
DOMAINS = tuple(
    dict.fromkeys(
        case.asked or case.domain
        for case in (*cases_mx.CASES, *cases_answers.CASES)
        if case.servers == ALL and not case.faults and case.status != "temporary_failure"
    )
)


def _same(server: object, **options: Any) -> dict[str, Any]:
    """Return what a task tells, without what only a cache or a clock changes."""
    result = mx_pairs(server, domains=DOMAINS, search_list=["hq.example"], **options)
    passing = {"ttl", "valid_until"}
    for domain in result["domains"]:  # which are in reach depends on where the server listens
        (domain["evidence"] or {}).pop("aaaa_not_asked", None)
    return {
        "routes": result["routes"],
        "warnings": result["warnings"],
        **{
            domain["domain"]: {
                key: value for key, value in domain.items() if key not in {*passing, "pairs"}
            }
            for domain in result["domains"]
        },
        "pairs": [
            {key: value for key, value in pair.items() if key not in passing}
            for pair in result["pairs"]
        ],
    }


@pytest.mark.parametrize("evidence", [False, True], ids=["", "evidence"])
@pytest.mark.parametrize("families", [("ipv4",), ("ipv4", "ipv6")], ids="+".join)
def test_all_name_servers_lead_to_the_same_words(
    lab: DnsServer,
    authority: Server,
    resolver: Server,
    families: tuple[str, ...],
    evidence: bool,
) -> None:
    ours = _same(f"127.0.0.1:{lab.port}", families=list(families), evidence=evidence)
    statuses = {route["status"] for route in ours["routes"]}
    assert statuses == {"ok", "null_mx", "no_such_domain", "no_address"}
    assert _same(authority, families=list(families), evidence=evidence) == ours
    assert _same(resolver, families=list(families), evidence=evidence) == ours
