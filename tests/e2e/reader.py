# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody who carries out a page of the documentation."""

from __future__ import annotations

import re

from exchange_lab.controller import Controller
from pages import Block

# What differs from run to run: times, names made of them, folders, ports, names of logs, counts.
_VARYING = re.compile(
    r"\d{4}-\d\d-\d\dT[\d:]+Z(?:-[0-9a-f]{4})?|\S+(?=/(?:backups|report|mx_pairs))"
    r"|(?<=127\.0\.0\.1:)\d+|L\d{7}\.LOG|(?<=queue )\S+\\\d+|\d+ DNS quer(?:y|ies), \d+\.\d+ s"
    r"|(?<=after )\d+ s"
)


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
