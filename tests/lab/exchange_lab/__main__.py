# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m exchange_lab up | run``: a lab to try things on, or to run one command against."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from .lab import Lab, NotOurs
from .scenario_default import DEFAULT, MORE_DOMAINS

INVENTORY_VARIABLE = "EXCHANGE_LAB_INVENTORY"
_TERMINATE_SECONDS = 10.0
_PAUSE = 0.05  # seconds


class _Stop:
    """Whether a signal came. A handler may not wait for a lock, as that of an Event would."""

    def __init__(self) -> None:
        self.told = False

    def tell(self, _number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        self.told = True


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and return the exit status."""
    options = _parser().parse_args(arguments)
    stop = _Stop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # not nohup
            signal.signal(number, stop.tell)
    try:
        with Lab(DEFAULT, folder=options.dir) as lab:
            file = lab.write_inventory(options.inventory).resolve()
            if options.action == "up":
                print(_invitation(lab, file), flush=True)
                parent = os.getppid()
                while not stop.told and (os.getppid() == parent or not options.with_parent):
                    time.sleep(_PAUSE)
                return 0
            return _run(options.command, file, stop)
    except NotOurs as exc:
        print(exc, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m exchange_lab", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    up = actions.add_parser("up", help="start a lab and keep it up until interrupted")
    run = actions.add_parser("run", help="start a lab, run a command against it, stop the lab")
    for action in (up, run):
        action.add_argument(
            "--dir", type=Path, help="where the hosts' files go (default: a temporary one)"
        )
        action.add_argument(
            "--inventory", type=Path, help="the inventory to write (default: in that folder)"
        )
    up.add_argument(
        "--with-parent", action="store_true", help="end when the program that started it has ended"
    )
    run.add_argument("command", nargs="+", help="the command, after --")
    return parser


def _run(command: list[str], file: Path, stop: _Stop) -> int:
    environment = {**os.environ, INVENTORY_VARIABLE: str(file)}
    try:
        child = subprocess.Popen(command, env=environment)
    except OSError as exc:
        print(f"{command[0]}: {exc.strerror}", file=sys.stderr)
        return 127
    while child.poll() is None:
        if stop.told:
            _end(child)
        time.sleep(_PAUSE)
    # As a shell says it: 128 and the number of the signal that ended the command.
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_TERMINATE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _invitation(lab: Lab, file: Path) -> str:
    lines = ["The lab is up.", ""]
    for name, machine in lab.machines.items():
        waiting = len(machine.imc.queue)
        version = machine.spec.version.label
        lines.append(f"  {name:<10} Exchange {version}, {waiting} messages await delivery")
    for name, server in lab.servers.items():
        waiting = sum(len(queue.waiting) for queue in server.queues)
        lines.append(f"  {name:<10} Exchange {server.label}, {waiting} messages await delivery")
    lines += ["", f"Inventory: {file}", "", "Try, in another window:"]
    for playbook in ("diagnose", "audit", "enforce"):
        lines.append(
            f"  ansible-playbook -i {shlex.quote(str(file))} postmaster.exchange.{playbook}"
        )
    lines += ["", "Further domains to try:"]
    lines += [f"  {name:<16} {text}" for name, text in MORE_DOMAINS.items()]
    lines += ["", "Ctrl-C ends it."]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
