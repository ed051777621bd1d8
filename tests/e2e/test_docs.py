# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation shows is what happens: its commands run, its YAML is YAML, links lead."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from exchange_lab.scenario import SIMPLE_HOST, Letter
from exchange_lab.scenario_default import DEFAULT

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("roles/*/README.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

_BLOCK = re.compile(
    r"^(?:<!-- not run in the tests: (?P<why>[^\n]+) -->\n)?"
    r"```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
# The output below a command, where the page says that it is that command's.
_OUTPUT = re.compile(
    r"^```console\n(?P<commands>[^`]*)```$(?:(?!^```).)*?"
    r"^<!-- what it shows -->\n```text\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
# What differs from run to run: times, names made of them, folders, ports, names of logs.
_VARYING = re.compile(
    r"\d{4}-\d\d-\d\dT[\d:]+Z(?:-[0-9a-f]{4})?|\S+(?=/backups/)|(?<=127\.0\.0\.1:)\d+|L\d{7}\.LOG"
    r"|(?<=queue )\S+\\\d+"
)
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
_MOST_NOT_RUN = 4


def blocks(page: Path, language: str) -> Iterator[tuple[str, str]]:
    """Yield the text of each fenced block of a language, and why it is not run, if it is not."""
    for block in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        if block["language"] == language:
            yield block["text"], block["why"] or ""


def commands(page: Path) -> list[str]:
    """Return the commands that a page tells its reader to type."""
    return [
        line.removeprefix("$ ")
        for text, why in blocks(page, "console")
        for line in text.splitlines()
        if line.startswith("$ ") and not why
    ]


def outputs(page: Path) -> dict[str, list[str]]:
    """Return what a page shows of the output of commands, in pieces where something is left out."""
    found = {}
    for example in _OUTPUT.finditer(page.read_text(encoding="utf-8")):
        command = example["commands"].splitlines()[-1].removeprefix("$ ")
        found[command] = [same_in_every_run(part) for part in example["text"].split("[...]\n")]
    return found


def same_in_every_run(text: str) -> str:
    """Text without what differs from run to run, and without its line breaks."""
    return " ".join(_VARYING.sub("~", text).split())


@pytest.fixture
def as_documented(tmp_path: Path, controller: Controller) -> Iterator[Controller]:
    """A lab with mail that waits; its old host has the name that the documentation gives it."""
    letter = Letter("sales@hq.example", "buyer@nestle.com", "Offer")
    host = dataclasses.replace(SIMPLE_HOST, name="mail5-a.hq.example", letters=(letter,))
    with Lab(dataclasses.replace(DEFAULT, hosts=(host,)), folder=tmp_path / "lab") as lab:
        lab.write_inventory(controller.inventory)
        yield controller


@pytest.mark.e2e
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda p: p.name)
def test_the_commands_of_a_page_run(page: Path, as_documented: Controller) -> None:
    if page.name in {"safety.md", "troubleshooting.md", "rollback.md"}:  # enforce has been there
        assert as_documented.playbook("enforce", "-e", "awx_job_id=4711").status == 0
    shown = outputs(page)
    for command in commands(page):
        run = as_documented.run(command)
        # An audit says by its status that there is something to change, and a rollback that the
        # mail is lost again that was lost before.
        told = ("exchange.audit", "exchange.rollback -e mx_delivery_test_deadline")
        allowed = {0, 2} if any(part in command for part in told) else {0}
        assert run.status in allowed, f"$ {command}\n{run.output}"
        rest = same_in_every_run(run.output)
        for part in shown.get(command, []):
            assert part in rest, f"$ {command}\n{run.output}"
            rest = rest[rest.index(part) + len(part) :]


def test_few_commands_are_not_run_and_each_says_why() -> None:
    excuses = [why for page in PAGES for _skipped, why in blocks(page, "console") if why]
    assert len(excuses) <= _MOST_NOT_RUN


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_yaml_in_the_documentation_is_yaml(page: Path) -> None:
    for text, _skipped in blocks(page, "yaml"):
        assert yaml.safe_load(text)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    missing = [
        link
        for link in _LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert missing == []
