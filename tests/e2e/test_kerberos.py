# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks with inventories that log in by Kerberos, at MIT's KDC: as tickets come and go.

Ansible's own connection ``winrm`` gets the tickets, or the administrator did; cmdlets use either.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from exchange_lab.org.versions import Family
from exchange_lab.scenario import SIMPLE_HOST, OrganisationSpec, ServerSpec, simple
from exchange_lab.windows import kdc
from exchange_lab.windows.kdc import Realm
from exchange_lab.windows.winrm_listener import HttpListener, Settings

pytestmark = [pytest.mark.peers, pytest.mark.e2e]

PLUGINS = Path(__file__).parent / "ansible_plugins"
USER, PASSWORD, WRONG = f"exadmin@{kdc.REALM}", "Lab-Passw0rd", "n0t-the-Passw0rd"
ORGANISATION = OrganisationSpec((ServerSpec("ex19-a", Family.E2019),), domains=("nestle.com",))
SCENARIO = replace(simple(), organisation=ORGANISATION, user=USER, password=PASSWORD)
KERBEROS: dict[str, Any] = {"ansible_host": "localhost", "ansible_winrm_transport": "kerberos"}
MANAGED = {"ansible_winrm_kinit_env_vars": ["KRB5_CONFIG"]}
PSRP = {
    "ansible_connection": "psrp",
    "ansible_psrp_auth": "kerberos",
    "ansible_psrp_protocol": "http",
}


@pytest.fixture(scope="module")
def running_realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Realm]:
    if missing := kdc.missing():
        pytest.skip(f"not installed: {', '.join(missing)}")
    with kdc.running(tmp_path_factory.mktemp("realm"), {USER: PASSWORD}) as realm:
        yield realm


@pytest.fixture
def realm(running_realm: Realm, monkeypatch: pytest.MonkeyPatch) -> Realm:
    """The realm of the lab's acceptors and of the commands of the administrator; no ticket yet."""
    for name, value in running_realm.environment.items():
        monkeypatch.setenv(name, value)
    running_realm.logout()
    return running_realm


@pytest.fixture
def both(tmp_path: Path, controller: Controller, realm: Realm) -> Iterator[Lab]:
    """A 5.5 host and an organisation of one server."""
    with Lab(SCENARIO, tmp_path / "lab") as lab:
        lab.write_inventory(controller.inventory)
        yield lab


def without_password(controller: Controller) -> None:
    """Take the password out of the inventory."""
    file = controller.inventory.parent / "group_vars" / "exchange.yml"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(one for one in lines if not one.startswith("ansible_password")))


def say(controller: Controller, group: str, **variables: Any) -> None:
    """Set variables of a group of the inventory."""
    file = controller.inventory.parent / "group_vars" / f"{group}.yml"
    with file.open("a", encoding="utf-8") as text:
        text.writelines(f"{name}: {json.dumps(value)}\n" for name, value in variables.items())


def listeners(lab: Lab) -> list[HttpListener]:
    """All that hosts listen with, WinRM and web servers."""
    assert lab.organisation is not None
    return [*lab.winrm.listeners, *lab.organisation.listeners.values()]


def smart_hosts(lab: Lab) -> dict[str, int]:
    """How many smart hosts the connectors for one domain have."""
    assert lab.organisation is not None
    directory = lab.organisation.organisation.directory
    records = [dict(one.attributes) for one in directory.read(directory.domain_controllers[0])]
    return {
        space.partition(":")[2].partition(";")[0]: len(one["SmartHosts"])
        for one in records
        for space in one["AddressSpaces"]
        if "*" not in space
    }


