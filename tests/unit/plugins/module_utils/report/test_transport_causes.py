# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why mail waits on a Transport server: told apart where the results show it, else not known."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils.report.diagnosis import (
    Patient,
    diagnosis,
)
from ansible_collections.postmaster.exchange.plugins.module_utils.report.transport_causes import (
    Kind,
    causes,
)

DNS = "451 4.4.0 DNS query failed"
BUSY = (
    'Primary target IP address responded with: "421 4.3.2 Service not available". The last endpoint'
    " attempted was 192.0.2.25:25"
)
DOWN = (
    '441 4.4.1 Error encountered while communicating with primary target IP address: "Failed to'
    ' connect. Winsock error code: {}, Win32 error code: {}." The last endpoint attempted was'
    " 192.0.2.25:25"
)
AAAA = {
    "code": "aaaa_trouble",
    "name": "demon.nestle.com",
    "nameserver": "203.0.113.53",
    "kind": "timeout",
    "message": "the question for AAAA of demon.nestle.com ends in timeout at 203.0.113.53",
}
FAILURE = {
    "name": "nestle.com",
    "type": "MX",
    "nameserver": "203.0.113.53",
    "message": "no answer",
    "needed": True,
}
EVIDENCE = {"authentic": False, "tlsa": [], "mta_sts": None}


def queue(delivery_type: str = "DnsConnectorDelivery", **errors: str | None) -> dict[str, Any]:
    """A result of queue_info: a queue with that last error for each domain (``_`` is a dot)."""
    named = {name.replace("_", "."): error for name, error in errors.items()}
    return {
        "family": "transport",
        "files": len(named),
        "queues": [
            {"domain": name, "messages": 1, "oldest": None, "last_error": error}
            for name, error in named.items()
        ],
        "transport_queues": [
            {"domains": [name], "delivery_type": delivery_type, "last_error": error}
            for name, error in named.items()
        ],
        "stuck_domains": sorted(named),
        "notes": [],
    }


def domain(name: str, status: str = "ok", *warnings: Any, evidence: Any = ...) -> Any:
    """One domain in a result of mx_pairs."""
    return {
        "domain": name,
        "status": status,
        "pairs": [{"exchange": f"mx.{name}", "address": "192.0.2.25"}] if status == "ok" else [],
        "warnings": list(warnings),
        "failures": [FAILURE] if status == "temporary_failure" else [],
        "evidence": EVIDENCE if evidence is ... else evidence,
    }


def kinds(waiting: dict[str, Any], *domains: Any) -> dict[str, Kind]:
    found = causes(waiting, {one["domain"]: one for one in domains})
    return {name: cause.kind for name, cause in found.items()}


def test_kb972744_aaaa_trouble_at_the_far_side_is_the_cause_of_a_failed_query() -> None:
    found = causes(queue(nestle_com=DNS), {"nestle.com": domain("nestle.com", "ok", AAAA)})
    cause = found["nestle.com"]
    assert cause.kind is Kind.REMOTE_AAAA
    assert cause.evidence == ("AAAA of demon.nestle.com at 203.0.113.53: timeout",)
    assert "KB972744" in cause.sentence


def test_aaaa_trouble_explains_no_other_error() -> None:
    troubled = domain("nestle.com", "ok", AAAA)
    busy = f"451 4.4.0 {BUSY}"
    assert kinds(queue(nestle_com=busy), troubled) == {"nestle.com": Kind.FAR_SIDE}
    pinned = queue("SmartHostConnectorDelivery", nestle_com=DNS)
    assert kinds(pinned, troubled) == {"nestle.com": Kind.UNKNOWN}


def test_own_dns_is_the_cause_where_nothing_is_answered_here_either() -> None:
    waiting = queue(nestle_com=DNS, aol_com=DNS)
    down = [domain(name, "temporary_failure") for name in ("nestle.com", "aol.com")]
    assert set(kinds(waiting, *down).values()) == {Kind.OWN_DNS}
    found = causes(waiting, {one["domain"]: one for one in down})
    assert "203.0.113.53" in found["aol.com"].evidence[0]


def test_own_dns_is_the_cause_where_all_is_well_from_here() -> None:
    waiting = queue(nestle_com=DNS, aol_com=DNS)
    fine = [domain("nestle.com"), domain("aol.com")]
    assert set(kinds(waiting, *fine).values()) == {Kind.OWN_DNS}


@pytest.mark.parametrize(
    "one",
    [
        domain("nestle.com"),
        domain("nestle.com", "temporary_failure"),
        domain("nestle.com", evidence=None),
        domain("nestle.com", "disagreement"),
    ],
)
def test_a_single_domain_proves_nothing_about_the_own_dns(one: Any) -> None:
    assert kinds(queue(nestle_com=DNS), one) == {"nestle.com": Kind.UNKNOWN}


