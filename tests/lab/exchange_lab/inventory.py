# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the Ansible inventory of a running lab, as an administrator would have written it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

GROUP = "exchange"


@dataclass(frozen=True, slots=True)
class Machine:
    """A host as the inventory names it: its WinRM port and its SMTP port, both on loopback.

    ``more`` are further variables, for example of a host behind a management host.
    """

    name: str
    winrm_port: int
    smtp_port: int
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the inventory says about a lab."""

    machines: tuple[Machine, ...]
    user: str
    password: str
    domains: tuple[str, ...]
    search_list: tuple[str, ...]
    dns_port: int


def write(file: Path, facts: Facts) -> Path:
    """Write the inventory and, beside it, the group's variables; only the owner can read them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    variables = file.parent / "group_vars" / f"{GROUP}.yml"
    variables.parent.mkdir(exist_ok=True)
    for path, text in ((file, _hosts(facts)), (variables, _variables(facts))):
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
    return file


def _hosts(facts: Facts) -> str:
    lines = ["---", "# The hosts of the lab. It is written anew whenever the lab starts.", ""]
    lines += [f"{GROUP}:", "  hosts:"]
    for machine in facts.machines:
        lines.append(f"    {machine.name}:")
        lines.append(f"      ansible_port: {machine.winrm_port}")
        lines.append(f"      mx_delivery_test_smtp_port: {machine.smtp_port}")
        lines += [f"      {line}" for line in _pairs(machine.more)]
    return "\n".join(lines) + "\n"


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
    lines += ["# The domains whose mail is stuck", "mx_delivery_domains:"]
    lines += [f"  - {domain}" for domain in facts.domains]
    lines += ["", "# Who answers for them. The lab's addresses are those of documentation, which"]
    lines += ["# no mail server outside a lab can have, so they have to be allowed."]
    lines += ["mx_delivery_nameservers: [127.0.0.1]", f"mx_delivery_dns_port: {facts.dns_port}"]
    lines += ["mx_delivery_allow_private: true"]
    lines += [f"mx_delivery_search_list: [{', '.join(facts.search_list)}]"]
    lines += ["", "# Mail arrives at once here.", "mx_delivery_test_interval: 1"]
    return "\n".join(lines) + "\n"


def _pairs(values: Mapping[str, str]) -> list[str]:
    # A JSON string is a YAML string, whatever is in it; plain words need no quotes.
    return [
        f"{key}: {value if value.replace('.', '').isalpha() else json.dumps(value)}"
        for key, value in values.items()
    ]
