# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both kinds of Exchange deliver to Postfix, and delivery_test tells what became of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from exchange_lab.mail.imc_model import Assumptions
from exchange_lab.mail.network import Endpoint
from exchange_lab.org.versions import Family
from exchange_lab.scenario import SIMPLE_HOST, OrganisationSpec, Scenario, ServerSpec

from .policy import Greylist
from .postfix import Postfix
from .site import FAR

pytestmark = pytest.mark.peers

COLLECTIONS = Path(__file__).resolve().parents[3] / ".build"
ADDRESS = "192.0.2.25"
DOMAINS = ("nestle.com", "grey.example", "unknown.example", "busy.example")
HOST = replace(
    SIMPLE_HOST,
    switch=("DisableResolverSearchList", 1),
    rows=tuple(f"{name.upper()};{ADDRESS};0" for name in FAR),
)
SCENARIO = Scenario(
    hosts=(HOST,),
    organisation=OrganisationSpec(servers=(ServerSpec("ex19", Family.E2019),), time_scale=0.02),
    zones=dict.fromkeys(FAR, f"@ MX 10 mx\nmx A {ADDRESS}\n"),
    assumptions=Assumptions(retry_after=(0.2, 30.0), patience=10.0),
)
REJECTED, UNKNOWN = "Recipient address rejected", "User unknown in virtual mailbox table"


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    """An administrator's folder."""
    return Controller(tmp_path / "project", COLLECTIONS)


@pytest.fixture
def lab(tmp_path: Path, controller: Controller, server: Postfix) -> Iterator[Lab]:
    """A host of each kind, for which all far domains are at Postfix."""
    with Lab(SCENARIO, tmp_path / "lab") as running:
        running.network.claim(ADDRESS, Endpoint(server.ports["tls"]))
        running.write_inventory(controller.inventory)
        yield running


def _play(controller: Controller, host: str, **options: Any) -> dict[str, Any]:
    """Run delivery_test for all domains, and return what is registered."""
    task = {
        "domains": list(DOMAINS),
        "sender": f"{host}@hq.example",
        "smtp": {"port": "{{ mx_delivery_test_smtp_port }}"},
        "interval": 1,
        "deadline": 8,
        **options,
    }
    keep = {"dest": "{{ playbook_dir }}/kept.json", "content": "{{ kept | to_json }}"}
    tasks = [
        {"postmaster.exchange.delivery_test": task, "register": "kept", "ignore_errors": True},
        {"ansible.builtin.copy": {**keep, "mode": "0600"}, "delegate_to": "localhost"},
    ]
    play = [{"hosts": host, "gather_facts": False, "tasks": tasks}]
    (controller.folder / "play.yml").write_text(json.dumps(play))
    done = controller.playbook("play.yml")
    assert done.status == 0, done.output
    kept: dict[str, Any] = json.loads((controller.folder / "kept.json").read_text())
    return kept


def _errors(result: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    """Return verdict and error, as code, enhanced code and text, by domain."""
    return {
        one["domain"]: (
            one["verdict"],
            one["error"] and tuple(one["error"][key] for key in ("code", "enhanced", "text")),
        )
        for one in result["results"]
    }


EXPECTED = {
    "nestle.com": ("delivered", None),
    "grey.example": ("delivered", None),
    "unknown.example": (
        "returned",
        (550, "5.1.1", f"<postmaster@unknown.example>: {REJECTED}: {UNKNOWN}"),
    ),
    "busy.example": (
        "queued",
        (450, "4.2.1", f"<postmaster@busy.example>: {REJECTED}: Mailbox busy"),
    ),
}


def _check(result: dict[str, Any], server: Postfix, greylist: Greylist) -> None:
    """What both kinds of Exchange have in common."""
    assert _errors(result) == EXPECTED
    for code in ("550 5.1.1", "450 4.2.1"):
        assert code in result["msg"]
    sender = result["sender"]
    assert greylist.seen == [(sender, "postmaster@grey.example")] * 2  # put off once, then taken
    for domain in ("nestle.com", "grey.example"):
        ids = [mail["Message-ID"] for mail in server.mail(f"postmaster@{domain}")]
        (sent,) = [one["message_id"] for one in result["results"] if one["domain"] == domain]
        assert ids.count(sent) == 1


def test_exchange_5_5(
    lab: Lab, controller: Controller, server: Postfix, greylist: Greylist
) -> None:
    result = _play(controller, "mail55")
    _check(result, server, greylist)
    imc = lab["mail55"].imc
    (report,) = imc.returned
    assert report.recipients == ("postmaster@unknown.example",)
    assert ("mail55@hq.example", report.report) in imc.local_mail
    assert f"550 5.1.1 <postmaster@unknown.example>: {REJECTED}" in report.report
    assert [waiting.domain for waiting in imc.queue] == ["busy.example"]


def test_exchange_2019(
    lab: Lab, controller: Controller, server: Postfix, greylist: Greylist
) -> None:
    before = server.log.count("TLS connection established")
    result = _play(controller, "ex19", family="transport", endpoint="{{ mx_delivery_endpoint }}")
    _check(result, server, greylist)
    assert server.log.count("TLS connection established") > before
    waiting = [queue.hop.domain for queue in lab.servers["ex19"].queues if queue.waiting]
    assert waiting == ["busy.example"]
