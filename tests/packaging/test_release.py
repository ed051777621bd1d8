# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history that users read: versions follow each other, and what is gone says what to use."""

from __future__ import annotations

from pathlib import Path

import yaml
from packaging.version import Version

from .conftest import ROOT, Package, run


def read(file: str) -> dict:
    return yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))


def test_the_version_is_that_of_the_last_release_or_comes_next() -> None:
    versions = sorted(map(Version, read("changelogs/changelog.yaml")["releases"]))
    assert versions[0] == Version("0.1.0")
    assert versions[-1] <= Version(read("galaxy.yml")["version"])


def test_a_filter_that_is_gone_names_what_to_use(package: Package, tmp_path: Path) -> None:
    play = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "tasks": [
                {
                    "name": "Use it as in 0.1.0",
                    "ansible.builtin.debug": {
                        "msg": "{{ [] | postmaster.exchange.delivery_report }}"
                    },
                    "register": "used",
                    "ignore_errors": True,
                },
                {
                    "name": "See what is said",
                    "ansible.builtin.assert": {
                        "that": [
                            "used is failed",
                            "'the module postmaster.exchange.delivery_report' in used.msg",
                        ]
                    },
                },
            ],
        }
    ]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(play))
    command = ("ansible-playbook", "-i", "localhost,", "-c", "local", "play.yml")
    run(command, tmp_path, ANSIBLE_COLLECTIONS_PATH=str(package.collections))
