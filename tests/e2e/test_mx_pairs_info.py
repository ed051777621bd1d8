# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mx_pairs_info as an administrator runs it: by ansible-playbook, and as a real module."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from exchange_lab.controller import Controller, Run
from exchange_lab.mail.dns_server import DnsServer, Fault

ROOT = Path(__file__).resolve().parents[2]
ZONES = {
    "nestle.com": "@ MX 20 mail2\n@ MX 10 mail\nmail A 192.0.2.25\nmail2 A 192.0.2.26",
    "null.example": "@ MX 0 .",
    "slow.example": "@ MX 10 mail.nestle.com.",
    "hq.example": "* MX 0 hub\nhub A 10.0.0.5",
}

CONNECTIONS = Path(__file__).parent / "ansible_plugins" / "connection"

INVENTORY = {
    "all": {
        "hosts": {
            "mail5": {"ansible_connection": "winrm", "ansible_host": "192.0.2.55"},
            "bastion": {
                "ansible_connection": "elsewhere",
                "ansible_python_interpreter": sys.executable,
            },
        }
    }
}


def _task(register: str, **task: Any) -> dict[str, Any]:
    options = {"nameservers": ["{{ dns }}"], "allow_private": True, "timeout": 0.5, "retries": 1}
    given = task.pop("options")
    return {
        "name": register,
        "postmaster.exchange.mx_pairs_info": {**options, **given},
        "register": register,
        "ignore_errors": True,
        **task,
    }


_TWO = {"domains": ["nestle.com", "null.example"], "fail_on": "null_mx"}
_THREE = {"domains": ["NESTLE.com.", "null.example", "gone.nestle.com"]}
TASKS = [
    _task("fine", options=_THREE),
    _task("elsewhere", options=_THREE, delegate_to="bastion"),
    _task("failing", options=_TWO),
    _task("failing_elsewhere", options=_TWO, delegate_to="bastion"),
    _task("bad", options={"domains": ["nestle.com", "me@nestle.com", "192.0.2.1"]}),
    _task("bad_elsewhere", options={"domains": ["me@nestle.com"]}, delegate_to="bastion"),
    _task("wrong", options={"domains": ["nestle.com"], "agreement": "most"}),
    _task("down", options={"domains": ["nestle.com"], "nameservers": ["127.0.0.1:1"]}),
    _task("servfail", options={"domains": ["slow.example"], "fail_on": "temporary_failure"}),
    _task("astray", options={"domains": ["nestle.com"], "search_list": ["hq.example"]}),
]
_KEEP = {
    "name": "keep the results",
    "ansible.builtin.copy": {
        "dest": "{{ playbook_dir }}/results.json",
        "content": "{{ dict(names | zip(names | map('extract', vars))) | to_json }}",
        "mode": "0600",
    },
    "vars": {"names": [task["register"] for task in TASKS]},
    "check_mode": False,
    "delegate_to": "localhost",
}
PLAYS = [{"hosts": "mail5", "gather_facts": False, "tasks": [*TASKS, _KEEP]}]


class Playbook:
    """A playbook of tasks that register what they find, for a host that cannot be reached."""

    def __init__(self, folder: Path, dns: DnsServer) -> None:
        self._dns = f"{dns.address}:{dns.port}"
        self._controller = Controller(
            folder, ROOT / ".build", more={"ANSIBLE_CONNECTION_PLUGINS": str(CONNECTIONS)}
        )
        self._controller.inventory.parent.mkdir()
        self._controller.inventory.write_text(json.dumps(INVENTORY))
        (folder / "play.yml").write_text(json.dumps(PLAYS))

    def run(self, *options: str) -> tuple[Run, dict[str, Any]]:
        """Return how the run ended, and what was registered."""
        results = self._controller.folder / "results.json"
        results.unlink(missing_ok=True)
        done = self._controller.playbook("play.yml", "-e", f"dns={self._dns}", *options)
        return done, json.loads(results.read_text()) if results.exists() else {}


