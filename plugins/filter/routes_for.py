# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter postmaster.exchange.routes_for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils.errors import (
    InvalidInput,
    MissingLibrary,
)
from ..module_utils.pairs.names import parse_domain

DOCUMENTATION = r"""
name: routes_for
author:
  - The postmaster.exchange contributors
short_description: Those of a list of routes that lead to the domains named
version_added: 0.1.0
description:
  - Picks from the routes that M(postmaster.exchange.mx_pairs) returned those of the domains named,
    so that names are resolved once for many hosts of which each delivers its own domains.
  - Upper case, a trailing dot and internationalised names are understood.
options:
  _input:
    description: The routes, dictionaries with the key V(domain).
    type: list
    elements: dict
    required: true
  domains:
    description: The names of the domains.
    type: list
    elements: str
    required: true
positional: domains
"""

EXAMPLES = r"""
- name: Deliver what this host is to deliver
  postmaster.exchange.imc_delivery:
    routes: "{{ mx.routes | postmaster.exchange.routes_for(['nestle.com', 'AOL.com.']) }}"
"""

RETURN = r"""
_value:
  description: The routes picked, in their order.
  type: list
  elements: dict
"""


def routes_for(routes: Sequence[Mapping[str, Any]], domains: Sequence[str]) -> list[Any]:
    """Return the routes whose domain is named, however it is spelled."""
    try:
        wanted = {parse_domain(domain) for domain in domains}
    except (InvalidInput, MissingLibrary) as err:
        raise AnsibleFilterError(str(err)) from err
    return [route for route in routes if route["domain"] in wanted]


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"routes_for": routes_for}
