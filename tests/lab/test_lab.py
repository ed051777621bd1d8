# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as a whole: what comes up, what is written, and that nothing stays behind."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import dns.resolver
import pytest
import winrm.protocol
import yaml
from exchange_lab.lab import Lab, NotOurs
from exchange_lab.manager import PSEXEC, RCMD
from exchange_lab.scenario import SIMPLE_HOST, simple
from exchange_lab.scenario_default import DEFAULT

LAB_FOLDER = Path(__file__).parent
SWITCH_KEY = r"HKLM\SYSTEM\CurrentControlSet\Services\MSExchangeIMC\Parameters"
SWITCH = "DisableResolverSearchList"


# -- the default scenario -----------------------------------------------------------------------


def test_the_old_hosts_are_what_they_are_said_to_be(lab: Lab) -> None:
    builds = {
        name: machine.host.registry.get(r"HKLM\SOFTWARE\Microsoft\Exchange\Setup", "NewestBuild")
        for name, machine in lab.machines.items()
    }
    assert {name: value.data for name, value in builds.items() if value} == {
        "mail50": 1460,
        "mail55": 2653,
        "mail55-ok": 2653,
    }
    spelled = lab["mail50"].host.registry.get(SWITCH_KEY, SWITCH)
    assert spelled is not None
    assert spelled.name == "disableresolversearchlist"
    assert lab["mail55"].host.registry.get(SWITCH_KEY, SWITCH) is None
    assert all("PARTNER.CORP;10.1.2.3;0" in m.imc.connector.rows for m in lab.machines.values())


def test_mail_is_stuck_where_it_should_be_and_nowhere_else(lab: Lab) -> None:
    machine = lab["mail55"]
    machine.imc.wait(lambda imc: bool(imc.delivered) and all(entry.attempts for entry in imc.queue))
    assert {entry.reply for entry in machine.imc.queue} == {
        f"421 NSO hq.example Unable to contact destination SMTP demon {domain}"
        for domain in ("nestle.com", "aol.com")
    }
    assert [item.recipient for item in machine.imc.delivered] == ["orders@partner.corp"]


def test_the_treated_host_delivers_to_every_domain(lab: Lab) -> None:
    machine = lab["mail55-ok"]
    for domain in DEFAULT.domains:
        machine.imc.send("a@hq.example", f"postmaster@{domain}")
    machine.imc.wait(lambda imc: len(imc.delivered) == len(DEFAULT.domains))


def test_the_rows_of_the_treated_host_are_what_dns_says(lab: Lab) -> None:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [lab.dns.address], lab.dns.port
    for domain in DEFAULT.domains:
        answer = resolver.resolve(f"{domain}.", "MX")
        exchanges = sorted((mx.preference, mx.exchange.to_text()) for mx in answer)
        expected = [
            f"{domain.upper()};{address};0"
            for _skipped, name in exchanges
            for address in sorted(a.address for a in resolver.resolve(name, "A"))
        ]
        rows = lab["mail55-ok"].imc.connector.rows
        assert [row for row in rows if row.startswith(domain.upper())] == expected


@pytest.mark.parametrize(
    ("name", "rcode"),
    [("nosuch.example", "NXDOMAIN"), ("flaky.example", "SERVFAIL"), ("nomail.example", "NOERROR")],
)
def test_the_odd_domains_answer_oddly(lab: Lab, name: str, rcode: str) -> None:
    question = dns.message.make_query(f"{name}.", "MX")
    reply = dns.query.udp(question, lab.dns.address, port=lab.dns.port, timeout=5)
    assert dns.rcode.to_text(reply.rcode()) == rcode


def test_the_servers_are_what_they_are_said_to_be(lab: Lab) -> None:
    assert lab.organisation is not None
    with lab.organisation.session(
        "exse-b", lab.scenario.user, auth="ntlm", encryption="auto"
    ) as session:
        servers = session.run("Get-ExchangeServer").objects
        connectors = session.run("Get-SendConnector").objects
    assert {one["Name"]: one["AdminDisplayVersion"] for one in servers} == {
        "ex19-a": "Version 15.2 (Build 1118.7)",
        "exse-b": "Version 15.2 (Build 2562.17)",
    }
    assert [one["Name"] for one in connectors] == ["Internet"]
    for name, build in (("ex19-a", 1118), ("exse-b", 2562)):
        setup = r"HKLM\SOFTWARE\Microsoft\ExchangeServer\v15\Setup"
        stored = lab.servers[name].host.registry.get(setup, "MsiBuildMajor")
        assert stored is not None
        assert stored.data == build


