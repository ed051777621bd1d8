# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins without a cause are named with the evidence, and never for want of it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._report.needless import needless

HIJACK = {"code": "search_list_hijack", "suffix": "hq.example"}
AAAA = {"code": "aaaa_trouble"}
SERVER = {"kind": "server", "after": {"adapter_enabled": False, "servers": ["192.0.2.53"]}}
CONNECTOR = {"kind": "connector", "after": True}


def domain(**more: Any) -> dict[str, Any]:
    pairs = [{"address": "192.0.2.1"}]
    known = {"name": "a.de", "status": "ok", "pairs": pairs, "warnings": [], "evidence": {}}
    return {**known, **more}


def found(kind: str = "audit", dns: Any = (), action: Any = None, **of_domain: Any) -> list[str]:
    connector = {"domains": ["a.de"], "action": action}
    organisation = {"name": "First", "connectors": [connector], "external_dns": list(dns)}
    document = {
        "run": {"kind": kind},
        "domains": [domain(**of_domain)],
        "hosts": [],
        "organisations": [organisation],
    }
    return list(needless(document))


def test_aaaa_that_is_answered_is_the_cause_of_no_pin() -> None:
    (text,) = found()
    assert text.startswith("a.de: an audit finds no cause for the pin on First. ")
    assert "answer AAAA" in text


def test_external_dns_needs_no_pins() -> None:
    (text,) = found(dns=[SERVER, CONNECTOR], warnings=[AAAA])
    assert "external DNS servers" in text
    assert found(dns=[SERVER, {**CONNECTOR, "after": False}], warnings=[AAAA]) == []
    other = {**SERVER, "after": {"adapter_enabled": True, "servers": []}}
    assert found(dns=[SERVER, other, CONNECTOR], warnings=[AAAA]) == []


@pytest.mark.parametrize(
    "more",
    [
        {"kind": "enforce"},
        {"action": "create"},
        {"evidence": None},
        {"evidence": {"aaaa_not_asked": ["mx.a.de"]}},
        {"warnings": [AAAA]},
        {"warnings": [HIJACK]},
        {"status": "temporary_failure"},
    ],
)
def test_a_pin_with_a_cause_or_without_evidence_is_not_named(more: dict[str, Any]) -> None:
    assert found(**more) == []


@pytest.mark.parametrize(
    ("search_list", "of_domain", "named"),
    [
        ({"suffixes": [], "disabled": True}, {}, "and the search list is off."),
        ({"suffixes": ["hq.example"], "disabled": True}, {"warnings": [HIJACK]}, "is off."),
        ({"suffixes": ["other.example"], "disabled": False}, {"warnings": [HIJACK]}, "misroute"),
        ({"suffixes": ["hq.example"], "disabled": False}, {"warnings": [HIJACK]}, ""),
        ({"suffixes": [], "disabled": None}, {}, ""),
        (None, {}, ""),
        ({"suffixes": [], "disabled": True}, {"pairs": [{}, {}]}, ""),
    ],
)
def test_old_hosts_need_a_pin_for_several_addresses_or_a_search_list(
    search_list: Any, of_domain: dict[str, Any], named: str
) -> None:
    host = {"name": "m", "family": "imc", "domains": {"up_to_date": [0]}}
    document = {
        "run": {"kind": "audit"},
        "domains": [domain(**of_domain)],
        "hosts": [{**host, "search_list": search_list}],
        "organisations": [],
    }
    texts = list(needless(document))
    assert (len(texts), named in " ".join(texts)) == (bool(named), True)
