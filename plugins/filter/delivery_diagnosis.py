# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter postmaster.exchange.delivery_diagnosis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..module_utils._diagnosis.evidence import HostEvidence
from ..module_utils._diagnosis.text import diagnosis
from ..module_utils._report.text import clean

DOCUMENTATION = r"""
name: delivery_diagnosis
author:
  - The postmaster.exchange contributors
short_description: Explanation of what waits in the queues of all hosts, and of what would help
version_added: 0.1.0
description:
  - Turns what M(postmaster.exchange.exchange_info), M(postmaster.exchange.queue_info),
    M(postmaster.exchange.mx_pairs_info) and, in check mode, M(postmaster.exchange.imc_delivery) and
    M(postmaster.exchange.transport_delivery) returned into lines that a person reads. What became
    of test messages, by M(postmaster.exchange.delivery_test), is the newest evidence where there
    is any.
  - Each domain that is stuck gets one paragraph with the cause that the evidence shows, what it
    rests on, and what to do. Where nothing shows it, the cause is not known, and the paragraph
    tells what would tell more. Whether a server can be reached is judged by what the Exchange host
    itself tells.
  - Made for the role P(postmaster.exchange.mx_delivery#role).
options:
  _input:
    description: The result of M(postmaster.exchange.mx_pairs_info).
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
    return [clean(line) for line in diagnosis(resolved, patients, suffixes=suffixes)]


def _patient(name: str, variables: Mapping[str, Any]) -> HostEvidence:
    """Return what the role registered for one host."""
    info = variables.get("_mx_delivery_info")
    transport = (info or {}).get("family") == "transport"
    return HostEvidence(
        name=name,
        exchange=info,
        queue=variables.get("_mx_delivery_queue"),
        delivery=_ran(
            variables, "_mx_delivery_connectors" if transport else "_mx_delivery_planned"
        ),
        tests=_ran(variables, "_mx_delivery_tested"),
    )


def _ran(variables: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """Return the result of a task, or None where its condition kept it from running."""
    result: Mapping[str, Any] | None = variables.get(name)
    return None if result is None or "false_condition" in result else result


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"delivery_diagnosis": delivery_diagnosis}
