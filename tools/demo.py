# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole job on the lab: see the fault, look, change, prove, change nothing.

The exit status is 0 only if every step ended as it has to, and the mail arrived.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lab"))

from exchange_lab.controller import Controller, Run  # noqa: E402 - the path comes first
from exchange_lab.lab import Lab, Machine  # noqa: E402
from exchange_lab.mail.imc import Imc  # noqa: E402
from exchange_lab.scenario_default import DEFAULT, WITH_SILENCE  # noqa: E402
from exchange_lab.servers import Server  # noqa: E402

_MAIL_SECONDS = 20.0
_LOOK_SECONDS = 0.5
_SILENCE = replace(
    WITH_SILENCE,
    hosts=WITH_SILENCE.hosts[-1:],
    organisation=None,
    domains=WITH_SILENCE.domains[-1:],
)
_MEANING = {0: "as it should be", 2: "there is something to change, as the audit says"}


class Unexpected(Exception):  # noqa: N818 - said of a step
    """A step ended otherwise than it has to."""


_BANNER = re.compile(r"^(?:PLAY|TASK|RUNNING HANDLER) \[(?:[\w.]+ : )?(.*)\] \**$")
_UNEVENTFUL = re.compile(r"^\s*((ok|skipping): \[[^\]]+\]\s*)?$")
_NOTHING = re.compile(r"\s+((unreachable|rescued|ignored)=0|skipped=\d+)|\s+$")


def calm(output: str) -> Iterator[str]:
    """Leave out what says nothing: rows of stars, tasks whose hosts are all just ok, zeros.

    The text of an error stands with its host; its other copy, with the place in the role, goes.
    """
    for block in re.split(r"\n(?=[A-Z ]+ (?:\[.*\] )?\*+\n)", output):
        banner, _skipped, body = block.partition("\n")
        body = re.sub(r"^\[ERROR\]: .*?(?=^fatal: )", "", body, flags=re.MULTILINE | re.DOTALL)
        lines = body.rstrip().splitlines()
        if banner.startswith("PLAY RECAP"):
            yield from (_NOTHING.sub("", line) for line in lines)
        elif any(not _UNEVENTFUL.match(line) for line in lines):
            if found := _BANNER.match(banner):
                yield f"TASK {found[1]}"
            yield from (line for line in lines if not re.match(r"^(ok|skipping): \[[^ ]+$", line))
            yield ""


@dataclass(slots=True)
class Demo:
    """The steps, on a lab that runs."""

    lab: Lab
    controller: Controller
    steps: int = 0
    waited: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def play(self) -> None:
        """Go through all steps; raises Unexpected at the first that ends otherwise."""
        self.introduce()
        self.step("What waits, and why", "diagnose")
        self.step("What would be changed", "audit", status=2)
        self.step("Change it, and send a test message to each changed domain", "enforce", "--diff")
        self.expect_mail()
        again = self.step("Once more: nothing is left to do", "enforce")
        if again.changed:
            raise Unexpected(f"the second run changed something ({again.changed})")
        self.step("And the audit agrees", "audit")

    def play_silence(self) -> None:
        """Show the other fault, on a host whose search list is off: a silent mail server."""
        say("One more host, of Exchange 5.5 as it was released. Its search list is off, and mail")
        say("waits all the same: the best mail server of one domain takes connections and says")
        say("nothing, so this build never tries the other one (Q182821).")
        say()
        self.tell_hosts()
        self.step("What waits, and why", "diagnose")
        drop = ("-e", "mx_delivery_silent_exchanges=drop")
        self.step("Pin the domain, but for the silent mail server", "enforce", "--diff", *drop)
        self.expect_mail()

    def introduce(self) -> None:
        """Tell who takes part, and what is wrong."""
        say("Five Exchange hosts on this machine's loopback, their DNS, and the mail servers of")
        say("four domains. Three hosts are old: a wildcard MX record in the local zone leads their")
        say("mail astray (Q169781). They have no WinRM, as in life, and are reached through a")
        say("management host. Two are of one organisation of today, with the same cure for")
        say("another cause: the name servers of one domain ignore questions for AAAA (KB972744).")
        say()
        self.tell_hosts()

    def tell_hosts(self) -> None:
        """Tell what waits on each host of the lab."""
        self.waited = []
        for name, machine in self.lab.machines.items():
            settle(machine)
            waiting = [(entry.recipients, entry.reply) for entry in machine.imc.queue]
            self.tell_waiting(name, machine.spec.version.label, waiting)
        for name, server in self.lab.servers.items():
            self.tell_waiting(name, server.label, settled_letters(server))
        say()

    def tell_waiting(
        self, name: str, version: str, waiting: Sequence[tuple[Sequence[str], str]]
    ) -> None:
        """Tell what waits on one host, and remember whose mail it is."""
        self.waited += [to for recipients, _skipped in waiting for to in recipients]
        many = f"{len(waiting)} letter{'' if len(waiting) == 1 else 's'} wait"
        say(f"  {name:<10} Exchange {version}, {many}{'s' if len(waiting) == 1 else ''}")
        for recipients, error in waiting:
            say(f"  {'':<10}   {', '.join(recipients)}: {error}")

    def step(self, title: str, playbook: str, *options: str, status: int = 0) -> Run:
        """Run a playbook and show it; its exit status has to be ``status``."""
        self.steps += 1
        command = [
            "ansible-playbook",
            "-i",
            "inventory",
            f"postmaster.exchange.{playbook}",
            *options,
        ]
        say(f"{self.steps}. {title}")
        say(f"   $ {' '.join(command)}")
        say()
        run = self.controller.run(command)
        for line in calm(run.output):
            say(f"   {line}".rstrip())
        say()
        if run.status != status:
            raise Unexpected(f"{playbook} ended with exit status {run.status}, not {status}")
        say(f"   Exit status {run.status}: {_MEANING[status]}.")
        say()
        return run

    def expect_mail(self) -> None:
        """Wait until the letters that were stuck have arrived."""
        try:
            for machine in self.lab.machines.values():
                machine.imc.wait(lambda imc: not imc.queue, _MAIL_SECONDS)
            for server in self.lab.servers.values():
                until(server.has_sent_all, f"{server.spec.name}: sending what waited")
        except TimeoutError as error:
            raise Unexpected(f"mail still waits: {error}") from error
        arrived = {to for mail in self.lab.sinks.received for to in mail.recipients}
        if missing := set(self.waited) - arrived:
            raise Unexpected(f"did not arrive: {', '.join(sorted(missing))}")
        many = "1 letter" if len(self.waited) == 1 else f"{len(self.waited)} letters"
        have = "has" if len(self.waited) == 1 else "have"
        say(f"   And the {many} that had waited {have} arrived.")
        say()

    def conclude(self) -> None:
        """Tell what was seen, in numbers."""
        seconds = time.monotonic() - self.began
        say(f"All {self.steps} steps ended as they have to, in {seconds:.0f} s.")


