# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as a user gets it: built from what git has, and installed in an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent


def run(command: Sequence[str | Path], folder: Path, **more: str) -> str:
    """Run a program of this environment, with nothing of the user's own Ansible; it succeeds."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    done = subprocess.run(
        command,
        cwd=folder,
        env={
            **kept,
            "ANSIBLE_HOME": str(folder / ".ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            **more,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def checked_in() -> list[str]:
    """Return the names of the files of a fresh clone, with what is not committed yet."""
    listing = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = run(listing, ROOT).split("\0")
    return sorted(name for name in names if name and (ROOT / name).exists())


#: What lies in a checkout that an administrator works in: files of theirs, and files of tools.
LITTER = (
    *(".env", ".vault_pass", "ansible.cfg", "hosts", "hosts.yml", "vault.yml", "mx_pairs.lock.yml"),
    *("inventory/hosts.yml", "inventory/group_vars/all/vault.yml", "group_vars/all.yml"),
    *("playbooks/site.yml", "playbooks/hosts.yml", "playbooks/group_vars/all/vault.yml"),
    *("playbooks/.env", "playbooks/backups/mail5-a/2026-11-23T114500Z/parameters.reg"),
    *("roles/mx_delivery/vars/vault.yml", "roles/mx_delivery/files/id_rsa", "roles/ours/README.md"),
    *("backups/mail5-a/2026-11-23T114500Z/backup.json", "report.json", "report.html"),
    *(
        "docs/.env",
        "docs/awx/vault.yml",
        "docs/inventory/hosts.yml",
        "plugins/.env",
        "plugins/modules/.idea/x.py",
    ),
    *("plugins/.cache/x.py", "plugins/x.pyc", "plugins/modules/__pycache__/x.cpython-311.pyc"),
    *(".venv/bin/python", ".build/tree/x", ".cache/x", "postmaster-exchange-0.0.1.tar.gz"),
    *("tests/output/x", "requirements-mine.txt", "meta/mine.yml", "changelogs/mine.yml"),
)


@dataclass(frozen=True)
class Package:
    """Where the collection was built and installed."""

    archive: Path
    collections: Path

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.collections / "ansible_collections" / "postmaster" / "exchange"


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Build the collection in a clone that was worked in, and install what comes out."""
    folder = tmp_path_factory.mktemp("package")
    clone = folder / "a clone"  # with a blank
    for name in checked_in():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)
    for name in LITTER:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_text("not of the collection")
    run(("ansible-galaxy", "collection", "build", "--output-path", folder, clone), folder)
    (archive,) = folder.glob("*.tar.gz")
    collections = folder / "installed"
    install = ("ansible-galaxy", "collection", "install", "--offline", "-p", collections, archive)
    run(install, folder, ANSIBLE_COLLECTIONS_PATH=str(collections))
    return Package(archive, collections)
