# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo ends as it has to, leaves nothing behind, and prints what the README shows of it."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DEMO = [sys.executable, str(ROOT / "tools" / "demo.py"), "--collections", str(ROOT / ".build")]

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Everything one run of the demo prints; it must succeed and clean up after itself."""
    scratch = tmp_path_factory.mktemp("scratch")
    done = subprocess.run(
        DEMO,
        env={**os.environ, "TMPDIR": str(scratch)},
        cwd=scratch,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert list(scratch.iterdir()) == []
    return done.stdout


def alike(text: str) -> list[str]:
    """Lines without what differs from run to run: times, ports, widths."""
    lines = (re.sub(r"[\d.:TZ-]*\d[\d.:TZ-]*", "#", line) for line in text.splitlines())
    return [" ".join(line.split()) for line in lines if line.strip()]


@pytest.mark.full
def test_every_step_is_shown_with_its_result(shown: str) -> None:
    for said in (
        "1. What waits, and why",
        "Cause: the host appends hq.example to names, and nestle.com.hq.example has an answer",
        "Of 5 hosts, 4 have drift, 1 is up to date.",
        "Exit status 2: there is something to change",
        "mail55     3 changed     changed      restarted  3 delivered",
        "ex19-a     Exchange 2019, 1 letter waits",
        "Cause: the domain's name servers ignore or mishandle AAAA",
        "And the 3 letters that had waited have arrived.",
        "mail55     3 up to date  up to date   unchanged  none",
        "Cause: 192.0.2.81 accepts connections and sends no greeting",
        "And the 1 letter that had waited has arrived.",
        "All 7 steps ended as they have to",
    ):
        assert said in shown


@pytest.mark.full
def test_the_readme_shows_what_the_demo_prints(shown: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- demo -->\n```text\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    assert block is not None
    excerpts = [part for part in block[1].split("[...]") if part.strip()]
    printed = "\n".join(alike(shown))
    for excerpt in excerpts:
        # Which of two hosts says something first differs, so lines of progress are not compared.
        for line in alike(excerpt):
            assert line in printed
    assert len(excerpts) >= 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_lab_ends_with_the_make_that_started_it(tmp_path: Path, number: int) -> None:
    """Whatever ends make: a closed terminal ends all its programs, other signals make alone."""
    (tmp_path / "Makefile").write_text(
        f"lab:\n\t@{shlex.join([*DEMO, '--keep', '--folder', str(tmp_path / 'lab')])}\n"
    )
    with tempfile.TemporaryFile() as output:
        make = subprocess.Popen(
            ["make", "lab"], cwd=tmp_path, stdout=output, stderr=output, start_new_session=True
        )
        until(lambda: b"Ctrl-C ends it." in said(output))
        if number == signal.SIGHUP:
            os.killpg(make.pid, number)
        else:
            make.send_signal(number)
        make.wait(30)

        def nothing_left() -> bool:
            try:
                os.killpg(make.pid, 0)
            except ProcessLookupError:
                return True
            return False

        until(nothing_left)


def said(output: IO[bytes]) -> bytes:
    output.seek(0)
    return output.read()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_lab_that_is_kept_up_ends_when_it_is_told_to(tmp_path: Path, number: int) -> None:
    """Ctrl-C reaches all programs of a terminal; a service manager ends the first one only."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*DEMO, "--keep", "--folder", str(tmp_path / "a lab")],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        deadline = time.monotonic() + 60
        text = ""
        while "Ctrl-C ends it." not in text and time.monotonic() < deadline:
            assert process.poll() is None, text
            time.sleep(0.1)
            output.seek(0)
            text = output.read().decode()
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.terminate()
        assert process.wait(30) == (0 if number == signal.SIGINT else 128 + number)
    assert "postmaster.exchange.audit" in text
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
