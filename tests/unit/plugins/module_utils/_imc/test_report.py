# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person reads: diff, worksheet, result."""

from __future__ import annotations

from typing import Any

from ansible_collections.postmaster.exchange.plugins.module_utils._imc.host import (
    Service,
    ServiceState,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.plan import (
    Desired,
    ImcPlan,
    ManualRow,
    Policy,
    make_plan,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.report import (
    ReturnRoutes,
    diff,
    result,
    worksheet_text,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.routes import (
    Line,
    RoutesFile,
    Row,
    as_text,
    from_text,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.setting import SearchList
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.state import HostState, Table
from ansible_collections.postmaster.exchange.plugins.module_utils._run.changed_domains import (
    changed_domains,
    table_rows,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._run.routes import Route
from imc_fake_host import table

CONTENT = table(
    "aol.com;198.51.100.9;0", "partner.corp;10.1.2.3;0", "slow.example;192.0.2.9;7", "odd one"
)
STATE = HostState(
    service=Service(ServiceState.RUNNING, 2),
    value=None,
    table=Table("imccopy", CONTENT, RoutesFile.parse(CONTENT)),
)
DESIRED = Desired(
    SearchList.DISABLED,
    (
        Route("aol.com", ("198.51.100.12",)),
        Route("nestle.com", ("192.0.2.25", "192.0.2.26")),
        Route("slow.example", (), "temporary_failure"),
    ),
)


def shown(plan: ImcPlan, wanted: ReturnRoutes = ReturnRoutes.ALL) -> dict[str, Any]:
    return result(plan, STATE, None, "mail5-a", wanted)


def test_the_diff_is_columns_with_the_reason_why_a_row_stays() -> None:
    registry, routes = diff(make_plan(STATE, DESIRED, Policy()), "mail5-a")
    assert registry == {
        "before_header": "mail5-a: MSExchangeIMC Parameters",
        "after_header": "mail5-a: MSExchangeIMC Parameters",
        "before": "DisableResolverSearchList (absent)\n",
        "after": "DisableResolverSearchList REG_DWORD 1\n",
    }
    assert routes["before_header"] == "mail5-a: delivery routes"
    assert routes["before"] == (
        "aol.com       198.51.100.9\n"
        "partner.corp  10.1.2.3          (not managed, kept)\n"
        "slow.example  192.0.2.9 flag 7  (temporary failure, kept)\n"
        "odd one  (not managed, kept)\n"
    )
    assert routes["after"] == (
        "aol.com       198.51.100.12\n"
        "partner.corp  10.1.2.3          (not managed, kept)\n"
        "slow.example  192.0.2.9 flag 7  (temporary failure, kept)\n"
        "odd one  (not managed, kept)\n"
        "nestle.com    192.0.2.25\n"
        "nestle.com    192.0.2.26\n"
    )


def test_the_result_tells_registry_and_routes_as_data() -> None:
    facts = shown(make_plan(STATE, DESIRED, Policy()))
    assert facts["registry"] == {
        "before": None,
        "after": {"name": "DisableResolverSearchList", "type": "REG_DWORD", "data": 1},
    }
    assert facts["routes"]["before"][0] == {
        "domain": "aol.com",
        "address": "198.51.100.9",
        "flag": "0",
    }
    assert facts["routes"]["before"][3] == {"raw": "odd one"}
    assert len(facts["routes"]["after"]) == 6


def test_a_worksheet_is_in_columns() -> None:
    rows = [ManualRow("enter", "nestle.com", "192.0.2.25"), ManualRow("remove", "a.example")]
    assert worksheet_text(rows) == "enter   nestle.com  192.0.2.25\nremove  a.example"


def test_only_rows_of_changed_domains_are_shown_on_request() -> None:
    plan = make_plan(STATE, DESIRED, Policy())
    whole = shown(plan)["routes"]
    short = shown(plan, ReturnRoutes.CHANGED)["routes"]
    domains = set(changed_domains({"routes": whole}))
    assert domains
    assert {row["domain"].lower() for side in short.values() for row in side} == domains
    assert changed_domains({"routes": short}) == changed_domains({"routes": whole})
    for side, rows in short.items():
        assert rows == [row for row in whole[side] if row.get("domain", "").lower() in domains]


def test_the_text_of_the_rows_says_the_same() -> None:
    plan = make_plan(STATE, DESIRED, Policy())
    short = shown(plan, ReturnRoutes.CHANGED)
    text = shown(plan, ReturnRoutes.TEXT)
    assert (text["routes"], short["routes_text"]) == (None, None)
    assert table_rows(text) == (short["routes"]["before"], short["routes"]["after"])
    assert changed_domains(text) == changed_domains(short) != []


def test_rows_that_are_none_come_through_as_text() -> None:
    rows = [Row(Line(f"+{raw}")) for raw in ("odd one", "a.example;192.0.2.1;0", "", "x;;")]
    assert from_text(as_text(rows)) == rows
    assert from_text(as_text([rows[2]])) == [rows[2]]
    assert from_text(as_text([])) == []
