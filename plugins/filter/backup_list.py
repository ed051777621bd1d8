# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter postmaster.exchange.backup_list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..module_utils._report.backup_list import backup_list as lines_of
from ..plugin_utils._registered import outcome_of

DOCUMENTATION = r"""
name: backup_list
author:
  - The postmaster.exchange contributors
short_description: List of the backups of all hosts, to be read
version_added: 0.2.0
description:
  - Turns what M(postmaster.exchange.backup_info) returned for each host into lines that a person
    reads. The backups of an organisation are listed once for all its hosts.
  - Made for the role P(postmaster.exchange.mx_delivery#role).
options:
  _input:
    description: The names of the hosts, also of those that could not be looked at.
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
- name: Show what could be put back
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts_all | postmaster.exchange.backup_list(hostvars) }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""


def backup_list(hosts: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the list as plain lines; a host that failed on the way there tells why."""
    return lines_of([outcome_of(name, hostvars[name], "rollback") for name in hosts])


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"backup_list": backup_list}
