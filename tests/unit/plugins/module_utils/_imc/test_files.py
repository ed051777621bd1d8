# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that list, search and read ends, and what they print on a host."""

from __future__ import annotations

import pytest
from ansible_collections.postmaster.exchange.plugins.module_utils._base.errors import InvalidInput
from ansible_collections.postmaster.exchange.plugins.module_utils._imc.files import (
    SEARCH_LIMIT,
    batches,
    count_lines,
    is_searchable,
    list_by_age,
    list_sizes,
    parse_count,
    parse_sizes,
    portions,
    print_tail,
    search,
    within,
)
from ansible_collections.postmaster.exchange.plugins.module_utils._remote.session import (
    COMMAND_LINE_LIMIT,
    Batch,
)
from delivery_fakes import TRACKING, DirectSession
from exchange_lab.windows.host import LabHost
from hypothesis import given
from hypothesis import strategies as st

LOG = f"{TRACKING}\\20261123.log"


def run(session: DirectSession, command: str) -> bytes:
    batch = Batch()
    batch.add("it", command)
    return batch.run(session)["it"].output


def test_files_are_listed_by_age_and_folders_are_not(
    machine: LabHost, session: DirectSession
) -> None:
    folder = r"C:\exchsrvr\imcdata\Out"
    machine.fs.mkdir(rf"{folder}\Archive")
    for name in ("B1", "A2"):
        machine.fs.write_bytes(rf"{folder}\{name}", b"x")
    assert run(session, list_by_age(folder)) == b"B1\r\nA2\r\n"
    assert run(session, list_by_age(folder, newest_first=True)) == b"A2\r\nB1\r\n"


def test_sizes_are_exact_numbers_in_any_language(machine: LabHost) -> None:
    machine.language = "de"
    folder = r"C:\exchsrvr\imcdata\Out"
    machine.fs.write_bytes(rf"{folder}\A B & C.TXT", b"x" * 1_234_567)
    output = run(DirectSession(machine), list_sizes(folder))

    assert parse_sizes(output) == {"A B & C.TXT": 1_234_567}


@pytest.mark.parametrize("lines", [0, 1, 70_000])
def test_lines_are_counted_in_a_log_of_any_length(
    lines: int, machine: LabHost, session: DirectSession
) -> None:
    machine.fs.write_bytes(LOG, b"a\tb\r\n" * lines)

    assert parse_count(run(session, count_lines(LOG))) == lines


def test_the_end_of_a_long_log_comes_with_its_tabs(
    machine: LabHost, session: DirectSession
) -> None:
    machine.fs.write_bytes(LOG, b"".join(b"%d\tfield\t\tx & y\n" % n for n in range(70_000)))
    output = run(session, print_tail(LOG, 69_998))

    assert output == b"69998\tfield\t\tx & y\r\n69999\tfield\t\tx & y\r\n"


def test_a_short_log_is_printed_from_its_first_line(
    machine: LabHost, session: DirectSession
) -> None:
    machine.fs.write_bytes(LOG, b"one\r\ntwo\r\n")

    assert run(session, print_tail(LOG, 0)) == b"one\r\ntwo\r\n"
    assert "skip" not in print_tail(LOG, 0)  # cmd.exe calls skip=0 a syntax error


def test_a_search_numbers_the_lines_it_finds(machine: LabHost, session: DirectSession) -> None:
    machine.fs.write_bytes(LOG, b"one tag-1\nother\nTAG-2 two\n")

    assert run(session, search(LOG, ["tag-1", "tag-2"])) == b"1:one tag-1\r\n3:TAG-2 two\r\n"


@pytest.mark.parametrize("text", ["a b", 'a"b', "a&b", "a%b", "", "a\\b", "x" * 121, "a|b", "a^"])
def test_a_text_that_a_command_line_would_take_is_not_searched_for(text: str) -> None:
    assert not is_searchable(text)
    with pytest.raises(InvalidInput):
        search(LOG, [text])


@pytest.mark.parametrize("mask", ["*&del", "..\\*", "*.log *.txt", ""])
def test_a_mask_is_ours_or_refused(mask: str) -> None:
    with pytest.raises(InvalidInput):
        within(TRACKING, mask)


@given(st.lists(st.text("abc@.-", min_size=1, max_size=120), max_size=200))
def test_portions_hold_every_text_once_and_fit(texts: list[str]) -> None:
    parts = portions(texts)

    assert [text for part in parts for text in part] == texts
    assert all(len(search(LOG, part)) < SEARCH_LIMIT + 100 for part in parts)


@given(st.lists(st.integers(1, 3_500), max_size=40))
def test_batches_hold_every_command_once_and_fit(lengths: list[int]) -> None:
    commands = {f"c{number}": "x" * length for number, length in enumerate(lengths)}
    lines = [batch.line() for batch in batches(commands)]

    assert all(len(line) <= COMMAND_LINE_LIMIT for line in lines)
    marks = [f"#c{number}&" for number in range(len(lengths))]
    assert all(sum(mark in line for line in lines) == 1 for mark in marks)


@given(st.binary(max_size=300))
def test_no_output_makes_the_readers_raise(output: bytes) -> None:
    parse_count(output)
    assert all(size >= 0 for size in parse_sizes(output).values())
