# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""transport_delivery on an organisation of several servers."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from exchange_lab.org.faults import Fault, Kind
from exchange_lab.org.lab import OrganisationLab
from exchange_lab.org.versions import Family
from exchange_lab.windows.winrm_listener import Settings
from worker import Result, Worker

ADMIN, PASSWORD = "admin@hq.example", "only for the lab"
SERVERS = {"EX10": Family.E2010, "EX16": Family.E2016, "EX19": Family.E2019}
ROUTES = [
    {"domain": "nestle.com", "addresses": ["192.0.2.26", "192.0.2.25"]},
    {"domain": "aol.com", "addresses": ["198.51.100.12", "2001:db8::12"]},
    {"domain": "slow.example", "addresses": [], "status": "temporary_failure"},
    {"domain": "gone.example", "addresses": [], "status": "no_such_domain"},
]
NEW = "New-SendConnector"


@dataclass
class Site:
    """An administrator's folder, and the organisation its inventory is of."""

    folder: Path
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
        self.folder.mkdir(exist_ok=True)
        path = self.folder / "inventory.yml"
        path.write_text(yaml.safe_dump({"all": {"hosts": entries, "vars": shared}}))
        self.worker = Worker(self.folder, path)

    def task(self, *, check: bool = False, diff: bool = False, **params: Any) -> Result:
        """Run a task at the first host and return its result."""
        options = {"endpoint": self.endpoint, **params}
        task = {"name": "pin", "postmaster.exchange.transport_delivery": options}
        return self.worker.run("host0", task, check=check, diff=diff)

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


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with OrganisationLab.build(SERVERS, users={ADMIN: PASSWORD}, settings=Settings()) as lab:
        made = Site(tmp_path / "project", lab)
        made.inventory(1)
        made.make("Internet", AddressSpaces="SMTP:*;1", SourceTransportServers=["EX16", "EX19"])
        yield made


#: What stands for a run in a comment; without a name each run has another one.
MARK = re.compile(r"Pin [0-9a-f]+-[0-9a-f]+\.")


def test_enforce_then_nothing_to_do(site: Site) -> None:
    site.lab.organisation.directory.preferred = "dc1.hq.example"
    named = {"routes": ROUTES, "run_id": "change-12"}  # a run without a name has a new mark
    planned = site.task(check=True, diff=True, **named)
    assert site.cmdlets(NEW) == 0
    done = site.task(diff=True, **named)
    assert planned["changed"] is done["changed"] is True, done
    assert done["diff"] == planned["diff"]
    assert done["steps"] == planned["steps"]
    pin = site.connectors()["postmaster.exchange nestle.com"]
    assert pin["SmartHosts"] == ["[192.0.2.25]", "[192.0.2.26]"]
    assert pin["SourceTransportServers"] == ["EX16", "EX19"]
    assert len(site.connectors()) == 3
    again = site.task(diff=True, routes=ROUTES)
    assert (again["changed"], again["diff"]) == (False, [])
    assert again["requests"] == 7  # five to log in and open by NTLM, two for the cmdlet


def test_backup_is_private_and_restored_puts_it_back(site: Site) -> None:
    before = site.connectors()
    backup = Path(site.task(routes=ROUTES)["backup"])
    assert backup.is_relative_to(site.folder / "backups")
    assert (backup / "backup.json").stat().st_mode & 0o777 == 0o600
    assert backup.stat().st_mode & 0o777 == 0o700
    assert PASSWORD not in (backup / "backup.json").read_text()
    restored = site.task(state="restored", backup="backups")
    assert restored["changed"], restored
    assert site.connectors() == before
    assert not site.task(state="restored", backup="backups")["changed"]


def test_a_foreign_connector_concerns_its_own_domain_only_and_can_be_adopted(site: Site) -> None:
    site.make("legacy", AddressSpaces="aol.com", SmartHosts=["10.1.1.1"], DNSRoutingEnabled=False)
    before = site.connectors()
    refused = site.task(routes=ROUTES)
    assert not refused["failed"], refused
    (one,) = refused["refused"]
    assert (one["domain"], one["connector"]) == ("aol.com", "legacy")
    assert one["differences"] == ["smart host 10.1.1.1 instead of 198.51.100.12, 2001:db8::12"]
    assert site.connectors()["legacy"] == before["legacy"]
    assert len(site.connectors()) == len(before) + 1
    site.task(state="restored", backup="backups")
    adopted = site.task(routes=ROUTES, existing="adopt")
    assert adopted["changed"], adopted
    assert site.connectors()["legacy"]["SmartHosts"] == ["[198.51.100.12]", "[2001:db8::12]"]
    site.task(state="restored", backup="backups")
    assert site.connectors() == before


def test_a_wrong_password_is_one_clear_sentence(site: Site) -> None:
    site.inventory(1, ansible_password="guess")
    result = site.task(routes=ROUTES)
    assert result["unreachable"]
    assert "wrong user or password" in result["msg"]
    assert "guess" not in str(result)


