# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is checked, as one command each; ``nox --list`` tells which there are.

What only reads the code has virtual environments of its own, below .build/nox; much of it comes
from antsibull-nox, by antsibull-nox.toml. What runs the code has none: it tests the Python, the
ansible-core and the libraries that are installed where nox is, so that is how to choose them.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from pathlib import Path

import antsibull_nox
import nox

BUILD = Path(".build")
SITE = BUILD / "site"
TOP_PAGES = ("README.md", "CHANGELOG.md", "CODE_OF_CONDUCT.md", "SECURITY.md")

# The programs installed with nox come first, also where nox is called by its path.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

nox.options.envdir = str(BUILD / "nox")
nox.options.reuse_venv = "yes"
nox.options.default_venv_backend = "virtualenv"

antsibull_nox.load_antsibull_nox_toml()

# Where the version stands.
RELEASED_IN = {
    "galaxy.yml": "version: {}",
    "plugins/module_utils/_run/backups.py": 'COLLECTION = "postmaster.exchange {}"',
}

# Each file of tests runs in one process, the files in several ("-n 0" for one).
PARALLEL = ("-n", "auto", "--maxprocesses", "4", "--dist", "loadscope")


def _pytest(session: nox.Session, *arguments: str) -> None:
    session.run("python", "-m", "pytest", "-q", *arguments, *session.posargs)


def _as_collection() -> Path:
    """Return a folder where this checkout has the name that it is imported by."""
    link = BUILD / "ansible_collections/postmaster/exchange"
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # another process was faster
            link.symlink_to(Path.cwd(), target_is_directory=True)
    return BUILD


@nox.session(python=False, default=False)
def tests(session: nox.Session) -> None:
    """Run what proves each behaviour once: units, the lab, modules and playbooks on the lab."""
    _pytest(session, *PARALLEL, "-m", "not peers and not faults and not full")


@nox.session(python=False, default=False)
def full(session: nox.Session) -> None:
    """Run what repeats at length what the tests above have proved, or takes long."""
    _pytest(session, *PARALLEL, "-m", "full and not peers and not faults")


@nox.session(python=False, default=False)
def faults(session: nox.Session) -> None:
    """Interrupt runs of both kinds of Exchange at every request."""
    _pytest(session, "-m", "faults")


@nox.session(python=False, default=False)
def peers(session: nox.Session) -> None:
    """Compare the lab with real programs, which tools/peers installs."""
    session.run("tools/with-wine", "python", "-m", "pytest", "-q", "-m", "peers", *session.posargs)


@nox.session(python=False, default=False)
def fuzz(session: nox.Session) -> None:
    """Look for inputs that break a reader, for FUZZ_SECONDS each."""
    session.run("python", "tests/fuzz/guided.py", os.environ.get("FUZZ_SECONDS", "60"))
    _pytest(session, "tests/fuzz", "-k", "not briefly")


@nox.session(python=False, default=False)
def sanity(session: nox.Session) -> None:
    """Run Ansible's own sanity tests, all of them."""
    session.run("tools/sanity", *session.posargs)


@nox.session(python=False, default=False)
def units(session: nox.Session) -> None:
    """Run the unit tests by Ansible's own runner."""
    session.run("tools/units", *session.posargs)


@nox.session(python=False, default=False)
def integration(session: nox.Session) -> None:
    """Run playbooks against the lab, all or those in the files named."""
    named = any(argument.startswith("tests/") for argument in session.posargs)
    _pytest(session, *PARALLEL, "-m", "not peers", *(() if named else ("tests/e2e",)))


@nox.session(python=False)
def types(session: nox.Session) -> None:
    """Check the types, strictly; of the collection, its lab and its tools."""
    ours = ("-p", "ansible_collections.postmaster.exchange.plugins", "-p", "exchange_lab")
    environment = {"MYPYPATH": f"{_as_collection()}{os.pathsep}tests/lab"}
    session.run("mypy", *ours, env=environment)
    session.run("mypy", "noxfile.py", *map(str, Path("tools").glob("*.py")), env=environment)


@nox.session
def site(session: nox.Session) -> None:
    """Build the documentation site, guides and reference, into .build/site/html."""
    session.install("-r", "requirements-site.txt")
    shutil.rmtree(SITE, ignore_errors=True)
    source = SITE / "source"
    shutil.copytree("docs", source / "docs")
    for page in (*map(Path, TOP_PAGES), *Path("roles").glob("*/README.md")):
        (source / page.parent).mkdir(parents=True, exist_ok=True)
        shutil.copy(page, source / page)
    shutil.copy("tools/site/index.md", source)
    reference = source / "reference"
    reference.mkdir()
    place = _as_collection()
    session.run(
        *("antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error"),
        *("--dest-dir", str(reference), "postmaster.exchange"),
        env={"ANSIBLE_COLLECTIONS_PATH": str(place.resolve())},
    )
    wanted = ("--fail-on-warning", "--keep-going", "--quiet", "--conf-dir", "tools/site")
    session.run("sphinx-build", *wanted, str(source), str(SITE / "html"))


@nox.session(default=False)
def galaxy(session: nox.Session) -> None:
    """Let Galaxy's own importer look at the collection, ahead of a release."""
    session.install("galaxy-importer >= 0.4.30", "ansible-core >= 2.18", "distlib >= 0.3.8")
    place = Path(session.create_tmp())
    copy = place / "collection"
    shutil.rmtree(copy, ignore_errors=True)
    listed = session.run("git", "ls-files", "-z", external=True, silent=True) or ""
    for name in filter(None, listed.split("\0")):
        if Path(name).exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(name, copy / name)
    # Galaxy requires an address. Before the collection has one, a placeholder is in this copy only.
    metadata = copy / "galaxy.yml"
    if "\nrepository:" not in metadata.read_text():
        session.run("python", "tools/home.py", metadata, "https://forge.example/exchange")
    session.run("ansible-galaxy", "collection", "build", "--force", "--output-path", place, copy)
    with session.chdir(place):  # it leaves its result where it is called
        for archive in Path().glob("*.tar.gz"):
            session.run("python", "-m", "galaxy_importer.main", archive.name)


@nox.session(python=False, default=False)
def home(session: nox.Session) -> None:
    """Fill in the public address: nox -s home -- REPOSITORY [ISSUES [DOCUMENTATION]]."""
    session.run("python", "tools/home.py", "galaxy.yml", *session.posargs)


@nox.session
def changelog(session: nox.Session) -> None:
    """Check the changelog and its fragments."""
    session.install("antsibull-changelog >= 0.30")
    session.run("antsibull-changelog", "lint")


@nox.session(default=False)
def release(session: nox.Session) -> None:
    """Write the version and the changelog of a release: nox -s release -- 0.3.0."""
    [version] = session.posargs
    for file, line in RELEASED_IN.items():
        text, found = re.subn(line.format(r"[0-9.]+"), line.format(version), Path(file).read_text())
        if found != 1:
            session.error(f"{file} has no line that tells the version")
        Path(file).write_text(text)
    session.install("antsibull-changelog >= 0.30", "ansible-core >= 2.18")
    session.run("antsibull-changelog", "lint")
    session.run("antsibull-changelog", "release")


@nox.session
def workflows(session: nox.Session) -> None:
    """Hold the files of the public forge against their schemas."""
    session.install("check-jsonschema >= 0.30")
    for schema, file in (
        ("github-workflows", "workflows/ci.yml"),
        ("dependabot", "dependabot.yml"),
    ):
        session.run("check-jsonschema", "--builtin-schema", f"vendor.{schema}", f".github/{file}")
