# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""imc_delivery over NTLM, on hosts of the lab."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from exchange_lab.lab import Lab, Machine
from exchange_lab.mail.imc import SERVICE
from exchange_lab.mail.imc_config import PARAMETERS_KEY
from exchange_lab.mail.imc_directory import Connector
from exchange_lab.mail.imc_model import V40, V50, V55
from exchange_lab.scenario import SIMPLE_HOST, HostSpec, Scenario, simple
from exchange_lab.scenario_default import SILENT_HOST, WITH_SILENCE
from exchange_lab.windows.host import LabHost
from exchange_lab.windows.services import RUNNING, STOPPED, ServiceStartError
from worker import Result, Worker, shown_diff

ROOT = Path(__file__).resolve().parents[2]
SWITCH = "DisableResolverSearchList"
FOREIGN = ("PARTNER.CORP;10.1.2.3;0", "ODD.EXAMPLE;relay.odd.example;7")
OTHER_SECTION = "[Domain]\nDomainInformation=+\n+Default,ISO-8859-1,ISO-8859-1,800,76,0,0,0\n"
NESTLE = {"domain": "nestle.com", "addresses": ["192.0.2.25", "192.0.2.26"]}
WANTED = {"resolver_search_list": "disabled", "routes": [NESTLE]}
ROWS = ("nestle.com;192.0.2.25;0", "nestle.com;192.0.2.26;0")

Results = dict[str, Result]


