# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""transport_delivery by many processes at once: forks of a run, and runs of two users."""

from __future__ import annotations

import json
import subprocess
import sys
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


@pytest.mark.parametrize(
    "site",
    [pytest.param(0.0, marks=pytest.mark.full), 30.0],
    indirect=True,
    ids=["at once", "slowly"],
)
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


@pytest.mark.parametrize(
    "same_user", [pytest.param(True, marks=pytest.mark.full), False], ids=["one user", "two users"]
)
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
