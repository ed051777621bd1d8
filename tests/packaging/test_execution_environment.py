# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-builder makes of the collection, without a network and without an image."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from bindep.depends import Depends
from packaging.requirements import Requirement

from .conftest import ROOT, Package, run


@pytest.fixture(scope="module", name="wanted")
def _wanted(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the installed collection asks for, as a build would resolve it."""
    folder = tmp_path_factory.mktemp("introspected")
    files = ("--write-pip", "pip.txt", "--write-bindep", "bindep.txt")
    run(("ansible-builder", "introspect", *files, package.collections), folder)
    return folder


def requirements(lines: Iterable[str]) -> dict[str, Requirement]:
    """Read requirements, without their remarks."""
    bare = (line.split("#")[0].strip() for line in lines)
    return {found.name: found for found in map(Requirement, filter(None, bare))}


def test_python_gets_what_the_controller_needs_and_logins_by_kerberos(wanted: Path) -> None:
    got = requirements((wanted / "pip.txt").read_text().splitlines())
    needed = requirements((ROOT / "requirements.txt").read_text().splitlines())
    del needed["ansible-core"]  # the image's own
    assert got.pop("PySocks")  # which requirements.txt only mentions
    assert {name: one.specifier for name, one in got.items()} == {
        name: one.specifier for name, one in needed.items()
    }
    assert got["pypsrp"].extras == got["pywinrm"].extras == {"credssp", "kerberos"}


@pytest.mark.parametrize(
    ("system", "built_with", "run_with"),
    [
        ("rpm", {"gcc", "krb5-devel", "python3-devel"}, {"krb5-libs", "krb5-workstation"}),
        ("dpkg", {"gcc", "libkrb5-dev", "python3-dev"}, {"libgssapi-krb5-2", "krb5-user"}),
    ],
)
def test_the_system_gets_kerberos(
    wanted: Path, system: str, built_with: set[str], run_with: set[str]
) -> None:
    text = re.sub(r" *#.*", "", (wanted / "bindep.txt").read_text())
    rules = Depends(text)

    def packages(*profiles: str) -> set[str]:
        chosen = rules.active_rules([f"platform:{system}", *profiles])
        return {name for name, _selectors, _versions in chosen}

    assert packages() == run_with
    assert packages("compile") == run_with | built_with


def test_the_context_of_the_documented_image_has_the_collection(
    package: Package, tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "execution-environment.md").read_text(encoding="utf-8")
    definition = re.search(r"^```yaml\n(version: 3\n.*?)^```$", page, re.MULTILINE | re.DOTALL)[1]
    (tmp_path / "execution-environment.yml").write_text(definition)
    (tmp_path / "postmaster-exchange.tar.gz").write_bytes(package.archive.read_bytes())
    run(("ansible-builder", "create", "--output-filename", "Containerfile"), tmp_path)
    built = tmp_path / "context" / "_build"
    (asked,) = yaml.safe_load((built / "requirements.yml").read_text())["collections"]
    assert (built / asked["name"]).read_bytes() == package.archive.read_bytes()
    steps = (tmp_path / "context" / "Containerfile").read_text()
    assert "ansible-galaxy collection install" in steps
    assert "introspect" in steps