class Site:
    """A lab and an administrator who runs one task on all its hosts."""

    def __init__(self, lab: Lab, worker: Worker, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self._worker = worker

    def run(
        self,
        options: dict[str, Any],
        *,
        check: bool = False,
        diff: bool = False,
        variables: dict[str, Any] | None = None,
        **task: Any,
    ) -> Results:
        """Run the task; returns the result of each host."""
        given = {"name": "pin", "postmaster.exchange.imc_delivery": options, **task}
        how = {"check": check, "diff": diff, "variables": variables}
        return {host: self._worker.run(host, given, **how) for host in self.lab.machines}

    def one(self, options: dict[str, Any], **more: Any) -> Result:
        """Run the task on the only host; returns its result."""
        (result,) = self.run(options, **more).values()
        return result

    @property
    def machine(self) -> Machine:
        """The only host."""
        (machine,) = self.lab.machines.values()
        return machine


@pytest.fixture
def site(
    tmp_path: Path, worker_of: Callable[[Lab], Worker], request: pytest.FixtureRequest
) -> Iterator[Site]:
    """A site of hosts given by the test as parameters, by default one of 5.5 with foreign rows."""
    given = getattr(request, "param", None) or UNTREATED
    scenario = given if isinstance(given, Scenario) else simple(given)
    with Lab(scenario, folder=tmp_path / "lab") as lab:
        yield Site(lab, worker_of(lab), tmp_path / "project")


UNTREATED = dataclasses.replace(SIMPLE_HOST, rows=FOREIGN, extra=OTHER_SECTION, diagnostics=0)


def files_of(host: LabHost) -> dict[str, bytes]:
    """All files of a host, but for those that come and go with the mail itself."""
    return {
        str(path.relative_to(host.fs.root)): path.read_bytes()
        for path in sorted(host.fs.root.rglob("*"))
        if path.is_file() and not {"imcdata", "tracking.log"} & {*path.parts}
    }


def state_of(machine: Machine) -> tuple[object, ...]:
    """All that a task could change on a host."""
    service = machine.host.services.get(SERVICE)
    return (
        machine.host.registry.export(PARAMETERS_KEY),
        machine.imc.connector.save(),
        (service.state, service.starts),
        files_of(machine.host),
    )


def settings_of(machine: Machine) -> tuple[object, ...]:
    """Registry, table, and whether the service runs."""
    registry, saved, (state, _skipped), _skipped = state_of(machine)  # type: ignore[misc]
    return registry, saved, state


def switch(machine: Machine) -> list[tuple[str, str, object]]:
    """The registry value as stored."""
    values = machine.host.registry.values(PARAMETERS_KEY)
    return [(x.name, x.type, x.data) for x in values if x.name.lower() == SWITCH.lower()]


SPELLED_WRONG = HostSpec(
    "mail50",
    V50,
    "203.0.113.50",
    switch=(SWITCH.lower(), 1),
    rows=(FOREIGN[0], "NESTLE.COM;1.2.3.4;0"),
)
TREATED = HostSpec("mail55-ok", V55, "203.0.113.56", switch=(SWITCH, 2), rows=(*FOREIGN, *ROWS))


def test_only_what_was_approved_is_changed(site: Site) -> None:
    """A change in between, here of a row that this run leaves alone, ends the approval."""
    planned = site.one({**WANTED, "return_plan": True}, check=True)["planned"]
    table = planned["changes"][0]
    assert (table["before"], table["after"]) == ([], list(ROWS))
    other = {"routes": [{"domain": "aol.com", "addresses": ["198.51.100.9"]}]}
    unplanned = site.one({**other, "approved_plan": planned})
    assert "its change is not the one in the plan (aol.com, nestle.com)" in unplanned["msg"]
    assert site.one(other)["changed"] is True
    refused = site.one({**WANTED, "approved_plan": planned})
    assert "its settings changed after the plan" in refused["msg"], refused
    assert (refused["changed"], site.one(other)["changed"]) == (False, False)
    planned = site.one({**WANTED, "return_plan": True}, check=True)["planned"]
    assert site.one({**WANTED, "approved_plan": planned})["changed"] is True


@pytest.mark.parametrize("site", [simple(UNTREATED, SPELLED_WRONG, TREATED)], indirect=True)
def test_enforced_once_and_then_in_the_desired_state(site: Site) -> None:
    before = {name: state_of(machine) for name, machine in site.lab.machines.items()}
    foretold = site.run(WANTED, check=True, diff=True)
    assert {name: state_of(machine) for name, machine in site.lab.machines.items()} == before
    results = site.run(WANTED, diff=True)
    for host, result in results.items():
        for key in ("changed", "diff", "registry", "routes", "restarted", "restart_required"):
            assert result.get(key) == foretold[host].get(key), (host, key)
    assert {host: result["changed"] for host, result in results.items()} == {
        "mail55": True,
        "mail50": True,
        "mail55-ok": False,
    }
    printed = shown_diff(results["mail55"])
    assert " ODD.EXAMPLE   relay.odd.example flag 7  (not managed, kept)\n" in printed
    assert "+nestle.com    192.0.2.26\n" in printed
    for name in ("mail55", "mail50"):
        machine = site.lab[name]
        assert switch(machine) == [(SWITCH, "REG_DWORD", 1)]
        assert [row for row in machine.imc.connector.rows if "nestle" in row] == list(ROWS)
        assert machine.host.services.get(SERVICE).state == RUNNING
        assert machine.host.services.get(SERVICE).starts == 2
    assert site.lab["mail55"].imc.connector.rows == (*FOREIGN, *ROWS)
    assert OTHER_SECTION.replace("\n", "\r\n").encode() in site.lab["mail55"].imc.connector.save()
    # Nothing that a transaction used is left, but for the backup.
    backed_up = files_of(site.lab["mail55"].host).keys() - before["mail55"][3].keys()  # type: ignore[attr-defined]
    assert sorted(Path(path).name for path in backed_up) == ["parameters.reg", "routes.txt"]
    assert site.lab.winrm.open_shells == 0

    site.lab.winrm.reset()
    again = site.run(WANTED, diff=True)
    assert [result["changed"] for result in again.values()] == [False] * 3
    assert set(site.lab.winrm.requests_by_host.values()) == {8}


def test_done_again_until_nothing_is_left_to_do(site: Site) -> None:
    again = {"register": "done", "until": "done is not changed", "retries": 2, "delay": 0}
    result = site.one(WANTED, **again)
    assert (result["attempts"], result["changed"]) == (2, False)
    assert set(ROWS) < set(site.machine.imc.connector.rows)


def test_a_changed_host_costs_few_requests(site: Site) -> None:
    site.lab.winrm.reset()
    site.run(WANTED)
    assert site.machine.requests <= 45


def test_a_backup_is_put_back(site: Site) -> None:
    before = settings_of(site.machine)
    backup = site.one(WANTED)["backup"]
    assert settings_of(site.machine) != before
    assert Path(backup).parent == site.folder / "backups" / "mail55"
    assert sorted(path.name for path in Path(backup).iterdir()) == [
        "backup.json",
        "parameters.reg",
        "routes.txt",
    ]
    export = (Path(backup) / "parameters.reg").read_text("utf-16")
    assert export.startswith("Windows Registry Editor Version 5.00")
    assert '"RootDir"="C:\\\\exchsrvr\\\\imcdata"' in export
    restored = {"state": "restored", "backup": "backups"}
    assert site.one(restored, check=True)["changed"]
    assert site.one(restored)["restored_from"] == backup
    assert settings_of(site.machine) == before
    assert not site.one({"state": "restored", "backup": backup})["changed"]


class Meddler:
    """A connector object that another administrator changes as it is saved for the n-th time."""

    def __init__(self, connector: Connector, number: int, rows: bytes) -> None:
        self.connector, self.number, self.rows = connector, number, rows

    def save(self) -> bytes:
        self.number -= 1
        if self.number == 0:
            before = self.connector.save()
            self.connector.restore(before.replace(b"DefaultRouting", self.rows + b"DefaultRouting"))
        return self.connector.save()

    def restore(self, data: bytes) -> None:
        self.connector.restore(data)


def test_somebody_else_is_at_work_on_the_same_table(site: Site) -> None:
    connector = site.machine.imc.connector
    site.machine.imccopy.connector = Meddler(connector, 2, b"+THEIRS.EXAMPLE;192.0.2.99;0\r\n")  # type: ignore[assignment]
    files = files_of(site.machine.host)
    result = site.one(WANTED)
    assert result["failed"]
    assert "the route table changed during this run" in result["msg"]
    assert "Nothing was changed." in result["msg"]
    assert connector.rows == (*FOREIGN, "THEIRS.EXAMPLE;192.0.2.99;0")
    assert switch(site.machine) == []
    assert files_of(site.machine.host) == files
    assert list((site.folder / "backups").rglob("*.json")) == []
    assert not site.one(WANTED).get("failed")


@pytest.mark.parametrize(
    ("fault", "rolled_back"),
    [
        ({"fail_save": True}, None),
        ({"corrupt": True}, None),
        ({"fail_restore": True}, False),
        ({"deaf": True}, True),
    ],
)
def test_imccopy_that_does_not_do_its_work(
    fault: dict[str, bool], rolled_back: bool | None, site: Site
) -> None:
    before = settings_of(site.machine)
    for name, value in fault.items():
        setattr(site.machine.imccopy.faults, name, value)
    result = site.one(WANTED)
    assert result["failed"]
    assert "imccopy" in result["msg"] or "reads back different" in result["msg"]
    assert settings_of(site.machine) == before
    if rolled_back is None:
        assert "Nothing was changed." in result["msg"]
    else:
        assert result["state"] == "old"
    site.machine.imccopy.faults = type(site.machine.imccopy.faults)()
    assert not site.one(WANTED).get("failed")
    assert site.machine.imc.connector.rows == (*FOREIGN, *ROWS)


def test_imccopy_that_hangs(site: Site) -> None:
    before = settings_of(site.machine)
    site.machine.imccopy.faults.delay = 600
    result = site.one({**WANTED, "command_timeout": 3})
    assert result["failed"]
    assert "3" in result["msg"]
    assert settings_of(site.machine) == before
    assert not [path for path in files_of(site.machine.host) if "pmx-" in path]


def test_event_4056_is_survived(site: Site) -> None:
    """The service refuses to start with the new rows, as with a row that it cannot parse."""
    machine, before = site.machine, settings_of(site.machine)
    service = machine.host.services.get(SERVICE)
    start = service.on_start

    def refuse() -> None:
        if any("192.0.2.26" in row for row in machine.imc.connector.rows):
            raise ServiceStartError(4056)
        start()

    service.on_start = refuse
    result = site.one(WANTED)
    assert result["failed"]
    assert result["rolled_back"] is True
    assert result["state"] == "old"
    assert result["service"]["state"] == "running"
    assert "nestle.com;192.0.2.26;0" in result["msg"]
    assert "were put back, and the service runs. The backup is in" in result["msg"]
    assert settings_of(machine) == before
    assert not [path for path in files_of(machine.host) if "journal" in path or "pmx-" in path]


@pytest.mark.parametrize("room", [0, 300, 700, 1000])
def test_a_full_disk_on_the_host(room: int, site: Site) -> None:
    machine, before = site.machine, settings_of(site.machine)
    machine.host.fs.quota_bytes = machine.host.fs.used_bytes() + room
    result = site.one(WANTED)
    assert result["failed"]
    assert settings_of(machine) == before
    assert "Nothing was changed." in result["msg"] or result["rolled_back"]
    machine.host.fs.quota_bytes = None
    assert not [path for path in files_of(machine.host) if "pmx-" in path]
    assert not site.one(WANTED).get("failed")
    assert machine.imc.connector.rows == (*FOREIGN, *ROWS)


def test_five_thousand_rows(site: Site) -> None:
    routes = [
        {"domain": f"domain{number}.example", "addresses": [f"192.0.2.{number % 250 + 1}"]}
        for number in range(5000)
    ]
    result = site.one({"routes": routes, "resolver_search_list": "disabled"})
    assert result["changed"], result["msg"]
    assert len(site.machine.imc.connector.rows) == 5002
    again = site.one({"routes": routes, "resolver_search_list": "disabled"})
    assert not again["changed"]
    assert again["requests"] <= 4  # one command, whose output takes a second Receive


def test_a_row_in_another_code_page_survives_because_nothing_is_written(site: Site) -> None:
    connector = site.machine.imc.connector
    connector.restore(
        connector.save().replace(
            b"DefaultRouting", b"+CAF\xc9.EXAMPLE;192.0.2.7;0\r\nDefaultRouting"
        )
    )
    before = settings_of(site.machine)
    result = site.one(WANTED)
    assert result["failed"]
    assert "line 8 of the saved route table contains non-ASCII characters" in result["msg"]
    assert settings_of(site.machine) == before
    # What needs no change of the table is done.
    absent = {"resolver_search_list": "disabled", "routes": [NESTLE], "state": "absent"}
    assert site.one(absent)["changed"]
    assert connector.save() == before[1]


def test_a_host_without_a_connector(site: Site) -> None:
    host = site.machine.host
    host.services.stop(SERVICE)
    host.services.wait(SERVICE, {STOPPED}, 10)
    host.services._services.pop(SERVICE.casefold())
    result = site.one(WANTED)
    assert result["failed"]
    assert "the Internet Mail Connector is not installed" in result["msg"]
    passed = site.one({**WANTED, "missing_service": "skip"})
    assert (passed["skipped"], passed["failed"]) == (True, False)


@pytest.mark.parametrize("site", [dataclasses.replace(UNTREATED, running=False)], indirect=True)
def test_a_stopped_service_stays_stopped(site: Site) -> None:
    result = site.one(WANTED)
    assert result["changed"]
    assert "was left so" in result["warnings"][0]
    assert site.machine.host.services.get(SERVICE).state == STOPPED


EXCHANGE_40 = HostSpec("mail40", V40, "203.0.113.40", rows=FOREIGN)


@pytest.mark.parametrize("site", [EXCHANGE_40], indirect=True)
def test_exchange_40_gets_the_value_and_a_worksheet(site: Site) -> None:
    result = site.one(WANTED)
    assert result["failed"]
    assert result["changed"]
    assert switch(site.machine) == [(SWITCH, "REG_DWORD", 1)]
    assert site.machine.imc.connector.rows == FOREIGN
    assert [row["address"] for row in result["worksheet"]] == NESTLE["addresses"]
    assert "enter   nestle.com  192.0.2.26" in result["msg"]
    warned = site.one({**WANTED, "missing_imccopy": "warn"})
    assert not warned.get("failed")
    assert not warned["changed"]


def test_a_wrong_password_is_unreachable_and_not_shown(site: Site) -> None:
    result = site.one(WANTED, variables={"ansible_password": "Wr0ng-Secret"})
    assert result["unreachable"]
    assert "Wr0ng-Secret" not in str(result)


def test_a_host_that_is_not_there_is_unreachable(site: Site) -> None:
    result = site.one(WANTED, variables={"ansible_port": 1})
    assert result["unreachable"]


BEHIND = dataclasses.replace(
    simple(dataclasses.replace(UNTREATED, name="mail4old", behind="mgmt1")), managers=("mgmt1",)
)


@pytest.mark.parametrize("site", [BEHIND], indirect=True)
def test_a_computer_behind_a_management_host(site: Site) -> None:
    machine = site.machine
    target = {
        "target_computer": "{{ mx_delivery_target_computer }}",
        "target_imccopy": "{{ mx_delivery_target_imccopy }}",
    }
    result = site.one({**WANTED, **target}, variables={"ansible_winrm_transport": "ntlm"})
    assert result["changed"], result
    assert switch(machine) == [(SWITCH, "REG_DWORD", 1)]
    assert machine.imc.connector.rows == (*FOREIGN, *ROWS)
    assert machine.host.services.get(SERVICE).starts == 2
    assert not [path for path in files_of(machine.host) if "pmx-" in path]
    assert not site.one({**WANTED, **target})["changed"]


SILENCE = dataclasses.replace(WITH_SILENCE, hosts=(SILENT_HOST,), organisation=None)


@pytest.mark.parametrize("site", [SILENCE], indirect=True)
def test_q182821_a_silent_exchange_is_named_or_left_out(site: Site) -> None:
    silent, sound = "192.0.2.81", "192.0.2.82"
    wanted = {"routes": [{"domain": "globex.example", "addresses": [silent, sound]}]}
    site.machine.imc.wait(lambda imc: any(entry.reply for entry in imc.queue))
    warned = site.one(wanted, check=True)
    assert [row["address"] for row in warned["routes"]["after"]] == [silent, sound]
    assert any("silent_exchanges: drop" in x and "5.5 SP1" in x for x in warned["warnings"])
    drop = {**wanted, "silent_exchanges": "drop"}
    result = site.one(drop)
    assert [row["address"] for row in result["routes"]["after"]] == [sound]
    assert site.lab.sinks.wait(bool)[0].address == sound
    assert not site.one(drop)["changed"]
    only = {"routes": [{"domain": "globex.example", "addresses": [silent]}]}
    kept = site.one({**only, "silent_exchanges": "drop"}, check=True)
    assert [row["address"] for row in kept["routes"]["after"]] == [silent]


def _connection(machine: Machine, scenario: Scenario) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": machine.winrm.port,
        "scheme": "http",
        "transport": "ntlm",
        "user": scenario.user,
        "password": scenario.password,
    }


