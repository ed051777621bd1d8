# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Columns and counted things read as a person would write them."""

from __future__ import annotations

from ansible_collections.postmaster.exchange.plugins.module_utils._report import text


def test_cells_begin_below_each_other() -> None:
    assert text.columns([("host", "routes"), ("mail55-ok", "3 in place"), ("m", "")]) == [
        "  host       routes",
        "  mail55-ok  3 in place",
        "  m",
    ]


def test_one_thing_is_singular() -> None:
    assert [text.count(number, "host") for number in (0, 1, 2)] == ["0 hosts", "1 host", "2 hosts"]
    assert text.count(2, "address") == "2 addresses"


def test_a_long_list_ends_with_how_many_more_there_are() -> None:
    assert text.listed(["a", "b"]) == "a, b"
    assert text.listed("abcdef", most=2) == "a, b and 4 more"


def test_statuses_are_said_in_words() -> None:
    assert text.words("no_such_domain") == "no such domain"


def test_a_hosts_words_cannot_move_the_cursor() -> None:
    assert text.clean("a\x1b[2Jb c\u202ed \u00e9") == "a\ufffd[2Jb c\ufffdd \u00e9"
