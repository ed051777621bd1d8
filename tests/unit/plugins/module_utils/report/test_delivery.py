# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report says what was done, and whom it concerns; never more than the tasks returned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils.report.delivery import (
    MOST_DOMAINS,
    report,
)
from ansible_collections.postmaster.exchange.plugins.module_utils.report.outcome import (
    HostOutcome,
    changed_domains,
)

SWITCH = {"name": "DisableResolverSearchList", "type": "REG_DWORD", "data": 1}


def resolved(**statuses: str) -> dict[str, Any]:
    """A result of mx_pairs; a keyword ``nestle_com="ok"`` is a domain with two pairs."""
    return {
        "domains": [
            {
                "domain": name.replace("_", "."),
                "status": status,
                "pairs": [{"address": "192.0.2.25"}, {"address": "192.0.2.26"}]
                if status == "ok"
                else [],
                "failures": [
                    {
                        "name": name.replace("_", "."),
                        "type": "MX",
                        "nameserver": "192.0.2.53",
                        "message": "no answer",
                    }
                ]
                if status == "temporary_failure"
                else [],
            }
            for name, status in statuses.items()
        ],
        "stats": {"questions": 7, "seconds": 0.25},
    }


def rows(*pairs: str) -> list[dict[str, str]]:
    """Rows of a table, each ``domain address``."""
    return [
        {"domain": domain, "address": address, "flag": "0"}
        for domain, address in (pair.split() for pair in pairs)
    ]


def enforced(
    before: Sequence[Mapping[str, str]], after: Sequence[Mapping[str, str]], **more: Any
) -> dict[str, Any]:
    """A result of imc_delivery that changes the table from one to the other."""
    return {
        "changed": before != after,
        "registry": {"before": SWITCH, "after": SWITCH},
        "routes": {"before": before, "after": after},
        "service": {"state": "running"},
        "restarted": before != after,
        "restart_required": False,
        "worksheet": [],
        **more,
    }


PINNED = rows("NESTLE.COM 192.0.2.25", "nestle.com 192.0.2.26")
FOREIGN = rows("PARTNER.CORP 10.1.2.3")


def host_row(lines: Sequence[str], name: str) -> str:
    return next(line for line in lines if line.startswith(f"  {name}  "))


def test_a_run_that_changed_a_host() -> None:
    host = HostOutcome(
        "mail55",
        ["nestle.com"],
        enforced(FOREIGN, FOREIGN + PINNED, registry={"before": None, "after": SWITCH}),
        {"results": [{"domain": "nestle.com", "verdict": "delivered"}]},
    )
    made = report(resolved(nestle_com="ok"), [host])
    assert made.problems == {}
    assert made.lines == [
        "1 domain, 2 pairs (7 questions, 0.25 s)",
        "  nestle.com  192.0.2.25, 192.0.2.26",
        "",
        "1 host",
        "  host    routes     search list  service    test messages",
        "  mail55  1 changed  changed      restarted  1 delivered",
    ]


def test_a_host_in_the_desired_state() -> None:
    host = HostOutcome("mail55", ["nestle.com"], enforced(PINNED, PINNED), {"skipped": True})
    made = report(resolved(nestle_com="ok"), [host])
    assert made.problems == {}
    told = host_row(made.lines, "mail55").split()
    assert told == ["mail55", "1", "in", "place", "in", "place", "not", "touched", "none"]


def test_an_audit_tells_what_enforce_would_change() -> None:
    host = HostOutcome(
        "mail55",
        ["nestle.com"],
        enforced(FOREIGN, FOREIGN + PINNED, registry={"before": None, "after": SWITCH}),
    )
    made = report(resolved(nestle_com="ok"), [host], audit=True)
    assert made.problems == {
        "mail55": "enforce would change the search list switch and the routes of nestle.com"
    }
    assert "1 to change" in host_row(made.lines, "mail55")
    assert "to restart" in host_row(made.lines, "mail55")
    assert not any("test messages" in line for line in made.lines)


def test_an_audit_of_hosts_in_the_desired_state_has_no_problems() -> None:
    host = HostOutcome("mail55", ["nestle.com"], enforced(PINNED, PINNED))
    assert report(resolved(nestle_com="ok"), [host], audit=True).problems == {}


def test_an_unknown_domain_is_a_problem_only_where_the_option_says_so() -> None:
    answer = resolved(nestle_com="temporary_failure")
    host = HostOutcome("mail55", ["nestle.com"], enforced(PINNED, PINNED))
    made = report(answer, [host])
    assert made.problems == {}
    assert "1 unknown" in host_row(made.lines, "mail55")
    assert made.lines[1] == (
        "  nestle.com  not known now (temporary failure): its routes stay as they are"
        " (MX of nestle.com at 192.0.2.53: no answer)"
    )
    made = report(answer, [host], fail_on=["temporary_failure"])
    assert made.problems == {"mail55": "nestle.com left as it is (temporary failure)"}