def _common(result: dict[str, Any]) -> dict[str, Any]:
    """The part of a result that does not depend on where it was computed."""
    keys = ("changed", "failed", "registry", "routes", "restarted", "service", "worksheet", "diff")
    return {key: result.get(key, False) for key in keys}


def test_the_real_module_gives_the_same_result_as_the_action(site: Site) -> None:
    """By Ansible on a connection that is not the controller's, and as a bare program."""
    connection = _connection(site.machine, site.lab.scenario)
    options = {**WANTED, "backup_dir": str(site.folder / "there")}
    action = site.one(options, check=True, diff=True)
    there = site.one(
        {**options, "connection": connection},
        check=True,
        diff=True,
        variables={"ansible_python_interpreter": sys.executable},
        connection="elsewhere",
    )
    for result in (action, there):
        for entry in result["diff"]:
            entry["before_header"] = entry["after_header"] = "the same"
    assert _common(there) == _common(action)
    assert there["changed"]

    module = "ansible_collections.postmaster.exchange.plugins.modules.imc_delivery"
    arguments = {"ANSIBLE_MODULE_ARGS": {**options, "connection": connection}}
    for changed in (True, False):
        done = subprocess.run(
            [sys.executable, "-m", module, json.dumps(arguments)],
            cwd=site.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT / ".build")},
            stdout=subprocess.PIPE,
            check=True,
        )
        result = json.loads(done.stdout)
        assert result["changed"] is changed
    assert site.machine.imc.connector.rows == (*FOREIGN, *ROWS)
    assert not site.one(WANTED)["changed"]
    assert site.lab.winrm.open_shells == 0


def test_from_the_controller_with_explicit_connection(site: Site) -> None:
    connection = _connection(site.machine, site.lab.scenario)
    result = site.one({**WANTED, "connection": connection}, delegate_to="localhost")
    assert result["changed"], result
    assert site.machine.imc.connector.rows == (*FOREIGN, *ROWS)
    assert site.lab.winrm.open_shells == 0
