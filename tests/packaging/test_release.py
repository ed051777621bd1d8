# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history that users read: versions follow each other, and what is gone says what to use."""

from __future__ import annotations

import yaml
from packaging.version import Version

from .conftest import ROOT


def read(file: str) -> dict:
    return yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))


def test_the_version_is_that_of_the_last_release_or_comes_next() -> None:
    versions = sorted(map(Version, read("changelogs/changelog.yaml")["releases"]))
    assert versions[0] == Version("0.1.0")
    assert versions[-1] <= Version(read("galaxy.yml")["version"])