def test_a_domain_of_another_host_is_no_problem_here() -> None:
    host = HostOutcome("mail55", ["nestle.com"], enforced(PINNED, PINNED))
    answer = resolved(nestle_com="ok", aol_com="loop")
    assert report(answer, [host], fail_on=["loop"]).problems == {}


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (None, "was not looked at"),
        ({"failed": True, "msg": "mail55: the login was refused."}, "the login was refused."),
        ({"unreachable": True, "msg": "mail55: no answer."}, "no answer."),
        ({"failed": True}, "failed without a word"),
    ],
)
def test_a_host_that_failed_is_in_the_report(outcome: dict[str, Any] | None, said: str) -> None:
    made = report(resolved(nestle_com="ok"), [HostOutcome("mail55", ["nestle.com"], outcome)])
    assert said in made.problems["mail55"]
    assert host_row(made.lines, "mail55").split() == ["mail55", "failed"]
    assert any(said in line for line in made.lines[made.lines.index("To look at") :])


def test_a_host_without_the_service_is_no_problem_where_that_is_allowed() -> None:
    host = HostOutcome("files", ["nestle.com"], {"changed": False, "skipped": True})
    made = report(resolved(nestle_com="ok"), [host])
    assert made.problems == {}
    assert "no such service here" in host_row(made.lines, "files")


def test_undelivered_test_messages_are_a_problem_with_the_servers_words() -> None:
    tested = {
        "results": [
            {"domain": "aol.com", "verdict": "delivered"},
            {"domain": "nestle.com", "verdict": "queued", "error": {"code": 421, "text": "busy"}},
            {"domain": "a.example", "verdict": "unknown", "reason": "tracking is off"},
        ]
    }
    host = HostOutcome("mail55", ["nestle.com"], enforced(FOREIGN, PINNED), tested)
    made = report(resolved(nestle_com="ok"), [host])
    assert made.problems == {
        "mail55": "test to nestle.com queued (421 busy);"
        " test to a.example unknown (tracking is off)"
    }
    assert "1 delivered, 1 queued, 1 unknown" in host_row(made.lines, "mail55")


def test_domains_beyond_the_limit_of_test_messages_are_counted() -> None:
    after = [*PINNED, *rows("aol.com 192.0.2.25", "aol.com 192.0.2.26")]
    tested = {"results": [{"domain": "nestle.com", "verdict": "delivered"}]}
    host = HostOutcome("mail55", ["nestle.com", "aol.com"], enforced([], after), tested)
    made = report(resolved(nestle_com="ok", aol_com="ok"), [host])
    assert "1 delivered, 1 not tested" in host_row(made.lines, "mail55")


def test_rows_to_enter_by_hand_are_a_problem() -> None:
    sheet = [{"action": "enter", "domain": "nestle.com", "address": "192.0.2.25"}]
    outcome = {**enforced([], []), "routes": None, "worksheet": sheet}
    made = report(resolved(nestle_com="ok"), [HostOutcome("mail40", ["nestle.com"], outcome)])
    assert made.problems["mail40"].startswith("1 row to enter by hand")
    assert "1 by hand" in host_row(made.lines, "mail40")


def test_a_service_that_needs_a_restart_or_is_stopped_is_told() -> None:
    waiting = enforced(PINNED, PINNED, restart_required=True)
    stopped = enforced(PINNED, PINNED, service={"state": "stopped"})
    made = report(
        resolved(nestle_com="ok"),
        [HostOutcome("a", ["nestle.com"], waiting), HostOutcome("b", ["nestle.com"], stopped)],
    )
    assert "restart needed" in host_row(made.lines, "a")
    assert "stopped, not touched" in host_row(made.lines, "b")


def test_of_many_domains_only_those_that_are_not_all_right_are_shown() -> None:
    many = resolved(**{f"d{number}_example": "ok" for number in range(MOST_DOMAINS)}, x="null_mx")
    lines = report(many, []).lines
    assert lines[:3] == [
        f"{MOST_DOMAINS + 1} domains, {2 * MOST_DOMAINS} pairs (7 questions, 0.25 s)",
        "  x  takes no mail (null MX)",
        "",
    ]


def test_changed_domains_compare_without_case_and_with_order() -> None:
    swapped = rows("nestle.com 192.0.2.26", "nestle.com 192.0.2.25")
    assert changed_domains(enforced(PINNED, swapped)) == ["nestle.com"]
    upper = rows("NESTLE.COM 192.0.2.25", "NESTLE.COM 192.0.2.26")
    assert changed_domains(enforced(PINNED, upper)) == []
    assert changed_domains(enforced([{"raw": "+broken"}, *PINNED], [])) == ["nestle.com"]
    assert changed_domains({"routes": None}) == []
