# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""transport_delivery as an administrator runs it, on an organisation of several servers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from exchange_lab.controller import Controller, Run
from exchange_lab.org.faults import Fault, Kind
from exchange_lab.org.lab import OrganisationLab
from exchange_lab.org.versions import Family
from exchange_lab.windows.winrm_listener import Settings

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS = Path(__file__).parent / "ansible_plugins" / "connection"
ADMIN, PASSWORD = "admin@hq.example", "only for the lab"
SERVERS = {"EX10": Family.E2010, "EX16": Family.E2016, "EX19": Family.E2019}
ROUTES = [
    {"domain": "nestle.com", "addresses": ["192.0.2.26", "192.0.2.25"]},
    {"domain": "aol.com", "addresses": ["198.51.100.12", "2001:db8::12"]},
    {"domain": "slow.example", "addresses": [], "status": "temporary_failure"},
    {"domain": "gone.example", "addresses": [], "status": "no_such_domain"},
]
NEW = "New-SendConnector"
KEEP = {
    "name": "keep the result",
    "ansible.builtin.copy": {
        "dest": "{{ playbook_dir }}/result-{{ inventory_hostname }}.json",
        "content": "{{ pinned | to_json }}",
        "mode": "0600",
    },
    "check_mode": False,
    "changed_when": False,
    "diff": False,
    "delegate_to": "localhost",
    "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
}


@dataclass
class Site:
    """An administrator's folder, and the organisation its inventory is of."""

    controller: Controller
    lab: OrganisationLab
    endpoint: dict[str, Any] = field(default_factory=lambda: {"port": "{{ exchange_port }}"})

    def inventory(self, hosts: int, **variables: Any) -> None:
        """Write an inventory of that many hosts, the servers in turn."""
        names = list(SERVERS)
        entries = {
            f"host{number}": {"exchange_port": self.lab.port(names[number % len(names)])}
            for number in range(hosts)
        }
        shared = {
            "ansible_connection": "winrm",
            "ansible_host": "127.0.0.1",
            "ansible_user": ADMIN,
            "ansible_password": PASSWORD,
            "ansible_winrm_transport": "ntlm",
            **variables,
        }
        path = self.controller.inventory
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump({"all": {"hosts": entries, "vars": shared}}))

    def task(self, *options: str, **params: Any) -> Run:
        """Run a play of one task."""
        self.write(**params)
        for old in self.controller.folder.glob("result-*.json"):
            old.unlink()
        return self.controller.playbook("play.yml", *options)

    def results(self) -> dict[str, dict[str, Any]]:
        """What the task returned at the last run, by host."""
        files = self.controller.folder.glob("result-*.json")
        return {file.stem.removeprefix("result-"): json.loads(file.read_text()) for file in files}

    def result(self, *options: str, **params: Any) -> dict[str, Any]:
        """Run a play of one task and return what it returned at the first host."""
        self.task(*options, **params)
        return self.results()["host0"]

    def write(self, **params: Any) -> None:
        """Write the playbook."""
        given = {"endpoint": self.endpoint, **params}
        name = "postmaster.exchange.transport_delivery"
        tasks: list[dict[str, Any]] = [
            {"name": "pin", name: given, "register": "pinned", "ignore_errors": True},
            KEEP,
            {"assert": {"that": "pinned is not failed"}},
        ]
        play = {"hosts": "all", "gather_facts": False, "tasks": tasks}
        (self.controller.folder / "play.yml").write_text(yaml.safe_dump([play]))

    def cmdlets(self, name: str) -> int:
        """How often a cmdlet was run, at all servers together."""
        return self.lab.organisation.counters.cmdlets(name)

    def connectors(self) -> dict[str, dict[str, Any]]:
        """The organisation's connectors by name, once every domain controller knows them."""
        directory = self.lab.organisation.directory
        directory.settle()
        return {r.name: dict(r.attributes) for r in directory.read(directory.domain_controllers[0])}

    def make(self, name: str, **more: Any) -> None:
        """Make a connector of somebody else."""
        with self.lab.session("EX16", ADMIN, auth="ntlm", encryption="always") as session:
            answer = session.run(NEW, Name=name, **more)
        assert not answer.messages
        self.lab.organisation.directory.settle()
        self.lab.organisation.counters.reset()


@pytest.fixture(params=[0.0])
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    controller = Controller(tmp_path / "project", ROOT / ".build", more=cache)
    with OrganisationLab.build(
        SERVERS, users={ADMIN: PASSWORD}, replication_delay=request.param, settings=Settings()
    ) as lab:
        made = Site(controller, lab)
        made.inventory(1)
        made.make("Internet", AddressSpaces="SMTP:*;1", SourceTransportServers=["EX16", "EX19"])
        yield made