@pytest.fixture(scope="module")
def playbook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playbook]:
    with DnsServer(ZONES) as dns:
        dns.set_fault("slow.example", "MX", Fault.SERVFAIL)
        yield Playbook(tmp_path_factory.mktemp("mx_pairs_info"), dns)


@pytest.fixture(scope="module")
def run(playbook: Playbook) -> tuple[Run, dict[str, Any]]:
    return playbook.run()


pytestmark = pytest.mark.e2e


def _same(result: dict[str, Any]) -> dict[str, Any]:
    """Return what a result says, without what differs from run to run."""
    domains = [
        {k: v for k, v in x.items() if k != "valid_until"} for x in result.get("domains", [])
    ]
    return {
        "domains": domains,
        **{k: result.get(k) for k in ("pairs", "routes", "changed", "failed", "msg")},
    }


def test_runs_on_the_controller_though_the_host_cannot_be_reached(
    run: tuple[Run, dict[str, Any]],
) -> None:
    done, results = run
    assert done.status == 0, done.output
    assert done.recap("mail5")["unreachable"] == 0
    assert results["fine"]["routes"] == [
        {"domain": "nestle.com", "status": "ok", "addresses": ["192.0.2.25", "192.0.2.26"]},
        {"domain": "null.example", "status": "null_mx", "addresses": []},
        {
            "domain": "gone.nestle.com",
            "status": "no_such_domain",
            "addresses": [],
            "unconfirmed": True,
        },
    ]
    assert results["fine"]["changed"] is False
    assert done.changed == 1  # the task that keeps the results, and no other


def test_the_real_module_elsewhere_says_the_same(run: tuple[Run, dict[str, Any]]) -> None:
    _skipped, results = run
    assert _same(results["elsewhere"]) == _same(results["fine"])
    assert _same(results["failing_elsewhere"]) == _same(results["failing"])
    for one in ("fine", "elsewhere"):
        assert any("Accepts no mail (null MX): null.example" in x for x in results[one]["warnings"])


def test_fail_on_fails_with_all_that_was_found(run: tuple[Run, dict[str, Any]]) -> None:
    _skipped, results = run
    failing = results["failing"]
    assert failing["failed"] is True
    assert "1 of 2 domains ended in a status of fail_on (null_mx: null.example)" in failing["msg"]
    assert [route["status"] for route in failing["routes"]] == ["ok", "null_mx"]
    assert len(failing["pairs"]) == 2
    assert "MX of slow.example: server_failure" in results["servfail"]["msg"]
    assert results["servfail"]["routes"][0]["status"] == "temporary_failure"


def test_bad_input_is_a_clear_error(run: tuple[Run, dict[str, Any]]) -> None:
    done, results = run
    assert results["bad"]["failed"] is True
    assert "'me@nestle.com' is an e-mail address" in results["bad"]["msg"]
    assert "'192.0.2.1' is an address, not a domain" in results["bad"]["msg"]
    assert "'me@nestle.com' is an e-mail address" in results["bad_elsewhere"]["msg"]
    assert "agreement" in results["wrong"]["msg"]
    assert "Traceback" not in done.output


def test_dns_down_is_a_temporary_failure(run: tuple[Run, dict[str, Any]]) -> None:
    done, results = run
    down = results["down"]
    assert down.get("failed", False) is False
    assert down["routes"] == [
        {"domain": "nestle.com", "status": "temporary_failure", "addresses": []}
    ]
    assert down["domains"][0]["failures"][0]["message"] == "connection refused"
    assert "DNS lookup failed, existing routes kept: nestle.com" in done.output


def test_the_search_list_is_told(run: tuple[Run, dict[str, Any]]) -> None:
    (warning,) = run[1]["astray"]["domains"][0]["warnings"]
    assert (warning["code"], warning["suffix"]) == ("search_list_hijack", "hq.example")


def test_check_mode_says_the_same(playbook: Playbook, run: tuple[Run, dict[str, Any]]) -> None:
    _skipped, results = run
    done, checked = playbook.run("--check", "--diff")
    assert done.status == 0, done.output
    for name in results:
        assert _same(checked[name]) == _same(results[name])
