# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter postmaster.exchange.delivery_trouble."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.utils.unsafe_proxy import wrap_var

from ..module_utils._report.limits import gate
from ..plugin_utils._registered import outcome_of

DOCUMENTATION = r"""
name: delivery_trouble
author:
  - The postmaster.exchange contributors
short_description: Why the batch after these hosts must not start
version_added: 0.2.0
description:
  - Tells which hosts of a batch failed, and which test messages from them were not delivered.
  - Made for the role P(postmaster.exchange.mx_delivery#role).
options:
  _input:
    description: The names of the hosts of the batch.
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
- name: Say what is wrong with this batch
  ansible.builtin.debug:
    msg: "{{ ansible_play_batch | postmaster.exchange.delivery_trouble(hostvars) }}"
"""

RETURN = r"""
_value:
  description: A sentence, or an empty text if the batch passed.
  type: str
"""


#: What the tasks of a host leave, in their order.
def delivery_trouble(hosts: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what keeps the next batch from starting.

    Hosts and far mail servers wrote some of it, and it becomes a fact, so it must be no template.
    """
    found: str = wrap_var(gate([outcome_of(name, hostvars[name], "enforce") for name in hosts]))
    return found


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"delivery_trouble": delivery_trouble}
