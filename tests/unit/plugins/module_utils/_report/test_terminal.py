# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report on a terminal: the answer first, few lines, and of a large fleet the worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._report.document import Run, build
from ansible_collections.postmaster.exchange.plugins.module_utils._report.host_result import (
    HostResult,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.terminal import (
    MOST_DOMAINS,
    MOST_HOSTS,
    MOST_NOTICES,
    closing,
    result_lines,
    summary,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.text import Line
from exchange_lab.samples import (
    NOW,
    SWITCH,
    appending,
    connector,
    domain,
    hijack,
    message,
    organisation,
    pinned,
    resolved,
    rows,
    table,
    waiting,
)

NESTLE = domain("nestle.com", "192.0.2.25", "192.0.2.26")
PINNED = pinned([NESTLE])
LEFT = "DNS lookup failed; existing routes kept"
FINDING = "enforce would change the routes of nestle.com"
FOREIGN = rows("PARTNER.CORP 10.1.2.3")
ENFORCE = Run("enforce", check_mode=False, finished_at=NOW)
AUDIT = replace(ENFORCE, kind="audit")


def lines_of(
    run: Run, *hosts: HostResult, of: Mapping[str, Any] | None = None, **more: Any
) -> list[Line]:
    return summary(build(run, {**(of or resolved(NESTLE)), **more}, hosts))


def texts(lines: Sequence[Line]) -> list[str]:
    return [line.text for line in lines]


def host_row(lines: Sequence[Line], name: str) -> Line:
    return next(line for line in lines if line.text.startswith(f"  {name}  "))


def below(lines: Sequence[Line], title: str) -> list[str]:
    found = texts(lines)
    return found[found.index(title) + 1 :]


def test_a_run_that_changed_a_host() -> None:
    host = HostResult(
        "mail55",
        ["nestle.com"],
        table(FOREIGN, FOREIGN + PINNED, registry={"before": None, "after": SWITCH}),
        {"results": [message("nestle.com")]},
    )
    lines = lines_of(ENFORCE, host)
    assert texts(lines) == [
        "The only host was changed.",
        "  hosts x domains: 1 changed",
        "  test messages: 1 delivered",
        "",
        "1 domain, 2 pairs (7 DNS queries, 0.25 s)",
        "  nestle.com  192.0.2.25, 192.0.2.26",
        "",
        "1 host",
        "  host    routes     search list  service    test messages",
        "  mail55  1 changed  changed      restarted  1 delivered",
    ]
    assert [line.tone for line in lines[:2]] == ["clean", ""]


def test_a_host_in_the_desired_state() -> None:
    host = HostResult("mail55", ["nestle.com"], table(PINNED, PINNED))
    row = host_row(lines_of(ENFORCE, host), "mail55").text
    assert row == "  mail55  1 up to date  up to date   unchanged  none"


def test_an_audit_tells_what_enforce_would_change() -> None:
    switch = {"before": None, "after": SWITCH}
    host = HostResult("mail55", ["nestle.com"], table(FOREIGN, FOREIGN + PINNED, registry=switch))
    lines = lines_of(AUDIT, host)
    assert lines[0] == Line("The only host has drift.", "drift")
    row = host_row(lines, "mail55")
    assert row == Line("  mail55  1 pending  pending      restart pending", "drift")
    assert below(lines, "Action required") == [
        "  mail55: enforce would change the search list switch and the routes of nestle.com"
    ]
    assert not any("test messages" in text for text in texts(lines))


def test_an_audit_of_hosts_in_the_desired_state_has_nothing_to_look_at() -> None:
    lines = lines_of(AUDIT, HostResult("mail55", ["nestle.com"], table(PINNED, PINNED)))
    assert lines[0] == Line("The only host is up to date.", "clean")
    assert "Action required" not in texts(lines)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("null_mx", "accepts no mail (null MX)"),
        ("no_such_domain", "does not exist"),
        ("loop", "only own hosts; existing routes kept"),
        ("temporary_failure", f"{LEFT} (MX of nestle.com at 192.0.2.53: no answer)"),
    ],
)
def test_a_domain_without_pairs_is_told_in_words(status: str, told: str) -> None:
    host = HostResult("mail55", ["nestle.com"], table(PINNED, PINNED))
    lines = lines_of(ENFORCE, host, of=resolved(domain("nestle.com", status=status)))
    assert f"  nestle.com  {told}" in texts(lines)


