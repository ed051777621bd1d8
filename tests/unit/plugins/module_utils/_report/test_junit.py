# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JUnit XML: valid whatever is in it, and each finding is where a CI shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._report.document import Run, build
from ansible_collections.postmaster.exchange.plugins.module_utils._report.host_result import (
    HostResult,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.junit import (
    HOST_CASE,
    junit,
)
from exchange_lab.samples import (
    NOW,
    SWITCH,
    connector,
    domain,
    message,
    organisation,
    pinned,
    resolved,
    table,
    waiting,
)

AOL, LOST = domain("aol.com", "198.51.100.9"), domain("lost.example", status="temporary_failure")
GONE = domain("gone.example", status="null_mx")
BOTH = pinned([AOL])
AUDIT = Run("audit", check_mode=False, finished_at=NOW)
ENFORCE = replace(AUDIT, kind="enforce")


def written(
    run: Run, *hosts: HostResult, of: Mapping[str, Any] | None = None
) -> ElementTree.Element:
    """The file as a parser reads it; its numbers are those of its elements."""
    document = build(run, of or resolved(AOL, LOST, GONE), hosts)
    root = ElementTree.fromstring("".join(junit(document)).encode())
    for suite in root:
        for counted, inner in (
            ("failures", "failure"),
            ("errors", "error"),
            ("skipped", "skipped"),
        ):
            assert suite.get(counted) == str(len(suite.findall(f"testcase/{inner}")))
        assert suite.get("tests") == str(len(suite))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp") or "")
    return root


def case(root: ElementTree.Element, name: str, host: str = "a") -> tuple[str, str, str, str]:
    """Kind, type, message and text of a test case; all empty if it passed."""
    (found,) = root.findall(f"testsuite[@name='{host}']/testcase[@name='{name}']")
    if not len(found):
        return "", "", "", ""
    (inner,) = found
    return inner.tag, inner.get("type") or "", inner.get("message") or "", inner.text or ""


def test_a_host_is_a_suite_with_a_case_for_itself_and_for_each_domain() -> None:
    root = written(AUDIT, HostResult("mail5.hq.example", ["aol.com"], table(BOTH, BOTH)))
    (suite,) = root
    assert (root.tag, root.get("name")) == ("testsuites", "postmaster.exchange.audit")
    assert suite.get("name") == "mail5.hq.example"
    assert [each.get("name") for each in suite] == [HOST_CASE, "aol.com"]
    assert {each.get("classname") for each in suite} == {"audit.mail5_hq_example"}
    assert [len(each) for each in suite] == [0, 0]


def test_a_difference_is_a_failure_of_an_audit_only_and_shows_itself() -> None:
    host = HostResult("a", ["aol.com"], table([], BOTH))
    found = case(written(AUDIT, host), "aol.com")
    assert found == ("failure", "drift", "enforce would change it", "+198.51.100.9")
    assert case(written(AUDIT, host), HOST_CASE) == ("", "", "", "")
    for run in (ENFORCE, replace(ENFORCE, check_mode=True)):
        assert case(written(run, host), "aol.com")[0] == ""


def test_a_difference_of_a_connector_shows_its_smart_hosts() -> None:
    old, new = connector("aol.com", "192.0.2.1"), connector("aol.com", "198.51.100.9")
    changing = organisation([old], [new], "aol.com")
    root = written(AUDIT, HostResult("a", ["aol.com"], changing, family="transport"))
    assert case(root, "aol.com")[3].splitlines() == [
        "change Send connector postmaster.exchange aol.com",
        "-[192.0.2.1]",
        "+[198.51.100.9]",
    ]


@pytest.mark.parametrize(
    "more",
    [
        {"registry": {"before": None, "after": SWITCH}},
        {"restarted": True, "changed": True},
    ],
)
def test_what_differs_besides_the_domains_is_a_failure_of_the_host(more: dict[str, Any]) -> None:
    host = HostResult("a", ["aol.com"], table(BOTH, BOTH, **more))
    assert case(written(AUDIT, host), HOST_CASE)[:2] == ("failure", "drift")
    assert case(written(ENFORCE, host), HOST_CASE)[0] == ""


def test_what_could_not_be_judged_is_an_error() -> None:
    failed = HostResult("a", ["aol.com"], {"unreachable": True, "msg": "a: no answer."})
    root = written(AUDIT, failed)
    assert case(root, HOST_CASE) == ("error", "unknown", "no answer.", "")
    assert case(root, "aol.com")[0] == "skipped"
    judged = HostResult("a", ["lost.example", "gone.example"], table([], []))
    root = written(replace(AUDIT, fail_on=["temporary_failure", "null_mx"]), judged)
    assert case(root, "lost.example")[:2] == ("error", "temporary_failure")
    assert case(root, "gone.example")[:2] == ("error", "null_mx")
    root = written(AUDIT, judged)
    assert case(root, "lost.example")[0] == "skipped"
    assert case(root, "gone.example")[0] == ""


def test_addresses_that_a_host_does_not_take_are_no_addresses() -> None:
    host = HostResult("a", ["six.example"], table([], []))
    run = replace(AUDIT, fail_on=["no_address"])
    root = written(run, host, of=resolved(domain("six.example", "2001:db8::1")))
    assert case(root, "six.example")[:3] == (
        "error",
        "no_address",
        "nothing changed: no usable address",
    )


def test_what_was_not_begun_or_has_no_service_is_skipped() -> None:
    root = written(
        ENFORCE,
        HostResult("a", ["aol.com"], held="the gate is closed"),
        HostResult("b", ["aol.com"], {"skipped": True, "skip_reason": "no MSExchangeIMC"}),
    )
    assert case(root, HOST_CASE) == ("skipped", "", "not changed: the gate is closed", "")
    assert case(root, "aol.com")[0] == "skipped"
    assert case(root, HOST_CASE, "b") == ("skipped", "", "no MSExchangeIMC", "")


def test_mail_that_did_not_arrive_is_a_failure_with_what_was_said() -> None:
    tested = {"results": [message("aol.com", "queued", error={"code": 421, "text": "busy"})]}
    root = written(ENFORCE, HostResult("a", ["aol.com"], table([], BOTH), tested))
    relayed = {"results": [message("aol.com", "relayed")]}
    passed = written(ENFORCE, HostResult("a", ["aol.com"], table([], BOTH), relayed))
    assert case(passed, "aol.com")[0] == ""
    said = "test message queued: 421 busy"
    assert case(root, "aol.com") == ("failure", "undelivered", said, "")
    failed = HostResult("a", ["aol.com"], table([], BOTH), {"failed": True, "msg": "no port"})
    assert case(written(ENFORCE, failed), HOST_CASE)[:2] == ("error", "delivery_test")


def test_stuck_mail_is_a_failure_where_the_option_says_so() -> None:
    host = HostResult("a", ["aol.com"], table(BOTH, BOTH), queue=waiting("aol.com"))
    assert case(written(AUDIT, host), "aol.com")[0] == ""
    run = replace(AUDIT, fail_on=["stuck"])
    assert case(written(run, host), "aol.com") == (
        "failure",
        "stuck",
        "mail is delayed in the queue: 421 busy",
        "",
    )
    unlisted = replace(host, queue=waiting("new.example"))
    assert case(written(run, unlisted), HOST_CASE)[:2] == ("failure", "stuck")
    unseen = replace(host, queue={"failed": True, "msg": "no Out folder"})
    assert case(written(run, unseen), HOST_CASE)[:2] == ("error", "queue")


def test_rows_to_enter_by_hand_are_a_failure() -> None:
    sheet = [{"action": "enter", "domain": "aol.com", "address": "198.51.100.9"}]
    host = HostResult("a", ["aol.com"], {**table([], []), "routes": None, "worksheet": sheet})
    assert case(written(AUDIT, host), "aol.com")[:2] == ("failure", "by_hand")


def test_a_run_without_pairs_is_an_error_of_its_own() -> None:
    failed = {"failed": True, "msg": "no lock"}
    root = written(AUDIT, HostResult("a", ["aol.com"], needed=[failed]), of=failed)
    assert case(root, "DNS", "(run)") == ("error", "resolve", "no lock", "")
    assert case(root, HOST_CASE)[0] == "error"


def test_no_text_breaks_the_file() -> None:
    hostile = "]]>&\"'<b>\x00\x1b\ufffe\ud800\nend"
    failed = {"failed": True, "msg": hostile}
    root = written(AUDIT, HostResult(hostile, ["aol.com"], failed))
    (suite,) = root
    assert suite.get("name") == "]]>&\"'<b>\ufffd\ufffd\ufffd\ufffd\nend"
    (inner,) = suite[0]
    assert inner.get("message") == suite.get("name")