def test_mail_waits_where_dns_ignores_aaaa_and_nowhere_else(lab: Lab) -> None:
    server = lab.servers["ex19-a"]
    deadline = time.monotonic() + 10
    while [queue.status for queue in server.queues] != ["Retry"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (queue,) = server.queues
    assert queue.hop.domain == "contoso.example"
    assert "451 4.4.0 DNS query failed" in queue.last_error
    assert lab.servers["exse-b"].queues == []
    lab.servers["exse-b"].transport.submit(
        "a@hq.example", ("b@nestle.com",), b"Subject: x\r\n\r\n", "127.0.0.1"
    )
    lab.sinks.wait(lambda mails: any(mail.recipients == ("b@nestle.com",) for mail in mails))


# -- life ---------------------------------------------------------------------------------------


def test_a_lab_is_quick_and_leaves_nothing_behind() -> None:
    before = set(threading.enumerate())
    began = time.process_time()
    with Lab() as lab:
        folder, ports = lab.folder, [m.winrm.port for m in lab.machines.values()]
        ports += [m.imc.port for m in lab.machines.values()]
    assert time.process_time() - began < 3  # about 0.1 s
    assert set(threading.enumerate()) <= before
    assert not folder.exists()
    for port in ports:
        with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
            probe.connect(("127.0.0.1", port))


def test_a_lab_that_cannot_start_leaves_nothing_behind(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    lab = Lab(simple(SIMPLE_HOST, replace(SIMPLE_HOST, name="bad", rows=("no row",))), tmp_path)
    with pytest.raises(RuntimeError, match="bad: MSExchangeIMC did not start"):
        lab.start()
    assert set(threading.enumerate()) <= before


def test_a_given_folder_is_kept_and_used_again(tmp_path: Path) -> None:
    for _round in range(2):
        with Lab(simple(), tmp_path) as lab:
            lab["mail55"].host.fs.write_bytes(r"C:\once.txt", b"")
    assert (tmp_path / "hosts" / "mail55" / "C" / "once.txt").exists()


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts" / "precious").touch()
    with pytest.raises(NotOurs, match="choose another folder"):
        Lab(simple(), tmp_path).start()
    assert (tmp_path / "hosts" / "precious").exists()


# -- the inventory ------------------------------------------------------------------------------


def hosts_in(file: Path, group: str) -> dict[str, dict[str, object]]:
    """The hosts of a group of the inventory, with their variables."""
    inventory = yaml.safe_load(file.read_text())
    found: dict[str, dict[str, object]] = inventory["exchange"]["children"][group]["hosts"]
    return found


def test_the_inventory_logs_in(lab: Lab) -> None:
    file = lab.write_inventory()
    hosts = hosts_in(file, "exchange_imc")
    group = yaml.safe_load((file.parent / "group_vars" / "exchange.yml").read_text())
    assert list(hosts) == ["mail50", "mail55", "mail55-ok"]
    assert group["ansible_connection"] == "winrm"
    assert hosts["mail50"]["mx_delivery_test_smtp_port"] == lab["mail50"].imc.port
    port = hosts["mail55"]["ansible_port"]
    client = winrm.protocol.Protocol(
        f"{group['ansible_winrm_scheme']}://{group['ansible_host']}:{port}/wsman",
        transport=group["ansible_winrm_transport"],
        username=group["ansible_user"],
        password=group["ansible_password"],
    )
    shell = client.open_shell()
    output, _skipped, status = client.get_command_output(
        shell, client.run_command(shell, "hostname")
    )
    client.close_shell(shell)
    assert (output.strip().lower(), status) == (b"mgmt1", 0)
    assert hosts["mail55"]["mx_delivery_target_computer"] == "MAIL55"
    assert lab.managers["mgmt1"].winrm.traffic.requests > 0


def test_the_inventory_names_domains_and_name_server(lab: Lab) -> None:
    file = lab.write_inventory()
    group = yaml.safe_load((file.parent / "group_vars" / "exchange.yml").read_text())
    assert {key: value for key, value in group.items() if key.startswith("mx_delivery")} == {
        "mx_delivery_domains": ["nestle.com", "aol.com", "sister.example"],
        "mx_delivery_nameservers": ["127.0.0.1"],
        "mx_delivery_dns_port": lab.dns.port,
        "mx_delivery_allow_private": True,
        "mx_delivery_search_list": ["hq.example"],
        "mx_delivery_dns_timeout": 0.5,
        "mx_delivery_dns_lifetime": 2,
        "mx_delivery_test_interval": 1,
    }


def test_the_inventory_leads_to_the_servers_and_their_powershell(lab: Lab) -> None:
    file = lab.write_inventory()
    hosts = hosts_in(file, "exchange_transport")
    assert lab.organisation is not None
    for name, server in lab.servers.items():
        assert hosts[name] == {
            "ansible_port": server.winrm.port,
            "mx_delivery_endpoint": {"port": lab.organisation.port(name)},
            "mx_delivery_test_smtp_port": server.transport.port,
        }
    group = yaml.safe_load((file.parent / "group_vars" / "exchange_transport.yml").read_text())
    assert group == {
        "mx_delivery_family": "transport",
        "mx_delivery_domains": ["contoso.example", "nestle.com"],
    }


def test_what_holds_the_password_is_for_the_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "hosts.yml"
    with Lab(simple()) as lab:
        assert lab.write_inventory(file) == file
    for path in (file, file.parent / "group_vars" / "exchange.yml"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


# -- a management host --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "code", "said"),
    [
        (
            rf"{PSEXEC} -accepteula \\mail55 -s",
            1,
            "imccopy.exe exited on mail55 with error code 1.",
        ),
        (rf"{PSEXEC} -accepteula -nobanner \\mail55", 1, "imccopy.exe exited on mail55"),
        (rf"{RCMD} \\mail55", 0, ""),
    ],
)
def test_tools_that_sites_have_run_programs_on_another_computer(
    tool: str, code: int, said: str
) -> None:
    behind = replace(SIMPLE_HOST, behind="mgmt1")
    with Lab(replace(simple(behind), managers=("mgmt1",))) as lab:
        manager = lab.managers["mgmt1"]

        def run(arguments: str) -> tuple[int, str]:
            shell = manager.host.open_shell(lab.scenario.user)
            done = manager.host.run(rf"{tool} C:\exchsrvr\bin\imccopy.exe {arguments}", shell=shell)
            return done.exit_code, done.stderr.decode()

        failed, words = run(r"-save nothing C:\TEMP\r.txt")
        assert failed == code
        assert said in words
        assert run(r"-save routes C:\TEMP\r.txt")[0] == 0
        assert lab["mail55"].host.fs.exists(r"C:\TEMP\r.txt")


def test_a_host_without_winrm_is_reached_through_its_manager() -> None:
    behind = replace(SIMPLE_HOST, name="mail4old", behind="mgmt1", rows=("A.COM;192.0.2.1;0",))
    with Lab(replace(simple(behind), managers=("mgmt1",))) as lab:
        file = lab.write_inventory()
        host = hosts_in(file, "exchange_imc")["mail4old"]
        manager = lab.managers["mgmt1"]
        assert host["ansible_port"] == manager.winrm.port
        computer, imccopy = (host[f"mx_delivery_target_{key}"] for key in ("computer", "imccopy"))
        shell = manager.host.open_shell(lab.scenario.user)
        done = manager.host.run(rf"{imccopy} -save routes C:\TEMP\r.txt", shell=shell)
        assert done.exit_code == 0, done
        saved = manager.host.run(rf"type \\{computer}\C$\TEMP\r.txt", shell=shell)
        assert b"+A.COM;192.0.2.1;0\r\n" in saved.stdout
        state = manager.host.run(rf"sc \\{computer} query MSExchangeIMC", shell=shell)
        assert b": 4  RUNNING" in state.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [("mail55 hostname", 87, "Usage"), (r"\\nowhere hostname", 53, "network path")],
)
def test_what_the_remote_tool_cannot_do(arguments: str, code: int, said: str) -> None:
    with Lab(replace(simple(), managers=("mgmt1",))) as lab:
        done = lab.managers["mgmt1"].host.run(rf"C:\tools\remote {arguments}")
        assert done.exit_code == code
        assert said in done.stderr.decode()


# -- the command line ---------------------------------------------------------------------------


def command_line(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "exchange_lab", *arguments],
        env={**os.environ, "PYTHONPATH": str(LAB_FOLDER)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_run_names_the_inventory_and_passes_the_status_on(tmp_path: Path) -> None:
    script = 'test -s "$EXCHANGE_LAB_INVENTORY" && echo "$EXCHANGE_LAB_INVENTORY"; exit 7'
    process = command_line("run", "--dir", str(tmp_path), "--", "sh", "-c", script)
    assert ended(process) == (7, f"{tmp_path}/inventory/hosts.yml\n", "")


def test_run_writes_the_inventory_where_it_is_told(tmp_path: Path) -> None:
    file = tmp_path / "mine" / "hosts.yml"
    assert ended(command_line("run", "--inventory", str(file), "--", "true"))[0] == 0
    assert file.exists()


def test_run_tells_of_a_command_that_is_not_there() -> None:
    status, _skipped, err = ended(command_line("run", "--", "no-such-command"))
    assert status == 127
    assert err == "no-such-command: No such file or directory\n"


def test_run_tells_of_a_command_that_was_killed() -> None:
    assert ended(command_line("run", "--", "sh", "-c", "kill -9 $$"))[0] == 128 + signal.SIGKILL


def test_ending_run_ends_the_command(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    process = command_line("run", "--", "sh", "-c", f"touch {ready}; exec sleep 60")
    while not ready.exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 128 + signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_stays_until_interrupted(tmp_path: Path, number: signal.Signals) -> None:
    process = command_line("up", "--dir", str(tmp_path))
    assert process.stdout is not None
    told = list(iter(process.stdout.readline, "Ctrl-C ends it.\n"))
    assert told[0] == "The lab is up.\n"
    assert told[3].startswith("  mail55     Exchange 5.5, ")
    inventory = f"{tmp_path}/inventory/hosts.yml"
    assert f"  ansible-playbook -i {inventory} postmaster.exchange.audit\n" in told
    process.send_signal(number)
    assert ended(process) == (0, "", "")


def test_a_folder_of_somebody_else_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    status, _skipped, err = ended(command_line("run", "--dir", str(tmp_path), "--", "true"))
    assert status == 2
    assert "was not made by a lab" in err