def test_one_domain_with_another_cause_does_not_hide_that_the_others_are_not_explained() -> None:
    waiting = queue(nestle_com=DNS, aol_com=DNS)
    found = kinds(waiting, domain("nestle.com", "ok", AAAA), domain("aol.com"))
    assert found == {"nestle.com": Kind.REMOTE_AAAA, "aol.com": Kind.UNKNOWN}
    mixed = kinds(waiting, domain("nestle.com"), domain("aol.com", "temporary_failure"))
    assert set(mixed.values()) == {Kind.UNKNOWN}


def test_nothing_is_concluded_from_aaaa_that_nobody_asked_for() -> None:
    waiting = queue(nestle_com=DNS, aol_com=DNS)
    unasked = [domain("nestle.com", evidence=None), domain("aol.com", evidence=None)]
    found = causes(waiting, {one["domain"]: one for one in unasked})
    assert {cause.kind for cause in found.values()} == {Kind.UNKNOWN}
    assert "mx_delivery_evidence" in found["aol.com"].sentence


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (f"451 4.4.0 {BUSY}", "192.0.2.25 answered: 421 4.3.2 Service not available"),
        ("550 5.7.1 We do not like you", "answered: 550 5.7.1 We do not like you"),
        (DOWN.format(10061, 10061), "192.0.2.25 refused the connection."),
        (DOWN.format(10060, 10060), "192.0.2.25 did not answer."),
        (DOWN.format(10065, 10065), "192.0.2.25 took no connection."),
    ],
)
def test_the_far_side_is_named_with_what_it_did(error: str, words: str) -> None:
    cause = causes(queue(nestle_com=error), {"nestle.com": domain("nestle.com")})["nestle.com"]
    assert cause.kind is Kind.FAR_SIDE
    assert words in cause.sentence


def test_several_unreachable_far_sides_make_the_own_port_suspect() -> None:
    down = DOWN.format(10060, 10060)
    found = causes(queue(nestle_com=down, aol_com=down), {})
    assert "port 25" in found["nestle.com"].sentence
    alone = causes(queue(nestle_com=down, aol_com=DNS), {})
    assert "port 25" not in alone["nestle.com"].sentence


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (None, Kind.UNKNOWN),
        ("Something new", Kind.UNKNOWN),
        ("A matching connector cannot be found to route the external recipient", Kind.NO_ROUTE),
    ],
)
def test_other_errors(error: str | None, kind: Kind) -> None:
    assert kinds(queue(nestle_com=error), domain("nestle.com")) == {"nestle.com": kind}


@pytest.mark.parametrize("status", ["null_mx", "no_such_domain"])
def test_a_domain_that_takes_no_mail_needs_no_other_cause(status: str) -> None:
    assert kinds(queue(nestle_com=DNS), domain("nestle.com", status)) == {
        "nestle.com": Kind.UNDELIVERABLE
    }


# --- the text -------------------------------------------------------------------------------------

INFO = {
    "family": "transport",
    "version": "2019",
    "server": "EX19",
    "servers": [{"name": "EX19", "external_dns": {"servers": [], "adapter_enabled": True}}],
    "resolver": {"domain": "hq.example", "search_list": ["hq.example"]},
    "notes": [],
}
HIJACK = {
    "code": "search_list_hijack",
    "suffix": "hq.example",
    "message": "nestle.com.hq.example has an answer",
}


def test_a_diagnosis_names_cause_evidence_addresses_and_what_would_help() -> None:
    patient = Patient("ex19", info=INFO, queue=queue(nestle_com=DNS), planned={})
    resolved = {"domains": [domain("nestle.com", "ok", AAAA, HIJACK)]}
    text = "\n".join(diagnosis(resolved, [patient]))
    flat = " ".join(text.split())

    assert "ex19: Exchange 2019, 1 message waiting" in flat
    assert "those of its adapters; names may get hq.example appended" in flat
    assert "ignore or mishandle AAAA" in flat
    assert "AAAA of demon.nestle.com at 203.0.113.53: timeout." in flat
    assert "Possible too: nestle.com.hq.example has an answer." in flat
    assert "Its addresses: 192.0.2.25." in flat
    assert "List in mx_delivery_domains: nestle.com." in flat
    assert "DisableResolverSearchList" not in flat


def test_what_pinning_does_not_cure_is_not_advised() -> None:
    patient = Patient("ex19", info=INFO, queue=queue(nestle_com=f"451 4.4.0 {BUSY}"), planned={})
    lines = diagnosis({"domains": [domain("nestle.com")]}, [patient])
    assert lines[-1] == "Nothing is left that this collection could do."


def test_both_families_stand_in_one_diagnosis() -> None:
    imc_info = {"version": "5.5", "resolver": {"search_list_disabled": False}, "notes": []}
    empty = {"service": "running", "files": 0, "queues": [], "stuck_domains": [], "notes": []}
    old = Patient("mail55", info=imc_info, queue=empty, planned={})
    new = Patient("ex19", info=INFO, queue=queue(nestle_com=DNS), planned={})
    text = "\n".join(diagnosis({"domains": [domain("nestle.com", "ok", AAAA)]}, [old, new]))
    assert "Switch the search list off on mail55." in text
    assert "List in mx_delivery_domains: nestle.com." in text
