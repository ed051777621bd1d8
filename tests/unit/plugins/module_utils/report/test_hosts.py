# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a report about Exchange 2010 and later: an organisation's connectors, shown once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.postmaster.exchange.plugins.module_utils.report.delivery import report
from ansible_collections.postmaster.exchange.plugins.module_utils.report.hosts import (
    MOST_CONNECTORS,
)
from ansible_collections.postmaster.exchange.plugins.module_utils.report.outcome import (
    HostOutcome,
    changed_domains,
    worth_testing,
)

OK = {"status": "ok", "pairs": [{"address": "192.0.2.25"}]}


def resolved(*domains: str, **notes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A result of mx_pairs; a keyword ``nestle_com`` gives the warnings of a domain."""
    return {
        "domains": [
            {**OK, "domain": name, "warnings": notes.get(name.replace(".", "_"), [])}
            for name in domains
        ],
        "stats": {"questions": 7, "seconds": 0.25},
    }


def connector(domain: str, *hosts: str, name: str = "") -> dict[str, Any]:
    return {
        "name": name or f"postmaster.exchange {domain}",
        "address_spaces": [f"SMTP:{domain};1"],
        "smart_hosts": [f"[{host}]" for host in hosts],
        "source_servers": ["ex19-a"],
    }


def done(
    before: Sequence[Mapping[str, Any]],
    after: Sequence[Mapping[str, Any]],
    *changed: str,
    name: str = "HQ",
) -> dict[str, Any]:
    """A result of transport_delivery that changes the connectors of some domains."""
    return {
        "changed": bool(changed),
        "organisation": {"name": name, "forest": "hq.example"},
        "connectors": {"before": list(before), "after": list(after)},
        "steps": [{"cmdlet": "Set-SendConnector", "domain": domain} for domain in changed],
    }


def host(name: str, enforced: Mapping[str, Any] | None, **more: Any) -> HostOutcome:
    return HostOutcome(name, ["nestle.com"], enforced, transport=True, **more)


NEW = connector("nestle.com", "192.0.2.25")


def test_a_run_that_changed_an_organisation_by_one_of_its_hosts() -> None:
    tested = {"results": [{"domain": "nestle.com", "verdict": "delivered"}]}
    hosts = [host("a", done([NEW], [NEW])), host("b", done([], [NEW], "nestle.com"), tested=tested)]
    made = report(resolved("nestle.com"), hosts)
    assert made.problems == {}
    assert made.lines[3:] == [
        "2 hosts of Exchange 2010 or later",
        "  host  connectors  test messages",
        "  a     1 in place  none",
        "  b     1 changed   1 delivered",
        "",
        "HQ (hq.example), 1 Send connector for pinned domains",
        "  domain      smart hosts  source servers",
        "  nestle.com  192.0.2.25   ex19-a          created",
    ]


def test_an_audit_shows_what_would_become_of_each_connector() -> None:
    old = connector("nestle.com", "192.0.2.1")
    other = connector("aol.com", "198.51.100.9")
    gone = connector("gone.example", "192.0.2.3")
    plan = done([old, other, gone], [NEW, other], "nestle.com", "gone.example")
    made = report(resolved("nestle.com"), [host("a", plan)], audit=True)
    assert made.problems == {
        "a": "enforce would change the Send connectors of gone.example, nestle.com"
    }
    start = made.lines.index("HQ (hq.example), 2 Send connectors for pinned domains")
    assert [line.split() for line in made.lines[start + 2 : start + 5]] == [
        ["aol.com", "198.51.100.9", "ex19-a"],
        ["gone.example", "192.0.2.3", "ex19-a", "to", "remove"],
        ["nestle.com", "192.0.2.1", "->", "192.0.2.25", "ex19-a", "to", "change"],
    ]
    assert "2 to change" in made.lines[5]  # one of them is no domain of the host


def test_old_and_new_hosts_stand_in_tables_of_their_own() -> None:
    old = HostOutcome("mail55", ["nestle.com"], {"failed": True, "msg": "no answer."})
    lines = report(resolved("nestle.com"), [old, host("a", done([NEW], [NEW]))]).lines
    assert "1 host of Exchange 4.0 to 5.5" in lines
    assert "1 host of Exchange 2010 or later" in lines
    assert [line.split() for line in lines if line.startswith("  mail55  ")] == [
        ["mail55", "failed"]
    ]


def test_organisations_are_told_apart_and_long_ones_cut() -> None:
    many = [connector(f"d{number}.example", "192.0.2.1") for number in range(MOST_CONNECTORS + 2)]
    hosts = [host("a", done(many, many)), host("b", done([], [], name="Sub"))]
    lines = report(resolved("nestle.com"), hosts).lines
    assert f"HQ (hq.example), {len(many)} Send connectors for pinned domains" in lines
    assert "  and 2 more" in lines
    assert lines[-1] == "Sub (hq.example), 0 Send connectors for pinned domains"


def test_a_host_that_failed_tells_nothing_of_its_organisation() -> None:
    failed = host("a", {"failed": True, "msg": "a: New-SendConnector failed."})
    unseen = host("b", None, info={"unreachable": True, "msg": "b: no answer."})
    made = report(resolved("nestle.com"), [failed, unseen])
    assert made.problems == {"a": "New-SendConnector failed.", "b": "no answer."}
    assert not any("Send connector" in line and "pinned" in line for line in made.lines)


def test_suffixes_that_lead_astray_are_told_of_the_hosts_that_append_them() -> None:
    note = {
        "code": "search_list_hijack",
        "suffix": "hq.example",
        "name": "nestle.com.hq.example",
        "answer": "MX 10 mail.hq.example",
    }
    info = {"resolver": {"search_list": ["HQ.example."]}}
    answer = resolved("nestle.com", nestle_com=[note])
    appending = host("a", done([NEW], [NEW]), info=info)
    lines = report(answer, [appending, host("b", done([NEW], [NEW]))], audit=True).lines
    told = " ".join(" ".join(lines[lines.index("To know") + 1 :]).split())
    assert told == (
        "Windows on a may append hq.example to names, and DNS has answers for"
        " nestle.com.hq.example (MX 10 mail.hq.example): mail that is not pinned may be led astray"
        " there (Q150969)."
    )
    elsewhere = HostOutcome("c", ["aol.com"], done([], []), transport=True, info=info)
    assert "To know" not in report(answer, [elsewhere]).lines


def test_protections_that_a_pin_gives_up_concern_connectors_only() -> None:
    answer = resolved("nestle.com", nestle_com=[{"code": "tlsa", "message": "mx publishes TLSA"}])
    lines = report(answer, [host("a", done([NEW], [NEW]))]).lines
    assert lines[lines.index("To know") + 1] == "  nestle.com: mx publishes TLSA."
    old = HostOutcome("mail55", ["nestle.com"], {"changed": False})
    assert "To know" not in report(answer, [old]).lines


def test_changed_domains_are_those_of_the_steps_and_worth_a_test_message() -> None:
    result = done([], [NEW], "nestle.com", "aol.com", "nestle.com")
    assert changed_domains(result) == ["nestle.com", "aol.com"]
    assert worth_testing(result, ["nestle.com", "x.example"]) == {"nestle.com"}
