# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock: its file reads back as what was written, and a renewal loses nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._lock.lock import (
    Conditions,
    Entry,
    Lock,
    LockedPair,
    renew,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._lock.lock_file import (
    parse,
    render,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)

_LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
DOMAINS = st.builds(
    lambda *labels: ".".join(labels), _LABEL, _LABEL, st.sampled_from(["com", "no", "example"])
)
PAIRS = st.builds(
    LockedPair,
    st.integers(0, 65535),
    DOMAINS,
    st.ip_addresses().map(str),
)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    status = draw(st.sampled_from(["ok", "null_mx", "no_such_domain"]))
    seen = draw(st.none() | TIMES)
    return Entry(
        status,
        tuple(draw(st.lists(PAIRS, min_size=1, max_size=3))) if status == "ok" else (),
        draw(st.booleans()),
        tuple(sorted(draw(st.sets(st.sampled_from(["mx_is_cname", "max_pairs"]))))),
        seen,
        draw(st.none() | st.integers(0, 2**31 - 1)) if seen else None,
    )


_OWN = st.from_regex(r"[a-z0-9._:/-]{1,12}", fullmatch=True)
_TEXTS = st.lists(_OWN, max_size=3).map(tuple)
CONDITIONS = st.builds(
    Conditions,
    st.sampled_from([("ipv4",), ("ipv4", "ipv6")]),
    _TEXTS,
    _TEXTS,
    st.sampled_from(["first", "all"]),
    st.booleans(),
    st.integers(0, 1000),
)
LOCKS = st.builds(Lock, CONDITIONS, st.dictionaries(DOMAINS, entries(), max_size=4))
OK = Entry("ok", (LockedPair(10, "mx.nestle.com", "192.0.2.25"),), seen=NOW, ttl=300)
ELSEWHERE = Entry("ok", (LockedPair(10, "mx.nestle.com", "192.0.2.99"),), seen=NOW, ttl=300)
FAILED = Entry("temporary_failure", seen=NOW)


@given(LOCKS)
def test_what_is_written_reads_back_as_the_same(lock: Lock) -> None:
    assert parse(render(lock).encode(), "lock.yml") == lock


@given(LOCKS)
def test_any_yaml_reader_reads_it(lock: Lock) -> None:
    loaded = yaml.safe_load(render(lock))
    assert set(loaded["domains"]) == set(lock.entries)
    assert loaded["computed_with"]["own_names"] == list(lock.conditions.own_names)


@given(st.dictionaries(DOMAINS, entries(), max_size=5), st.randoms())
def test_the_order_of_domains_makes_no_difference(found: dict[str, Entry], random: Any) -> None:
    shuffled = list(found.items())
    random.shuffle(shuffled)
    assert render(Lock(Conditions(), found)) == render(Lock(Conditions(), dict(shuffled)))


def test_a_change_of_one_address_is_a_change_of_one_line_apart_from_times() -> None:
    old = render(Lock(Conditions(), {"nestle.com": OK, "aol.com": OK}))
    new = render(Lock(Conditions(), {"nestle.com": ELSEWHERE, "aol.com": OK}))
    differing = [
        pair for pair in zip(old.splitlines(), new.splitlines(), strict=True) if len(set(pair)) > 1
    ]
    assert differing == [
        ("      - 10 mx.nestle.com 192.0.2.25", "      - 10 mx.nestle.com 192.0.2.99")
    ]


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_what_is_no_lock_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"The lock lock\.yml cannot be used"):
        parse(content, "lock.yml")


GOOD = render(Lock(Conditions(), {"nestle.com": OK}))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version: 1", "version: 2", "its version is '2', not 1"),
        ("10 mx.nestle.com 192.0.2.25", "10 mx.nestle.com 192.0.2.256", "is not an IP address"),
        ("10 mx.nestle.com 192.0.2.25", "70000 mx.nestle.com 192.0.2.25", "is not a pair"),
        ("10 mx.nestle.com 192.0.2.25", "10 mx&calc.nestle.com 192.0.2.25", "is not a host name"),
        ("status: ok", "status: temporary_failure", "the status must be one of"),
        ("status: ok", "status: null_mx", "must have pairs if its status is ok, and only then"),
        ("  nestle.com:\n    status", "  NESTLE.com:\n    status", "times has 'nestle.com'"),
        ("+300 s", "+99999999999 s", "is not a time and TTL"),
        ("2026-11-23T", "2026-13-23T", "is not a time and TTL"),
        ("allow_private: false", "allow_private: maybe", "must be true or false"),
        ("max_pairs: 0", "max_pairs: -1", "must be 0 or more"),
        ("agreement: first", "agreement: most", "must be one of first, all"),
        ("version: 1", "version: 1\nmore: 1", "the file has 'more'"),
        ("version: 1", "version: &v 1", "anchors"),
        ("domains:", "domains: [", "it is not valid YAML"),
        ("    status: ok", "    status: ok\n    statu: ok", "nestle.com has 'statu'"),
    ],
)
def test_what_is_wrong_in_a_lock_is_named(old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(InvalidInput) as caught:
        parse(GOOD.replace(old, new).encode(), "lock.yml")
    assert said in str(caught.value)


DOUBLE = """\
  nestle.com:
    status: ok
    pairs:
      - 10 mx.nestle.com 203.0.113.66
times:
"""


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("times:\n", DOUBLE, 17),
        ("domains:\n", "domains: {}\ndomains:\n", 13),
        ("    status: ok", "    <<: {status: ok}", 15),
        ("    status: ok", "    status: 'ok'", 15),
        ("    status: ok", "    # reviewed\n    status: ok", 15),
        ("    pairs:", "    implicit_mx: false\n    pairs:", 16),
        ("192.0.2.25", "2001:DB8::1", 17),
        ("+300 s\n", "+300 s\n\n# more\n", 21),
    ],
)
def test_a_lock_in_another_form_is_refused_with_the_line(old: str, new: str, line: int) -> None:
    assert old in GOOD
    with pytest.raises(InvalidInput, match=f"line {line} is "):
        parse(GOOD.replace(old, new).encode(), "lock.yml")


