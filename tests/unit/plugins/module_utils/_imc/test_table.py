# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How rows change: the laws of the table."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.plan import (
    Desired,
    State,
    edit,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.routes import Line, Row
from ansible_collections.postmaster.exchange.plugins.module_utils._run.routes import (
    GONE_STATUSES,
    STATUSES,
    UNKNOWN_STATUSES,
    Route,
)
from hypothesis import given
from hypothesis import strategies as st


def rows(*texts: str) -> list[Row]:
    return [Row(Line("+" + text)) for text in texts]


def after(
    before: list[Row], *routes: Route, state: State = State.PRESENT, gone: bool = False
) -> list[str]:
    desired = Desired(routes=routes, state=state, removes_missing=gone)
    return [row.raw for row in edit(before, desired).rows]


def ok(domain: str, *addresses: str) -> Route:
    return Route(domain, addresses)


def test_pairs_replace_what_was_there_at_the_same_place() -> None:
    before = rows("a.example;192.0.2.1;0", "aol.com;198.51.100.9;0", "b.example;192.0.2.2;0")
    assert after(before, ok("aol.com", "198.51.100.12", "198.51.100.13")) == [
        "a.example;192.0.2.1;0",
        "aol.com;198.51.100.12;0",
        "aol.com;198.51.100.13;0",
        "b.example;192.0.2.2;0",
    ]


def test_rows_that_stay_keep_spelling_and_flag_in_the_wanted_order() -> None:
    before = rows("NESTLE.COM;192.0.2.26;7", "x;1.1.1.1;0", "Nestle.Com;192.0.2.25;0")
    assert after(before, ok("nestle.com", "192.0.2.25", "192.0.2.26", "192.0.2.27")) == [
        "Nestle.Com;192.0.2.25;0",
        "NESTLE.COM;192.0.2.26;7",
        "nestle.com;192.0.2.27;0",
        "x;1.1.1.1;0",
    ]


def test_rows_stay_where_a_short_lived_answer_shares_one_of_them() -> None:
    before = rows("pool.example;192.0.2.9;7", "pool.example;192.0.2.1;0", "x;1.1.1.1;0")
    seen = Route("pool.example", ("192.0.2.1", "192.0.2.2"), short_lived=True)
    assert after(before, seen) == [row.raw for row in before]
    assert after(before, seen, state=State.EXACT) == [row.raw for row in before[:2]]
    assert after(before[2:], seen)[1:] == ["pool.example;192.0.2.1;0", "pool.example;192.0.2.2;0"]
    other = Route("pool.example", ("192.0.2.2",), short_lived=True)
    assert after(before, other)[0] == "pool.example;192.0.2.2;0"


def test_new_domains_come_last_in_the_order_given() -> None:
    before = rows("z.example;192.0.2.9;0")
    assert after(before, ok("b.example", "192.0.2.1"), ok("a.example", "192.0.2.2")) == [
        "z.example;192.0.2.9;0",
        "b.example;192.0.2.1;0",
        "a.example;192.0.2.2;0",
    ]


def test_a_listed_domain_loses_doubles_and_what_cannot_be_parsed() -> None:
    before = rows("a.example;192.0.2.1;0", "a.example;192.0.2.1;0", "a.example;192.0.2.1")
    assert after(before, ok("a.example", "192.0.2.1")) == ["a.example;192.0.2.1;0"]


def test_rows_of_others_stay_doubled_and_odd_as_they_are() -> None:
    odd = ["x;y;0", "x;y;0", "no row at all", "", "a.example", "x;y;0;z", "caf\xe9;192.0.2.1;0"]
    assert after(rows(*odd), ok("b.example", "192.0.2.1"))[:-1] == odd


def test_subdomains_and_similar_names_are_others() -> None:
    before = rows(
        "mail.nestle.com;192.0.2.1;0", "nestle.co;192.0.2.1;0", "*.nestle.com;192.0.2.1;0"
    )
    assert after(before, ok("nestle.com", "192.0.2.9"))[:3] == [row.raw for row in before]


def test_absent_removes_the_listed_only() -> None:
    before = rows("a.example;192.0.2.1;0", "B.example;192.0.2.2;0")
    assert after(before, ok("b.example"), state=State.ABSENT) == ["a.example;192.0.2.1;0"]


