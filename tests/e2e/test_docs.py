# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation shows is what happens: each page is carried out, from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docs_labs
import pytest
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from pages import Block, blocks, name_of, pages
from reader import Reader


def runs(page: Path) -> bool:
    """Tell whether a page has commands to run."""
    return any(block.commands and block.says("not run") is None for block in blocks(page))


def marks_of(page: Path) -> list[pytest.MarkDecorator]:
    """Return the markers of a page: what a new user follows first is in the short run."""
    if page.name in docs_labs.MORE_PROGRAMS:
        return [pytest.mark.peers]
    return [] if name_of(page) in docs_labs.FIRST else [pytest.mark.full]


@contextmanager
def lab_of(page: Path, controller: Controller, folder: Path) -> Iterator[None]:
    """The lab that a page speaks of, after what has happened there before."""
    scenario, before = docs_labs.of(page.name)
    with Lab(scenario, folder=folder) as lab:
        lab.write_inventory(controller.inventory)
        before(controller)
        yield


@pytest.mark.e2e
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=marks_of(page))
        for page in pages()
        if runs(page) and page.name not in docs_labs.ELSEWHERE
    ],
    ids=name_of,
)
def test_a_page_can_be_followed(page: Path, controller: Controller, tmp_path: Path) -> None:
    reader = Reader(controller)
    with lab_of(page, controller, tmp_path / "lab"):
        for block in blocks(page):
            reader.follow(block)


# -- the checks themselves can fail


@pytest.mark.parametrize(
    "block",
    [
        Block("console", "$ false\n"),
        Block("console", "$ true\n", "ends with 2"),
        Block("text", "never\n", "what it shows"),
        Block("text", "two\n[...]\none\n", "what it shows"),
    ],
)
def test_a_page_that_errs_is_noticed(block: Block, controller: Controller) -> None:
    reader = Reader(controller)
    reader.type("printf 'one\\ntwo\\n'", 0)
    with pytest.raises(AssertionError):
        reader.follow(block)


def test_a_file_of_a_page_is_there_for_its_commands(controller: Controller) -> None:
    reader = Reader(controller)
    for block in (
        Block("yaml", "one: 1\n", "in some/file.yml"),
        Block("console", "$ cat some/file.yml\n"),
        Block("text", "one: 1\n", "what it shows"),
    ):
        reader.follow(block)


def test_what_is_marked_as_not_run_is_not_run(controller: Controller) -> None:
    Reader(controller).follow(Block("console", "$ false\n", "not run in the tests: it fails"))
