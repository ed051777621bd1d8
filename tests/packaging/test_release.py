# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The changelog that users read: versions follow each other, and an entry is one short line."""

from __future__ import annotations

import sys

import pytest
import yaml
from packaging.version import Version

from .conftest import ROOT

sys.path.insert(0, str(ROOT / "tools"))

import home

FIRST_PUBLISHED = Version("0.3.0")
SUMMARY = "release_summary"


def read(file: str) -> dict:
    return yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))


def test_the_version_is_that_of_the_last_release_or_comes_next() -> None:
    versions = sorted(map(Version, read("changelogs/changelog.yaml")["releases"]))
    assert versions[0] == FIRST_PUBLISHED
    assert versions[-1] <= Version(read("galaxy.yml")["version"])


def test_each_entry_is_one_effect_in_twenty_words() -> None:
    files = [*(ROOT / "changelogs/fragments").glob("*.yml")]
    changes = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    changes += [
        release["changes"] for release in read("changelogs/changelog.yaml")["releases"].values()
    ]
    entries = [
        entry
        for change in changes
        for kind, found in change.items()
        for entry in found
        if kind != SUMMARY
    ]
    assert len(entries) >= 20
    assert [entry for entry in entries if len(entry.split()) > 20] == []


def test_the_first_release_has_few_entries() -> None:
    changes = read("changelogs/changelog.yaml")["releases"][str(FIRST_PUBLISHED)]["changes"]
    assert sum(len(found) for kind, found in changes.items() if kind != SUMMARY) <= 40


def test_one_command_fills_in_the_public_address() -> None:
    before = (ROOT / "galaxy.yml").read_text(encoding="utf-8")
    first = home.with_home(before, "https://forge.example/first")
    text = home.with_home(
        first, "https://forge.example/exchange/", documentation="https://x.example"
    )
    filled = yaml.safe_load(text)
    assert {key: filled.pop(key) for key in home.KEYS} == {
        "repository": "https://forge.example/exchange",
        "documentation": "https://x.example",
        "homepage": "https://forge.example/exchange",
        "issues": "https://forge.example/exchange/issues",
    }
    assert filled == {k: v for k, v in yaml.safe_load(before).items() if k not in home.KEYS}


def test_an_address_that_is_not_https_is_refused() -> None:
    with pytest.raises(ValueError, match="repository must be an https address, not 'exchange'"):
        home.with_home("dependencies: {}\n", "exchange")
