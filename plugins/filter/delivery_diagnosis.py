# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter postmaster.exchange.delivery_diagnosis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..module_utils.report.diagnosis import Patient, diagnosis
from ..module_utils.report.text import printable

DOCUMENTATION = r"""
name: delivery_diagnosis
author:
  - The postmaster.exchange contributors
short_description: Explanation of what waits in the queues of all hosts, and of what would help
version_added: 0.1.0
description:
  - Turns what M(postmaster.exchange.exchange_info), M(postmaster.exchange.queue_info),
    M(postmaster.exchange.mx_pairs) and, in check mode, M(postmaster.exchange.imc_delivery) returned
    into lines that a person reads.
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
      - The names of the hosts, also of those that failed before.
      - A host for which the role has not begun is left out.
    type: list
    elements: str
    required: true
  suffixes:
    description: Suffixes that the hosts may append to names, besides those that they tell.
    type: list
    elements: str
    default: []
positional: hostvars, hosts
"""

EXAMPLES = r"""
- name: Explain
  ansible.builtin.debug:
    msg: "{{ mx | postmaster.exchange.delivery_diagnosis(hostvars, ansible_play_hosts_all) }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""


def delivery_diagnosis(
    resolved: Mapping[str, Any],
    hostvars: Mapping[str, Mapping[str, Any]],
    hosts: Sequence[str],
    *,
    suffixes: Sequence[str] = (),
) -> list[str]:
    """Return the explanation as plain lines."""
    known = {name: hostvars[name] for name in hosts}
    begun = {name: told for name, told in known.items() if "_mx_delivery_info" in told}
    patients = [_patient(name, told) for name, told in begun.items()]
    return [printable(line) for line in diagnosis(resolved, patients, suffixes=suffixes)]


def _patient(name: str, variables: Mapping[str, Any]) -> Patient:
    """Return what the role registered for one host."""
    return Patient(
        name=name,
        info=variables.get("_mx_delivery_info"),
        queue=variables.get("_mx_delivery_queue"),
        planned=variables.get("_mx_delivery_planned"),
    )


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"delivery_diagnosis": delivery_diagnosis}
