# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``ansible-doc`` says of an installed collection: of all there is, all that one needs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.constants import DOCUMENTABLE_PLUGINS

from .conftest import ROOT, Package, run

NAME = "postmaster.exchange"
# Markup that was mistyped stays in the text.
LEFT_OVER = re.compile(r"\b(?:O|V|RV|E|C|I|B|M|P|U|L)\([^)]*\)|\bTODO\b|\bFIXME\b")


KINDS = {"module": "modules", "callback": "callback"}


class Reader:
    """Asks ansible-doc about the collection as it was installed."""

    def __init__(self, package: Package, folder: Path) -> None:
        self.package, self.folder = package, folder

    def ask(self, *arguments: str) -> str:
        """Return what ``ansible-doc`` prints."""
        where = {"ANSIBLE_COLLECTIONS_PATH": str(self.package.collections)}
        return run(("ansible-doc", *arguments), self.folder, **where)

    def names(self, kind: str) -> list[str]:
        """Return what there is of a kind of plugin."""
        return sorted(json.loads(self.ask("-t", kind, "--list", "-j", NAME)))

    def documents(self, kind: str) -> dict[str, Any]:
        """Return all that is said, by name."""
        names = self.names(kind)
        return json.loads(self.ask("-t", kind, "-j", *names)) if names else {}


@pytest.fixture(scope="module", name="doc")
def _doc(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return Reader(package, tmp_path_factory.mktemp("doc"))


@pytest.fixture(scope="module", name="plugins")
def _plugins(doc: Reader) -> dict[str, Any]:
    return {kind: doc.documents(kind) for kind in KINDS}


def pages(plugins: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the documentation of each module."""
    for of_a_kind in plugins.values():
        yield from of_a_kind.items()


def entries(named: dict[str, Any], below: str, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each option or return value, and those inside it, with the place where it is."""
    for name, entry in (named or {}).items():
        yield f"{where}.{name}", entry
        yield from entries(entry.get(below) or {}, below, f"{where}.{name}")


def text_of(entry: dict[str, Any]) -> str:
    description = entry.get("description") or ""
    return " ".join(description) if isinstance(description, list) else description


def is_sentence(text: str) -> bool:
    return bool(re.match(r"[A-Z`\[(0-9]", text.strip()) or re.match(r"[OVRMCP]+\(", text.strip()))


def test_every_plugin_of_the_collection_is_listed(package: Package, doc: Reader) -> None:
    for kind, folder in KINDS.items():
        files = (package.folder / "plugins" / folder).glob("*.py")
        assert doc.names(kind) == sorted(f"{NAME}.{file.stem}" for file in files)
    folders = {path.name for path in (package.folder / "plugins").iterdir()}
    documented = set(DOCUMENTABLE_PLUGINS) & folders - set(KINDS)
    assert not documented, "another kind of plugin wants to be read here, too"
    roles = (package.folder / "roles").iterdir()
    assert doc.names("role") == sorted(f"{NAME}.{role.name}" for role in roles)


def test_each_says_what_it_is_for(plugins: dict[str, Any]) -> None:
    for name, page in pages(plugins):
        head = page["doc"]
        assert is_sentence(head["short_description"]), name
        assert not head["short_description"].endswith("."), name
        assert text_of(head).endswith("."), name
        assert re.fullmatch(r"0\.\d+\.0", head["version_added"]), name
        assert head["author"], name
    for name, page in plugins["module"].items():
        assert "Python >= 3.11" in page["doc"]["requirements"], name


def test_each_option_is_described(plugins: dict[str, Any]) -> None:
    undescribed = [
        place
        for name, page in pages(plugins)
        for place, option in entries(page["doc"]["options"], "suboptions", name)
        if not (is_sentence(text_of(option)) and text_of(option).endswith(".") and option["type"])
    ]
    assert undescribed == []


def test_each_has_examples_that_use_it(plugins: dict[str, Any]) -> None:
    for name, page in plugins["module"].items():
        tasks = yaml.safe_load(page["examples"])
        assert tasks, name
        assert all(task["name"] for task in tasks), name
        assert name in page["examples"], name


def test_each_value_that_is_returned_is_described(plugins: dict[str, Any]) -> None:
    undescribed = [
        place
        for name, page in plugins["module"].items()
        for place, value in entries(page["return"], "contains", name)
        if not (text_of(value).endswith(".") and value["type"])
    ]
    assert undescribed == []
    assert [name for name, page in plugins["module"].items() if not page["return"]] == []


def test_each_entry_point_and_variable_of_the_role_is_described(doc: Reader) -> None:
    for role in doc.documents("role").values():
        points = role["entry_points"]
        tasks = {file.stem for file in (ROOT / "roles/mx_delivery/tasks").glob("*.yml")}
        assert set(points) == tasks
        for point, told in points.items():
            assert is_sentence(told["short_description"]), point
            assert text_of(told).endswith("."), point
            undescribed = [
                place
                for place, option in entries(told["options"], "options", point)
                if not text_of(option).endswith(".")
            ]
            assert undescribed == []


@pytest.mark.parametrize("kind", ["module", "role"])
def test_the_text_reads_well_on_a_terminal(doc: Reader, kind: str) -> None:
    text = doc.ask("-t", kind, *doc.names(kind))
    assert LEFT_OVER.findall(text) == []
