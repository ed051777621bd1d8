# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the Ansible inventory of a running lab, as an administrator would have written it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

GROUP, IMC_GROUP, TRANSPORT_GROUP = "exchange", "exchange_imc", "exchange_transport"
_KINDS = {IMC_GROUP: "Exchange 4.0 to 5.5", TRANSPORT_GROUP: "Exchange 2010 and later"}


@dataclass(frozen=True, slots=True)
class Machine:
    """A host as the inventory names it: its WinRM port and its SMTP port, both on loopback.

    ``endpoint_port`` is that of Exchange's PowerShell, 0 where there is none. ``more`` are further
    variables, for example of a host behind a management host.
    """

    name: str
    winrm_port: int
    smtp_port: int
    endpoint_port: int = 0
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the inventory says about a lab; ``servers`` are those of the organisation."""

    machines: tuple[Machine, ...]
    servers: tuple[Machine, ...]
    user: str
    password: str
    domains: tuple[str, ...]
    server_domains: tuple[str, ...]
    search_list: tuple[str, ...]
    dns_port: int


def write(file: Path, facts: Facts) -> Path:
    """Write the inventory and, beside it, the groups' variables; only the owner can read them."""
    folder = file.parent / "group_vars"
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        file: _hosts(facts),
        folder / f"{GROUP}.yml": _variables(facts),
        folder / f"{IMC_GROUP}.yml": "---\nmx_delivery_family: imc\n",
        folder / f"{TRANSPORT_GROUP}.yml": _transport_variables(facts),
    }
    for path, text in texts.items():
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
    return file


def _hosts(facts: Facts) -> str:
    lines = ["---", "# The hosts of the lab. It is written anew whenever the lab starts.", ""]
    lines += [f"{GROUP}:", "  children:"]
    for group, machines in ((IMC_GROUP, facts.machines), (TRANSPORT_GROUP, facts.servers)):
        if machines:
            lines += [f"    {group}:  # {_KINDS[group]}", "      hosts:"]
        for machine in machines:
            lines += [f"        {machine.name}:"]
            lines += [f"          {line}" for line in _host(machine)]
    return "\n".join(lines) + "\n"


def _host(machine: Machine) -> list[str]:
    lines = [f"ansible_port: {machine.winrm_port}"]
    if machine.endpoint_port:
        lines.append(f"mx_delivery_endpoint: {{port: {machine.endpoint_port}}}")
    lines.append(f"mx_delivery_test_smtp_port: {machine.smtp_port}")
    return [*lines, *_pairs(machine.more)]


def _variables(facts: Facts) -> str:
    connection = {
        "ansible_connection": "winrm",
        "ansible_host": "127.0.0.1",
        "ansible_winrm_scheme": "http",
        "ansible_winrm_transport": "ntlm",
        "ansible_user": facts.user,
        "ansible_password": facts.password,
    }
    lines = ["---", "# How the lab's hosts are reached", *_pairs(connection), ""]
    lines += _domains(facts.domains)
    lines += ["", "# Who answers for them. The lab's addresses are those of documentation, which"]
    lines += ["# no mail server outside a lab can have, so they have to be allowed."]
    lines += ["mx_delivery_nameservers: [127.0.0.1]", f"mx_delivery_dns_port: {facts.dns_port}"]
    lines += ["mx_delivery_allow_private: true"]
    lines += [f"mx_delivery_search_list: [{', '.join(facts.search_list)}]"]
    lines += ["", "# Answers and mail arrive at once here."]
    lines += ["mx_delivery_dns_timeout: 0.5", "mx_delivery_dns_lifetime: 2"]
    lines += ["mx_delivery_test_interval: 1"]
    return "\n".join(lines) + "\n"


def _transport_variables(facts: Facts) -> str:
    lines = ["---", "mx_delivery_family: transport"]
    if facts.server_domains:
        lines += ["", *_domains(facts.server_domains)]
    return "\n".join(lines) + "\n"


def _domains(names: tuple[str, ...]) -> list[str]:
    lines = ["# The domains whose mail is stuck", "mx_delivery_domains:"]
    return lines + [f"  - {domain}" for domain in names]


def _pairs(values: Mapping[str, str]) -> list[str]:
    # A JSON string is a YAML string, whatever is in it; plain words need no quotes.
    return [
        f"{key}: {value if value.replace('.', '').isalpha() else json.dumps(value)}"
        for key, value in values.items()
    ]
