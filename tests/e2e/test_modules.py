# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each module that works on a host, in a playbook of its own tasks: it is found, runs and prints.

What a module does is proved in tests/modules.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exchange_lab.controller import Controller, Run
from exchange_lab.lab import Lab
from exchange_lab.org.versions import Family
from exchange_lab.scenario import SIMPLE_HOST, OrganisationSpec, ServerSpec, simple

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
CALLBACKS = Path(__file__).parent / "ansible_plugins" / "callback"
SERVER = ServerSpec("ex19-a", Family.E2019)
SCENARIO = replace(simple(SIMPLE_HOST), organisation=OrganisationSpec((SERVER,), time_scale=0.02))
NESTLE = {"domain": "nestle.com", "addresses": ["192.0.2.26"]}
TESTS = {
    "domains": ["nestle.com"],
    "smtp": {"port": "{{ mx_delivery_test_smtp_port }}"},
    "interval": 1,
    "deadline": 8,
}
OLD: dict[str, dict[str, Any]] = {
    "exchange_info": {},
    "queue_info": {},
    "imc_delivery": {"resolver_search_list": "disabled", "routes": [NESTLE]},
    "delivery_test": TESTS,
}
_FAMILY = {"family": "transport", "endpoint": "{{ mx_delivery_endpoint }}"}
NEW: dict[str, dict[str, Any]] = {
    "exchange_info": _FAMILY,
    "queue_info": _FAMILY,
    "transport_delivery": {"endpoint": "{{ mx_delivery_endpoint }}", "routes": [NESTLE]},
    "delivery_test": {**TESTS, **_FAMILY},
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, dict[str, Any]]:
    """The run, and the result of each task by its name: host and module."""
    folder = tmp_path_factory.mktemp("modules")
    kept = folder / "kept.jsonl"
    callbacks = {
        "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
        "ANSIBLE_CALLBACKS_ENABLED": "keep",
        "KEEP_FILE": str(kept),
    }
    controller = Controller(folder / "project", ROOT / ".build", more=callbacks)
    plays = [
        {
            "hosts": host,
            "gather_facts": False,
            "tasks": [{"name": x, f"postmaster.exchange.{x}": tasks[x]} for x in tasks],
        }
        for host, tasks in (("mail55", OLD), ("ex19-a", NEW))
    ]
    (controller.folder / "play.yml").write_text(json.dumps(plays))
    with Lab(SCENARIO, folder / "lab") as lab:
        lab.write_inventory(controller.inventory)
        done = controller.playbook("play.yml", "--diff")
    assert kept.exists(), done.output
    results = [json.loads(line) for line in kept.read_text().splitlines()]
    names = [(host, name) for host, tasks in (("mail55", OLD), ("ex19-a", NEW)) for name in tasks]
    assert [host for host, _result in results] == [host for host, _name in names], done.output
    found = zip(names, results, strict=True)
    return done, {f"{host} {name}": result for (host, name), (_host, result) in found}


@pytest.mark.parametrize(
    ("task", "key", "value"),
    [
        ("mail55 exchange_info", "version", "5.5"),
        ("mail55 queue_info", "stuck_domains", []),
        ("mail55 imc_delivery", "restarted", True),
        ("mail55 delivery_test", "undelivered", []),
        ("ex19-a exchange_info", "version", "2019"),
        ("ex19-a queue_info", "stuck_domains", []),
        ("ex19-a transport_delivery", "changed", True),
        ("ex19-a delivery_test", "undelivered", []),
    ],
)
def test_a_module_by_a_playbook(
    ran: tuple[Run, dict[str, Any]], task: str, key: str, value: object
) -> None:
    _done, results = ran
    assert results[task][key] == value
    assert results[task]["changed"] is task.endswith(("imc_delivery", "transport_delivery"))


def test_what_a_run_prints(ran: tuple[Run, dict[str, Any]]) -> None:
    done, _results = ran
    assert (done.status, done.changed) == (0, 2), done.output
    assert re.search(r"^\+nestle\.com +192\.0\.2\.26$", done.output, re.MULTILINE)
    for line in (
        "mail55: the service restarts",
        "mail55: the host accepts 1 test message by pickup",
        "mail55: nestle.com: delivered after",
    ):
        assert line in done.output