def test_enforce_then_nothing_to_do(site: Site) -> None:
    site.lab.organisation.directory.preferred = "dc1.hq.example"
    checked = site.task("--check", "--diff", routes=ROUTES)
    planned = site.results()["host0"]
    assert site.cmdlets(NEW) == 0
    first = site.task("--diff", routes=ROUTES)
    assert first.changed == checked.changed == 1, first.output
    done = site.results()["host0"]
    assert done["diff"] == planned["diff"]
    assert done["steps"] == planned["steps"]
    pin = site.connectors()["postmaster.exchange nestle.com"]
    assert pin["SmartHosts"] == ["[192.0.2.25]", "[192.0.2.26]"]
    assert pin["SourceTransportServers"] == ["EX16", "EX19"]
    assert len(site.connectors()) == 3
    again = site.task("--diff", routes=ROUTES)
    assert again.changed == 0
    assert site.results()["host0"]["diff"] == []
    assert (
        site.results()["host0"]["requests"] == 7
    )  # five to log in and open by NTLM, two for the cmdlet


def test_backup_is_private_and_restored_puts_it_back(site: Site) -> None:
    before = site.connectors()
    backup = Path(site.result(routes=ROUTES)["backup"])
    assert backup.is_relative_to(site.controller.folder / "backups")
    assert (backup / "backup.json").stat().st_mode & 0o777 == 0o600
    assert backup.stat().st_mode & 0o777 == 0o700
    assert PASSWORD not in (backup / "backup.json").read_text()
    restored = site.task(state="restored", backup="backups")
    assert restored.changed == 1, restored.output
    assert site.connectors() == before
    assert site.task(state="restored", backup="backups").changed == 0


def test_a_foreign_connector_stops_everything_or_is_adopted(site: Site) -> None:
    site.make("legacy", AddressSpaces="aol.com", SmartHosts=["10.1.1.1"], DNSRoutingEnabled=False)
    before = site.connectors()
    refused = site.task(routes=ROUTES)
    assert refused.status != 0
    assert site.results()["host0"]["refused"][0]["connector"] == "legacy"
    assert "Nothing was changed" in site.results()["host0"]["msg"]
    assert site.connectors() == before
    adopted = site.task(routes=ROUTES, existing="adopt")
    assert adopted.changed == 1, adopted.output
    assert site.connectors()["legacy"]["SmartHosts"] == ["[198.51.100.12]", "[2001:db8::12]"]
    site.task(state="restored", backup="backups")
    assert site.connectors() == before


@pytest.mark.parametrize("site", [0.0, 30.0], indirect=True, ids=["at once", "slowly"])
def test_one_change_for_all_hosts_and_forks(site: Site) -> None:
    """With slow replication, each domain controller knows a change only half a minute later."""
    site.inventory(6)
    run = site.task("--forks", "5", routes=ROUTES)
    assert run.status == 0, run.output
    assert run.changed == 1
    assert site.cmdlets(NEW) == 2
    assert len({one["domain_controller"] for one in site.results().values()}) == 1
    assert site.task("--forks", "5", routes=ROUTES).changed == 0
    assert len(site.connectors()) == 3


