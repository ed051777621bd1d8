# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links of the documentation lead somewhere, and its index leads to all of it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml
from pages import DOCS, INDEX, ROOT, anchors, blocks, links, name_of, pages

PAGES = pages()
_MOST_NOT_RUN = 4
_OF_THE_ROLE = {"delivery_routes", "delivery_verdict"}  # of no use to anybody else


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    wrong = [
        f"{file}#{anchor}" if anchor else str(file)
        for file, anchor in links(page)
        if not file.exists() or (anchor and anchor not in anchors(file))
    ]
    assert wrong == []


def test_the_index_leads_to_all_of_the_documentation() -> None:
    known, ahead = {INDEX}, [INDEX]
    while ahead:
        for file, _anchor in links(ahead.pop()):
            reached = {file, *file.rglob("*")} if file.is_dir() else {file}
            ahead += [new for new in reached - known if new.suffix == ".md"]
            known |= reached
    # docs/docsite is read by antsibull-docs, by its own rules.
    there = {file for file in DOCS.rglob("*") if file.is_file() and "docsite" not in file.parts}
    assert sorted(map(name_of, there - known)) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_yaml_in_the_documentation_is_yaml(page: Path) -> None:
    for block in blocks(page):
        if block.language == "yaml":
            assert yaml.safe_load(block.text)


def test_few_commands_are_not_run_and_each_says_why() -> None:
    said = [block.says("not run in the tests") for page in PAGES for block in blocks(page)]
    excuses = [why for why in said if why is not None]
    assert len(excuses) <= _MOST_NOT_RUN
    assert all(excuses)


@pytest.mark.parametrize("drawing", sorted(DOCS.rglob("*.svg")), ids=name_of)
def test_a_drawing_is_text_that_a_browser_can_show(drawing: Path) -> None:
    picture = ET.parse(drawing).getroot()
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    assert picture.get("viewBox")
    assert picture.get("role") == "img"
    named = {part.tag.rpartition("}")[2] for part in picture}
    assert {"title", "desc"} <= named
    assert "script" not in named


def test_the_readme_names_all_that_is_in_the_collection() -> None:
    modules = {file.stem for file in (ROOT / "plugins" / "modules").glob("*.py")} - _OF_THE_ROLE
    there = {("module", name) for name in modules}
    there |= {("playbook", file.stem) for file in (ROOT / "playbooks").glob("*.yml")}
    there |= {("callback", file.stem) for file in (ROOT / "plugins/callback").glob("*.py")}
    there |= {("role", folder.name) for folder in (ROOT / "roles").iterdir()}
    named = re.findall(
        r"^\| (\w+) `postmaster\.exchange\.(\w+)` \|",
        (ROOT / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert sorted(named) == sorted(there)


# -- the checks themselves can fail


def test_a_missing_page_and_a_missing_heading_are_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One `two`, (three)\n\n[a](gone.md) [b](#one-two-three) [c](#four)\n")
    assert list(links(page)) == [
        (tmp_path / "gone.md", ""),
        (page, "one-two-three"),
        (page, "four"),
    ]
    assert anchors(page) == {"one-two-three"}


def test_headings_of_the_same_words_are_told_apart(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("## List\n\n```text\n## No heading\n```\n\n## List\n")
    assert anchors(page) == {"list", "list-1"}


def test_the_readme_is_one_of_the_pages() -> None:
    assert ROOT / "README.md" in PAGES
