# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a report about Exchange 2010 and later: an organisation's connectors, shown once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._report.document import Run, build
from ansible_collections.postmaster.exchange.plugins.module_utils._report.host_result import (
    HostResult,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._report.terminal import (
    MOST_CONNECTORS,
    host_lines,
)
from exchange_lab.samples import (
    NOW,
    connector,
    domain,
    message,
    organisation,
    resolved,
    rows,
    table,
)

ENFORCE = Run("enforce", check_mode=False, finished_at=NOW)
CHECK = replace(ENFORCE, check_mode=True)
AUDIT = replace(ENFORCE, kind="audit")
NEW = connector("nestle.com", "192.0.2.25")
OLD = connector("nestle.com", "198.51.100.1")
HEADING = ["domain", "smart", "hosts", "source", "servers"]


def host(name: str, enforced: Mapping[str, Any] | None, **more: Any) -> HostResult:
    return HostResult(name, ["nestle.com"], enforced, family="transport", **more)


def lines(run: Run, *hosts: HostResult) -> list[str]:
    document = build(run, resolved(domain("nestle.com", "192.0.2.25")), hosts)
    return [line.text for line in host_lines(document)]


def test_a_run_that_changed_an_organisation_by_one_of_its_hosts() -> None:
    tested = {"results": [message("nestle.com")]}
    found = host("a", organisation([NEW], [NEW]))
    changing = host("b", organisation([], [NEW], "nestle.com"), tests=tested)
    assert lines(ENFORCE, found, changing) == [
        "2 hosts",
        "  host  connectors    test messages",
        "  a     1 up to date  none",
        "  b     1 changed     1 delivered",
        "",
        "HQ (hq.example), 1 Send connector for pinned domains",
        "  domain      smart hosts  source servers",
        "  nestle.com  192.0.2.25   ex19-a          created",
    ]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([], [NEW], ["192.0.2.25", "ex19-a", "to create"]),
        ([OLD], [NEW], ["198.51.100.1 -> 192.0.2.25", "ex19-a", "to change"]),
        ([OLD], [], ["198.51.100.1", "ex19-a", "to remove"]),
        ([NEW], [NEW], ["192.0.2.25", "ex19-a"]),
        ([NEW], [{**NEW, "source_servers": []}], ["192.0.2.25", "chosen by Exchange", "to change"]),
        ([{**OLD, "smart_hosts": []}], [NEW], ["none -> 192.0.2.25", "ex19-a", "to change"]),
    ],
)
@pytest.mark.parametrize("run", [AUDIT, CHECK, ENFORCE])
def test_what_becomes_of_a_connector_is_told(
    before: list[Any], after: list[Any], said: list[str], run: Run
) -> None:
    changed = ("nestle.com",) if before != after else ()
    (row,) = lines(run, host("a", organisation(before, after, *changed)))[-1:]
    done = {"to create": "created", "to change": "changed", "to remove": "removed"}
    expected = [done.get(part, part) for part in said] if run is ENFORCE else said
    assert [cell.strip() for cell in row.split("  ") if cell.strip()] == ["nestle.com", *expected]


def test_of_many_connectors_those_that_change_come_first_and_the_rest_is_a_number() -> None:
    many = [connector(f"d{number}.example", "192.0.2.1") for number in range(MOST_CONNECTORS)]
    found = lines(AUDIT, host("a", organisation(many, [*many, NEW], "nestle.com")))
    start = next(n for n, line in enumerate(found) if line.split()[:5] == HEADING)
    assert found[start + 1].split()[0] == "nestle.com"
    assert found[-1] == "  and 1 more"


def test_an_organisation_without_connectors_is_named() -> None:
    found = lines(AUDIT, host("a", organisation([], [])))
    assert found[-1] == "HQ (hq.example), 0 Send connectors for pinned domains"


def test_both_kinds_and_a_host_of_unknown_kind_have_tables_of_their_own() -> None:
    unseen = {"unreachable": True, "msg": "c: no answer."}
    found = lines(
        AUDIT,
        host("a", organisation([NEW], [NEW])),
        HostResult("b", ["nestle.com"], table(rows(), rows())),
        HostResult("c", ["nestle.com"], family="", exchange=unseen),
    )
    assert [line for line in found if "host of" in line] == [
        "1 host of Exchange 4.0 to 5.5",
        "1 host of Exchange 2010 to SE",
        "1 host of unknown version",
    ]
    assert "  c     not checked" in found
    assert found.count("") == 3


def test_a_host_that_failed_tells_nothing_of_its_organisation() -> None:
    failed = {**organisation([], [NEW], "nestle.com"), "failed": True, "msg": "a: rolled back."}
    found = lines(ENFORCE, host("a", failed))
    assert found[-1] == "  a     failed"