def test_a_read_that_fails_is_never_an_empty_one(site: Site) -> None:
    site.task(routes=ROUTES)
    before = site.connectors()
    site.lab.organisation.faults.order(Fault(Kind.ERROR, "Get-SendConnector", times=9))
    failed = site.task(routes=ROUTES)
    assert failed["failed"]
    assert "LDAP server is unavailable" in failed["msg"]
    site.lab.organisation.faults.clear()
    site.lab.organisation.faults.order(Fault(Kind.EMPTY, "Get-SendConnector"))
    assert not site.task(routes=ROUTES)["changed"]
    assert site.connectors() == before


def test_a_cmdlet_that_keeps_failing_is_rolled_back(site: Site) -> None:
    before = site.connectors()
    site.lab.organisation.faults.order(Fault(Kind.ERROR, NEW, skip=1, times=99))
    failed = site.task(routes=ROUTES)
    assert failed["rolled_back"] is True
    assert failed["state"] == "old"
    assert "The previous connectors were put back" in failed["msg"]
    assert site.connectors() == before


def test_what_passes_is_tried_again(site: Site) -> None:
    site.lab.organisation.faults.order(Fault(Kind.ERROR, "Get-SendConnector"))
    site.lab.organisation.faults.order(Fault(Kind.ERROR, NEW))
    result = site.task(routes=ROUTES)
    assert result["changed"], result


@pytest.mark.parametrize("kind", [Kind.RESET_BEFORE, Kind.RESET_AFTER])
def test_a_connection_that_breaks_leaves_all_or_nothing(site: Site, kind: Kind) -> None:
    before = site.connectors()
    site.lab.organisation.faults.order(Fault(kind, NEW, skip=1))
    failed = site.task(routes=ROUTES)
    assert failed["rolled_back"] is True, failed
    assert site.connectors() == before


def test_a_cmdlet_that_hangs_ends_by_our_own_deadline(site: Site) -> None:
    site.lab.organisation.faults.order(Fault(Kind.DELAY, "Get-SendConnector", seconds=40))
    started = time.monotonic()
    failed = site.task(routes=ROUTES, cmdlet_timeout=2)
    assert "did not end within 2 seconds" in failed["msg"]
    assert time.monotonic() - started < 35


def test_gone_domains_preferences_and_warnings(site: Site) -> None:
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
    kept = site.task(routes=[ROUTES[0], ROUTES[3]], resolved=resolved, mx_preference="best")
    assert any("gone.example: no such domain" in warning for warning in kept["warnings"])
    pins = site.connectors()
    assert pins["postmaster.exchange nestle.com"]["SmartHosts"] == ["[192.0.2.25]"]
    assert "postmaster.exchange gone.example" in pins
    site.task(routes=ROUTES, missing_domain="remove")
    assert "postmaster.exchange gone.example" not in site.connectors()


def test_only_what_was_approved_is_changed(site: Site) -> None:
    """The state and each change have to be those of the plan; nothing is taken from it."""
    planned = site.task(check=True, routes=ROUTES[:2], return_plan=True)["planned"]
    changed = [{**x, "after": {**x["after"], "Port": 26}} for x in planned["changes"]]
    for given, why in (
        ({**planned, "changes": changed}, "its change is not the one in the plan (nestle.com"),
        ({**planned, "state": "sha256:0"}, "its settings changed after the plan"),
        ({}, "it is not in the plan"),
    ):
        refused = site.task(routes=ROUTES[:2], approved_plan=given)
        assert why in refused["msg"], refused
        assert list(site.connectors()) == ["Internet"]
    noted = {"approved_plan": planned, "note": "CHG-1\n[urgent]"}
    assert site.task(routes=ROUTES[:2], **noted)["changed"] is True
    comment = site.connectors()["postmaster.exchange nestle.com"]["Comment"]
    assert comment.endswith(" [change: CHG-1 (urgent)]")
    assert site.task(routes=ROUTES[:2], approved_plan=planned)["changed"] is False


def test_exact_and_absent(site: Site) -> None:
    site.task(routes=ROUTES)
    site.task(routes=ROUTES[1:], state="exact")
    assert sorted(site.connectors()) == ["Internet", "postmaster.exchange aol.com"]
    site.task(routes=[{"domain": "aol.com"}], state="absent")
    assert sorted(site.connectors()) == ["Internet"]


def test_the_module_where_the_connection_leads(site: Site) -> None:
    """The real module and the action plugin give the same result."""
    site.lab.organisation.directory.preferred = "dc1.hq.example"
    in_process = site.task(check=True, routes=ROUTES)
    site.endpoint = {
        "host": "127.0.0.1",
        "port": "{{ exchange_port }}",
        "user": ADMIN,
        "password": PASSWORD,
        "auth": "ntlm",
    }
    site.inventory(1, ansible_connection="elsewhere", ansible_python_interpreter=sys.executable)
    elsewhere = site.task(check=True, routes=ROUTES)
    differing = {"invocation", "warnings", "failed", "ansible_facts"}
    for key in in_process.keys() - differing:
        found, known = (MARK.sub("Pin.", repr(one[key])) for one in (elsewhere, in_process))
        assert found == known, key
