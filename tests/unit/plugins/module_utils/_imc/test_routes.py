# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes file: parse and print, losing nothing."""

from __future__ import annotations

import contextlib

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.routes import (
    Line,
    NotARoutesFile,
    RoutesFile,
    Row,
    new_row,
)
from hypothesis import given
from hypothesis import strategies as st

DOCUMENTED = (
    b"[Header]\r\nVersion=1\r\n\r\n[Routes]\r\nDeliveryRouting=+\r\n"
    b"+DOMAIN.COM;192.0.2.10;0\r\n+OTHER.COM;192.0.2.20;0\r\nDefaultRouting=\r\n"
)
EMPTY = b"[Header]\r\nVersion=1\r\n\r\n[Routes]\r\nDeliveryRouting=\r\nDefaultRouting=\r\n"


def test_the_documented_file() -> None:
    file = RoutesFile.parse(DOCUMENTED)
    assert [(row.domain, row.target, row.flag) for row in file.rows] == [
        ("DOMAIN.COM", "192.0.2.10", "0"),
        ("OTHER.COM", "192.0.2.20", "0"),
    ]
    assert file.render() == DOCUMENTED


def test_the_documented_empty_table() -> None:
    file = RoutesFile.parse(EMPTY)
    assert file.rows == ()
    assert file.render() == EMPTY


def test_first_row_makes_a_continuation_and_the_last_to_go_takes_it_along() -> None:
    file = RoutesFile.parse(EMPTY)
    filled = file.with_rows([new_row("a.example", "192.0.2.1")])
    assert b"DeliveryRouting=+\r\n+a.example;192.0.2.1;0\r\nDefaultRouting=" in filled.render()
    assert filled.with_rows([]).render() == EMPTY


def test_an_empty_continuation_is_kept_as_it_is() -> None:
    content = EMPTY.replace(b"DeliveryRouting=", b"DeliveryRouting=+")
    file = RoutesFile.parse(content)
    assert file.with_rows([]).render() == content


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no key DeliveryRouting"),
        (b"\x00\xff\r\n", "no key DeliveryRouting"),
        (b"[Header]\r\nDeliveryRouting=\r\nDefaultRouting=\r\n", "section \\[Routes\\]"),
        (EMPTY.replace(b"DefaultRouting=\r\n", b""), "breaks off"),
        (DOCUMENTED[: len(DOCUMENTED) // 2 + 10], "breaks off"),
        (EMPTY.replace(b"DeliveryRouting=", b"DeliveryRouting=a;b;0"), "line 5"),
        (EMPTY + b"[Routes]\r\nDeliveryRouting=\r\n", "more than once \\(lines 5 and 8\\)"),
        (b"\xff\xfe[\x00R", "UTF-16"),
    ],
)
def test_what_is_no_routes_file(content: bytes, reason: str) -> None:
    with pytest.raises(NotARoutesFile, match=reason):
        RoutesFile.parse(content)


def test_utf16_is_understood_and_printed_as_it_was() -> None:
    content = b"\xff\xfe" + DOCUMENTED.decode().encode("utf-16-le")
    file = RoutesFile.parse(content)
    assert [row.domain for row in file.rows] == ["DOMAIN.COM", "OTHER.COM"]
    assert file.render() == content


def test_sections_and_keys_are_found_without_case_and_others_with_plus_lines_are_left() -> None:
    content = (
        b"; remark\n[OTHER]\r\nX=+\r\n+nestle.com;1;0\r\n\r\n[routes]\r\ndeliveryrouting = + \r\n"
        b"+a.example;192.0.2.1;0\r\nDEFAULTROUTING=+\r\n+nestle.com;2;0\r\n"
    )
    file = RoutesFile.parse(content)
    assert [row.domain for row in file.rows] == ["a.example"]
    assert file.render() == content


def test_a_file_without_a_last_line_end_gets_none_until_rows_follow() -> None:
    file = RoutesFile.parse(DOCUMENTED[:-2])
    assert file.render() == DOCUMENTED[:-2]
    assert file.same_as(RoutesFile.parse(DOCUMENTED))


@pytest.mark.parametrize("raw", ["", "a", "a;b", "a;b;0;1", ";b;0", "a;;", "a;b;"])
def test_rows_that_are_none(raw: str) -> None:
    assert not Row(Line("+" + raw)).well_formed


def test_spelling_of_a_domain_does_not_count_and_everything_else_does() -> None:
    row = new_row("nestle.com", "192.0.2.1")
    assert row.same_as(Row(Line("+NESTLE.com;192.0.2.1;0")))
    assert not row.same_as(Row(Line("+nestle.com;192.0.2.1;1")))
    assert not row.same_as(Row(Line("+nestle.com;192.0.2.2;0")))


LINES = st.binary(max_size=30).map(lambda x: x.replace(b"\n", b"").replace(b"[", b"("))
ENDS = st.sampled_from([b"\r\n", b"\n"])


@given(
    head=st.lists(st.tuples(LINES, ENDS)),
    rows=st.lists(st.tuples(LINES, ENDS)),
    tail=st.lists(st.tuples(LINES, ENDS)),
    last=LINES,
)
def test_any_file_is_printed_as_it_was_read(
    head: list[tuple[bytes, bytes]],
    rows: list[tuple[bytes, bytes]],
    tail: list[tuple[bytes, bytes]],
    last: bytes,
) -> None:
    def joined(lines: list[tuple[bytes, bytes]], start: bytes = b"") -> bytes:
        return b"".join(start + text + end for text, end in lines)

    content = (
        b"[Header]\r\n"
        + joined(head)
        + b"[Routes]\r\nDeliveryRouting=+\r\n"
        + joined(rows, b"+")
        + b"DefaultRouting=\r\n[Other]\r\n"
        + joined(tail)
        + last
    )
    file = RoutesFile.parse(content)
    assert file.render() == content
    assert len(file.rows) == len(rows)


@given(st.binary(max_size=300))
def test_hostile_bytes_are_refused_or_kept(content: bytes) -> None:
    with contextlib.suppress(NotARoutesFile):
        assert RoutesFile.parse(content).render() == content


def test_rows_that_nothing_announces_are_not_the_documented_format() -> None:
    content = (
        b"[Header]\r\nVersion=1\r\n\r\n[Routes]\r\nDeliveryRouting=\r\n"
        b"+nestle.com;192.0.2.25;0\r\nDefaultRouting=\r\n"
    )
    with pytest.raises(NotARoutesFile, match="line 6 continues a table that is not announced"):
        RoutesFile.parse(content)
