# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter postmaster.exchange.delivery_report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..module_utils.pairs.names import parse_domain
from ..module_utils.report.delivery import report
from ..module_utils.report.outcome import HostOutcome
from ..module_utils.report.text import printable

DOCUMENTATION = r"""
name: delivery_report
author:
  - The postmaster.exchange contributors
short_description: Report of what the role mx_delivery did or found on all hosts
version_added: 0.1.0
description:
  - Turns what M(postmaster.exchange.mx_pairs), M(postmaster.exchange.imc_delivery),
    M(postmaster.exchange.transport_delivery) and M(postmaster.exchange.delivery_test) returned into
    lines that a person reads, and one sentence for each host that needs somebody.
  - Send connectors, which are an organisation's, are shown once for all its hosts.
  - Made for the role P(postmaster.exchange.mx_delivery#role).
options:
  _input:
    description: The result of M(postmaster.exchange.mx_pairs).
    type: dict
    required: true
  hostvars:
    description: The variable of this name, in which each host has what the role registered there.
    type: dict
    required: true
  hosts:
    description:
      - The names of the hosts, also of those that failed before the report.
      - A host for which the role has not begun is left out.
    type: list
    elements: str
    required: true
  audit:
    description: Whether the changes were only proposed.
    type: bool
    default: false
  fail_on:
    description: Statuses of a domain that are a problem of every host that asks for it.
    type: list
    elements: str
    default: []
positional: hostvars, hosts
"""

EXAMPLES = r"""
- name: Say what was done
  ansible.builtin.debug:
    msg: "{{ (mx | postmaster.exchange.delivery_report(hostvars, ansible_play_hosts_all)).lines }}"
"""

RETURN = r"""
_value:
  description:
    - A dictionary with V(lines), the text, and V(problems), a sentence by the name of each host
      that needs somebody.
  type: dict
"""


def delivery_report(
    resolved: Mapping[str, Any],
    hostvars: Mapping[str, Mapping[str, Any]],
    hosts: Sequence[str],
    *,
    audit: bool = False,
    fail_on: Sequence[str] = (),
) -> dict[str, Any]:
    """Return lines and problems as plain data."""
    known = {name: hostvars[name] for name in hosts}
    outcomes = [_outcome(name, told) for name, told in known.items() if _begun(told)]
    made = report(resolved, outcomes, audit=audit, fail_on=fail_on)
    return {
        "lines": [printable(line) for line in made.lines],
        "problems": {name: printable(why) for name, why in made.problems.items()},
    }


def _begun(variables: Mapping[str, Any]) -> bool:
    """Whether the role has begun with a host: its first two tasks leave these."""
    return "_mx_delivery_info" in variables or "_mx_delivery_asked" in variables


def _outcome(name: str, variables: Mapping[str, Any]) -> HostOutcome:
    """Return what the role registered for one host."""
    info = variables.get("_mx_delivery_info") or {}
    asked = variables.get("_mx_delivery_asked") or {}
    transport = asked.get("family", variables.get("mx_delivery_family")) == "transport"
    enforced = "_mx_delivery_connectors" if transport else "_mx_delivery_enforced"
    return HostOutcome(
        name=name,
        domains=[parse_domain(domain) for domain in asked.get("domains", ())],
        enforced=variables.get(enforced),
        tested=variables.get("_mx_delivery_tested"),
        transport=transport,
        info=None if not info or info.get("skipped") else info,
    )


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"delivery_report": delivery_report}
