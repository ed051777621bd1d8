# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``ansible-galaxy collection build`` packs, and what an installed collection offers."""

from __future__ import annotations

import tarfile
from pathlib import Path

from .conftest import LITTER, Package, checked_in, run

# What a user gets: these files, and all that is in these folders.
FILES = {
    ".config/ansible-lint.yml",
    "CHANGELOG.md",
    "CODE_OF_CONDUCT.md",
    "COPYING",
    "README.md",
    "REUSE.toml",
    "SECURITY.md",
    "changelogs/changelog.yaml",
    "changelogs/config.yaml",
    "requirements.txt",
}
FOLDERS = ("LICENSES", "docs", "meta", "playbooks", "plugins", "roles")
MADE_BY_GALAXY = {"FILES.json", "MANIFEST.json"}


def test_it_holds_what_a_user_needs_and_nothing_else(package: Package) -> None:
    with tarfile.open(package.archive) as archive:
        packed = {member.name for member in archive.getmembers() if member.isfile()}
    ours = {name for name in checked_in() if name in FILES or name.split("/")[0] in FOLDERS}
    assert ours >= FILES
    assert packed == ours | MADE_BY_GALAXY


def test_it_holds_nothing_of_an_administrators(package: Package) -> None:
    with tarfile.open(package.archive) as archive:
        assert set(LITTER).isdisjoint(archive.getnames())


def test_each_playbook_is_found_by_its_name(package: Package, tmp_path: Path) -> None:
    files = sorted(package.folder.glob("playbooks/*.yml"))
    names = [f"postmaster.exchange.{file.stem}" for file in files]
    assert names
    command = ("ansible-playbook", "--syntax-check", *names)
    said = run(command, tmp_path, ANSIBLE_COLLECTIONS_PATH=str(package.collections))
    assert said.split() == [word for file in files for word in ("playbook:", str(file))]