@pytest.mark.parametrize("same_user", [True, False], ids=["one user", "two users"])
def test_two_runs_at_the_same_moment_end_right(site: Site, tmp_path: Path, same_user: bool) -> None:
    """Two users share no lock: as on two controllers, only the transaction keeps them right."""
    site.inventory(2)
    site.write(routes=ROUTES)
    for number in range(2):
        site.lab.organisation.faults.order(Fault(Kind.DELAY, NEW, skip=number, seconds=0.5))
    runs = []
    for number in range(2):
        environment = site.controller.environment()
        if not same_user:
            environment["XDG_CACHE_HOME"] = str(tmp_path / f"cache{number}")
            site.lab.organisation.directory.preferred = "dc1.hq.example"
        runs.append(
            subprocess.Popen(
                [Path(sys.executable).parent / "ansible-playbook", "-i", "inventory", "play.yml"],
                cwd=site.controller.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    ended = [(run.communicate(timeout=120)[0], run.returncode) for run in runs]
    assert [status for _skipped, status in ended] == [0, 0], "\n".join(
        text for text, _skipped in ended
    )
    names = sorted(site.connectors())
    assert names == ["Internet", "postmaster.exchange aol.com", "postmaster.exchange nestle.com"]
    assert site.task(routes=ROUTES).changed == 0


def test_a_wrong_password_is_one_clear_sentence(site: Site) -> None:
    site.inventory(1, ansible_password="guess")
    run = site.task(routes=ROUTES)
    assert run.recap("host0")["unreachable"] == 1
    assert "wrong user or password" in " ".join(run.output.split())
    assert "guess" not in run.output
    assert "Traceback" not in run.output


def test_a_read_that_fails_is_never_an_empty_one(site: Site) -> None:
    site.task(routes=ROUTES)
    before = site.connectors()
    site.lab.organisation.faults.order(Fault(Kind.ERROR, "Get-SendConnector", times=9))
    failed = site.result(routes=ROUTES)
    assert failed["failed"]
    assert "LDAP server is unavailable" in failed["msg"]
    site.lab.organisation.faults.clear()
    site.lab.organisation.faults.order(Fault(Kind.EMPTY, "Get-SendConnector"))
    assert site.task(routes=ROUTES).changed == 0
    assert site.connectors() == before


def test_a_cmdlet_that_keeps_failing_is_rolled_back(site: Site) -> None:
    before = site.connectors()
    site.lab.organisation.faults.order(Fault(Kind.ERROR, NEW, skip=1, times=99))
    failed = site.result(routes=ROUTES)
    assert failed["rolled_back"] is True
    assert failed["state"] == "old"
    assert "The previous connectors were put back" in failed["msg"]
    assert site.connectors() == before


def test_what_passes_is_tried_again(site: Site) -> None:
    site.lab.organisation.faults.order(Fault(Kind.ERROR, "Get-SendConnector"))
    site.lab.organisation.faults.order(Fault(Kind.ERROR, NEW))
    run = site.task(routes=ROUTES)
    assert run.changed == 1, run.output


@pytest.mark.parametrize("kind", [Kind.RESET_BEFORE, Kind.RESET_AFTER])
def test_a_connection_that_breaks_leaves_all_or_nothing(site: Site, kind: Kind) -> None:
    before = site.connectors()
    site.lab.organisation.faults.order(Fault(kind, NEW, skip=1))
    failed = site.result(routes=ROUTES)
    assert failed["rolled_back"] is True, failed
    assert site.connectors() == before


def test_a_cmdlet_that_hangs_ends_by_our_own_deadline(site: Site) -> None:
    site.lab.organisation.faults.order(Fault(Kind.DELAY, "Get-SendConnector", seconds=20))
    started = time.monotonic()
    failed = site.result(routes=ROUTES, cmdlet_timeout=2)
    assert "did not end within 2 seconds" in failed["msg"]
    assert time.monotonic() - started < 15


def test_gone_domains_tiers_and_warnings(site: Site) -> None:
    site.task(routes=[{"domain": "gone.example", "addresses": ["192.0.2.9"]}])
    pairs = [
        {"preference": 20, "exchange": "b.nestle.com", "address": "192.0.2.26"},
        {"preference": 10, "exchange": "a.nestle.com", "address": "192.0.2.25"},
    ]
    resolved = [
        {
            "domain": "nestle.com",
            "pairs": pairs,
        }
    ]
    kept = site.result(routes=[ROUTES[0], ROUTES[3]], resolved=resolved, tiers="best")
    assert any("gone.example: no such domain" in warning for warning in kept["warnings"])
    pins = site.connectors()
    assert pins["postmaster.exchange nestle.com"]["SmartHosts"] == ["[192.0.2.25]"]
    assert "postmaster.exchange gone.example" in pins
    site.task(routes=ROUTES, missing_domain="remove")
    assert "postmaster.exchange gone.example" not in site.connectors()


def test_exact_and_absent(site: Site) -> None:
    site.task(routes=ROUTES)
    site.task(routes=ROUTES[1:], state="exact")
    assert sorted(site.connectors()) == ["Internet", "postmaster.exchange aol.com"]
    site.task(routes=[{"domain": "aol.com"}], state="absent")
    assert sorted(site.connectors()) == ["Internet"]


def test_the_module_where_the_connection_leads(site: Site) -> None:
    """The real module and the action plugin give the same result."""
    site.lab.organisation.directory.preferred = "dc1.hq.example"
    in_process = site.result("--check", routes=ROUTES)
    site.controller.more = {
        **site.controller.more,
        "ANSIBLE_CONNECTION_PLUGINS": str(CONNECTIONS),
    }
    site.endpoint = {
        "host": "127.0.0.1",
        "port": "{{ exchange_port }}",
        "user": ADMIN,
        "password": PASSWORD,
        "auth": "ntlm",
    }
    site.inventory(1, ansible_connection="elsewhere", ansible_python_interpreter=sys.executable)
    elsewhere = site.result("--check", routes=ROUTES)
    differing = {"invocation", "warnings", "failed", "ansible_facts"}
    for key in in_process.keys() - differing:
        assert elsewhere[key] == in_process[key], key