def test_the_whole_job_with_a_ticket_and_no_password(
    both: Lab, controller: Controller, realm: Realm
) -> None:
    """The old host by Ansible's winrm, the new one by psrp; nobody logs in by anything else."""
    without_password(controller)
    say(controller, "exchange_imc", **KERBEROS)
    say(controller, "exchange_transport", ansible_host="localhost", **PSRP)
    realm.login(USER, PASSWORD)

    enforce = controller.playbook("enforce")
    assert enforce.status == 0, enforce.output
    assert enforce.recap("mail55")["changed"] == 1
    assert smart_hosts(both) == {"nestle.com": 3}
    rows = [row.lower() for row in both["mail55"].imc.connector.rows]
    assert "nestle.com;192.0.2.26;0" in rows

    again = controller.playbook("enforce")
    assert (again.status, again.changed) == (0, 0), again.output
    for listener in listeners(both):
        assert not {"Plaintext", "Bad"} & set(listener.traffic.actions)
        assert listener.open_shells == 0


def test_tickets_that_ansible_manages(both: Lab, controller: Controller, realm: Realm) -> None:
    """A password in the inventory is enough, by either connection; no ticket is left behind."""
    say(controller, "exchange", **KERBEROS, **MANAGED)
    audit = controller.playbook("audit")
    assert audit.status == 2, audit.output
    assert "mail55: enforce would change" in " ".join(audit.output.split())
    assert "ex19-a: enforce would change" in " ".join(audit.output.split())

    say(controller, "exchange_transport", **PSRP)
    again = controller.playbook("audit", "--limit", "exchange_transport")
    assert again.status == 2, again.output
    assert "ex19-a: enforce would change" in " ".join(again.output.split())
    assert not (realm.folder / "tickets").exists()


Failure = tuple[dict[str, Any], str, str]
"""The variables of a host, the sentence about it, and what is in the cure."""

FAILURES: dict[str, Failure] = {
    "no-ticket": (
        {"ansible_user": f"somebody@{kdc.REALM}"},
        "no Kerberos ticket for this login",
        "kinit",
    ),
    "expired": ({}, "the Kerberos ticket has expired", "kinit"),
    "wrong-password": (
        {"ansible_password": WRONG},
        "the Kerberos server rejects the password",
        "Check user and password",
    ),
    "unknown-user": (
        {"ansible_user": f"nobody@{kdc.REALM}", "ansible_password": PASSWORD},
        "the Kerberos server has no such user",
        "name@REALM",
    ),
    "unknown-realm": (
        {"ansible_user": "exadmin@NOWHERE.EXAMPLE", "ansible_password": PASSWORD},
        "no Kerberos server of this realm can be reached",
        "krb5.conf",
    ),
    "wrong-name": (
        {"ansible_host": "127.0.0.1", "ansible_password": PASSWORD},
        "the Kerberos server has no service principal (HTTP/ or WSMAN/) for this host",
        "setspn -Q HTTP/FQDN",
    ),
}
BY_SHELL: dict[str, Failure] = {
    **FAILURES,
    "no-kinit": (
        {"ansible_password": PASSWORD, "ansible_winrm_kinit_cmd": "/nowhere/kinit"},
        "the program kinit could not be run where the task runs",
        "ansible_winrm_kinit_cmd",
    ),
}


def every_failure(lab: Lab) -> dict[str, Any]:
    """An inventory of hosts that each lack something else, by both connections."""
    port = lab["mail55"].winrm.port
    endpoint = {"port": lab.servers["ex19-a"].facts().endpoint_port}
    common = {**KERBEROS, **MANAGED, "ansible_user": USER, "ansible_port": port}
    shells = {"ansible_connection": "winrm", "ansible_winrm_scheme": "http", "family": "imc"}
    cmdlets = {**PSRP, "family": "transport", "endpoint": endpoint}
    groups = {
        "shells": {
            "hosts": {f"{name}-shell": case[0] for name, case in BY_SHELL.items()},
            "vars": {**common, **shells},
        },
        "cmdlets": {
            "hosts": {f"{name}-cmdlet": case[0] for name, case in FAILURES.items()},
            "vars": {**common, **cmdlets},
        },
    }
    return {"all": {"children": groups}}


