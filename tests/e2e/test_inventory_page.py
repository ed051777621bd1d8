# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each inventory of the pages docs/inventory*.md leads to the lab, with the lab's addresses.

What needs a real SSH server, or a directory, has the marker ``peers``.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import directory_server
import pytest
import ssh_server
from ansible.parsing.vault import VaultLib, VaultSecret
from exchange_lab.controller import Controller
from exchange_lab.lab import Lab
from exchange_lab.mail.imc_model import V55
from exchange_lab.org.endpoint import PATH
from exchange_lab.org.versions import Family
from exchange_lab.scenario import SIMPLE_HOST, HostSpec, OrganisationSpec, ServerSpec, simple
from exchange_lab.windows.certificates import TestAuthority
from exchange_lab.windows.proxy import Proxy
from exchange_lab.windows.winrm_listener import HttpListener, Settings
from pages import DOCS, Block, blocks_by_heading
from peer_programs import free_port
from reader import Reader

pytestmark = pytest.mark.e2e

_SHARED = "-o ControlMaster=auto -o ControlPersist=20s"  # as Ansible has it by default
SECTIONS = {
    heading: found
    for page in sorted(DOCS.glob("inventory*.md"))
    for heading, found in blocks_by_heading(page).items()
}
OVER_SSH = {"Through a jump host", "From a bastion"}
DIRECTORY = "By the plugin microsoft.ad.ldap"
OLD, NEW, BEHIND, MANAGER = "mail5-a.hq.example", "ex19-a.hq.example", "mail4-old", "mgmt1"
IMCCOPY = r"C:\exchsrvr\bin\imccopy.exe"
PASSWORD, PROXY_LOGIN = "Correct-Horse-9", "exchange:Tr0ub4dor"
SCENARIO = replace(
    simple(
        replace(SIMPLE_HOST, name=OLD),
        HostSpec("mail4old", V55, "203.0.113.40", imccopy=IMCCOPY, behind=MANAGER),
    ),
    managers=(MANAGER,),
    organisation=OrganisationSpec((ServerSpec(NEW, Family.E2019),)),
    password=PASSWORD,
)


@dataclass(slots=True)
class Ports:
    """Where the lab listens, by what a page calls it: ``http`` and ``https`` of each host."""

    winrm: Mapping[str, Mapping[str, int]]
    powershell: Mapping[str, int]
    tunnel: int
    socks: int


class Site:
    """The lab, and what stands in it for the names that the page uses."""

    def __init__(self, lab: Lab, folder: Path, stack: contextlib.ExitStack) -> None:
        self.lab, self.folder = lab, folder
        (folder / "ca").mkdir()
        authority = TestAuthority(folder / "ca")
        certificate = authority.issue("localhost")
        over_tls = {
            OLD: lab.winrm.add(lab[OLD].host, certificate=certificate).port,
            NEW: lab.winrm.add(lab.servers[NEW].host, certificate=certificate).port,
            BEHIND: lab.winrm.add(
                lab.managers[MANAGER].host,
                certificate=certificate,
                settings=Settings(credssp=True),
            ).port,
        }
        assert lab.organisation is not None
        web = HttpListener(
            NEW,
            {SCENARIO.user: PASSWORD},
            lab.organisation.endpoints[NEW],
            path=PATH,
            certificate=certificate,
        )
        stack.callback(web.stop)
        plain = {OLD: lab[OLD].winrm.port, NEW: lab.servers[NEW].winrm.port}
        self.ports = Ports(
            {name: {"https": port, "http": plain.get(name, 0)} for name, port in over_tls.items()},
            {"https": web.port, "http": lab.servers[NEW].facts().endpoint_port},
            free_port(),
            free_port(),
        )
        reached = [*over_tls.values(), web.port]
        self.proxy = stack.enter_context(
            Proxy({f"localhost:{port}": ("127.0.0.1", port) for port in reached}, login=PROXY_LOGIN)
        )
        self.authority = authority

    def here(self, text: str) -> str:
        """A text of the page, with the lab's addresses."""
        ports = self.ports
        for there, here in {
            "/etc/pki/hq-ca.pem": str(self.authority.ca_file),
            "/opt/exchange/bin/python": sys.executable,
            "/var/backups/exchange": str(self.folder / "backups"),
            "server: dc1.hq.example": f"server: {directory_server.ADDRESS}",
            "proxy.hq.example:3128": f"127.0.0.1:{self.proxy.port}",
            "127.0.0.1:1080": f"127.0.0.1:{ports.socks}",
            f"15986:{OLD}:5986": f"{ports.tunnel}:localhost:{ports.winrm[OLD]['https']}",
            "ansible_winrm_port: 5986": f"ansible_winrm_port: {ports.winrm[NEW]['https']}",
            "ansible_port: 15986": f"ansible_port: {ports.tunnel}",
            "HQ\\exchange-admin": SCENARIO.user,
            "ansible_user: ops": f"ansible_user: {getpass.getuser()}",
            "ops@": "",
            "ssh -": f"ssh -F {self.folder / 'ssh' / 'config'} -",
        }.items():
            text = text.replace(there, here)
        host = 'host: "{{ inventory_hostname }}"'
        for key, port in (
            ("mx_delivery_connection", ports.winrm[OLD]["http"]),
            ("(?:mx_delivery_)?endpoint", ports.powershell["http"]),
        ):
            text = re.sub(
                rf"({key}:\n( +)){re.escape(host)}", rf"\1host: localhost\n\2port: {port}", text
            )
        return text

    def overlay(self, name: str) -> dict[str, Any]:
        """What the lab adds to an inventory: where its hosts are, and who answers for names."""
        scheme = "http" if name == "jump" else "https"
        web = "https" if name == "proxy" else "http"
        hosts: dict[str, dict[str, Any]] = {
            host: {
                "ansible_host": "localhost",
                "ansible_port": ports[scheme],
                "ansible_winrm_scheme": scheme,
            }
            for host, ports in self.ports.winrm.items()
        }
        hosts[NEW]["mx_delivery_endpoint"] = {"scheme": web, "port": self.ports.powershell[web]}
        if name == "ad":
            hosts = {"EX19-A": hosts[NEW], "MAIL5-A": hosts[OLD]}
        if name == "windows-ssh":
            del hosts[NEW]["ansible_port"], hosts[NEW]["ansible_winrm_scheme"]
        if name in {"tunnel", "bastion", "delegate"}:  # the page itself says it
            hosts = {}
        variables = {
            "mx_delivery_domains": ["nestle.com"],
            "mx_delivery_nameservers": ["127.0.0.1"],
            "mx_delivery_dns_port": self.lab.dns.port,
            "mx_delivery_allow_private": True,
            "mx_delivery_dns_timeout": 0.5,
            "mx_delivery_evidence": False,
        }
        return {"hosts": hosts, "variables": variables}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with Lab(SCENARIO, folder / "lab") as lab, contextlib.ExitStack() as stack:
        yield Site(lab, folder, stack)


