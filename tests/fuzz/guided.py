# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuzz the quick targets by coverage: ``python tests/fuzz/guided.py SECONDS [NAME...]``.

atheris (requirements-fuzz.txt) watches which branches of the collection an input reaches, and the
strategies of the targets make hostile values of its bytes. Each target runs in a process of its
own, for so many seconds; the exit status is 1 if one of them found something.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
_FAKES = ROOT / "tests" / "unit" / "fakes"
_PATHS = (ROOT / ".build", ROOT / "tests" / "lab", HERE, _FAKES)


def _fuzz(name: str, seconds: int) -> None:
    """Fuzz one target in this process; atheris ends it."""
    import atheris  # noqa: PLC0415 - only who fuzzes so has it

    with atheris.instrument_imports(include=["ansible_collections.postmaster.exchange"]):
        import fuzz_all  # noqa: PLC0415 - after the instrumentation began
    test = fuzz_all.TARGETS[name].property()
    one_input = test.hypothesis.fuzz_one_input  # type: ignore[attr-defined]
    atheris.Setup(
        [sys.argv[0], f"-max_total_time={seconds}", "-rss_limit_mb=3000", "-timeout=60"],
        lambda data: one_input(data) and None,
    )
    atheris.Fuzz()


def _names() -> list[str]:
    import fuzz_all  # noqa: PLC0415 - not where atheris instruments

    return [name for name, target in sorted(fuzz_all.TARGETS.items()) if target.guided]


def main(seconds: int, *chosen: str) -> int:
    """Fuzz the targets one after the other; print what became of each."""
    failed = 0
    for name in chosen or _names():
        done = subprocess.run(
            [sys.executable, __file__, "--one", name, str(seconds)],
            capture_output=True,
            text=True,
            errors="replace",
            cwd=os.environ.get("TMPDIR", "/tmp"),  # where libFuzzer puts what it found
            check=False,
        )
        runs = re.search(r"Done (\d+) runs", done.stderr)
        covered = re.findall(r"cov: (\d+)", done.stderr)
        told = f"{int(runs[1]):>10,} runs" if runs else "   FOUND SOMETHING"
        print(f"{name:<52}{told}, {covered[-1] if covered else 0:>5} branches")  # noqa: T201
        if done.returncode or not runs:
            failed += 1
            print(done.stdout[-3000:], done.stderr[-6000:], sep="\n")  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.path[:0] = map(str, _PATHS)
    if sys.argv[1] == "--one":
        _fuzz(sys.argv[2], int(sys.argv[3]))
    sys.exit(main(int(sys.argv[1]), *sys.argv[2:]))
