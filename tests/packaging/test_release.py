# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The changelog that users read: versions follow each other, and an entry is one short line."""

from __future__ import annotations

import yaml
from packaging.version import Version

from .conftest import ROOT

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