def settle(machine: Machine) -> None:
    """Wait until each letter of a host's users has left, or was put off once."""
    letters = len(machine.spec.letters)

    def settled(imc: Imc) -> bool:
        return len(imc.delivered) + sum(bool(entry.reply) for entry in imc.queue) == letters

    machine.imc.wait(settled, _MAIL_SECONDS)


def settled_letters(server: Server) -> list[tuple[tuple[str, ...], str]]:
    """Wait until each queue of a server was tried once; return what waits, with the last error."""

    def tried() -> bool:
        return all(queue.status == "Retry" for queue in server.queues)

    until(tried, f"{server.spec.name}: the first attempt")
    return [
        (waiting.recipients, error_text(queue.last_error))
        for queue in server.queues
        for waiting in queue.waiting
    ]


def error_text(last_error: str) -> str:
    """Return what Exchange says in a last error, out of its wrapping."""
    found = re.search(r"\{LED=(.*?)\};", last_error)
    return found[1] if found else last_error


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition; raises TimeoutError."""
    deadline = time.monotonic() + _MAIL_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} took more than {_MAIL_SECONDS:g} s")
        time.sleep(0.05)


def say(text: str = "") -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


def keep(collections: Path, folder: Path) -> int:
    """Keep a lab up in a folder until Ctrl-C, or until this program is told to end."""
    controller = Controller(folder, collections)
    command = [sys.executable, "-m", "exchange_lab", "up", "--with-parent", "--dir", str(folder)]
    environment = {**controller.environment(), "PYTHONPATH": str(ROOT / "tests" / "lab")}
    say(f"In another window: cd {folder} && PATH={Path(sys.executable).parent}:$PATH")
    say()
    with subprocess.Popen(
        [*command, "--inventory", str(controller.inventory)], env=environment
    ) as lab:
        try:
            return ended(lab, os.getppid())
        except KeyboardInterrupt:  # a terminal has sent it to the lab, too
            return lab.wait()
        except SystemExit:
            lab.terminate()
            lab.wait()
            raise


def ended(lab: subprocess.Popen[bytes], parent: int) -> int:
    """Wait for the lab, and end it where make has ended: it hands on only some signals."""
    while os.getppid() == parent:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return lab.wait(_LOOK_SECONDS)
    lab.terminate()
    return lab.wait()


def _end(number: int, _frame: FrameType | None) -> None:
    """End as by an exception, so that nothing stays behind."""
    sys.exit(128 + number)


def main() -> int:
    """Return 0 if everything went as it has to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collections", type=Path, required=True, help="where it is installed")
    parser.add_argument("--keep", action="store_true", help="only keep the lab up")
    parser.add_argument("--folder", type=Path, help="where it is kept (.build/lab)")
    options = parser.parse_args()
    collections = options.collections.resolve()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, _end)
    if options.keep:
        return keep(collections, (options.folder or ROOT / ".build" / "lab").resolve())
    with tempfile.TemporaryDirectory(prefix="exchange-demo-") as folder:
        try:
            with Lab(DEFAULT, folder=Path(folder, "lab")) as lab:
                controller = Controller(Path(folder, "project"), collections)
                lab.write_inventory(controller.inventory)
                demo = Demo(lab, controller)
                demo.play()
            with Lab(_SILENCE, folder=Path(folder, "silence")) as lab:
                controller = Controller(Path(folder, "silent"), collections)
                lab.write_inventory(controller.inventory)
                demo.lab, demo.controller = lab, controller
                demo.play_silence()
            demo.conclude()
        except Unexpected as error:
            say(f"UNEXPECTED: {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
