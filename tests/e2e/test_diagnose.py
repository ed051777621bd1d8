# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Causes that the playbook diagnose tells apart, on hosts whose mail really waits for them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from exchange_lab.controller import Controller, Run
from exchange_lab.lab import Lab
from exchange_lab.mail.imc_model import Assumptions
from exchange_lab.mail.smtp_sink import Temper
from exchange_lab.org.versions import Family
from exchange_lab.scenario import (
    LOCAL_SINKS,
    LOCAL_ZONE,
    SIMPLE_HOST,
    HostSpec,
    Letter,
    OrganisationSpec,
    Scenario,
    ServerSpec,
    SinkSpec,
)
from pages import ROOT

pytestmark = pytest.mark.e2e

PLAIN = "@ MX 10 mx\nmx A {}\n"
ZONES = {
    "hq.example": LOCAL_ZONE,
    "down.example": PLAIN.format("192.0.2.31"),
    "busy.example": PLAIN.format("192.0.2.32"),
    "picky.example": PLAIN.format("192.0.2.33"),
    "moved.example": PLAIN.format("192.0.2.34"),
    "adrift.example": "@ MX 10 gone\n",
    "aaaa.example": "@ MX 10 mx\nmx A 192.0.2.36\n",
}
SINKS = (
    *LOCAL_SINKS,
    SinkSpec("192.0.2.31", "mx.down.example", Temper.REFUSE),
    SinkSpec("192.0.2.32", "mx.busy.example", Temper.BUSY),
    SinkSpec("192.0.2.33", "mx.picky.example", Temper.DEFER),
    SinkSpec("192.0.2.34", "mx.moved.example"),
    SinkSpec("192.0.2.36", "mx.aaaa.example"),
)
SCHEMA = json.loads((ROOT / "docs" / "report-schema.json").read_text())
CODES = {
    "mail55 down": "unreachable",
    "mail55 picky": "sender",
    "mail55 moved": "old_pin",
    "mail55 adrift": "dangling",
    "ex19-a aaaa": "remote_aaaa",
    "ex19-a down": "unreachable",
    "ex19-a busy": "busy",
}
OLD = ("down", "picky", "moved", "adrift")
NEW = ("aaaa", "down", "busy")


def letters(names: tuple[str, ...]) -> tuple[Letter, ...]:
    return tuple(Letter("sales@hq.example", f"buyer@{name}.example", "Offer") for name in names)


def old(**more: object) -> HostSpec:
    return replace(SIMPLE_HOST, switch=("DisableResolverSearchList", 1), **more)  # type: ignore[arg-type]


SCENARIO = Scenario(
    hosts=(old(rows=("MOVED.EXAMPLE;192.0.2.99;0",), letters=letters(OLD)),),
    organisation=OrganisationSpec(servers=(ServerSpec("ex19-a", Family.E2019, letters(NEW)),)),
    zones=ZONES,
    sinks=SINKS,
    ignoring_aaaa=("aaaa.example", "mx.aaaa.example"),
    assumptions=Assumptions(retry_after=(600.0,)),  # what was put off waits as long as a test lasts
)


@pytest.fixture
def lab(tmp_path: Path, controller: Controller) -> Iterator[Lab]:
    """An old and a new host whose letters were all put off once."""
    with Lab(SCENARIO, tmp_path / "lab") as running:
        running.write_inventory(controller.inventory)
        until(lambda: all(entry.reply for entry in running["mail55"].imc.queue))
        until(lambda: all(queue.status == "Retry" for queue in running.servers["ex19-a"].queues))
        yield running


def until(condition: Callable[[], bool], timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.05)


def codes(report: dict[str, Any]) -> dict[str, str]:
    """The code of the best cause in a report, by host and domain."""
    return {
        f"{host['name']} {one['domain'].removesuffix('.example')}": one["causes"][0]["code"]
        for host in report["hosts"]
        for one in host["diagnosis"]
    }


def paragraphs(run: Run) -> dict[str, str]:
    """What is explained, by host and domain."""
    text = run.output[run.output.index("Report]") :]
    found, host, domain = {}, "", ""
    for line in text.splitlines():
        if heading := re.match(r"([\w-]+): Exchange ", line):
            host, domain = heading[1], ""
        elif heading := re.match(r"  ([\w.-]+): \d+ message", line):
            domain = heading[1].removesuffix(".example")
        elif not line.strip():
            domain = ""
        elif domain:
            found[f"{host} {domain}"] = f"{found.get(f'{host} {domain}', '')} {line.strip()}"
    return found


def test_each_cause_is_told_by_what_the_host_saw(lab: Lab, controller: Controller) -> None:
    run = controller.playbook("diagnose", "-e", "mx_delivery_report_dir=report")
    assert (run.status, run.changed) == (0, 0), run.output
    report = json.loads((controller.folder / "report" / "report.json").read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    assert codes(report) == CODES
    assert (controller.folder / "report" / "report.html").stat().st_size > 0
    told = paragraphs(run)
    for place, said in {
        "mail55 down": "Cause: this host cannot reach the mail servers of the domain",
        "mail55 picky": "Cause: 192.0.2.33 cannot find the domain of the sender in DNS",
        "mail55 moved": "Cause: its pin leads to 192.0.2.99, which is no longer in DNS",
        "mail55 adrift": "Cause: no mail server of the domain has a usable address",
        "ex19-a aaaa": "Cause: the domain's name servers ignore or mishandle AAAA",
        "ex19-a down": "192.0.2.31 refused the connection",
        "ex19-a busy": "Cause: 192.0.2.32 accepts no more mail at the moment.",
    }.items():
        assert said in told[place], (place, run.output)
        assert "To do: " in told[place]
    flat = " ".join(run.output.split())
    assert "Add to mx_delivery_domains: aaaa.example, moved.example." in flat


def test_a_test_message_is_the_newest_evidence(lab: Lab, controller: Controller) -> None:
    """What was out of reach when the letters were sent is within reach now."""
    lab.sinks["192.0.2.31"].temper = Temper.ACCEPT
    variables = {"mx_delivery_test_stuck": True, "mx_delivery_test_deadline": 3}
    run = controller.playbook("diagnose", "-l", "mail55", "-e", json.dumps(variables))
    assert run.status == 0, run.output
    told = paragraphs(run)
    assert (
        "Cause: a test message from this host to down.example just arrived" in told["mail55 down"]
    )
    assert "Sender domain must resolve (test message, " in told["mail55 picky"]


def test_hosts_that_cannot_be_looked_at_are_named_if_they_are_all(
    lab: Lab, controller: Controller
) -> None:
    options = ("-e", "ansible_password=wrong")
    run = controller.playbook("diagnose", *options)
    assert run.status == 4, run.output
    explained = run.output[run.output.index("Report]") :]
    assert "mail55: " in explained
    assert "ex19-a: " in explained
    assert "No further action available in this collection." in explained
