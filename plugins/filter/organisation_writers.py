# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter postmaster.exchange.organisation_writers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: organisation_writers
author:
  - The postmaster.exchange contributors
short_description: Which host is to change each organisation in a run of several slices
version_added: 0.2.0
description:
  - Picks the first host of each organisation of Exchange 2010 and later, as
    M(postmaster.exchange.transport_delivery) told of the organisations. A host that did not answer
    is not picked.
  - Made for the role P(postmaster.exchange.mx_delivery#role).
options:
  _input:
    description: The names of all hosts of the run, in order.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable of this name, in which each host has what the role registered there.
    type: dict
    required: true
positional: hostvars
"""

EXAMPLES = r"""
- name: Say who changes what
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts_all | postmaster.exchange.organisation_writers(hostvars) }}"
"""

RETURN = r"""
_value:
  description: The names of the hosts picked, one for each organisation.
  type: list
  elements: str
"""


def organisation_writers(
    hosts: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Return the first host of each organisation."""
    first: dict[tuple[str, str], str] = {}
    for name in hosts:
        told = (hostvars[name].get("_mx_delivery_connectors") or {}).get("organisation")
        if told:
            first.setdefault((told["name"].casefold(), told["forest"].casefold()), name)
    return list(first.values())


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"organisation_writers": organisation_writers}