@pytest.mark.parametrize(
    ("more", "cell"),
    [
        ({"restart_required": True}, "restart required"),
        ({"service": {"state": "stopped"}}, "stopped, unchanged"),
        ({"service": {"state": "running"}}, "unchanged"),
        ({"restarted": True}, "restarted"),
    ],
)
def test_the_service_is_told(more: dict[str, Any], cell: str) -> None:
    host = HostResult("a", ["nestle.com"], table(PINNED, PINNED, **more))
    assert f"  {cell}  " in host_row(lines_of(ENFORCE, host), "a").text


def test_a_host_that_failed_one_not_begun_and_one_without_the_service() -> None:
    lines = lines_of(
        ENFORCE,
        HostResult("a", ["nestle.com"], {"failed": True, "msg": "a: the login was refused."}),
        HostResult("b", ["nestle.com"], held="the gate is closed"),
        HostResult("c", ["nestle.com"], {"skipped": True, "skip_reason": "none"}),
    )
    assert texts(lines)[0] == "Of 3 hosts, 1 failed, 1 was not changed, 1 has no such service."
    assert host_row(lines, "a") == Line("  a     failed", "failed")
    assert host_row(lines, "b") == Line("  b     not changed", "failed")
    assert host_row(lines, "c") == Line("  c     no such service")
    assert below(lines, "Action required") == [
        "  a: the login was refused.",
        "  b: not changed: the gate is closed",
    ]


def test_messages_that_did_not_arrive_and_those_not_sent_are_counted() -> None:
    tested = {"results": [message("nestle.com", "queued")]}
    after = [*PINNED, *rows("aol.com 192.0.2.25")]
    of = resolved(NESTLE, domain("aol.com", "192.0.2.25"))
    host = HostResult("a", ["nestle.com", "aol.com"], table([], after), tested)
    lines = lines_of(ENFORCE, host, of=of)
    assert host_row(lines, "a").text.endswith("1 queued, 1 not tested")
    assert "  test messages: 1 not tested, 1 queued" in texts(lines)


def test_what_is_out_of_sight_is_told_once() -> None:
    why = "the Edge server EDGE1 has it"
    tested = {"results": [{**message("nestle.com", "relayed"), "reason": why}]}
    queue = {**waiting(), "out_of_sight": ["EDGE1"]}
    hosts = [HostResult(x, ["nestle.com"], table([], PINNED), tested, queue=queue) for x in "ab"]
    lines = lines_of(ENFORCE, *hosts)
    assert "  test messages: 2 relayed" in texts(lines)
    edge, _get_queue, relayed = below(lines, "Notices")
    assert edge.startswith("  Mail that waits on the Edge server EDGE1 is not in this report")
    assert relayed == f"  nestle.com: {why}."
    assert "Action required" not in texts(lines)


def test_a_delivery_test_that_failed_is_told() -> None:
    failed = {"failed": True, "msg": "a: no port 25"}
    lines = lines_of(ENFORCE, HostResult("a", ["nestle.com"], table([], PINNED), failed))
    assert host_row(lines, "a").text.endswith("failed")
    assert below(lines, "Action required") == ["  a: no port 25"]


def test_stuck_mail_is_part_of_the_answer() -> None:
    host = HostResult("a", ["nestle.com"], table(PINNED, PINNED), queue=waiting("nestle.com"))
    told = "  hosts x domains: 1 up to date; mail of 1 delayed in the queue"
    assert texts(lines_of(AUDIT, host))[1] == told


