# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A diagnosis names a cause only where the results show it, and says what would help."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils.report.diagnosis import (
    MOST_EXPLAINED,
    Patient,
    diagnosis,
)

REPLY = "421 NSO hq.com Unable to contact destination SMTP demon nestle.com"
FAILURE = {
    "name": "nestle.com",
    "type": "MX",
    "nameserver": "192.0.2.53",
    "message": "SERVFAIL",
    "needed": True,
}
HIJACK = {
    "code": "search_list_hijack",
    "message": "nestle.com.hq.example has an answer (10 mail.hq.example)",
    "suffix": "hq.example",
}


def info(*, name: str | None = None, number: int = 1, suffix: str = "hq.example") -> dict[str, Any]:
    """A result of exchange_info; ``name`` is the registry value's stored name."""
    return {
        "version": "5.5",
        "resolver": {
            "search_list_disabled": name is not None and number != 0,
            "stored_name": name,
            "domain": suffix.upper(),
            "search_list": [],
        },
        "notes": [],
    }


def queue(*domains: str) -> dict[str, Any]:
    """A result of queue_info with a message for each domain."""
    return {
        "service": "running",
        "files": len(domains),
        "queues": [
            {"domain": name, "messages": 1, "oldest": "2026-11-23T08:00:00Z", "last_error": REPLY}
            for name in domains
        ],
        "stuck_domains": list(domains),
        "notes": [],
    }


def resolved(status: str = "ok", *, warnings: tuple[Any, ...] = ()) -> dict[str, Any]:
    """A result of mx_pairs about nestle.com."""
    pairs = [
        {"exchange": f"mx{number}.nestle.com", "address": f"192.0.2.{number}"} for number in (1, 2)
    ]
    return {
        "domains": [
            {
                "domain": "nestle.com",
                "status": status,
                "pairs": pairs if status == "ok" else [],
                "warnings": list(warnings),
                "failures": [FAILURE] if status == "temporary_failure" else [],
            }
        ]
    }


NEW = {"domain": "nestle.com", "address": "192.0.2.1", "flag": "0"}
PINS = {"routes": {"before": [], "after": [NEW]}}
PINNED = {"routes": {"before": [NEW], "after": [NEW]}}


def test_the_case_of_the_article() -> None:
    patient = Patient("mail55", info(), queue("nestle.com"), PINS)
    assert diagnosis(resolved(warnings=(HIJACK,)), [patient]) == [
        "mail55: Exchange 5.5, service running, 1 message waiting",
        "  DisableResolverSearchList is not set: names get the search list appended (Q150969).",
        "  nestle.com: 1 message since 2026-11-23T08:00:00Z",
        f"    said last: {REPLY}",
        "    Cause: nestle.com.hq.example has an answer (10 mail.hq.example).",
        "    It has 2 exchanges with 2 addresses (several MX records are the pattern of Q169781).",
        "    Pinning would lead it to 192.0.2.1, 192.0.2.2.",
        "",
        "What would help",
        "  Switch the search list off on mail55.",
        "  List in mx_delivery_domains: nestle.com.",
        "  postmaster.exchange.audit shows the change, postmaster.exchange.enforce makes it.",
    ]


@pytest.mark.parametrize(
    ("name", "number", "said", "appends"),
    [
        (None, 0, "is not set", True),
        ("DisableResolverSearchList", 1, "is set: names are looked up as they are", False),
        ("DisableResolverSearchList", 0, "is not set", True),
        ("disableresolversearchlist", 1, "a spelling that does not count", True),
    ],
)
def test_the_registry_value_counts_by_number_and_spelling(
    name: str | None, number: int, said: str, appends: bool
) -> None:
    patient = Patient("mail55", info(name=name, number=number), queue("nestle.com"), PINS)
    lines = diagnosis(resolved(warnings=(HIJACK,)), [patient])
    assert said in lines[1]
    assert any(line.startswith("    Cause:") for line in lines) is appends


def test_a_hijack_by_a_suffix_that_the_host_does_not_append_is_no_cause() -> None:
    patient = Patient("mail55", info(suffix="other.example"), queue("nestle.com"), PINS)
    told = resolved(warnings=(HIJACK,))
    assert not any("Cause" in line for line in diagnosis(told, [patient]))
    assert any("Cause" in line for line in diagnosis(told, [patient], suffixes=["HQ.example."]))


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("null_mx", "It can never be delivered: null mx."),
        ("no_such_domain", "It can never be delivered: no such domain."),
        ("temporary_failure", "DNS does not tell now where it goes: temporary failure."),
    ],
)
def test_a_domain_without_pairs_is_explained_and_not_advised(status: str, said: str) -> None:
    switched = info(name="DisableResolverSearchList")
    patient = Patient("mail55", switched, queue("nestle.com"), PINNED)
    lines = diagnosis(resolved(status), [patient])
    assert f"    {said}" in lines
    failed = "    MX of nestle.com at 192.0.2.53: SERVFAIL." in lines
    assert failed is (status == "temporary_failure")
    assert lines[-1] == "Nothing is left that this collection could do."


def test_a_domain_that_is_pinned_already_is_the_far_servers_matter() -> None:
    patient = Patient("mail55", info(), queue("nestle.com"), PINNED)
    assert any(
        "is pinned to these addresses already" in x for x in diagnosis(resolved(), [patient])
    )


def test_without_imccopy_pinning_is_by_hand() -> None:
    planned = {"routes": None, "worksheet": [{"domain": "nestle.com"}]}
    patient = Patient("mail40", info(), queue("nestle.com"), planned)
    lines = diagnosis(resolved(), [patient])
    assert any("To be pinned by hand" in line for line in lines)
    assert "  List in mx_delivery_domains: nestle.com." in lines


def test_evidence_that_matters_is_told() -> None:
    trouble = {"code": "aaaa_trouble", "message": "AAAA of mx1.nestle.com ends in timeout"}
    minor = {"code": "max_pairs", "message": "9 pairs were found"}
    patient = Patient("mail55", info(), queue("nestle.com"), PINS)
    lines = diagnosis(resolved(warnings=(trouble, minor)), [patient])
    assert "    AAAA of mx1.nestle.com ends in timeout." in lines
    assert not any("9 pairs" in line for line in lines)


def test_a_host_that_failed_is_named_with_its_reason() -> None:
    refused = {"unreachable": True, "msg": "mail50: the login was refused."}
    lines = diagnosis(resolved(), [Patient("mail50", refused), Patient("mail60")])
    assert "mail50: mail50: the login was refused." not in lines
    assert "mail50: the login was refused." in lines
    assert "mail60: was not looked at" in lines


def test_an_empty_queue_is_said_so() -> None:
    patient = Patient("ok", info(name="DisableResolverSearchList"), queue(), {})
    lines = diagnosis({"domains": []}, [patient])
    assert lines[0] == "ok: Exchange 5.5, service running, nothing waits"
    assert lines[-1] == "Nothing is left that this collection could do."


def test_of_many_domains_some_are_explained() -> None:
    many = [f"d{number}.example" for number in range(MOST_EXPLAINED + 5)]
    lines = diagnosis({"domains": []}, [Patient("mail55", info(), queue(*many), {})])
    assert "  and 5 more domains" in lines
