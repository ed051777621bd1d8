# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter postmaster.exchange.delivery_wishes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..module_utils._report.host_result import appended
from ..plugin_utils._registered import families_of, family_of, registered

DOCUMENTATION = r"""
name: delivery_wishes
author:
  - The postmaster.exchange contributors
short_description: What the hosts of a run of the role mx_delivery ask for, all together
version_added: 0.2.0
description:
  - Puts together what each host asks for, so that pairs are computed once for all of them. The
    variables of each host are looked at once.
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
positional: hostvars
"""

EXAMPLES = r"""
- name: Say what is asked for
  ansible.builtin.debug:
    msg: "{{ (ansible_play_batch | postmaster.exchange.delivery_wishes(hostvars)).domains }}"
"""

RETURN = r"""
_value:
  description:
    - A dictionary with V(hosts), how many hosts ask for anything; V(domains), V(own_names),
      V(own_addresses), V(families), V(search_list) and V(kinds), each the values of all hosts
      without repetition; and V(braked), whether any of them wants all hosts to be compared before
      the first is changed.
  type: dict
"""

_LISTS = ("own_names", "own_addresses")


def delivery_wishes(
    hosts: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what all hosts ask for; one whose variables are wrong asks for nothing."""
    asking = [host for name in hosts if (host := _host(hostvars[name]))]
    return {
        "hosts": len(asking),
        "domains": _all(host.asked["domains"].splitlines() for host in asking),
        **{name: _all(host.asked[name] for host in asking) for name in _LISTS},
        "families": sorted(_all(families_of(host.asked, host.family) for host in asking)),
        "search_list": _all(host.search_list for host in asking),
        "kinds": _all([host.family] for host in asking),
        "braked": any(host.asked["braked"] for host in asking),
    }


class _Host(NamedTuple):
    """What a host asks for, which kind of Exchange it has, and what is appended to names there."""

    asked: Mapping[str, Any]
    family: str
    search_list: list[str]


def _host(variables: Mapping[str, Any]) -> _Host | None:
    """Return what is known of a host, or None if it asks for nothing.

    Each look at a variable costs, and there may be a thousand hosts: none is looked at twice.
    """
    asked: Mapping[str, Any] = variables.get("_mx_delivery_asked") or {}
    if not asked or asked.get("failed"):
        return None
    seen = registered(variables, "_mx_delivery_info")
    family = family_of(asked, seen)
    names = appended(family, seen, asked.get("search_list") or ())
    return _Host(asked, family, [name.lower() for name in names])


def _all(lists: Iterable[Iterable[str]]) -> list[str]:
    """Return every value of all lists once, in order of appearance."""
    found: dict[str, None] = {}
    for values in lists:
        found.update(dict.fromkeys(values))
    return list(found)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"delivery_wishes": delivery_wishes}