def test_exact_removes_the_unlisted_and_keeps_what_is_no_row() -> None:
    before = rows("a.example;192.0.2.1;0", "strange", "b.example;192.0.2.2;0")
    assert after(before, ok("b.example", "192.0.2.2"), state=State.EXACT) == [
        "strange",
        "b.example;192.0.2.2;0",
    ]


@pytest.mark.parametrize("state", [State.PRESENT, State.ABSENT, State.EXACT])
@pytest.mark.parametrize("status", sorted(UNKNOWN_STATUSES))
def test_what_is_not_known_never_changes_a_row(status: str, state: State) -> None:
    before = rows("a.example;192.0.2.1;0", "a.example;192.0.2.1;0", "A.EXAMPLE;192.0.2.3;4")
    route = Route("a.example", ("192.0.2.99",), status)
    desired = Desired(routes=(route,), state=state, removes_missing=True)
    change = edit(before, desired)
    assert list(change.rows) == before
    assert status in change.kept["a.example"]
    assert "3 rows kept" in change.kept["a.example"]


@pytest.mark.parametrize("status", sorted(GONE_STATUSES))
def test_a_gone_domain_keeps_its_rows_unless_told_otherwise(status: str) -> None:
    before = rows("a.example;192.0.2.1;0")
    route = Route("a.example", (), status)
    assert after(before, route) == ["a.example;192.0.2.1;0"]
    assert after(before, route, state=State.EXACT) == ["a.example;192.0.2.1;0"]
    assert after(before, route, gone=True) == []
    assert "missing_domain: remove" in edit(before, Desired(routes=(route,))).kept["a.example"]
    assert edit([], Desired(routes=(route,))).kept == {}


def test_a_domain_that_one_name_server_alone_denies_keeps_its_rows() -> None:
    before = rows("a.example;192.0.2.1;0")
    route = Route("a.example", (), "no_such_domain", unconfirmed=True)
    assert after(before, route, gone=True) == ["a.example;192.0.2.1;0"]
    assert after(before, route, state=State.ABSENT) == []
    why = edit(before, Desired(routes=(route,), removes_missing=True)).kept["a.example"]
    assert why == "only one name server reports that it does not exist; its 1 row kept"


DOMAINS = ["a.example", "b.example", "c.example"]
ADDRESSES = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
ANY_CASE = st.sampled_from(DOMAINS).flatmap(lambda x: st.sampled_from([x, x.upper(), x.title()]))
ROWS = st.lists(
    st.one_of(
        st.builds(
            "{};{};{}".format, ANY_CASE, st.sampled_from(ADDRESSES), st.sampled_from(["0", "1"])
        ),
        st.text("a;.0 ", max_size=8),
    ),
    max_size=8,
).map(lambda texts: rows(*texts))
ROUTES = st.lists(
    st.builds(
        Route,
        st.sampled_from([*DOMAINS, "d.example"]),
        st.lists(st.sampled_from(ADDRESSES), min_size=1, unique=True).map(tuple),
        st.sampled_from(STATUSES),
    ),
    unique_by=lambda route: route.domain,
).map(tuple)
DESIRED = st.builds(
    Desired,
    routes=ROUTES,
    state=st.sampled_from([State.PRESENT, State.ABSENT, State.EXACT]),
    removes_missing=st.booleans(),
)


@given(ROWS, DESIRED)
def test_law_doing_it_twice_changes_nothing_more(before: list[Row], desired: Desired) -> None:
    once = edit(before, desired).rows
    assert edit(once, desired).rows == once


@given(ROWS, DESIRED)
def test_law_rows_of_others_are_the_same_bytes_in_the_same_order(
    before: list[Row], desired: Desired
) -> None:
    listed = {route.domain for route in desired.routes or ()}

    def others(found: tuple[Row, ...] | list[Row]) -> list[str]:
        exact = desired.state is State.EXACT
        return [
            row.line.text
            for row in found
            if row.key not in listed and not (exact and row.well_formed)
        ]

    assert others(edit(before, desired).rows) == others(before)


@given(ROWS, DESIRED)
def test_law_a_listed_domain_has_its_pairs_in_order(before: list[Row], desired: Desired) -> None:
    found = edit(before, desired).rows
    for route in desired.routes or ():
        wanted = desired.rows_of(route)
        if wanted is not None:
            assert [row.target for row in found if row.key == route.domain] == list(wanted)
