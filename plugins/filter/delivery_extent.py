# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter postmaster.exchange.delivery_extent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var

from ..module_utils._base.errors import InvalidInput
from ..module_utils._report.limits import extent
from ..module_utils._run.change_limit import parse_limit
from ..plugin_utils._registered import outcome_of

DOCUMENTATION = r"""
name: delivery_extent
author:
  - The postmaster.exchange contributors
short_description: How far a run of the role mx_delivery reaches, and whether a brake stops it
version_added: 0.2.0
description:
  - Tells from what M(postmaster.exchange.imc_delivery) and
    M(postmaster.exchange.transport_delivery) found in check mode how many hosts a run would change,
    and which domains.
  - Made for the role P(postmaster.exchange.mx_delivery#role).
options:
  _input:
    description: The names of the hosts of the run.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable of this name, in which each host has what the role registered there.
    type: dict
    required: true
  routes:
    description: The routes that M(postmaster.exchange.mx_pairs_info) returned.
    type: list
    elements: dict
    required: true
  max_changed_hosts:
    description: How many hosts may change, as a number or per cent. No limit by default.
    type: str
    default: ''
  force:
    description: Whether the brakes let everything through.
    type: bool
    default: false
positional: hostvars, routes
"""

EXAMPLES = r"""
- name: See how far it would reach
  ansible.builtin.debug:
    msg: "{{ (groups['exchange'] | postmaster.exchange.delivery_extent(hostvars, [])).changing }}"
"""

RETURN = r"""
_value:
  description:
    - A dictionary with V(changing), the names of the hosts that would change; V(domains), the
      domains whose way changes on any of them; and V(would_refuse), why a brake stops the run, or
      an empty text.
  type: dict
"""


def delivery_extent(
    hosts: Sequence[str],
    hostvars: Mapping[str, Mapping[str, Any]],
    routes: Sequence[Mapping[str, Any]],
    *,
    max_changed_hosts: str = "",
    force: bool = False,
) -> dict[str, Any]:
    """Return the extent as plain data, of which hosts wrote some, so nothing is a template."""
    pinned = {route["domain"] for route in routes if route["status"] == "ok"}
    try:
        brake = parse_limit(
            "mx_delivery_max_changed_hosts", str(max_changed_hosts), force=bool(force)
        )
    except InvalidInput as err:
        raise AnsibleFilterError(str(err)) from err
    reach = extent([outcome_of(name, hostvars[name], "enforce") for name in hosts], pinned, brake)
    found: dict[str, Any] = wrap_var(
        {
            "changing": list(reach.changing),
            "domains": list(reach.domains),
            "would_refuse": reach.would_refuse,
        }
    )
    return found


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"delivery_extent": delivery_extent}
