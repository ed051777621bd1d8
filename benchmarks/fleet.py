# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fleet costs: this collection, what would be written without it, and the least there is.

Every host is asked over WinRM with NTLM and message encryption. The hosts are one process of their
own (fleet_lab.py). Where a client starts PowerShell there, it gets the module's result at once, so
that the other side is measured without what PowerShell costs on a real host.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fleet_plays
import measure

HERE = Path(__file__).resolve().parent
COLLECTIONS = HERE.parent / ".build"
_CONFIGURATION = f"""\
[defaults]
inventory = inventory.json
collections_path = {COLLECTIONS}
action_plugins = {HERE / "plugins" / "action"}
interpreter_python = auto_silent
retry_files_enabled = false
"""
_HEAD = (
    "what", "hosts", "forks", "requests/host", "kB/host", "CPU s/host", "of it main", "x floor",
    "wall s", "main MB", "all MB", "lab CPU s/host",
)  # fmt: skip


class LabProcess:
    """The hosts, in their own process."""

    def __init__(self, hosts: int, domains: int) -> None:
        command = [sys.executable, str(HERE / "fleet_lab.py")]
        command += ["--hosts", str(hosts), "--domains", str(domains)]
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.facts = self._answer()

    def __call__(self, command: str) -> dict[str, Any]:
        """Give a command and return its answer."""
        assert self._child.stdin is not None
        print(command, file=self._child.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise SystemExit("The lab has ended; what it said stands above.")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End it."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait(60)


@contextmanager
def laboratory(hosts: int, domains: int) -> Iterator[LabProcess]:
    """Have a lab for a while."""
    lab = LabProcess(hosts, domains)
    try:
        yield lab
    finally:
        lab.close()


def write_project(folder: Path, facts: dict[str, Any], domains: int) -> None:
    """Write what an administrator's folder holds: configuration, inventory, plays."""
    (folder / "ansible.cfg").write_text(_CONFIGURATION, encoding="utf-8")
    variables = {
        "ansible_connection": "winrm",
        "ansible_winrm_scheme": "http",
        "ansible_winrm_transport": "ntlm",
        "ansible_port": facts["port"],
        "ansible_user": facts["user"],
        "ansible_password": facts["password"],
        "mx_delivery_family": "imc",
        "mx_delivery_domains": [route["domain"] for route in fleet_plays.routes(domains)],
        "mx_delivery_nameservers": ["127.0.0.1"],
        "mx_delivery_dns_port": facts["dns_port"],
        "mx_delivery_dns_timeout": 10,  # the name server shares its processor with the hosts
        "mx_delivery_dns_lifetime": 60,
        "mx_delivery_allow_private": True,
        "mx_delivery_max_routes": 1_000_000,
        "routes": fleet_plays.routes(domains),
    }
    hosts = {name: {"ansible_host": address} for name, address in facts["hosts"].items()}
    inventory = {"exchange": {"hosts": hosts, "vars": variables}}
    (folder / "inventory.json").write_text(json.dumps(inventory, indent=1), encoding="utf-8")
    for name, case in fleet_plays.cases(domains).items():
        if not isinstance(case.play, str):
            play = {
                "hosts": "exchange",
                "gather_facts": False,
                "tasks": case.play,
            }
            (folder / f"{name}.yml").write_text(json.dumps([play]), encoding="utf-8")


def command_of(name: str, case: fleet_plays.Case, forks: int) -> list[str]:
    """Return the command line that is measured."""
    program = str(Path(sys.executable).parent / "ansible-playbook")
    what = f"postmaster.exchange.{case.play}" if isinstance(case.play, str) else f"{name}.yml"
    extra = json.dumps(dict(case.variables))
    return [program, "-f", str(forks), what, "-e", extra]


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of what is measured; nobody's own configuration has a say."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("ANSIBLE_") and key != "PYTHONDONTWRITEBYTECODE"
    }
    return {
        **kept,
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / ".ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
        "NO_PROXY": "*",
    }


def measured(
    lab: LabProcess, folder: Path, name: str, case: fleet_plays.Case, forks: int
) -> tuple[measure.Cost, dict[str, Any]]:
    """Run one case; returns what it cost, and what the lab counted."""
    shutil.rmtree(folder / "backups", ignore_errors=True)
    lab("spoil" if case.spoilt else "right")
    lab("reset")
    cost = measure.run(command_of(name, case, forks), cwd=folder, environment=environment(folder))
    counts = lab("counts")
    if cost.status != case.status:
        raise SystemExit(f"{name} ended with exit status {cost.status}:\n{cost.output[-4000:]}")
    if counts["open_shells"]:
        raise SystemExit(f"{name} left {counts['open_shells']} shells open.")
    return cost, counts


def _row(
    case: fleet_plays.Case,
    hosts: int,
    forks: int,
    cost: measure.Cost,
    counts: dict[str, Any],
    floor: float | None,
) -> list[str]:
    ratio = f"{cost.cpu / floor:.2f}" if floor else "-"
    return [
        case.label,
        str(hosts),
        str(forks),
        f"{counts['requests'] / hosts:.1f}",
        f"{counts['bytes'] / hosts / 1000:.1f}",
        f"{cost.cpu / hosts:.4f}",
        f"{cost.own_cpu / hosts:.4f}",
        ratio,
        f"{cost.wall:.1f}",
        f"{cost.own_memory:.0f}",
        f"{cost.memory:.0f}",
        f"{counts['cpu'] / hosts:.3f}",
    ]


def benchmark(options: argparse.Namespace) -> None:
    """Measure everything that is asked for, and print the table as it grows."""
    print(measure.machine())
    print(f"{options.domains} domains with 2 addresses each\n")
    rows: list[list[str]] = []
    cases = fleet_plays.cases(options.domains)
    for hosts in options.hosts:
        with laboratory(hosts, options.domains) as lab, tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            write_project(folder, lab.facts, options.domains)
            for forks in options.forks:
                floor = None
                for name in options.cases:
                    cost, counts = measured(lab, folder, name, cases[name], forks)
                    floor = cost.cpu if name == "floor" else floor
                    rows.append(_row(cases[name], hosts, forks, cost, counts, floor))
                    print("  ".join(rows[-1]), file=sys.stderr, flush=True)
    print(measure.table(_HEAD, rows))


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, nargs="+", default=[100])
    parser.add_argument("--forks", type=int, nargs="+", default=[5, 20, 50])
    parser.add_argument("--domains", type=int, default=20)
    names = list(fleet_plays.cases(1))
    parser.add_argument("--cases", nargs="+", choices=names, default=names)
    benchmark(parser.parse_args(arguments))


if __name__ == "__main__":
    main()