def test_comments_at_the_top_and_ends_of_lines_are_free() -> None:
    other = "# Copyright somebody\n" + GOOD.partition("version")[1] + GOOD.partition("version")[2]
    assert parse(other.replace("\n", "\r\n").encode(), "lock.yml") == parse(GOOD.encode(), "x")


def test_a_small_file_that_would_be_a_huge_one_is_refused() -> None:
    laughs = "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(50))
    with pytest.raises(InvalidInput, match="anchors"):
        parse(laughs.encode(), "lock.yml")
    with pytest.raises(InvalidInput, match=r"nested too deeply|not valid YAML"):
        parse(b"[" * 20_000, "lock.yml")


# -- renewing


def later(entry: Entry, seconds: int) -> Entry:
    return Entry(
        entry.status,
        entry.pairs,
        entry.implicit_mx,
        entry.warnings,
        NOW + timedelta(seconds=seconds),
        entry.ttl,
    )


def test_a_lock_that_is_still_good_stays_as_it_is() -> None:
    old = Lock(Conditions(), {"nestle.com": OK})
    now = NOW + timedelta(seconds=200)
    new = renew(old, Conditions(), {"nestle.com": later(OK, 200)}, now, prune=True)
    assert new.lock is old
    assert not new.changed


def test_times_move_when_they_have_run_out() -> None:
    old = Lock(Conditions(), {"nestle.com": OK})
    now = NOW + timedelta(seconds=301)
    new = renew(old, Conditions(), {"nestle.com": later(OK, 301)}, now, prune=True)
    assert new.lock.entries["nestle.com"].seen == now
    assert not new.changed


def test_what_is_known_is_not_lost_for_a_question_that_failed() -> None:
    old = Lock(Conditions(), {"nestle.com": OK})
    new = renew(old, Conditions(), {"nestle.com": FAILED, "aol.com": FAILED}, NOW, prune=True)
    assert new.lock.entries == {"nestle.com": OK}
    assert (new.kept, new.unknown) == (["nestle.com"], ["aol.com"])


def test_what_was_computed_under_conditions_that_do_not_serve_is_not_kept() -> None:
    old = Lock(Conditions(), {"nestle.com": OK})
    wanted = Conditions(own_names=("mx.nestle.com",))
    new = renew(old, wanted, {"nestle.com": FAILED}, NOW, prune=True)
    assert new.lock.entries == {}
    assert new.unknown == ["nestle.com"]


@pytest.mark.parametrize(
    ("prune", "left"), [(True, ["aol.com"]), (False, ["aol.com", "nestle.com"])]
)
def test_domains_that_were_not_asked_for_leave_only_if_told(prune: bool, left: list[str]) -> None:
    old = Lock(Conditions(), {"nestle.com": OK})
    new = renew(old, Conditions(), {"aol.com": OK}, NOW, prune=prune)
    assert sorted(new.lock.entries) == left
    assert new.changed


@given(LOCKS, CONDITIONS, st.dictionaries(DOMAINS, entries() | st.just(FAILED), max_size=4), TIMES)
def test_renewing_twice_with_the_same_changes_nothing(
    old: Lock, conditions: Conditions, found: dict[str, Entry], now: datetime
) -> None:
    once = renew(old, conditions, found, now, prune=True).lock
    again = renew(once, conditions, found, now, prune=True)
    assert again.lock == once
    assert not again.changed


# -- what becomes of it


def test_a_lock_is_overdue_when_ttl_and_grace_have_run_out() -> None:
    lock = Lock(Conditions(), {"nestle.com": OK, "aol.com": Entry("null_mx", seen=NOW, ttl=4000)})
    assert lock.expired(NOW + timedelta(seconds=300), grace=0) == []
    assert lock.expired(NOW + timedelta(seconds=301), grace=0) == ["nestle.com"]
    assert lock.expired(NOW + timedelta(seconds=301), grace=60) == []
    assert lock.expired(NOW + timedelta(seconds=9000), grace=60) == ["aol.com", "nestle.com"]


def test_what_was_never_seen_is_overdue() -> None:
    assert Lock(Conditions(), {"nestle.com": Entry("null_mx")}).expired(NOW, grace=0) == [
        "nestle.com"
    ]


def test_a_failed_question_is_no_move() -> None:
    lock = Lock(Conditions(), {"a.example": OK, "b.example": OK, "c.example": OK})
    live = {
        "a.example": ELSEWHERE,
        "b.example": FAILED,
        "c.example": later(OK, 900),
        "d.example": OK,
    }
    assert lock.moved(live) == ["a.example"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Conditions(), []),
        (Conditions(own_names=("a.example",)), []),
        (Conditions(own_names=("b.example",)), ["own_names without b.example"]),
        (Conditions(families=("ipv6",)), ["families without ipv6"]),
        (Conditions(max_pairs=2), ["max_pairs 0 instead of 2"]),
        (Conditions(allow_private=True), ["allow_private false instead of true"]),
    ],
)
def test_pairs_serve_only_under_conditions_like_their_own(
    wanted: Conditions, said: list[str]
) -> None:
    assert Conditions(own_names=("a.example",)).unlike(wanted) == said
