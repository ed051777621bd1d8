# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules from answers to pairs: each one by example, and the laws over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_network
from random import Random

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.addresses import (
    sort_key,
    why_not_global,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.model import (
    Answer,
    AnswerKind,
    DomainResult,
    DomainSettings,
    Failure,
    Mx,
    Networks,
    Pair,
    Policy,
    Question,
    RecordType,
    Status,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.rules import (
    Answers,
    agreed,
    decide,
    locate,
    plan,
)
from hypothesis import given
from hypothesis import strategies as st

DOMAIN = "nestle.com"
LAB = Policy()
PRIVATE = DomainSettings(allow_private=True)


def _mx(*records: tuple[int, str], ttl: int | None = 300) -> Answer:
    return Answer(
        Question(DOMAIN, RecordType.MX),
        AnswerKind.ANSWER,
        mx=tuple(Mx(preference, exchange) for preference, exchange in records),
        ttl=ttl,
    )


def _nothing(kind: AnswerKind, name: str = DOMAIN, rdtype: RecordType = RecordType.MX) -> Answer:
    question = Question(name, rdtype)
    failures = () if kind.definite else (Failure(question, kind, "192.0.2.53:53", "no"),)
    return Answer(question, kind, failures=failures)


def _a(name: str, *addresses: str, chain: tuple[str, ...] = (), ttl: int | None = 300) -> Answers:
    question = Question(name, RecordType.A)
    kind = AnswerKind.ANSWER if addresses else AnswerKind.NO_DATA
    return (Answer(question, kind, texts=addresses, chain=chain, ttl=ttl),)


def _decide(
    mx: Answer,
    addresses: Mapping[str, Answers],
    policy: Policy = LAB,
    settings: DomainSettings = PRIVATE,
) -> DomainResult:
    located = {name: locate(answers) for name, answers in addresses.items()}
    return decide(plan(DOMAIN, mx, policy), located, policy, settings)


def _codes(result: DomainResult) -> list[str]:
    return [note.code for note in result.warnings]


def _short(result: DomainResult) -> list[tuple[int, str, str]]:
    return [(pair.preference, pair.exchange, pair.address) for pair in result.pairs]


def test_rule_3_pairs_are_sorted_by_preference_exchange_and_number() -> None:
    result = _decide(
        _mx((20, "c.x"), (10, "b.x"), (10, "a.x")),
        {
            "a.x": _a("a.x", "192.0.2.100", "192.0.2.9"),
            "b.x": _a("b.x", "192.0.2.1"),
            "c.x": _a("c.x", "10.0.0.1"),
        },
    )
    assert _short(result) == [
        (10, "a.x", "192.0.2.9"),
        (10, "a.x", "192.0.2.100"),
        (10, "b.x", "192.0.2.1"),
        (20, "c.x", "10.0.0.1"),
    ]


def test_rule_4_without_mx_the_domain_is_its_own_exchange() -> None:
    result = _decide(_nothing(AnswerKind.NO_DATA), {DOMAIN: _a(DOMAIN, "192.0.2.1")})
    assert (result.status, result.implicit_mx) == (Status.OK, True)
    assert _short(result) == [(0, DOMAIN, "192.0.2.1")]


def test_rule_4_without_mx_and_address_there_is_nothing() -> None:
    result = _decide(_nothing(AnswerKind.NO_DATA), {DOMAIN: _a(DOMAIN)})
    assert (result.status, result.implicit_mx) == (Status.NO_ADDRESS, False)


@pytest.mark.parametrize("kind", [kind for kind in AnswerKind if not kind.definite])
def test_rule_4_an_error_is_no_implicit_mx(kind: AnswerKind) -> None:
    planned = plan(DOMAIN, _nothing(kind), LAB)
    assert (planned.exchanges, planned.status) == ((), Status.TEMPORARY_FAILURE)


def test_rule_4_mx_without_addresses_never_fall_back_to_the_domain() -> None:
    result = _decide(_mx((10, "a.x")), {"a.x": _a("a.x"), DOMAIN: _a(DOMAIN, "192.0.2.1")})
    assert (result.status, result.pairs) == (Status.NO_ADDRESS, ())


def test_rule_5_null_mx() -> None:
    result = _decide(_mx((0, ".")), {})
    assert (result.status, result.pairs, result.ttl) == (Status.NULL_MX, (), 300)


def test_rule_5_a_root_beside_other_mx_is_left_out() -> None:
    result = _decide(_mx((0, "."), (10, "a.x")), {"a.x": _a("a.x", "192.0.2.1")})
    assert (result.status, _codes(result)) == (Status.OK, ["null_mx_ignored"])
    assert _short(result) == [(10, "a.x", "192.0.2.1")]


def test_rule_5_a_root_with_another_preference_is_no_null_mx() -> None:
    assert _decide(_mx((10, ".")), {}).status is Status.NO_ADDRESS


def test_rule_6_an_exchange_that_is_an_alias_counts_and_is_told() -> None:
    result = _decide(_mx((10, "a.x")), {"a.x": _a("a.x", "192.0.2.1", chain=("b.x", "c.x"))})
    assert _short(result) == [(10, "a.x", "192.0.2.1")]
    assert _codes(result) == ["mx_is_cname"]
    assert dict(result.warnings[0].facts)["target"] == "c.x"


def test_rule_6_a_domain_that_is_an_alias_is_its_own_exchange_without_warning() -> None:
    result = _decide(
        _nothing(AnswerKind.NO_DATA), {DOMAIN: _a(DOMAIN, "192.0.2.1", chain=("b.x",))}
    )
    assert (_short(result), _codes(result)) == ([(0, DOMAIN, "192.0.2.1")], [])


def test_rule_6_an_alias_of_nothing_is_no_domain() -> None:
    lost = _nothing(AnswerKind.NO_SUCH_NAME)._replace(chain=("gone.x",))
    result = _decide(lost, {})
    assert (result.status, _codes(result)) == (Status.NO_SUCH_DOMAIN, ["alias_to_nowhere"])


@pytest.mark.parametrize(
    ("exchange", "code"),
    [
        ("192.0.2.1", "mx_is_address"),
        ("2001:db8::1", "mx_is_address"),
        ("$(id).x", "mx_is_no_host"),
        ("a\\032b.x", "mx_is_no_host"),
    ],
)
def test_rule_7_an_mx_that_is_no_name_is_left_out(exchange: str, code: str) -> None:
    result = _decide(_mx((5, exchange), (10, "a.x")), {"a.x": _a("a.x", "192.0.2.7")})
    assert _short(result) == [(10, "a.x", "192.0.2.7")]
    assert _codes(result) == [code]


def test_rule_8_an_own_name_takes_the_worse_exchanges_with_it() -> None:
    ours = replace(LAB, own_names=frozenset({"b.x"}))
    mx = _mx((5, "a.x"), (10, "b.x"), (10, "c.x"), (20, "d.x"))
    planned = plan(DOMAIN, mx, ours)
    assert planned.exchanges == (Mx(5, "a.x"),)  # the addresses of the others are not even asked
    result = decide(planned, {"a.x": locate(_a("a.x", "192.0.2.1"))}, ours, PRIVATE)
    assert _short(result) == [(5, "a.x", "192.0.2.1")]
    assert dict(result.warnings[0].facts)["dropped"] == 3


def test_rule_8_an_own_address_takes_the_worse_exchanges_with_it() -> None:
    ours = Policy(own_networks=Networks((ip_network("10.0.0.0/8"),)))
    result = _decide(
        _mx((5, "a.x"), (10, "b.x"), (20, "c.x")),
        {
            "a.x": _a("a.x", "9.9.9.9"),
            "b.x": _a("b.x", "8.8.8.8", "10.1.1.1"),
            "c.x": (_nothing(AnswerKind.TIMEOUT, "c.x", RecordType.A),),  # does not matter any more
        },
        ours,
    )
    assert (result.status, _codes(result)) == (Status.OK, ["own_exchange"])
    assert _short(result) == [(5, "a.x", "9.9.9.9")]


def test_rule_8_an_alias_of_an_own_name_is_ours() -> None:
    ours = replace(LAB, own_names=frozenset({"mail.hq"}))
    result = _decide(_mx((5, "a.x")), {"a.x": _a("a.x", "192.0.2.1", chain=("mail.hq",))}, ours)
    assert result.status is Status.LOOP


@pytest.mark.parametrize(
    "ours",
    [
        replace(LAB, own_names=frozenset({"a.x"})),
        replace(LAB, own_networks=Networks((ip_network("192.0.2.1"),))),
    ],
)
def test_rule_8_nothing_left_is_a_loop(ours: Policy) -> None:
    mx = _mx((5, "a.x"), (10, "b.x"))
    addresses = {"a.x": _a("a.x", "192.0.2.1"), "b.x": _a("b.x", "192.0.2.2")}
    result = _decide(mx, addresses, ours)
    assert (result.status, result.pairs) == (Status.LOOP, ())
    implicit = replace(ours, own_names=ours.own_names | {DOMAIN} if ours.own_names else frozenset())
    result = _decide(_nothing(AnswerKind.NO_DATA), {DOMAIN: _a(DOMAIN, "192.0.2.1")}, implicit)
    assert result.status is Status.LOOP


def test_rule_8_while_our_own_addresses_are_not_known_nothing_is() -> None:
    unknown = _nothing(AnswerKind.TIMEOUT, "mail.hq", RecordType.A).failures
    result = _decide(
        _mx((5, "a.x")), {"a.x": _a("a.x", "192.0.2.1")}, replace(LAB, own_unknown=unknown)
    )
    assert (result.status, result.failures) == (Status.TEMPORARY_FAILURE, unknown)


def test_rule_9_an_exchange_without_address_is_left_out() -> None:
    result = _decide(
        _mx((5, "a.x"), (7, "n.x"), (10, "b.x")),
        {
            "a.x": _a("a.x"),
            "n.x": (_nothing(AnswerKind.NO_SUCH_NAME, "n.x", RecordType.A),),
            "b.x": _a("b.x", "192.0.2.1"),
        },
    )
    assert _short(result) == [(10, "b.x", "192.0.2.1")]
    assert _codes(result) == ["exchange_without_address"] * 2
    assert "does not exist" in result.warnings[1].message


def test_rule_10_both_families_stand_together() -> None:
    v6 = Answer(Question("a.x", RecordType.AAAA), AnswerKind.ANSWER, texts=("2001:db8::1",), ttl=60)
    result = _decide(_mx((5, "a.x")), {"a.x": (*_a("a.x", "192.0.2.1"), v6)})
    assert [(p.address, p.ttl) for p in result.pairs] == [("192.0.2.1", 300), ("2001:db8::1", 60)]


def test_rule_11_addresses_that_are_not_global_are_left_out_unless_wanted() -> None:
    mx, addresses = _mx((5, "a.x")), {"a.x": _a("a.x", "10.0.0.1", "127.0.0.1", "8.8.8.8")}
    result = _decide(mx, addresses, settings=DomainSettings())
    assert _short(result) == [(5, "a.x", "8.8.8.8")]
    assert _codes(result) == ["address_not_global"] * 2
    assert [x.address for x in _decide(mx, addresses).pairs] == ["8.8.8.8", "10.0.0.1"]  # rule 24


def test_rule_12_an_address_counts_once_at_its_best_preference() -> None:
    result = _decide(
        _mx((10, "a.x"), (5, "b.x"), (20, "c.x")),
        {name: _a(name, "192.0.2.1") for name in ("a.x", "b.x", "c.x")},
    )
    assert _short(result) == [(5, "b.x", "192.0.2.1")]


def test_rule_13_no_such_domain() -> None:
    result = _decide(_nothing(AnswerKind.NO_SUCH_NAME), {})
    assert (result.status, result.failures) == (Status.NO_SUCH_DOMAIN, ())


@pytest.mark.parametrize("kind", [kind for kind in AnswerKind if not kind.definite])
def test_rule_14_part_of_a_table_is_not_a_table(kind: AnswerKind) -> None:
    failed = _nothing(kind, "b.x", RecordType.A)
    result = _decide(
        _mx((5, "a.x"), (10, "b.x")), {"a.x": _a("a.x", "192.0.2.1"), "b.x": (failed,)}
    )
    assert (result.status, result.pairs, result.ttl) == (Status.TEMPORARY_FAILURE, (), None)
    assert result.failures == failed.failures


def test_rule_16_what_name_servers_agree_on() -> None:
    same = [
        DomainResult(DOMAIN, Status.OK, (Pair(5, "a.x", "192.0.2.1", ttl),), ttl=ttl)
        for ttl in (300, 20)
    ]
    result = agreed((("one", same[0]), ("two", same[1])))
    assert (result.status, result.ttl) == (Status.OK, 20)
    assert result.pairs == (Pair(5, "a.x", "192.0.2.1", 20),)
    assert [view.nameserver for view in result.views] == ["one", "two"]


def test_rule_16_what_name_servers_differ_in() -> None:
    one = DomainResult(DOMAIN, Status.OK, (Pair(5, "a.x", "192.0.2.1", 300),), ttl=300)
    two = one._replace(pairs=(Pair(5, "a.x", "192.0.2.2", 300),))
    gone = DomainResult(DOMAIN, Status.NO_SUCH_DOMAIN)
    failed = DomainResult(DOMAIN, Status.TEMPORARY_FAILURE)
    for views, status in (
        ((one, two), Status.DISAGREEMENT),
        ((one, gone), Status.DISAGREEMENT),
        ((failed, one, two), Status.DISAGREEMENT),
        ((one, failed), Status.TEMPORARY_FAILURE),
        ((failed, gone), Status.TEMPORARY_FAILURE),
    ):
        result = agreed(tuple((str(n), view) for n, view in enumerate(views)))
        assert (result.status, result.pairs, result.ttl) == (status, (), None)
        assert [view.pairs for view in result.views] == [view.pairs for view in views]


def test_rule_20_the_smallest_time_to_live_counts() -> None:
    result = _decide(
        _mx((5, "a.x"), (10, "b.x"), ttl=200),
        {"a.x": _a("a.x", "192.0.2.1", ttl=300), "b.x": _a("b.x", "192.0.2.2", ttl=100)},
    )
    assert [pair.ttl for pair in result.pairs] == [200, 100]
    assert result.ttl == 100


def test_max_pairs_keeps_the_best_and_says_so() -> None:
    mx, addresses = _mx((5, "a.x")), {"a.x": _a("a.x", "192.0.2.2", "192.0.2.1", "192.0.2.3")}
    result = _decide(mx, addresses, replace(LAB, max_pairs=2))
    assert [pair.address for pair in result.pairs] == ["192.0.2.1", "192.0.2.2"]
    assert _codes(result) == ["max_pairs"]
    assert _codes(_decide(mx, addresses, replace(LAB, max_pairs=3))) == []


# Laws that hold for every DNS answer.

_names = st.sampled_from(["a.x", "b.x", "c.x", "ours.x", "192.0.2.1", ".", "b ad.x", DOMAIN])
_texts = st.one_of(
    st.sampled_from(["10.0.0.1", "8.8.8.8", "9.9.9.9", "127.0.0.1"]),
    st.ip_addresses(v=4).map(str),
)
_kinds = st.sampled_from(
    [
        AnswerKind.ANSWER,
        AnswerKind.ANSWER,
        AnswerKind.NO_DATA,
        AnswerKind.NO_SUCH_NAME,
        AnswerKind.TIMEOUT,
    ]
)
_policies = st.builds(
    Policy,
    own_names=st.sampled_from([frozenset(), frozenset({"ours.x"})]),
    own_networks=st.sampled_from([Networks(), Networks((ip_network("9.9.9.9"),))]),
    max_pairs=st.integers(0, 3),
)


@st.composite
def _worlds(draw: st.DrawFn) -> tuple[Answer, dict[str, Answers]]:
    """Some MX answer of a domain, and an answer for each exchange that it could name."""
    kind = draw(_kinds)
    records = draw(st.lists(st.tuples(st.integers(0, 3), _names), min_size=1, max_size=6))
    mx = _mx(*sorted(set(records))) if kind is AnswerKind.ANSWER else _nothing(kind)
    addresses: dict[str, Answers] = {}
    for name in ("a.x", "b.x", "c.x", "ours.x", DOMAIN):
        kind = draw(_kinds)
        texts = draw(st.lists(_texts, min_size=1, max_size=4, unique=True))
        found = (
            _a(name, *texts) if kind is AnswerKind.ANSWER else (_nothing(kind, name, RecordType.A),)
        )
        addresses[name] = found
    return mx, addresses


@given(_worlds(), _policies, st.randoms())
def test_law_the_order_of_answers_never_counts(
    world: tuple[Answer, dict[str, Answers]], policy: Policy, random: Random
) -> None:
    mx, addresses = world
    shuffled = {
        name: (answer._replace(texts=tuple(random.sample(answer.texts, len(answer.texts)))),)
        for name, (answer,) in reversed(addresses.items())
    }
    turned = mx._replace(mx=tuple(random.sample(mx.mx, len(mx.mx))))
    assert _decide(mx, addresses, policy) == _decide(turned, shuffled, policy)


@given(_worlds(), _policies)
def test_law_only_ok_has_pairs_and_ok_always_has(
    world: tuple[Answer, dict[str, Answers]], policy: Policy
) -> None:
    result = _decide(*world, policy)
    assert bool(result.pairs) == (result.status is Status.OK)
    assert bool(result.failures) == (result.status is Status.TEMPORARY_FAILURE)


@given(_worlds(), _policies)
def test_law_pairs_are_sorted_and_each_address_is_there_once(
    world: tuple[Answer, dict[str, Answers]], policy: Policy
) -> None:
    pairs = _decide(*world, policy).pairs
    keys = [(pair.preference, pair.exchange, sort_key(pair.address)) for pair in pairs]
    assert keys == sorted(keys)
    assert len({pair.address for pair in pairs}) == len(pairs)
    assert not policy.max_pairs or len(pairs) <= policy.max_pairs


@given(_worlds(), _policies)
def test_law_no_address_that_is_not_global_unless_wanted(
    world: tuple[Answer, dict[str, Answers]], policy: Policy
) -> None:
    for pair in _decide(*world, policy, DomainSettings()).pairs:
        assert not why_not_global(pair.address)[0]
    for pair in _decide(*world, policy, PRIVATE).pairs:
        assert not why_not_global(pair.address)[1]  # rule 24


@given(_worlds(), _policies)
def test_law_nothing_of_ours_and_nothing_as_bad_as_ours(
    world: tuple[Answer, dict[str, Answers]], policy: Policy
) -> None:
    mx, addresses = world
    ours = [
        one.preference
        for one in mx.mx
        if one.exchange in policy.own_names
        or (
            policy.own_networks.ranges
            and one.exchange in addresses
            and "9.9.9.9" in addresses[one.exchange][0].texts
        )
    ]
    for pair in _decide(mx, addresses, policy).pairs:
        assert pair.exchange not in policy.own_names
        assert not (policy.own_networks.ranges and pair.address == "9.9.9.9")
        assert not ours or pair.preference < min(ours)


@given(_worlds(), _policies)
def test_law_a_failure_that_counts_hides_all_pairs(
    world: tuple[Answer, dict[str, Answers]], policy: Policy
) -> None:
    mx, addresses = world
    everything_fails = {
        name: (_nothing(AnswerKind.TIMEOUT, name, RecordType.A),) for name in addresses
    }
    assert _decide(mx, everything_fails, policy).pairs == ()


@given(_worlds(), _policies)
def test_law_more_questions_that_fail_never_add_a_pair(
    world: tuple[Answer, dict[str, Answers]], policy: Policy
) -> None:
    mx, addresses = world
    before = _decide(mx, addresses, policy)
    for name in addresses:
        broken = {**addresses, name: (_nothing(AnswerKind.SERVER_FAILURE, name, RecordType.A),)}
        after = _decide(mx, broken, policy)
        assert after.pairs in ((), before.pairs)
