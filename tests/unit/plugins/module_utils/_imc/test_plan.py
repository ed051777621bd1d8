# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: a pure function of what a host has and what it is to have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.host import (
    VALUE_NAME,
    Service,
    ServiceState,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.plan import (
    Desired,
    ImcPlan,
    Policy,
    Saved,
    ServiceStep,
    State,
    make_plan,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.report import (
    ReturnRoutes,
    diff,
    result,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.routes import RoutesFile
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.seen import SeenMail
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.setting import (
    DISABLED,
    SearchList,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.state import (
    HostState,
    Journal,
    Table,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._mail.delivery import NextHop
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.parse import RegistryValue
from ansible_collections.postmaster.exchange.plugins.module_utils._run.routes import STATUSES, Route
from hypothesis import given
from hypothesis import strategies as st
from imc_fake_host import table

RUNNING = Service(ServiceState.RUNNING, 2)
NESTLE = Route("nestle.com", ("192.0.2.25",))
WANTED = Desired(SearchList.DISABLED, (NESTLE,))


def host(*rows: str, **more: Any) -> HostState:
    content = table(*rows)
    fields = {
        "service": RUNNING,
        "value": None,
        "table": Table("imccopy", content, RoutesFile.parse(content)),
    }
    return HostState(**{**fields, **more})


def applied(state: HostState, plan: ImcPlan) -> HostState:
    """The host once a plan was carried out."""
    assert state.table
    assert plan.table
    content = plan.table.after.render()
    found = Table(state.table.imccopy, content, RoutesFile.parse(content))
    return HostState(service=state.service, value=plan.setting.after, table=found)


def test_an_untreated_host() -> None:
    plan = make_plan(host("partner.corp;10.1.2.3;0"), WANTED, Policy())
    assert plan.changed
    assert plan.writes
    assert plan.service is ServiceStep.RESTART
    assert plan.setting.after == DISABLED
    assert plan.table
    assert [row.raw for row in plan.table.after.rows] == [
        "partner.corp;10.1.2.3;0",
        "nestle.com;192.0.2.25;0",
    ]


def test_a_treated_host() -> None:
    plan = make_plan(host("NESTLE.COM;192.0.2.25;3", value=DISABLED), WANTED, Policy())
    assert not plan.changed
    assert plan.service is ServiceStep.NONE
    assert not plan.restart_required
    assert diff(plan, "mail5-a") == []


@pytest.mark.parametrize(
    ("service", "journal", "may_restart", "step", "required"),
    [
        (RUNNING, None, True, ServiceStep.RESTART, False),
        (RUNNING, None, False, ServiceStep.NONE, True),
        (Service(ServiceState.START_PENDING, 2), None, True, ServiceStep.RESTART, False),
        (Service(ServiceState.RUNNING, 4), None, True, ServiceStep.NONE, True),
        (Service(ServiceState.STOPPED, 2), None, True, ServiceStep.NONE, False),
        (Service(ServiceState.STOPPED, 4), None, True, ServiceStep.NONE, False),
        (Service(ServiceState.STOP_PENDING, 2), None, True, ServiceStep.NONE, False),
        (Service(ServiceState.PAUSED, 2), None, True, ServiceStep.NONE, False),
        # Stopped by a run that broke off, and not by an administrator.
        (Service(ServiceState.STOPPED, 2), Journal("x", True), True, ServiceStep.START, False),
        (Service(ServiceState.STOPPED, 2), Journal("x", True), False, ServiceStep.NONE, True),
        (Service(ServiceState.STOPPED, 2), Journal("x", False), True, ServiceStep.NONE, False),
        (RUNNING, Journal("x", True), True, ServiceStep.RESTART, False),
    ],
)
def test_what_the_service_needs(
    service: Service, journal: Journal | None, may_restart: bool, step: ServiceStep, required: bool
) -> None:
    plan = make_plan(host(service=service, journal=journal), WANTED, Policy(may_restart))
    assert (plan.service, plan.restart_required) == (step, required)


def test_a_broken_run_is_taken_up_though_settings_are_right() -> None:
    state = host("nestle.com;192.0.2.25;0", value=DISABLED, journal=Journal("2026-x", True))
    plan = make_plan(state, WANTED, Policy())
    assert plan.changed
    assert not plan.writes
    assert plan.service is ServiceStep.RESTART
    assert plan.interrupted == Journal("2026-x", True)


def test_the_size_of_the_table_is_warned_of_above_the_limit_only() -> None:
    state = host(*(f"d{x}.example;192.0.2.1;0" for x in range(9)), value=DISABLED)
    assert make_plan(state, WANTED, Policy(max_routes=10)).warnings == ()
    assert "10 rows" in make_plan(state, WANTED, Policy(max_routes=9)).warnings[0]
    assert make_plan(state, WANTED, Policy(max_routes=0)).warnings == ()
    assert make_plan(replace(state, build=2653), WANTED, Policy(max_routes=9)).warnings == ()


def test_no_restart_into_a_table_with_malformed_rows_unless_forced() -> None:
    rows = ("anlsf.msbp.co", "nestle.com;192.0.2.25;0")
    (refusal,) = make_plan(host(*rows), WANTED, Policy()).refusals
    assert "1 row of the route table is malformed ('anlsf.msbp.co')" in refusal.reason
    forced = make_plan(host(*rows), WANTED, Policy(force=True))
    assert forced.refusals == ()
    assert "a rollback would not help" in forced.warnings[0]
    stopped = host(*rows, service=Service(ServiceState.STOPPED, 2))
    for state, end in (
        (host(*rows, value=DISABLED), "will not start again (event 4056, Q182522)."),
        (stopped, "does not start with such rows (event 4056, Q182522)."),
    ):
        plan = make_plan(state, WANTED, Policy())
        assert plan.refusals == ()
        assert plan.warnings[0].endswith(end)
    healed = Saved(None, RoutesFile.parse(table("nestle.com;192.0.2.25;0")))
    restored = make_plan(host(*rows), Desired(state=State.RESTORED), Policy(), healed)
    assert restored.refusals == ()


def test_rows_that_articles_know_are_read_as_they_are() -> None:
    known = ("#list.example;10.1.2.3;0", "two.example;10.1.2.3,10.1.2.4;0", "dns.example;;0")
    plan = make_plan(host(*known), WANTED, Policy())
    assert plan.refusals == plan.warnings == ()
    assert "dns.example    (uses DNS)" in diff(plan, "x")[1]["before"]
    plan = make_plan(host("#nestle.com;10.1.2.3;0", "a.example;gw.example.;0"), WANTED, Policy())
    dotted, exact = plan.warnings
    assert "end in a dot ('a.example;gw.example.;0')" in dotted
    assert "'#nestle.com;10.1.2.3;0'" in exact


def test_rows_by_a_short_name_are_warned_of_before_the_search_list_goes() -> None:
    rows = ("gw.example;10.1.2.3, mail;0",)
    (warning,) = make_plan(host(*rows), WANTED, Policy()).warnings
    assert "names without a domain (mail)" in warning
    assert make_plan(host(*rows, value=DISABLED), WANTED, Policy()).warnings == ()


def test_a_node_of_a_cluster_is_never_changed() -> None:
    (refusal,) = make_plan(host(cluster=True), WANTED, Policy(force=True)).refusals
    assert "node of a cluster" in refusal.reason
    assert "Cluster Administrator" in refusal.hint
    done = host("nestle.com;192.0.2.25;0", value=DISABLED, cluster=True)
    assert make_plan(done, WANTED, Policy()).refusals == ()


def test_new_pins_past_a_relay_need_leave() -> None:
    def relayed(*rows: str) -> HostState:
        content = table(*rows).replace(b"DefaultRouting=", b"DefaultRouting=10.9.9.9, gw")
        return host(table=Table("imccopy", content, RoutesFile.parse(content)))

    aol = Route("aol.com", ("192.0.2.9",), bypass_relay=True)
    (refusal,) = make_plan(relayed(), Desired(routes=(NESTLE, aol)), Policy(force=True)).refusals
    assert refusal.reason == (
        "the host forwards all mail to '10.9.9.9, gw' and asks no MX, so routes of nestle.com would"
        " bypass that relay"
    )
    assert make_plan(relayed(), Desired(routes=(aol,)), Policy()).refusals == ()
    assert make_plan(relayed("nestle.com;1.2.3.4;0"), WANTED, Policy()).refusals == ()
    gone = Desired(routes=(NESTLE,), state=State.ABSENT)
    assert make_plan(relayed("nestle.com;1.2.3.4;0"), gone, Policy()).refusals == ()
    evidence = make_plan(relayed("nestle.com;1.2.3.4;0"), Desired(routes=(NESTLE, aol)), Policy())
    assert evidence.evidence["relayed"] == {"aol.com": "10.9.9.9, gw"}


def test_settings_that_a_row_cannot_have_are_named() -> None:
    own = Route("aol.com", ("192.0.2.9",), connector=(("port", 2525), ("require_tls", True)))
    plan = make_plan(host(), Desired(routes=(NESTLE, own)), Policy())
    (warning,) = (text for text in plan.warnings if "no effect" in text)
    assert warning.startswith("aol.com: no effect on Exchange 4.0 to 5.5 ('port', 'require_tls').")


def test_subdomains_that_a_route_leads_along_are_named() -> None:
    own = Route("list.nestle.com", ("192.0.2.99",))
    unknown = Route("shop.nestle.com", (), "temporary_failure")
    gone = Route("old.nestle.com", (), "null_mx")
    wanted = Desired(routes=(NESTLE, own, unknown, gone))
    policy = Policy(known_domains=("a.b.nestle.com", "dot.nestle.com", "hq.nestle.com", "aol.com"))
    rows = ("b.nestle.com;10.1.1.1;0", "#hq.nestle.com;10.1.1.1;0")
    plan = make_plan(host(*rows), wanted, policy)
    assert plan.table
    assert "list.nestle.com;192.0.2.99;0" in [row.raw for row in plan.table.after.rows]
    led = [warning for warning in plan.warnings if "also take mail" in warning]
    assert [warning.partition(". ")[0] for warning in led] == [
        "nestle.com: its routes also take mail for shop.nestle.com, dot.nestle.com",
        "b.nestle.com: its routes also take mail for a.b.nestle.com",
    ]


def test_domains_that_a_parents_row_takes_are_returned() -> None:
    seen = SeenMail(("list.nestle.com", "nestle.com"))
    for rows, before in ((("nestle.com;192.0.2.9;0",), True), ((), False)):
        plan = make_plan(host(*rows, seen=seen), WANTED, Policy())
        assert plan.evidence["led_by_parent"] == [
            {
                "domain": "list.nestle.com",
                "parent": "nestle.com",
                "hosts": ["192.0.2.25"],
                "before": before,
                "after": True,
            }
        ]
    assert "also take mail for list.nestle.com" in plan.warnings[0]
    # This run did not add the unmanaged row that the mail goes by.
    foreign = host("corp.example;10.1.2.3;0", seen=SeenMail(("a.corp.example",)))
    assert make_plan(foreign, WANTED, Policy()).warnings == ()


ONE, TWO, THREE = "192.0.2.25", "192.0.2.26", "192.0.2.27"
SEVERAL = Route("nestle.com", (ONE, TWO, THREE))


@pytest.mark.parametrize(
    ("drop", "silent", "build", "rows", "words"),
    [
        (False, (ONE,), 1960, [ONE, TWO, THREE], "silent_exchanges: drop leaves such addresses"),
        (False, (ONE,), 1960, [ONE, TWO, THREE], "Exchange 5.5 SP1 ends the fault (Q182821)"),
        (True, (ONE,), 1460, [TWO, THREE], "A hotfix after Exchange 5.0 SP2"),
        (True, (ONE, THREE), 2653, [TWO], f"{ONE}, {THREE} was left out"),
        (True, (ONE, TWO, THREE), 2653, [ONE, TWO, THREE], "no address was left out"),
    ],
)
def test_silent_servers_are_named_or_left_out(
    drop: bool, silent: tuple[str, ...], build: int, rows: list[str], words: str
) -> None:
    seen = SeenMail(hops=tuple(NextHop(x, (), x in silent) for x in (ONE, TWO, THREE)), read=True)
    state = host(f"nestle.com;{ONE};0", build=build, seen=seen)
    plan = make_plan(state, Desired(routes=(SEVERAL,)), Policy(drops_silent=drop))
    assert plan.table
    assert [row.target for row in plan.table.after.rows] == rows
    assert any(words in warning for warning in plan.warnings)


def test_a_silent_server_of_a_pool_does_not_stay_because_the_pool_changes() -> None:
    pool = Route("nestle.com", (ONE, THREE), short_lived=True)
    seen = SeenMail(hops=(NextHop(ONE, (), True),), read=True)
    plan = make_plan(
        host(f"nestle.com;{ONE};0", f"nestle.com;{TWO};0", seen=seen),
        Desired(routes=(pool,)),
        Policy(drops_silent=True),
    )
    assert plan.table
    assert [row.target for row in plan.table.after.rows] == [TWO]


def test_a_relay_that_only_the_log_shows_is_not_bypassed() -> None:
    def logged(*domains: str, value: RegistryValue | None = DISABLED) -> HostState:
        return host(value=value, seen=SeenMail(domains, (NextHop("10.9.9.9", domains),), read=True))

    three = ("a.example", "b.example", "c.example")
    (refusal,) = make_plan(logged(*three), WANTED, Policy(force=True)).refusals
    assert "forwards all mail to '10.9.9.9' (by its SMTP protocol log)" in refusal.reason
    assert make_plan(logged(*three[:2]), WANTED, Policy()).refusals == ()
    aside = Desired(routes=(Route("nestle.com", (ONE,), bypass_relay=True),))
    assert make_plan(logged(*three), aside, Policy()).refusals == ()
    # The search list can lead all mail to one host, too.
    plan = make_plan(logged(*three, value=None), WANTED, Policy())
    assert plan.refusals == ()
    assert "the search list misroutes all names (Q150969)" in plan.warnings[0]


def test_a_table_not_read_to_the_byte_is_compared_and_not_written() -> None:
    content = table("nestle.com;192.0.2.25;0")
    inexact = Table("imccopy", content, RoutesFile.parse(content), "70 bytes arrived of 142")
    state = HostState(service=RUNNING, value=None, table=inexact)
    assert make_plan(state, WANTED, Policy()).refusals == ()
    other = Desired(routes=(Route("aol.com", ("192.0.2.1",)),))
    assert "70 bytes arrived of 142" in make_plan(state, other, Policy()).refusals[0].reason


def test_faults_of_the_build_are_named_with_the_service_pack_that_ends_them() -> None:
    (warning,) = make_plan(host(build=2650), WANTED, Policy()).warnings
    assert warning == (
        "Exchange 5.5 SP3 (build 2650) has documented faults with several mail servers of a domain"
        " (Q267245, Q265727). Exchange 5.5 SP4 ends them."
    )
    assert make_plan(host(build=2653), WANTED, Policy()).warnings == ()
    digits = Desired(routes=(Route("3com.com", ("192.0.2.25",)),))
    by_hand = host(table=None, no_imccopy=True, build=996)
    (warning,) = make_plan(by_hand, digits, Policy()).warnings
    assert warning.startswith("The Administrator program rejects names that begin with a digit (3c")
    assert make_plan(host(build=996), digits, Policy()).warnings == ()


def test_a_worksheet_says_what_no_tool_can_do() -> None:
    state = HostState(service=RUNNING, value=None, no_imccopy=True)
    routes = (NESTLE, Route("gone.example", (), "null_mx"), Route("slow.example", (), "loop"))
    desired = Desired(routes=routes, state=State.EXACT, removes_missing=True)
    plan = make_plan(state, desired, Policy())
    assert [(row.action, row.domain, row.address) for row in plan.worksheet] == [
        ("enter", "nestle.com", "192.0.2.25"),
        ("remove", "gone.example", ""),
        ("remove", "(every domain not named here)", ""),
    ]


def test_putting_a_backup_back() -> None:
    wrong = RegistryValue(VALUE_NAME.lower(), "REG_SZ", "1")
    saved = Saved(wrong, RoutesFile.parse(table("a.example;192.0.2.1;5")))
    plan = make_plan(host("b.example;192.0.2.2;0"), Desired(state=State.RESTORED), Policy(), saved)
    assert plan.setting.after == wrong
    assert plan.table
    assert plan.table.after == saved.routes
    (registry, routes) = diff(plan, "mail5-a")
    assert registry["after"] == "disableresolversearchlist REG_SZ 1\n"
    assert routes["before"] == "b.example  192.0.2.2\n"
    assert routes["after"] == "a.example  192.0.2.1 flag 5\n"


VALUES = st.sampled_from(
    [
        None,
        DISABLED,
        RegistryValue(VALUE_NAME, "REG_DWORD", "0x0"),
        RegistryValue(VALUE_NAME.lower(), "REG_DWORD", "0x1"),
        RegistryValue(VALUE_NAME, "REG_SZ", "1"),
    ]
)
DOMAINS = ["a.example", "b.example", "c.example"]
ROWS = st.lists(
    st.builds(
        "{};{};{}".format,
        st.sampled_from([*DOMAINS, "A.Example", "C.EXAMPLE", "other"]),
        st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.3", "relay"]),
        st.sampled_from(["0", "1"]),
    ),
    max_size=8,
)
DESIRED = st.builds(
    Desired,
    search_list=st.sampled_from(SearchList),
    routes=st.lists(
        st.builds(
            Route,
            st.sampled_from(DOMAINS),
            st.lists(st.sampled_from(["192.0.2.1", "192.0.2.2"]), min_size=1, unique=True).map(
                tuple
            ),
            st.sampled_from(STATUSES),
        ),
        unique_by=lambda route: route.domain,
    ).map(tuple),
    state=st.sampled_from([State.PRESENT, State.ABSENT, State.EXACT]),
    removes_missing=st.booleans(),
)


@given(ROWS, VALUES, DESIRED)
def test_law_a_plan_carried_out_leaves_nothing_to_do(
    rows: list[str], value: RegistryValue | None, desired: Desired
) -> None:
    state = host(*rows, value=value)
    again = make_plan(applied(state, make_plan(state, desired, Policy())), desired, Policy())
    assert not again.changed
    assert diff(again, "x") == []


@given(ROWS, VALUES, DESIRED)
def test_law_what_is_undone_is_as_before(
    rows: list[str], value: RegistryValue | None, desired: Desired
) -> None:
    before = host(*rows, value=value)
    assert before.table
    after = applied(before, make_plan(before, desired, Policy()))
    saved = Saved(before.value, before.table.file)
    back = applied(after, make_plan(after, desired, Policy(), saved))
    assert back.value == before.value
    assert back.table
    assert back.table.content == before.table.content


@given(ROWS, VALUES, DESIRED)
def test_law_lines_of_the_diff_that_stay_are_the_same_on_both_sides(
    rows: list[str], value: RegistryValue | None, desired: Desired
) -> None:
    state = host(*rows, value=value)
    plan = make_plan(state, desired, Policy())
    listed = {route.domain for route in desired.routes or ()}
    for entry in diff(plan, "x"):
        if "routes" in entry["before_header"]:
            kept = [line for line in entry["before"].splitlines() if "(not managed, kept)" in line]
            assert kept == [x for x in entry["after"].splitlines() if "(not managed, kept)" in x]
            if desired.state is not State.EXACT:
                assert len(kept) == sum(row.split(";")[0].lower() not in listed for row in rows)


@given(ROWS, VALUES, DESIRED)
def test_law_changed_and_diff_say_the_same(
    rows: list[str], value: RegistryValue | None, desired: Desired
) -> None:
    state = host(*rows, value=value)
    plan = make_plan(state, desired, Policy())
    facts = result(plan, state, None, "x", ReturnRoutes.ALL)
    assert plan.changed == bool(facts["diff"])
