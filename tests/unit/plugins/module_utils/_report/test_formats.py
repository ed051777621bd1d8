# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics, Markdown, and comma-separated values: what they show, read by others' readers."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._report.comma_separated import (
    comma_separated,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.document import Run, build
from ansible_collections.postmaster.exchange.plugins.module_utils._report.host_result import (
    HostResult,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.markdown import (
    MOST_ROWS,
    markdown,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.prometheus import (
    prometheus,
)
from exchange_lab.samples import (
    NOW,
    connector,
    domain,
    message,
    organisation,
    pinned,
    resolved,
    table,
    waiting,
)
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families

ENDED = "2026-11-23T12:47:31Z"
AOL = domain("aol.com", "198.51.100.9", valid_until="2026-11-23T12:52:31Z")
NESTLE = domain("nestle.com", "192.0.2.25", valid_until="2026-11-23T12:46:31Z")
AUDIT = Run(
    "audit", check_mode=False, started_at="2026-11-23T12:47:01Z", finished_at=ENDED, id="r1"
)
ENFORCE = Run("enforce", check_mode=False, finished_at=ENDED, id="change-12")


def document(run: Run = AUDIT, *hosts: HostResult) -> dict[str, Any]:
    """Return the document of a run over two hosts; one of them has delayed mail."""
    old = HostResult("mail5", ["aol.com"], table([], pinned([AOL])), queue=waiting("aol.com"))
    changing = organisation([], [connector("nestle.com", "192.0.2.25")], "nestle.com")
    new = HostResult("ex19", ["nestle.com"], changing, family="transport")
    return build(run, resolved(AOL, NESTLE), hosts or (old, new))


def series(found: Mapping[str, Any]) -> dict[tuple[str, ...], float]:
    """Return the metrics as Prometheus' own client reads them, by name and values of labels."""
    families = text_string_to_metric_families("".join(prometheus(found)))
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_metrics_of_a_run() -> None:
    found = series(document())
    assert found["mx_delivery_run_finished_timestamp_seconds", "audit"] == 1795438051
    assert found["mx_delivery_run_duration_seconds", "audit"] == 30
    verdicts = ("failed", "unjudged", "drift", "clean")
    values = [found["mx_delivery_run_verdict", "audit", verdict] for verdict in verdicts]
    assert values == [0, 0, 1, 0]


def test_the_metrics_of_hosts_and_domains() -> None:
    found = series(document())
    assert found["mx_delivery_host_state", "mail5", "would_change", "drift"] == 1
    assert found["mx_delivery_domain_state", "mail5", "aol.com", "would_change"] == 1
    assert found["mx_delivery_domain_state", "ex19", "nestle.com", "would_change"] == 1
    assert found["mx_delivery_delayed_messages", "mail5", "aol.com"] == 1
    age = found["mx_delivery_oldest_delayed_message_age_seconds", "mail5", "aol.com"]
    assert age == 3600
    assert found["mx_delivery_pin_ttl_left_seconds", "aol.com"] == 300
    assert found["mx_delivery_pin_ttl_left_seconds", "nestle.com"] == -60


def test_the_metrics_of_test_messages() -> None:
    tests = {"results": [message("aol.com"), message("nestle.com", "returned")], "changed": False}
    host = HostResult("a", ["aol.com", "nestle.com"], table([], pinned([AOL, NESTLE])), tests=tests)
    found = series(document(ENFORCE, host))
    assert found["mx_delivery_test_messages", "delivered"] == 1
    assert found["mx_delivery_test_messages", "returned"] == 1


@given(st.text(max_size=20))
def test_any_name_of_a_host_is_one_label(name: str) -> None:
    found = document(AUDIT, HostResult(name, ["aol.com"], table([], [])))
    (host,) = found["hosts"]
    assert ("mx_delivery_host_state", host["name"], host["state"], host["verdict"]) in series(found)


def cells(found: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the rows as a reader of comma-separated values has them."""
    return list(csv.DictReader(io.StringIO("".join(comma_separated(found)), newline="")))


def test_comma_separated_values_have_a_row_for_each_domain_on_each_host() -> None:
    old, new = cells(document())
    assert old == {
        "run": "r1", "finished_at": ENDED, "host": "mail5", "family": "imc", "version": "",
        "organisation": "", "host_state": "would_change", "domain": "aol.com",
        "state": "would_change", "reason": "", "before": "", "after": "198.51.100.9", "test": "",
        "delayed_messages": "1", "oldest_delayed": NOW, "error": old["error"],
        "cause": "",
    }  # fmt: skip
    assert "busy" in old["error"]
    assert (new["organisation"], new["after"]) == (
        "HQ (hq.example)",
        "[192.0.2.25]",
    )


def test_a_host_without_domains_has_a_row_and_a_domain_that_it_does_not_list_too() -> None:
    down = HostResult("down", [], {"unreachable": True, "msg": "down: no answer."})
    (row,) = cells(document(AUDIT, down))
    assert (row["host"], row["host_state"], row["domain"]) == ("down", "unknown", "")
    unlisted = HostResult("a", ["aol.com"], table([], []), queue=waiting("other.example"))
    assert [(row["domain"], row["state"] != "") for row in cells(document(AUDIT, unlisted))] == [
        ("aol.com", True),
        ("other.example", False),
    ]


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_no_cell_is_a_formula_of_a_spreadsheet(name: str) -> None:
    (row,) = cells(document(AUDIT, HostResult(name, ["aol.com"], table([], []))))
    assert row["host"] == f"'{name}"


def test_markdown_has_the_answer_first_then_what_to_do_and_where() -> None:
    found = "".join(markdown(document()))
    html = MarkdownIt().enable("table").render(found)
    assert html.startswith("<h2>Both hosts have drift.</h2>")
    assert html.index("Action required") < html.index("<h3>Hosts</h3>")
    assert "<td>mail5</td>\n<td>aol.com</td>\n<td>pending</td>" in html
    assert "Test messages" not in html


HOSTILE = (
    "<script>*b* _i_ [x](http://y.example) `c` | # @all"
    " ![p](q) http://z.example www.w.example\n\n# h"
)


def test_texts_of_hosts_are_no_markup() -> None:
    failed = HostResult("a", ["aol.com"], {"failed": True, "msg": HOSTILE})
    found = "".join(markdown(document(AUDIT, failed)))
    html = MarkdownIt("gfm-like", {"linkify": False}).render(found)
    for tag in ("<script", "<em>b", "<em>i", "<a ", "<img", "<code>", "<h1>"):
        assert tag not in html
    assert "@all" not in found
    assert "&lt;script&gt;*b* _i_ [x](http://y.example) `c` | # @all" in html


def test_a_table_of_markdown_is_limited() -> None:
    drift = table([], pinned([AOL]))
    hosts = [HostResult(f"h{n}", ["aol.com"], drift) for n in range(MOST_ROWS + 7)]
    found = "".join(markdown(document(AUDIT, *hosts)))
    assert found.count("\nand 7 more\n") == 2
