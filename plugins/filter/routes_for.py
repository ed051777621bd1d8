# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter postmaster.exchange.routes_for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils._base.errors import InvalidInput, MissingLibrary
from ..module_utils._pairs.names import parse_domain

_VERSIONS = {"ipv4": 4, "ipv6": 6}

DOCUMENTATION = r"""
name: routes_for
author:
  - The postmaster.exchange contributors
short_description: Those of a list of routes that lead to the domains named
version_added: 0.1.0
description:
  - Picks from the routes that M(postmaster.exchange.mx_pairs_info) returned those of the domains
    named, so that names are resolved once for many hosts of which each delivers its own domains.
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
  families:
    description:
      - Which addresses to keep. A route that is left without any has the status V(no_address).
    type: list
    elements: str
    choices: [ipv4, ipv6]
    default: [ipv4, ipv6]
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


def routes_for(
    routes: Sequence[Mapping[str, Any]],
    domains: Sequence[str],
    *,
    families: Collection[str] = tuple(_VERSIONS),
) -> list[Any]:
    """Return the routes whose domain is named, however it is spelled."""
    if unknown := set(families) - set(_VERSIONS):
        raise AnsibleFilterError(f"families has {min(unknown)!r}; it can have ipv4 and ipv6")
    versions = {_VERSIONS[name] for name in families}
    try:
        wanted = {parse_domain(domain) for domain in domains}
    except (InvalidInput, MissingLibrary) as err:
        raise AnsibleFilterError(str(err)) from err
    return [_narrowed(route, versions) for route in routes if route["domain"] in wanted]


def _narrowed(route: Mapping[str, Any], versions: Collection[int]) -> Mapping[str, Any]:
    """Return a route with addresses of these IP versions only."""
    addresses = route.get("addresses") or ()
    kept = [address for address in addresses if ip_address(address).version in versions]
    if len(kept) == len(addresses):
        return route
    return {**route, "addresses": kept, "status": route["status"] if kept else "no_address"}


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"routes_for": routes_for}
