# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one document of a run: its hosts, domains and organisations, and its schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._report.document import (
    SCHEMA_VERSION,
    Run,
    build,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.host_result import (
    ERROR_KEYS,
    HostResult,
)
from exchange_lab.samples import (
    NOW,
    SUFFIX,
    SWITCH,
    appending,
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

ROOT = Path(__file__).resolve().parents[5]
SCHEMA = json.loads((ROOT / "docs" / "report-schema.json").read_text())

NESTLE = domain("nestle.com", "192.0.2.25", "192.0.2.26")
AOL = domain("aol.com", "198.51.100.9")
LOST = domain("lost.example", status="temporary_failure")
GONE = domain("gone.example", status="null_mx")
BOTH = pinned([NESTLE, AOL])
ENFORCE = Run("enforce", check_mode=False, finished_at=NOW)
CHECK = replace(ENFORCE, check_mode=True)
AUDIT = Run("audit", check_mode=False, finished_at=NOW)


def made(run: Run, *hosts: HostResult, of: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The document; checks that it matches its schema and survives a round trip through JSON."""
    document = build(run, resolved(NESTLE, AOL, LOST, GONE) if of is None else of, hosts)
    assert json.loads(json.dumps(document)) == document
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    return document


def only(document: Mapping[str, Any]) -> dict[str, Any]:
    (host,) = document["hosts"]
    found: dict[str, Any] = host
    return found


def states(document: Mapping[str, Any]) -> dict[str, list[str]]:
    """The domains of the only host by state."""
    names = [each["name"] for each in document["domains"]]
    return {
        one: [names[number] for number in numbers]
        for one, numbers in only(document)["domains"].items()
    }


def test_the_schema_is_one_itself_and_is_of_this_version() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["schema_version"]["const"] == SCHEMA_VERSION
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**made(AUDIT), "more": 1}, SCHEMA)


def test_domains_stand_once_and_hosts_name_them_by_number() -> None:
    names = ["nestle.com", "aol.com", "lost.example", "gone.example"]
    changing = table(pinned([NESTLE]), BOTH)
    document = made(ENFORCE, HostResult("a", names, changing), HostResult("b", names, changing))
    assert [each["name"] for each in document["domains"]] == names
    assert document["hosts"][0]["domains"] == {"changed": [1], "kept": [2, 3], "up_to_date": [0]}
    assert document["hosts"][0]["reasons"] == {"temporary_failure": [2], "null_mx": [3]}
    assert document["hosts"][0]["changes"] == document["hosts"][1]["changes"] == [0]
    assert document["changes"] == [{"domain": 1, "before": [], "after": ["198.51.100.9"]}]
    assert document["answer"]["counts"] == {
        "total": 8,
        "failed": 0,
        "unknown": 0,
        "refused": 0,
        "not_proved": 0,
        "would_change": 0,
        "changed": 2,
        "kept": 4,
        "up_to_date": 2,
        "reasons": {"null_mx": 2, "temporary_failure": 2},
        "stuck": 0,
        "stuck_unlisted": 0,
    }


@pytest.mark.parametrize(
    ("run", "state", "verdict"),
    [
        (ENFORCE, "changed", "clean"),
        (CHECK, "would_change", "clean"),
        (AUDIT, "would_change", "drift"),
    ],
)
def test_a_difference_is_a_change_a_proposal_or_a_finding(
    run: Run, state: str, verdict: str
) -> None:
    document = made(run, HostResult("a", ["aol.com"], table([], BOTH[2:])))
    assert states(document) == {state: ["aol.com"]}
    assert (only(document)["state"], only(document)["verdict"]) == (state, verdict)
    assert document["answer"]["verdict"] == verdict
    service = only(document)["service"]
    assert service["restarted"] is (run is ENFORCE)
    assert service["to_restart"] is (run is not ENFORCE)


@pytest.mark.parametrize(("run", "verdict"), [(ENFORCE, "failed"), (AUDIT, "drift")])
def test_a_change_that_no_test_message_proved_is_a_state_of_its_own(run: Run, verdict: str) -> None:
    known = {"domain": "aol.com", "run": "r1", "since": NOW, "backup": "/b/1"}
    one = {**known, "verdict": "", "reason": "", "left_to": ""}
    document = made(run, HostResult("a", ["aol.com"], {**table(BOTH, BOTH), "unproved": [one]}))
    assert states(document) == {"not_proved": ["aol.com"]}
    host = only(document)
    assert (host["state"], host["verdict"]) == ("not_proved", verdict)
    assert host["unproved"] == [{**known, "domain": 1, "verdict": None, "reason": None}]
    (problem,) = host["problems"]
    assert problem.startswith(f"aol.com: changed at {NOW} by the run r1, not proved: no test")
    changing = {**table([], BOTH[2:]), "unproved": [one]}
    changed = made(run, HostResult("a", ["aol.com"], changing))
    assert states(changed) == {"would_change" if run is AUDIT else "not_proved": ["aol.com"]}


def test_a_domain_that_leaves_the_table_is_in_the_document_although_nobody_lists_it() -> None:
    document = made(ENFORCE, HostResult("a", ["nestle.com"], table(BOTH, pinned([NESTLE]))))
    assert states(document) == {"changed": ["aol.com"], "up_to_date": ["nestle.com"]}
    document = made(ENFORCE, HostResult("a", [], table(rows("Old.example 192.0.2.1"), [])))
    assert document["domains"][-1] == {"name": "old.example", "status": None, "pairs": []}


@pytest.mark.parametrize("run", [ENFORCE, AUDIT])
@pytest.mark.parametrize("fail_on", [[], ["temporary_failure"]])
def test_a_domain_that_is_not_known_is_no_fault_of_its_hosts(run: Run, fail_on: list[str]) -> None:
    run = replace(run, fail_on=fail_on)
    hosts = [HostResult(name, ["aol.com", "lost.example"], table(BOTH, BOTH)) for name in "ab"]
    document = made(run, *hosts)
    assert {host["state"] for host in document["hosts"]} == {"up_to_date"}
    also = "; 1 domain needs attention (DNS lookup failed)" if fail_on else ""
    assert document["answer"]["text"] == f"Both hosts are up to date{also}."
    failing = "unjudged" if run.kind == "audit" else "failed"
    assert document["answer"]["verdict"] == (failing if fail_on else "clean")
    problem = ["lost.example: DNS lookup failed, nothing changed"] if fail_on else []
    assert document["hosts"][0]["problems"] == problem


def test_a_domain_of_another_host_is_no_problem_here() -> None:
    run = replace(AUDIT, fail_on=["temporary_failure"])
    assert made(run, HostResult("a", ["aol.com"], table(BOTH, BOTH)))["answer"]["verdict"] == (
        "clean"
    )


@pytest.mark.parametrize("run", [ENFORCE, AUDIT])
def test_a_domain_that_does_not_exist_is_a_problem_where_no_host_has_a_pin_of_it(run: Run) -> None:
    run = replace(run, fail_on=["no_such_domain"])
    of = resolved(domain("typo.example", status="no_such_domain"))

    def host(name: str, *unpinned: str) -> HostResult:
        return HostResult(name, ["typo.example"], {**table(BOTH, BOTH), "unpinned": unpinned})

    both = made(run, host("a", "typo.example"), host("b", "typo.example"), of=of)
    assert both["answer"]["verdict"] == ("unjudged" if run.kind == "audit" else "failed")
    (said,) = both["hosts"][0]["problems"]
    assert said.startswith("typo.example: does not exist, and no host has a pin of it (check")
    assert states(made(run, host("a", "typo.example"), of=of)) == {"kept": ["typo.example"]}
    other = made(run, host("a", "typo.example"), host("b"), of=of)
    unknown = made(run, HostResult("a", ["typo.example"], table(BOTH, BOTH)), of=of)
    assert other["answer"]["verdict"] == unknown["answer"]["verdict"] == "clean"


def test_a_host_that_takes_ipv4_only_has_no_address_of_a_domain_that_has_others() -> None:
    six = domain("six.example", "2001:db8::1")
    run = replace(AUDIT, fail_on=["no_address"])
    for families, state in ((["ipv4"], "kept"), (["ipv4", "ipv6"], "up_to_date")):
        host = HostResult("a", ["six.example"], table([], []), families=families)
        document = made(run, host, of=resolved(six))
        assert states(document) == {state: ["six.example"]}
        assert only(document)["verdict"] == ("unjudged" if state == "kept" else "clean")


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"failed": True, "msg": "a: the login was refused."}, "the login was refused."),
        ({"unreachable": True, "msg": "a: no answer."}, "no answer."),
        ({"failed": True}, "failed without a message"),
    ],
)
@pytest.mark.parametrize("needed", ["delivery", "exchange", "compared", "needed"])
def test_a_host_that_failed_on_the_way_has_failed_with_all_its_domains(
    result: dict[str, Any], said: str, needed: str
) -> None:
    fields: dict[str, Any] = {"delivery": table(BOTH, BOTH)}
    fields[needed] = [result] if needed == "needed" else result
    lost = result.get("unreachable") and needed != "needed"
    for run in (ENFORCE, AUDIT):
        unknown = lost or run is AUDIT
        document = made(run, HostResult("a", ["nestle.com", "aol.com"], **fields))
        host = only(document)
        assert host["state"] == ("unknown" if unknown else "failed")
        assert host["verdict"] == ("unjudged" if unknown else "failed")
        assert host["reason"] == said
        assert host["problems"] == [said]
        assert states(document) == {host["state"]: ["nestle.com", "aol.com"]}
        assert host["changes"] == []


def test_a_host_that_nobody_looked_at_has_failed() -> None:
    assert only(made(AUDIT, HostResult("a", ["aol.com"])))["reason"].startswith("not checked")


def test_a_change_that_was_put_back_is_told() -> None:
    failed = {"failed": True, "msg": "a: no start.", "rolled_back": True, "state": "old"}
    document = made(ENFORCE, HostResult("a", ["aol.com"], {**failed, "backup": "/srv/b"}))
    assert only(document)["left"] == {"rolled_back": True, "state": "old"}
    assert only(document)["backup"] == "/srv/b"


def test_a_host_that_was_not_begun_says_why_and_what_would_change() -> None:
    host = HostResult("a", ["aol.com"], compared=table([], BOTH[2:]), held="the gate is closed")
    document = made(ENFORCE, host)
    assert states(document) == {"refused": ["aol.com"]}
    assert only(document)["reasons"] == {"limit": [1]}
    assert only(document)["problems"] == ["not changed: the gate is closed"]
    assert (only(document)["state"], only(document)["verdict"]) == ("refused", "failed")
    assert only(document)["changes"] == [0]


def test_a_host_without_the_service_has_no_domains_and_no_problem() -> None:
    skipped = {"changed": False, "skipped": True, "skip_reason": "no MSExchangeIMC"}
    document = made(AUDIT, HostResult("a", ["aol.com"], skipped))
    assert only(document)["domains"] == {}
    assert (only(document)["state"], only(document)["verdict"]) == ("kept", "clean")
    assert only(document)["reason"] == "no MSExchangeIMC"


def test_rows_to_enter_by_hand_are_a_problem_and_to_an_audit_a_difference() -> None:
    sheet = [{"action": "enter", "domain": "aol.com", "address": "198.51.100.9"}]
    result = {**table([], []), "routes": None, "worksheet": sheet}
    for run, verdict in ((ENFORCE, "failed"), (AUDIT, "drift")):
        document = made(run, HostResult("a", ["aol.com"], result))
        assert states(document) == {"refused": ["aol.com"]}
        assert only(document)["reasons"] == {"by_hand": [1]}
        assert only(document)["verdict"] == verdict
        assert only(document)["problems"][0].startswith("1 row to enter by hand")
        assert only(document)["worksheet"] == sheet


def test_the_switch_and_the_service_alone_are_a_difference() -> None:
    switched = table([], [], registry={"before": None, "after": SWITCH}, changed=True)
    document = made(AUDIT, HostResult("a", [], switched))
    assert only(document)["problems"] == ["enforce would change the search list switch"]
    assert only(document)["switch"] == {"before": None, "after": SWITCH, "changed": True}
    stopped = table([], [], changed=True, restarted=True)
    document = made(AUDIT, HostResult("a", [], stopped))
    assert only(document)["problems"] == ["enforce would change the state of the service"]


def test_what_a_limit_would_refuse_is_the_finding() -> None:
    brake = {"exceeded": True, "refused": True, "text": "9 rows would change, more than 5"}
    document = made(AUDIT, HostResult("a", ["aol.com"], table([], BOTH[2:], change_limit=brake)))
    assert only(document)["problems"] == ["enforce would refuse: 9 rows would change, more than 5"]
    assert only(document)["verdict"] == "drift"
    assert only(document)["limit"] == {"refused": True, "text": brake["text"]}


def test_messages_that_did_not_arrive_are_a_problem_with_the_servers_words() -> None:
    tested = {
        "results": [
            message("aol.com"),
            message("nestle.com", "queued", error={"code": 421, "enhanced": None, "text": "busy"}),
            message("gone.example", "unknown", reason="tracking is off"),
            message("far.example", "relayed", reason="EDGE1 has it"),
        ],
        "retried": [{"domains": ["nestle.com"]}],
    }
    host = HostResult("a", ["nestle.com", "aol.com"], table([], BOTH), tested)
    document = made(ENFORCE, host)
    assert only(document)["problems"] == [
        "test message to nestle.com queued (421 busy)",
        "test message to gone.example unknown (tracking is off)",
    ]
    assert (only(document)["state"], only(document)["verdict"]) == ("failed", "failed")
    arrived, queued, _unknown, relayed = only(document)["tests"]["results"]
    assert (relayed["reason"], "recipient" in relayed) == ("EDGE1 has it", False)
    assert arrived == {"domain": 1, "verdict": "delivered", "time": NOW, "seconds": 5.1}
    assert (queued["error"]["code"], queued["error"]["text"]) == (421, "busy")
    assert queued["message_id"].startswith("<delivery-test")
    assert only(document)["tests"]["retried"] == 1
    assert document["answer"]["tests"] == {
        "delivered": 1,
        "queued": 1,
        "relayed": 1,
        "unknown": 1,
    }


def test_messages_that_a_limit_left_out_are_counted() -> None:
    tested = {"results": [message("nestle.com")]}
    host = HostResult("a", ["nestle.com", "aol.com"], table([], BOTH), tested)
    assert only(made(ENFORCE, host))["tests"]["not_tested"] == 1


def test_messages_that_the_host_cannot_send_are_counted_and_no_problem() -> None:
    unsent = {**message("nestle.com"), "verdict": "not_tested"}
    host = HostResult("a", ["nestle.com"], table([], BOTH[:2]), {"results": [unsent]})
    entry = only(made(ENFORCE, host))
    assert (entry["tests"]["results"], entry["tests"]["not_tested"]) == ([], 1)
    assert entry["problems"] == []


def test_a_delivery_test_that_failed_as_a_whole_is_a_problem() -> None:
    host = HostResult("a", ["aol.com"], table([], BOTH[2:]), {"failed": True, "msg": "no port 25"})
    document = made(ENFORCE, host)
    assert only(document)["problems"] == ["no port 25"]
    assert only(document)["tests"]["failure"] == "no port 25"


def test_stuck_mail_is_counted_and_a_problem_only_where_the_option_says_so() -> None:
    host = HostResult("a", ["aol.com"], table(BOTH, BOTH), queue=waiting("aol.com", "new.example"))
    document = made(AUDIT, host)
    counts = document["answer"]["counts"]
    assert (counts["stuck"], counts["stuck_unlisted"], counts["total"]) == (1, 1, 1)
    assert only(document)["verdict"] == "clean"
    assert only(document)["queue"]["stuck"][1] == {
        "domain": "new.example",
        "listed": False,
        "messages": 1,
        "oldest": NOW,
        "error": {
            **dict.fromkeys(ERROR_KEYS),
            "code": 421,
            "text": "busy",
            "error_class": "refused",
            "origin": "far_server",
        },
    }
    document = made(replace(AUDIT, fail_on=["stuck"]), host)
    assert only(document)["problems"] == ["mail to aol.com, new.example is delayed in the queue"]
    assert only(document)["verdict"] == "unjudged"


def test_a_queue_that_could_not_be_looked_into_is_a_problem_where_stuck_mail_is_one() -> None:
    host = HostResult("a", [], table([], []), queue={"failed": True, "msg": "no Out folder"})
    assert only(made(AUDIT, host))["verdict"] == "clean"
    document = made(replace(AUDIT, fail_on=["stuck"]), host)
    assert only(document)["problems"] == ["no Out folder"]
    assert only(document)["queue"]["failure"] == "no Out folder"


def test_a_result_without_pairs_is_told_and_the_hosts_are_in_the_document() -> None:
    failed = {"failed": True, "msg": "the lock file is missing"}
    host = HostResult("a", ["aol.com"], needed=[failed])
    document = made(AUDIT, host, of=failed)
    assert document["answer"]["failure"] == "the lock file is missing"
    assert document["answer"]["verdict"] == "failed"
    assert document["domains"] == [{"name": "aol.com", "status": None, "pairs": []}]
    assert only(document)["problems"] == ["the lock file is missing"]


def test_a_rollback_needs_no_names() -> None:
    run = replace(ENFORCE, kind="rollback")
    document = made(run, HostResult("a", [], table(BOTH, [])), of={})
    assert states(document) == {"changed": ["nestle.com", "aol.com"]}
    assert document["answer"]["text"] == "The only host was changed."


def test_where_dns_moved_away_from_the_lock_both_sides_are_told() -> None:
    live = {"status": "ok", "pairs": AOL["pairs"]}
    moved = {"domain": "nestle.com", "lock": {"status": "ok", "pairs": NESTLE["pairs"]}}
    lock = {
        "path": "mx_pairs.lock.yml",
        "resolved_at": NOW,
        "stale": True,
        "stale_domains": ["nestle.com"],
        "moved": [{**moved, "live": live}],
        "compared": True,
    }
    of = {"domains": [NESTLE, AOL], "lock": lock}  # no question was asked
    document = made(AUDIT, HostResult("a", ["aol.com"], table(BOTH, BOTH)), of=of)
    assert document["domains"][0]["moved"]["live"]["pairs"][0]["address"] == "198.51.100.9"
    assert "moved" not in document["domains"][1]
    assert document["run"]["lock"]["stale_domains"] == ["nestle.com"]
    assert document["run"]["dns"] == {"questions": None, "seconds": None}


def test_a_host_of_unknown_kind_is_in_the_document() -> None:
    unseen = {"unreachable": True, "msg": "a: no answer."}
    document = made(AUDIT, HostResult("a", ["aol.com"], family="", exchange=unseen))
    assert only(document)["family"] is None
    assert only(document)["reason"] == "no answer."


def test_what_windows_may_append_is_told_in_one_spelling() -> None:
    info = appending("HQ.example.", "hq.example", "corp.example")
    found = organisation([], [])
    document = made(AUDIT, HostResult("a", [], found, family="transport", exchange=info))
    assert only(document)["search_list"] == {
        "suffixes": ["hq.example", "corp.example"],
        "source": "suffixes",
        "disabled": False,
    }
    document = made(AUDIT, HostResult("a", [], table([], []), exchange=info))
    assert only(document)["version"] == "5.5"
    told = {**waiting(), "version": "5.0"}
    document = made(
        AUDIT, HostResult("a", [], table([], []), exchange={"version": None}, queue=told)
    )
    assert only(document)["version"] == "5.0"


HOSTILE = "\x1b[2J<script>alert(1)</script>\u202e\ud800\x00"


def test_nothing_in_a_document_can_do_more_than_be_seen() -> None:
    hijacked = domain("aol.com", "198.51.100.9", warnings=[{**hijack("x"), "message": HOSTILE}])
    failed = {"failed": True, "msg": f"a: {HOSTILE}"}
    document = made(
        AUDIT,
        HostResult("a", ["aol.com"], failed),
        HostResult(f"b{HOSTILE}", ["aol.com"], table(rows(), rows(), warnings=[HOSTILE])),
        of=resolved(hijacked),
    )
    text = json.dumps(document, ensure_ascii=False)
    text.encode()
    assert not {"\x1b", "\u202e", "\x00"}.intersection(text)
    assert document["hosts"][0]["reason"] == (
        "\ufffd[2J<script>alert(1)</script>\ufffd\ufffd\ufffd"
    )
    assert SUFFIX in document["domains"][0]["warnings"][0]["name"]


@pytest.mark.parametrize(
    ("outcomes", "text"),
    [
        ([], "No host took part."),
        ([True], "The only host has drift."),
        ([True, True], "Both hosts have drift."),
        ([False] * 3, "All 3 hosts are up to date."),
        ([True, False, None], "Of 3 hosts, 1 could not be checked, 1 has drift, 1 is up to date."),
    ],
)
def test_the_answer_is_one_sentence(outcomes: list[bool | None], text: str) -> None:
    results = {True: table([], BOTH), False: table(BOTH, BOTH), None: None}
    hosts = [HostResult(f"h{n}", ["aol.com"], results[one]) for n, one in enumerate(outcomes)]
    assert made(AUDIT, *hosts)["answer"]["text"] == text


def test_rows_that_are_none_and_other_flags_are_shown_where_they_change() -> None:
    before = [{"raw": "+broken"}, {"domain": "aol.com", "address": "198.51.100.9", "flag": "2"}]
    document = made(ENFORCE, HostResult("a", [], table(before, [])))
    assert document["changes"] == [
        {"domain": 1, "before": ["198.51.100.9 flag 2"], "after": []},
        {"domain": None, "before": ["+broken"], "after": []},
    ]


def test_a_thousand_hosts_with_the_same_changes_keep_them_once() -> None:
    many = [domain(f"d{number}.example", "192.0.2.1") for number in range(50)]
    names = [each["domain"] for each in many]
    result = table([], pinned(many))
    hosts = [HostResult(f"h{number}", names, result) for number in range(100)]
    document = made(ENFORCE, *hosts, of=resolved(*many))
    assert len(document["changes"]) == 50
    assert all(host["changes"] == list(range(50)) for host in document["hosts"])
