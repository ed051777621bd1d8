# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page for contributors says: its examples work, its files are there, counts are right."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from exchange_lab.mail.dns_server import DnsServer
from exchange_lab.windows.host import LabHost
from pages import DOCS, ROOT, blocks, pages

PAGE = DOCS / "contributing.md"
_PATHS = (
    ROOT / "tests" / "lab",
    ROOT / "tests" / "faults",
    ROOT / "tests" / "fuzz",
    ROOT / "tests" / "unit" / "fakes",
)
_FILE = re.compile(r"`((?:plugins|roles|tests|tools|playbooks|benchmarks|changelogs)[\w./]*)`")


@pytest.fixture(autouse=True)
def _paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the tests of each kind import from."""
    monkeypatch.setattr(sys, "path", [*map(str, _PATHS), *sys.path])


def text_of(word: str) -> str:
    """Return the example of the page that imports from a module."""
    [text] = [
        block.text
        for block in blocks(PAGE)
        if block.language == "python" and f"from {word} import" in block.text
    ]
    return text


def example(word: str) -> dict[str, Any]:
    """Run the example of the page that imports from a module, and return its names."""
    names: dict[str, Any] = {}
    exec(compile(text_of(word), f"{PAGE.name}: {word}", "exec"), names)
    return names


def test_the_diff_of_an_option_is_what_was_done() -> None:
    """It can be taken back from the files as they are, so it is how they came to be so."""
    [diff] = [block.text for block in blocks(PAGE) if block.language == "diff"]
    done = subprocess.run(
        ["git", "apply", "-R", "--check", "-"],
        input=diff,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_files_it_names_are_there() -> None:
    named = _FILE.findall(PAGE.read_text(encoding="utf-8"))
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_what_make_is_told_to_make_can_be_made() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    rules = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
    texts = [page.read_text(encoding="utf-8") for page in pages()]
    told = {name for text in texts for name in re.findall(r"(?:`|\$ )make ([a-z-]+)", text)}
    assert len(told) > 5
    assert told - set(rules) == set()


def test_the_case_of_the_command_interpreter(tmp_path: Path) -> None:
    case = example("windows_cases.case")["CASE"]
    from windows_cases.runs import expected, in_lab  # noqa: PLC0415 - the path comes first

    host = LabHost("MAIL5A", tmp_path, time_scale=0.01)
    assert in_lab(case, host) == expected(case)


def test_the_case_of_a_rule() -> None:
    case = example("dns_peers.cases")["CASE"]
    from dns_peers.ask import one  # noqa: PLC0415
    from dns_peers.cases import told, wanted  # noqa: PLC0415

    with DnsServer({"both.example": "@ MX 0 .\n@ MX 10 mx\nmx A 192.0.2.3\n"}) as server:
        found = one(f"{server.address}:{server.port}", domain=case.domain)
    assert told(found) == wanted(case, "lab")


_JUDGE = """
import sys
from pathlib import Path
exec(sys.stdin.read())
from fault_cases import RESET_AFTER, Case
from fault_engine import Stable
from fault_imc import CHANGES, Site
from fault_imc_judge import judge, measure
CHANGES.setdefault(SCENE.name, SCENE)
stable = Stable()
site = Site(stable, Path(sys.argv[1]))
half = len(measure(site, SCENE.name).actions) // 2
print(*judge(site, Case("imc", SCENE.name, RESET_AFTER, half)).problems, sep="\\n")
site.close()
stable.close()
"""
"""In a process of its own, for its runs are forked from one that has no threads yet."""


def test_the_fault_scene(tmp_path: Path) -> None:
    path = os.pathsep.join(map(str, (*_PATHS, ROOT / ".build")))
    done = subprocess.run(
        [sys.executable, "-c", _JUDGE, str(tmp_path)],
        input=text_of("fault_imc"),
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stdout + done.stderr


def test_the_fuzz_target() -> None:
    from fuzz_registry import TARGETS  # noqa: PLC0415

    before = set(TARGETS)
    example("fuzz_registry")
    [name] = set(TARGETS) - before
    target = TARGETS.pop(name)
    target.run()
    assert target.done > 0


def test_what_is_counted_elsewhere() -> None:
    import fault_imc  # noqa: PLC0415
    import fault_transport  # noqa: PLC0415
    import fuzz_all  # noqa: PLC0415
    from secret_search import ENCODERS  # noqa: PLC0415
    from test_secrets import SECRETS  # noqa: PLC0415
    from windows_cases import CASES  # noqa: PLC0415

    verified = (DOCS / "verified.md").read_text(encoding="utf-8")
    assert f"{len(fuzz_all.TARGETS)} fuzz targets" in verified
    assert f"the {len(fuzz_all.TARGETS)} targets" in verified
    assert f"Wine: {len(CASES)} cases" in verified
    assert f"{len(fault_imc.CHANGES)} kinds of change on Exchange 4.0" in verified
    assert f"and {len(fault_transport.CHANGES)} of an organisation" in verified
    assert f"{len(SECRETS)} secrets" in verified
    assert f"{len(ENCODERS)} encodings" in verified