class Newcomer(Reader):
    """Somebody who tries the examples of the page."""

    def __init__(self, controller: Controller, site: Site) -> None:
        super().__init__(controller)
        self.site = site
        controller.more = {"EXCHANGE_PASSWORD": PASSWORD}
        (controller.folder / "vault-password").write_text("of-the-vault\n")

    def follow(self, block: Block) -> None:
        """Do what a block asks for, in the lab."""
        super().follow(replace(block, text=self.site.here(block.text)))
        if (file := block.says("in ")) is not None and file.endswith(("/hosts.yml", ".ldap.yml")):
            self._add_the_lab(Path(file).parent.name, block.text)

    def _add_the_lab(self, name: str, text: str) -> None:
        said = self.site.overlay(name)
        there = (
            set(said["hosts"]) if name == "ad" else {one for one in said["hosts"] if one in text}
        )
        hosts = {host: more for host, more in said["hosts"].items() if host in there}
        lab = {"all": {"hosts": hosts, "vars": said["variables"]}}
        (self.controller.folder / name / "lab.json").write_text(json.dumps(lab))


IN_SHORT = "Passwords in a vault"


def with_marker(section: str) -> Any:
    real = section in OVER_SSH or section == DIRECTORY
    marks = [pytest.mark.peers] if real else [] if section == IN_SHORT else [pytest.mark.full]
    return pytest.param(section, marks=marks)


@pytest.mark.parametrize(
    "section", [with_marker(name) for name, found in SECTIONS.items() if found]
)
def test_an_example_works(section: str, site: Site, tmp_path: Path) -> None:
    controller = Controller(tmp_path / "project", DOCS.parent / ".build")
    newcomer = Newcomer(controller, site)
    site.proxy.tunnels.clear()
    with contextlib.ExitStack() as stack:
        if section in OVER_SSH:
            keys = stack.enter_context(ssh_server.running(site.folder / "ssh"))
            over = {"ANSIBLE_SSH_ARGS": f"-F {keys} {_SHARED}", "ANSIBLE_PIPELINING": "1"}
            controller.more = {**controller.more, **over}
        if section == DIRECTORY:
            domain = directory_server.running(site.folder / "directory", site.authority)
            stack.enter_context(domain)
            controller.more = {**controller.more, **directory_server.environment()}
        if section == IN_SHORT:  # which takes an inventory from further up
            newcomer.follow(SECTIONS["winrm"][0])
        for block in SECTIONS[section]:
            newcomer.follow(block)
    assert bool(site.proxy.tunnels) is (section == "Through a web proxy")


@pytest.mark.parametrize("plugin", ["psrp", pytest.param("winrm", marks=pytest.mark.full)])
def test_a_task_delegated_to_the_controller_finds_the_host(
    plugin: str, site: Site, controller: Controller
) -> None:
    """Its connection is local, and all it knows are variables, with a password from a vault."""
    key = VaultSecret(b"of-the-vault")
    vaulted = VaultLib([("ops", key)]).encrypt(PASSWORD, key, vault_id="ops").decode()
    ways = {
        "winrm": {"ansible_winrm_transport": "ntlm", "ansible_winrm_scheme": "https"},
        "psrp": {"ansible_psrp_auth": "ntlm", "ansible_psrp_protocol": "https"},
    }
    trust = {"winrm": "ansible_winrm_ca_trust_path", "psrp": "ansible_psrp_ca_cert"}[plugin]
    variables = {
        "ansible_connection": plugin,
        "ansible_host": "localhost",
        "ansible_port": site.ports.winrm[OLD]["https"],
        "ansible_user": SCENARIO.user,
        trust: str(site.authority.ca_file),
        **ways[plugin],
    }
    lines = [f"    {name}: {json.dumps(value)}" for name, value in variables.items()]
    lines += ["    ansible_password: !vault |", *(f"      {one}" for one in vaulted.splitlines())]
    controller.inventory.parent.mkdir()
    controller.inventory.write_text(
        "\n".join(["all:", "  hosts:", f"    {OLD}:", "  vars:", *lines])
    )
    task = {
        "postmaster.exchange.queue_info": {"family": "imc"},
        "delegate_to": "localhost",
    }
    play = [{"hosts": OLD, "gather_facts": False, "tasks": [task]}]
    (controller.folder / "play.yml").write_text(json.dumps(play))
    (controller.folder / "vault-password").write_text("of-the-vault\n")
    run = controller.playbook("play.yml", "--vault-id", "ops@vault-password")
    assert run.status == 0, run.output