def test_of_many_domains_only_those_that_are_not_all_right_are_shown() -> None:
    many = [domain(f"d{number}.example", "192.0.2.1") for number in range(MOST_DOMAINS)]
    of = resolved(*many, domain("x.example", status="null_mx"))
    found = texts(lines_of(AUDIT, of=of))
    start = found.index(f"{MOST_DOMAINS + 1} domains, {MOST_DOMAINS} pairs (7 DNS queries, 0.25 s)")
    assert found[start + 1 : start + 3] == ["  x.example  accepts no mail (null MX)", ""]


def test_of_many_hosts_the_worst_are_shown_and_alike_ones_once() -> None:
    fine = table(PINNED, PINNED)
    hosts = [HostResult(f"fine{number}", ["nestle.com"], fine) for number in range(MOST_HOSTS)]
    differing = [
        HostResult(f"d{number}", ["nestle.com"], table([], PINNED)) for number in range(MOST_HOSTS)
    ]
    lost = HostResult("lost", ["nestle.com"], {"failed": True, "msg": "gone"})
    lines = lines_of(AUDIT, *hosts, *differing, lost)
    found = texts(lines)
    start = found.index(f"{2 * MOST_HOSTS + 1} hosts")
    assert found[start + 2].split() == ["lost", "not", "checked"]
    assert found[start + 3].split()[0] == "d0"
    assert found[start + MOST_HOSTS + 2] == f"  and {MOST_HOSTS + 1} more hosts"
    assert below(lines, "Action required") == [
        "  lost: gone",
        f"  d0, d1, d2, d3, d4 and {MOST_HOSTS - 5} more: {FINDING}",
    ]


def test_of_many_hosts_that_are_all_right_none_is_shown() -> None:
    fine = table(PINNED, PINNED)
    hosts = [HostResult(f"h{number}", ["nestle.com"], fine) for number in range(MOST_HOSTS + 1)]
    assert texts(lines_of(AUDIT, *hosts))[-2:] == [
        f"{MOST_HOSTS + 1} hosts",
        "  all up to date",
    ]


def test_many_different_problems_end_in_a_number() -> None:
    hosts = [
        HostResult(f"h{number}", [], {"failed": True, "msg": f"reason {number}"})
        for number in range(MOST_HOSTS + 3)
    ]
    assert below(lines_of(AUDIT, *hosts), "Action required")[-1] == "  and 3 more problems"


def test_a_lock_file_is_named_and_where_it_is_not_up_to_date() -> None:
    lock = {
        "path": "mx_pairs.lock.yml",
        "resolved_at": NOW,
        "stale": True,
        "stale_domains": ["nestle.com"],
        "moved": [{"domain": "nestle.com", "lock": {}, "live": {"status": "loop", "pairs": []}}],
        "compared": True,
    }
    found = lines_of(AUDIT, of={"domains": [NESTLE], "lock": lock})
    assert "1 domain, 2 pairs (from mx_pairs.lock.yml)" in texts(found)
    assert below(found, "Notices") == [
        "  The lock file has expired for nestle.com. Resolve again and review it.",
        "  DNS has changed since the lock file for nestle.com.",
    ]


def test_what_a_limit_for_the_whole_run_would_refuse_is_told_once() -> None:
    run = replace(AUDIT, limit="9 of 9 hosts would change, more than 3")
    host = HostResult("a", ["nestle.com"], table([], PINNED))
    lines = lines_of(run, host)
    assert "  enforce would refuse: 9 of 9 hosts would change, more than 3." in texts(lines)
    held = HostResult("a", ["nestle.com"], held=run.limit or "")
    lines = lines_of(replace(run, kind="enforce"), held)
    assert below(lines, "Action required") == [
        "  a: not changed: 9 of 9 hosts would change, more than 3"
    ]
    assert "Notices" not in texts(lines)


NOTE = {"code": "dead_exchange", "message": "mx1 was left out, since its addresses cannot be had"}


