# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answer in a reply does not depend on the order of its records."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.model import (
    Answer,
    AnswerKind,
    Mx,
    Question,
    RecordSet,
    RecordType,
    Reply,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._pairs.replies import (
    MAX_CHAIN,
    MAX_SET,
    QueryError,
    joined,
    read,
)
from hypothesis import given
from hypothesis import strategies as st

MX = Question("nestle.com", RecordType.MX)
A = Question("nestle.com", RecordType.A)


def _mx(preference: int, exchange: str, owner: str = "nestle.com", ttl: int = 300) -> RecordSet:
    return RecordSet(owner, RecordType.MX, ttl, (Mx(preference, exchange),))


def _alias(owner: str, target: str, ttl: int = 300) -> RecordSet:
    return RecordSet(owner, RecordType.CNAME, ttl, (target,))


def _read(*records: RecordSet, question: Question = MX, rcode: int = 0, **reply: object) -> Answer:
    return read(question, Reply(rcode, records=records, **reply), "192.0.2.53:53")  # type: ignore[arg-type]


@given(st.permutations([_mx(10, "b.x"), _mx(10, "a.x"), _mx(5, "c.x"), _mx(10, "a.x")]))
def test_rule_3_the_order_of_an_answer_does_not_count(records: list[RecordSet]) -> None:
    assert _read(*records).mx == (Mx(5, "c.x"), Mx(10, "a.x"), Mx(10, "b.x"))


def test_rule_3_addresses_sort_as_numbers() -> None:
    records = [RecordSet("nestle.com", RecordType.A, 1, (f"192.0.2.{n}",)) for n in (100, 9, 10)]
    assert _read(*records, question=A).texts == ("192.0.2.9", "192.0.2.10", "192.0.2.100")


@pytest.mark.parametrize(
    ("rcode", "kind"),
    [
        (1, AnswerKind.MALFORMED),
        (2, AnswerKind.SERVER_FAILURE),
        (4, AnswerKind.SERVER_FAILURE),
        (5, AnswerKind.REFUSED),
        (9, AnswerKind.LAME),
        (16, AnswerKind.MALFORMED),
        (23, AnswerKind.SERVER_FAILURE),
    ],
)
def test_rule_13_an_error_says_nothing_about_the_name(rcode: int, kind: AnswerKind) -> None:
    with pytest.raises(QueryError) as caught:
        _read(rcode=rcode)
    assert caught.value.kind is kind
    assert not kind.definite


def test_rule_13_no_such_name_and_no_data_are_told_apart() -> None:
    assert _read(rcode=3, soa=("com", 900)).kind is AnswerKind.NO_SUCH_NAME
    nothing = _read(soa=("nestle.com", 60))
    assert (nothing.kind, nothing.ttl) == (AnswerKind.NO_DATA, 60)


def test_rule_13_a_referral_is_lame() -> None:
    with pytest.raises(QueryError) as caught:
        _read(referral="example")
    assert caught.value.kind is AnswerKind.LAME


@pytest.mark.parametrize("code", range(6, 13))
def test_rule_13_a_failed_validation_is_bogus(code: int) -> None:
    with pytest.raises(QueryError) as caught:
        _read(rcode=2, extended_error=code)
    assert caught.value.kind is AnswerKind.BOGUS


def test_rule_13_other_extended_errors_are_told_but_not_bogus() -> None:
    with pytest.raises(
        QueryError, match=r"SERVFAIL, extended error 22 \(no reachable authority\)"
    ) as e:
        _read(rcode=2, extended_error=22)
    assert e.value.kind is AnswerKind.SERVER_FAILURE
    with pytest.raises(QueryError, match=r"SERVFAIL, extended error 40000$"):
        _read(rcode=2, extended_error=40000)


def test_rule_13_a_reply_that_contradicts_itself_is_malformed() -> None:
    with pytest.raises(QueryError) as caught:
        _read(_mx(10, "mail.x"), rcode=3)
    assert caught.value.kind is AnswerKind.MALFORMED


@given(
    st.permutations(
        [_alias("nestle.com", "n.x", 200), _alias("n.x", "m.x", 100), _mx(10, "mail.x", "m.x")]
    )
)
def test_rule_6_aliases_are_followed_in_any_order(records: list[RecordSet]) -> None:
    answer = _read(*records)
    assert answer.mx == (Mx(10, "mail.x"),)
    assert answer.chain == ("n.x", "m.x")
    assert answer.ttl == 100  # rule 20: the smallest of the chain
    assert not answer.unfinished


def test_records_of_other_names_do_not_count() -> None:
    poison = _mx(0, "liar.x", owner="nestle.com.liar.x")
    assert _read(poison, soa=("com", 60)).kind is AnswerKind.NO_DATA
    assert _read(poison, _mx(10, "mail.x")).mx == (Mx(10, "mail.x"),)


def test_rule_6_an_alias_without_its_target_is_unfinished() -> None:
    assert _read(_alias("nestle.com", "n.x")).unfinished
    assert _read(_alias("nestle.com", "n.x"), soa=("com", 60)).unfinished  # not the zone of n.x
    assert not _read(_alias("nestle.com", "n.x"), soa=("x", 60)).unfinished
    assert not _read(_alias("nestle.com", "n.x"), rcode=3).unfinished


def test_rule_6_a_loop_of_aliases_is_no_answer() -> None:
    with pytest.raises(QueryError, match=r"lead back to 'nestle\.com'") as caught:
        _read(_alias("nestle.com", "b.x"), _alias("b.x", "nestle.com"))
    assert caught.value.kind is AnswerKind.CNAME_LOOP


def test_rule_6_a_chain_of_aliases_is_bounded() -> None:
    def chain(length: int) -> list[RecordSet]:
        return [
            RecordSet(f"a{n}.x" if n else "nestle.com", RecordType.CNAME, 1, (f"a{n + 1}.x",))
            for n in range(length)
        ]

    longest = _read(*chain(MAX_CHAIN), _mx(10, "mail.x", f"a{MAX_CHAIN}.x"))
    assert longest.mx == (Mx(10, "mail.x"),)
    with pytest.raises(QueryError, match="more than 8 aliases"):
        _read(*chain(MAX_CHAIN + 1), _mx(10, "mail.x", f"a{MAX_CHAIN + 1}.x"))


def test_rule_6_a_loop_over_several_replies_is_found() -> None:
    first = _read(_alias("nestle.com", "b.x"))
    more = _read(_alias("b.x", "nestle.com"), question=Question("b.x", RecordType.MX))
    with pytest.raises(QueryError):
        joined(first, more)


def test_rule_20_what_is_joined_lives_as_long_as_the_shortest() -> None:
    first = _read(_alias("nestle.com", "b.x", 30), authentic=True)
    more = _read(_mx(10, "mail.x", "b.x", 300), question=Question("b.x", RecordType.MX))
    answer = joined(first, more)
    assert (answer.question, answer.chain, answer.ttl) == (MX, ("b.x",), 30)
    assert not answer.authentic


def test_a_set_of_records_is_bounded() -> None:
    full = [_mx(n, f"m{n}.x") for n in range(MAX_SET)]
    assert len(_read(*full).mx) == MAX_SET
    with pytest.raises(QueryError, match="holds 101 records of one name") as caught:
        _read(*full, _mx(1000, "one-more.x"))
    assert caught.value.kind is AnswerKind.MALFORMED
