# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation shows is what happens: each page is carried out, from top to bottom."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docs_labs
import pytest
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from pages import Block, blocks, name_of, pages

# What differs from run to run: times, names made of them, folders, ports, names of logs, and which
# server of an organisation comes first.
_VARYING = re.compile(
    r"\d{4}-\d\d-\d\dT[\d:]+Z(?:-[0-9a-f]{4})?|\S+(?=/(?:backups|report|mx_pairs))"
    r"|(?<=127\.0\.0\.1:)\d+|L\d{7}\.LOG|(?<=queue )\S+\\\d+|\d+ questions, \d+\.\d+ s"
)


def runs(page: Path) -> bool:
    """Tell whether a page has commands to run."""
    return any(block.commands and block.says("not run") is None for block in blocks(page))


def statuses(block: Block) -> list[int]:
    """Return the exit status that each command of a block is to have; one can stand for all."""
    said = [int(number) for number in re.findall(r"\d+", block.says("ends with") or "0")]
    return said * len(block.commands) if len(said) == 1 else said


def same_in_every_run(text: str) -> str:
    """Text without what differs from run to run, and without its line breaks."""
    return " ".join(_VARYING.sub("~", text).split())


class Reader:
    """Somebody who goes through a page on a controller, and does what it says."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.shown = ""

    def follow(self, block: Block) -> None:
        """Do what a block asks for, or hold what it shows against what was seen last."""
        if (file := block.says("in ")) is not None:
            path = self.controller.folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.says("what it shows") is not None:
            self.compare(block.text)
        elif block.says("not run") is None:
            for command, status in zip(block.commands, statuses(block), strict=True):
                self.type(command, status)

    def type(self, command: str, status: int) -> None:
        """Run a command; its exit status has to be this one."""
        run = self.controller.run(command)
        assert run.status == status, f"$ {command}\n{run.output}"
        self.shown = run.output

    def compare(self, text: str) -> None:
        """Find a text in what was printed last, in pieces where something is left out."""
        rest = same_in_every_run(self.shown)
        for part in map(same_in_every_run, text.split("[...]\n")):
            assert part in rest, f"{part}\n\nis not what was shown:\n\n{self.shown}"
            rest = rest[rest.index(part) + len(part) :]


@contextmanager
def lab_of(page: Path, controller: Controller, folder: Path) -> Iterator[None]:
    """The lab that a page speaks of, after what has happened there before."""
    scenario, before = docs_labs.of(page.name)
    with Lab(scenario, folder=folder) as lab:
        lab.write_inventory(controller.inventory)
        before(controller)
        yield


@pytest.mark.e2e
@pytest.mark.parametrize("page", [page for page in pages() if runs(page)], ids=name_of)
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
