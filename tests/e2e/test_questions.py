# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run asks a host nothing that it has said already, but for what may be another answer by now."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from exchange_lab.questions import SMALL, Listener, Questions

pytestmark = pytest.mark.e2e

KEY = r'^reg query "HKLM\\SYSTEM\\CurrentControlSet\\Services\\MSExchangeIMC'
#: The file that imccopy saves has to be there when it did, and to be gone at the end.
FILE = (r'^\(if exist "%TEMP%\\pmx-HEX\.txt" echo yes\)$',)
#: What decides about a change is looked at by the task that makes it, all at the same moment.
STATE = (
    r'^sc query "MSExchangeIMC"$',
    rf'{KEY}(\\Parameters)?"$',
    r'^\(if exist "C:\\(exchsrvr\\bin\\)?imccopy\.exe" echo yes\)$',
    r"^Get-SendConnector( -DomainController \S+)?$",
)
#: A transaction looks before it, under its lease, and at what it has written; see docs/safety.md.
CHANGE = (
    *STATE,
    r"MSExchangeIMC\\(journal|pending-restart)\.txt",
    r"MSExchangeIMC\\lease",
    r"pmx-HEX\.txt",
    r"^ping ",
)
#: A message is looked for until it has arrived, and where it waits then, after its host was asked.
FOLLOW = (
    r'^\(if exist "C:\\exchsrvr\\tracking\.log" echo yes\)$',
    r'^dir /b "C:\\exchsrvr\\tracking\.log"$',
    r"^findstr .*delivery-test-HEX",
    r"\\imcdata\\Log\\L(\*|\d+)\.LOG",
    r"^Get-MessageTrackingLog -MessageId <delivery-test-HEX",
)
#: What waits and was sent counts in a plan, so each task that makes one looks at it.
MAIL = (
    r"\\imcdata\\Out",
    r"\\tracking\.log\\(\*|\d+)\.log",
    r"\\imcdata\\Log\\L(\*|\d+)\.LOG",
)
#: By its own name a computer's backups are found.
NAME = r"\\ActiveComputerName"
#: What a host says of itself does not change while a run lasts.
FACTS = (
    r'^reg query "HKLM\\SOFTWARE\\Microsoft\\Exchange\\Setup"$',
    r'^reg query "HKLM\\SYSTEM\\CurrentControlSet\\Services\\MSExchangeSA\\Parameters"$',
    r'^reg query "HKLM\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters"( /s)?$',
    r'^\(if exist "C:\\exchsrvr\\imcdata\\Pickup" echo yes\)$',
    r"^Get-ExchangeServer$",
    r"^Get-AcceptedDomain$",
    r"^Get-TransportService$",
)


@dataclass(frozen=True)
class Step:
    """A run, what may be asked again in it, and how often each of FACTS is asked for at all."""

    playbook: str
    status: int
    again: tuple[str, ...]
    facts: tuple[int, ...]
    variables: tuple[tuple[str, object], ...] = ()


QUICK = ("test_deadline", 3)
SAID = (
    # A new pin is compared with the accepted domains, too.
    Step("audit", 2, (*FILE, *STATE), (1, 1, 1, 0, 1, 1, 1)),
    Step(
        "diagnose",
        0,
        (*FILE, *STATE, *FOLLOW, *FACTS, *MAIL),  # in two tasks, with DNS between them
        (2, 2, 3, 2, 2, 1, 1),
        (("test_stuck", True), QUICK),
    ),
    # A limit compares all hosts first, in a task of its own.
    Step(
        "enforce",
        0,
        (*CHANGE, *FOLLOW, *FACTS, *MAIL, r'^sc query "ClusSvc"$', NAME),
        (2, 2, 1, 1, 2, 2, 0),
        (("max_changes", "100%"),),
    ),
    Step(
        "rollback", 0, (*CHANGE, *FOLLOW), (1, 1, 0, 0, 1, 1, 0), (("rollback_test", "all"), QUICK)
    ),
)
SEEN = (
    Step("audit", 2, (*FILE, *STATE), (2, 2, 2, 0, 1, 1, 0)),
    Step("enforce", 0, (*CHANGE, *FOLLOW), (2, 2, 2, 1, 1, 1, 0)),
    Step("rollback", 0, (*FILE, *STATE), (2, 2, 2, 0, 0, 0, 0), (("list", True),)),
)


@pytest.fixture
def lab(tmp_path: Path, controller: Controller) -> Iterator[Lab]:
    """A 5.5 host whose letters wait, and an organisation with one server."""
    with Lab(SMALL, tmp_path / "lab") as running:
        running.write_inventory(controller.inventory)
        running["mail55"].imc.wait(lambda imc: sum(bool(one.reply) for one in imc.queue) == 2)
        yield running


def asked(lab: Lab, controller: Controller, step: Step, **variables: object) -> list[Questions]:
    """Run a playbook; return what each host was asked."""
    listener = Listener(lab)
    given = {
        f"mx_delivery_{x}": value for x, value in {**dict(step.variables), **variables}.items()
    }
    run = controller.playbook(step.playbook, "-e", json.dumps(given))
    assert run.status == step.status, run.output
    return [listener.heard(name) for name in (*lab.machines, *lab.servers)]


@pytest.mark.parametrize(
    ("steps", "family"),
    [
        pytest.param(SAID, {}, id="said"),
        pytest.param(SEEN, {"family": "auto"}, id="seen", marks=pytest.mark.full),
    ],
)
def test_a_host_is_asked_for_nothing_it_has_said(
    lab: Lab, controller: Controller, steps: tuple[Step, ...], family: dict[str, object]
) -> None:
    for step in steps:
        heard = asked(lab, controller, step, **family)
        for questions in heard:
            needless = {
                text: count
                for text, count in questions.repeated.items()
                if not any(re.search(pattern, text) for pattern in step.again)
            }
            assert needless == {}, step.playbook
        counts = Counter(text for one in heard for text in (*one.commands, *one.cmdlets))
        found = [
            sum(count for text, count in counts.items() if re.search(pattern, text))
            for pattern in FACTS
        ]
        assert found == list(step.facts), step.playbook