def test_what_a_pin_does_not_cover_is_told_once_for_all_its_domains() -> None:
    noted = domain("nestle.com", "192.0.2.25", warnings=[NOTE])
    also = domain("aol.com", "192.0.2.26", warnings=[NOTE])
    pin = connector("nestle.com", "192.0.2.25")
    new = HostResult(
        "ex", ["nestle.com", "aol.com"], organisation([pin], [pin]), family="transport"
    )
    assert below(lines_of(AUDIT, new, of=resolved(noted, also)), "Notices") == [
        f"  nestle.com, aol.com: {NOTE['message']}."
    ]


def test_a_suffix_that_leads_astray_is_told_with_the_hosts_that_may_append_it() -> None:
    of = resolved(
        domain("nestle.com", "192.0.2.25", warnings=[hijack("nestle.com")]),
        domain("aol.com", "192.0.2.26", warnings=[hijack("aol.com")]),
    )
    hosts = [
        HostResult(
            name, [led], organisation([], []), family="transport", exchange=appending(suffix)
        )
        for name, led, suffix in (
            ("a", "nestle.com", "HQ.example"),
            ("b", "aol.com", "corp.example"),
        )
    ]
    told = " ".join(line.strip() for line in below(lines_of(ENFORCE, *hosts, of=of), "Notices"))
    assert told == (
        "Windows on a may append hq.example to names, and DNS has answers for"
        " nestle.com.hq.example (MX 10 mail.hq.example): mail that is not pinned may be misrouted"
        " (Q150969)."
    )


def test_a_service_that_is_told_to_append_nothing_leads_nothing_astray() -> None:
    two = (
        "192.0.2.25",
        "192.0.2.26",
    )  # several addresses are a reason to pin, whatever is appended
    of = resolved(domain("nestle.com", *two, warnings=[hijack("nestle.com")]))

    def told(run: Run, before: Any, after: Any, **more: Any) -> list[str]:
        registry = {"before": before, "after": after}
        host = HostResult("a", ["nestle.com"], table([], [], registry=registry), **more)
        return texts(lines_of(run, host, of=of))

    off = {"name": "DisableResolverSearchList", "type": "REG_DWORD", "data": 1}
    wrong = {**off, "name": "disableresolversearchlist"}
    named = {"suffixes": ["hq.example"]}
    for appends in (None, wrong, {**off, "data": 0}):
        said = " ".join(" ".join(told(AUDIT, appends, off, **named)).split())
        assert (
            "a appends hq.example to names, and DNS has answers for nestle.com.hq.example (MX 10"
            " mail.hq.example): mail that is not pinned is misrouted (Q150969)." in said
        )
        assert "Notices" not in told(ENFORCE, appends, off, **named)
    assert "Notices" not in told(AUDIT, off, off, **named)
    assert "Notices" not in told(AUDIT, None, off)  # nobody says what it appends
    unseen = HostResult("a", ["nestle.com"], {"unreachable": True, "msg": "a: no answer."}, **named)
    assert "Notices" not in texts(lines_of(AUDIT, unseen, of=of))
    by_host = {"exchange": {"resolver": {"domain": "HQ.example", "search_list": []}}}
    assert "Notices" in told(AUDIT, None, off, **by_host)


def test_many_notices_end_in_a_number() -> None:
    suffixes = [f"s{number}.example" for number in range(MOST_NOTICES + 2)]
    of = resolved(
        domain(
            "a.example",
            *("192.0.2.1", "192.0.2.2"),
            warnings=[hijack("a.example", s) for s in suffixes],
        )
    )
    host = HostResult("a", ["a.example"], table([], []), exchange=appending(*suffixes))
    assert "Notices" not in texts(lines_of(AUDIT, host, of=of))  # the switch is set
    seen = replace(host, delivery=table([], [], registry={"before": None, "after": None}))
    found = below(lines_of(AUDIT, seen, of=of), "Notices")
    assert "  and 2 more notices" in found


def test_a_rollback_asks_for_no_pairs_and_tells_none() -> None:
    back = HostResult("a", [], table(rows("nestle.com 192.0.2.25"), []))
    lines = texts(summary(build(replace(ENFORCE, kind="rollback"), {}, [back])))
    assert "  hosts x domains: 1 changed" in lines
    assert not any("pairs" in line for line in lines)


