# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom an inventory trusts over HTTPS, by Ansible's winrm and psrp: many hosts.

The environment names another bundle all the time, which must not count beside the inventory's.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import certifi
import pytest
from exchange_lab.lab import Lab
from exchange_lab.org.endpoint import PATH
from exchange_lab.org.versions import Family
from exchange_lab.scenario import OrganisationSpec, ServerSpec, simple
from exchange_lab.windows.certificates import Certificate, TestAuthority
from exchange_lab.windows.winrm_listener import HttpListener
from worker import Worker

SCENARIO = replace(simple(), organisation=OrganisationSpec((ServerSpec("ex19-a", Family.E2019),)))
BY_SHELL = {
    "ansible_connection": "winrm",
    "ansible_winrm_transport": "ntlm",
    "ansible_winrm_scheme": "https",
    "family": "imc",
}
BY_CMDLET = {
    "ansible_connection": "psrp",
    "ansible_psrp_auth": "ntlm",
    "ansible_psrp_protocol": "https",
    "ansible_psrp_configuration_name": "Microsoft.Exchange",
    "ansible_psrp_path": "PowerShell",
    "family": "transport",
}
NO_TRUST = "the TLS certificate is not trusted"
OTHER_NAME = "the TLS certificate does not match the host name"
EXPIRED = "the TLS certificate has expired"
NO_BUNDLE = "the file given as ca_cert is missing or holds no certificate"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Lab(SCENARIO, tmp_path / "lab") as running:
        yield running


class Ports:
    """Opens further ports of the two hosts, with certificates of an authority of its own."""

    def __init__(self, lab: Lab, folder: Path, stack: contextlib.ExitStack) -> None:
        folder.mkdir()
        self.authority = TestAuthority(folder)
        self._lab, self._stack = lab, stack

    def shell(self, certificate: Certificate) -> int:
        return self._lab.winrm.add(self._lab["mail55"].host, certificate=certificate).port

    def cmdlet(self, certificate: Certificate) -> int:
        assert self._lab.organisation is not None
        users = {self._lab.scenario.user: self._lab.scenario.password}
        endpoint = self._lab.organisation.endpoints["ex19-a"]
        listener = HttpListener("ex19-a", users, endpoint, path=PATH, certificate=certificate)
        self._stack.callback(listener.stop)
        return listener.port


def hosts(ports: Ports, missing: Path) -> dict[str, tuple[dict[str, Any], str]]:
    """Variables of each host of the inventory, and the sentence about it, if any."""
    ours, other = str(ports.authority.ca_file), certifi.where()
    right = ports.authority.issue("localhost")
    misnamed = ports.authority.issue("mail.elsewhere.example")
    expired = ports.authority.issue("localhost", expired=True)
    kinds = {
        "shell": (
            ports.shell,
            "ansible_winrm_ca_trust_path",
            "ansible_winrm_server_cert_validation",
        ),
        "cmdlet": (ports.cmdlet, "ansible_psrp_ca_cert", "ansible_psrp_cert_validation"),
    }
    found = {}
    for kind, (open_port, bundle, validation) in kinds.items():
        cases: dict[str, tuple[Certificate, dict[str, str], str]] = {
            "trusted": (right, {bundle: ours}, ""),
            "unknown": (right, {bundle: other}, NO_TRUST),
            "by-environment": (right, {}, NO_TRUST),
            "misnamed": (misnamed, {bundle: ours}, OTHER_NAME),
            "expired": (expired, {bundle: ours}, EXPIRED),
            "no-bundle": (right, {bundle: str(missing)}, NO_BUNDLE),
            "unchecked": (misnamed, {validation: "ignore"}, ""),
        }
        open_ports = {id(one): open_port(one) for one in (right, misnamed, expired)}
        for name, (certificate, variables, sentence) in cases.items():
            where = {"ansible_port": open_ports[id(certificate)]}
            found[f"{name}-{kind}"] = ({**where, **variables}, sentence)
    return found


def test_whom_an_inventory_trusts(
    lab: Lab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    with contextlib.ExitStack() as stack:
        expected = hosts(Ports(lab, tmp_path / "ca", stack), tmp_path / "none.pem")
        common = {
            "ansible_host": "localhost",
            "ansible_user": lab.scenario.user,
            "ansible_password": lab.scenario.password,
        }
        groups = {
            kind: {
                "hosts": {name: told[0] for name, told in expected.items() if name.endswith(kind)},
                "vars": {**common, **variables},
            }
            for kind, variables in (("shell", BY_SHELL), ("cmdlet", BY_CMDLET))
        }
        inventory = tmp_path / "hosts.json"
        inventory.write_text(json.dumps({"all": {"children": groups}}))
        task = {"postmaster.exchange.queue_info": {"family": "{{ family }}"}}
        worker = Worker(tmp_path / "project", inventory)
        results = {name: worker.run(name, task) for name in expected}
    for name, (_variables, sentence) in expected.items():
        told = results[name].get("msg", "")
        assert bool(results[name].get("unreachable")) is bool(sentence), (name, told)
        assert sentence in told, name
        if sentence:
            assert told.startswith(f"{name}: no "), told
    assert "Warning" not in "".join(capfd.readouterr())
