# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks ask a host: requests, command lines, commands, cmdlets, and what of it again.

One host with the Internet Mail Connector of 5.5 and an organisation with one server, in the lab;
every playbook is run for both. Nothing is timed. --list shows every command and cmdlet.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lab"))

from exchange_lab.controller import Controller  # noqa: E402 - the path comes first
from exchange_lab.lab import Lab  # noqa: E402
from exchange_lab.questions import SMALL, Listener, Questions  # noqa: E402

_QUICK = {"mx_delivery_test_deadline": 3}


@dataclass(frozen=True)
class Case:
    """A playbook with variables, and the exit status that it ends with."""

    playbook: str
    status: int = 0
    variables: dict[str, object] = field(default_factory=dict)


#: One after the other; each finds the hosts as the one before it left them.
CASES = {
    "audit": Case("audit", 2),
    "diagnose": Case("diagnose"),
    "diagnose, tested": Case("diagnose", 0, {"mx_delivery_test_stuck": True, **_QUICK}),
    "enforce, braked": Case("enforce", 0, {"mx_delivery_max_changes": "100%"}),
    "rollback, listed": Case("rollback", 0, {"mx_delivery_list": True}),
    "rollback": Case("rollback", 2, {"mx_delivery_test": "all", **_QUICK}),
    "enforce": Case("enforce"),
    "enforce, again": Case("enforce"),
    "audit, again": Case("audit"),
}
_HEAD = ("playbook", "host", "requests", "lines", "commands", "cmdlets", "asked again")
_WIDTHS = (16, 6, 8, 5, 8, 7, 11)


def ask(controller: Controller, lab: Lab, case: Case, said: dict[str, str]) -> dict[str, Questions]:
    """Run a playbook; return what each host was asked."""
    listener = Listener(lab)
    done = controller.playbook(case.playbook, "-e", json.dumps({**case.variables, **said}))
    if done.status != case.status:
        raise SystemExit(f"{case.playbook}: exit status {done.status}\n{done.output}")
    return {name: listener.heard(name) for name in (*lab.machines, *lab.servers)}


def row(name: str, host: str, heard: Questions) -> tuple[object, ...]:
    """Return the line of the table."""
    again = sum(heard.repeated.values()) - len(heard.repeated)
    counts = (heard.requests, heard.lines, len(heard.commands), len(heard.cmdlets), again)
    return name, host, *counts


def show(name: str, host: str, heard: Questions) -> None:
    """Print every command and cmdlet, and how often."""
    print(f"\n{name}: {host}")
    for text, count in Counter((*heard.commands, *heard.cmdlets)).items():
        print(f"{count:3}  {text}")


def main() -> None:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--auto", action="store_true", help="do not say which Exchange it is")
    parser.add_argument("--list", action="store_true", help="show every command and cmdlet")
    arguments = parser.parse_args()
    said = {"mx_delivery_family": "auto"} if arguments.auto else {}
    rows: list[tuple[object, ...]] = [_HEAD]
    with tempfile.TemporaryDirectory() as folder, Lab(SMALL, Path(folder) / "lab") as lab:
        controller = Controller(Path(folder) / "project", ROOT / ".build")
        lab.write_inventory(controller.inventory)
        lab["mail55"].imc.wait(lambda imc: all(entry.reply for entry in imc.queue))
        for name in arguments.cases:
            for host, heard in ask(controller, lab, CASES[name], said).items():
                rows.append(row(name, host, heard))
                if arguments.list:
                    show(name, host, heard)
    if arguments.list:
        print()
    for cells in rows:
        line = (f"{cell!s:<{width}}" for cell, width in zip(cells, _WIDTHS, strict=True))
        print("  ".join(line).rstrip())


if __name__ == "__main__":
    main()