def test_where_the_pairs_are_not_known_that_is_the_answer() -> None:
    failed = {"failed": True, "msg": "the lock file is missing"}
    lines = lines_of(AUDIT, HostResult("a", [], needed=[failed]), of=failed)
    assert lines[0] == Line("DNS could not be asked: the lock file is missing", "failed")


def test_a_problem_that_different_hosts_share_is_told_once() -> None:
    run = replace(AUDIT, fail_on=["temporary_failure"])
    of = resolved(NESTLE, domain("lost.example", status="temporary_failure"))
    names = ["nestle.com", "lost.example"]
    hosts = [
        HostResult("a", names, table([], PINNED)),
        HostResult("b", names, table(PINNED, PINNED)),
        HostResult("c", ["nestle.com"], table([], PINNED)),
    ]
    assert below(lines_of(run, *hosts, of=of), "Action required") == [
        f"  a, c: {FINDING}",
        "  a, b: lost.example: DNS lookup failed, nothing changed",
    ]


def test_with_trouble_the_result_comes_last() -> None:
    lost = HostResult("a", [], {"failed": True, "msg": "gone"})
    document = build(AUDIT, resolved(NESTLE), [lost])
    assert result_lines(document) == [
        Line(""),
        Line("Result: The only host could not be checked.", "failed"),
    ]
    fine = build(AUDIT, resolved(NESTLE), [HostResult("a", [], table(PINNED, PINNED))])
    assert result_lines(fine) == []
    assert len(summary(fine)) < 10


# -- many hosts


def fleet(number: int, **failed: Any) -> list[HostResult]:
    names = (f"mail{place:03}" for place in range(number))
    result = failed or table(FOREIGN, FOREIGN)
    return [HostResult(name, ["nestle.com"], {**result}) for name in names]


def test_below_the_recap_of_many_hosts_the_answer_is_last() -> None:
    def said(*hosts: HostResult) -> list[Line]:
        return closing(build(AUDIT, resolved(NESTLE), hosts))

    assert said(*fleet(MOST_HOSTS)) == []
    assert said(*fleet(120)) == [Line("Result: All 120 hosts are up to date.", "clean")]
    trouble = {"failed": True, "msg": "the disk is full."}
    mixed = [*fleet(100), *(replace(one, name=f"x{one.name}") for one in fleet(20, **trouble))]
    assert texts(said(*mixed)) == [
        "Action required",
        "  xmail000, xmail001, xmail002, xmail003, xmail004 and 15 more: the disk is full.",
        "",
        "Result: Of 120 hosts, 20 could not be checked, 100 are up to date.",
    ]


def test_warnings_of_hosts_are_notices_each_once_and_at_most_twenty() -> None:
    def warning(text: str) -> dict[str, Any]:
        return {**table(FOREIGN, FOREIGN), "warnings": [text]}

    hosts = [
        HostResult(name, [], warning(f"{name}: the table has a malformed row."))
        for name in ("a", "b")
    ]
    assert below(lines_of(ENFORCE, *hosts), "Notices") == ["  a, b: the table has a malformed row."]
    hosts = [HostResult(f"h{n}", [], warning(f"row {n} is malformed.")) for n in range(40)]
    shown = below(lines_of(ENFORCE, *hosts), "Notices")
    assert len(shown) == MOST_NOTICES + 1
    assert shown[-1] == "  and 20 more notices"


def test_a_host_of_unknown_family_has_no_columns_of_another() -> None:
    lost = HostResult("lost", [], {"unreachable": True, "msg": "no route"}, family="")
    old = HostResult("old", [], table(FOREIGN, FOREIGN))
    lines = texts(lines_of(AUDIT, old, lost))
    place = lines.index("1 host of unknown version")
    assert lines[place + 1 : place + 3] == ["  host  state", "  lost  not checked"]