def test_what_a_user_reads_where_kerberos_fails(
    both: Lab, controller: Controller, realm: Realm, tmp_path: Path
) -> None:
    """One run at full verbosity: a sentence for each host, and no password anywhere."""
    controller.inventory.unlink()
    (controller.inventory.parent / "hosts.json").write_text(json.dumps(every_failure(both)))
    options = {
        "family": "{{ family }}",
        "endpoint": "{{ endpoint | default(omit) }}",
        "stop_at_refused_login": False,  # each host is to be asked
    }
    tasks = [{"postmaster.exchange.queue_info": options}]
    play = [{"hosts": "all", "gather_facts": False, "tasks": tasks}]
    (controller.folder / "play.yml").write_text(json.dumps(play))
    kept = tmp_path / "kept.jsonl"
    controller.more = {
        "KEEP_FILE": str(kept),
        "ANSIBLE_CALLBACK_PLUGINS": str(PLUGINS / "callback"),
        "ANSIBLE_CALLBACKS_ENABLED": "keep",
    }
    realm.login(USER, PASSWORD, "-l", "1s")
    time.sleep(2.2)  # and a second of clock skew
    run = controller.playbook("play.yml", "-vvvvv")

    assert run.status == 4, run.output
    results = dict(json.loads(line) for line in kept.read_text().splitlines())
    cases = {f"{name}-shell": case for name, case in BY_SHELL.items()}
    cases |= {f"{name}-cmdlet": case for name, case in FAILURES.items()}
    assert results.keys() == cases.keys()
    for host, (_variables, sentence, hint) in cases.items():
        told = results[host]["msg"]
        assert results[host]["unreachable"] is True, told
        assert told.startswith(f"{host}: no "), told
        assert f": {sentence}. " in told
        assert hint in told
        assert told.isprintable()
    assert both["mail55"].winrm.open_shells == 0
    for secret in (PASSWORD, WRONG):
        assert secret not in run.output
    assert "Traceback" not in "".join(results[host]["msg"] for host in results)


@pytest.mark.parametrize("plugin", ["winrm", "psrp"])
@pytest.mark.parametrize("delegation", [True, False])
def test_a_host_behind_a_management_host(
    controller: Controller, realm: Realm, tmp_path: Path, delegation: bool, plugin: str
) -> None:
    """The logon reaches on with a forwarded ticket only."""
    old = replace(SIMPLE_HOST, name="mail4old", behind="mgmt1")
    scenario = replace(simple(old), managers=("mgmt1",), user=USER, password=PASSWORD)
    with Lab(scenario, tmp_path / "lab") as lab:
        lab.managers["mgmt1"].winrm.settings = Settings()
        lab.write_inventory(controller.inventory)
        how = {"ansible_winrm_kerberos_delegation": delegation, **KERBEROS, **MANAGED}
        if plugin == "psrp":
            how = {**PSRP, "ansible_psrp_negotiate_delegate": delegation}
            realm.login(USER, PASSWORD, "-f")
        say(controller, "exchange_imc", **{**how, "ansible_host": "localhost"})
        audit = controller.playbook("audit")
    said = " ".join(audit.output.split())
    if delegation:
        assert "mail4old: enforce would change" in said
    else:
        assert "by Kerberos without delegation, ends at the management host" in said


def test_a_tunnel_has_another_name_than_the_host(
    both: Lab, controller: Controller, realm: Realm
) -> None:
    """Also at Exchange's PowerShell, which Ansible's winrm plugin does not log in to."""
    say(controller, "exchange", **KERBEROS, **MANAGED)
    say(
        controller,
        "exchange",
        ansible_host="127.0.0.1",
        ansible_winrm_kerberos_hostname_override="localhost",
    )
    audit = controller.playbook("audit")
    assert audit.status == 2, audit.output
    for host in ("mail55", "ex19-a"):
        assert f"{host}: enforce would change" in " ".join(audit.output.split())
