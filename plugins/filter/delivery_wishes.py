# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter postmaster.exchange.delivery_wishes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..plugin_utils._registered import families_of, family_of

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
    asking = [told for name in hosts if _asked(told := hostvars[name])]
    asked = [_asked(told) for told in asking]
    return {
        "hosts": len(asked),
        "domains": _all(one["domains"].splitlines() for one in asked),
        **{name: _all(one[name] for one in asked) for name in _LISTS},
        "families": sorted(_all(map(families_of, asking))),
        "search_list": _all(map(_search_list, asking)),
        "kinds": _all([family_of(told)] for told in asking),
        "braked": any(one["braked"] for one in asked),
    }


def _asked(variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a host asks for, or nothing."""
    asked: Mapping[str, Any] = variables.get("_mx_delivery_asked") or {}
    return {} if asked.get("failed") else asked


def _search_list(variables: Mapping[str, Any]) -> list[str]:
    """Return what may be appended to names, where somebody looked, and what the inventory says.

    The connector of Exchange 4.0 to 5.5 appends the TCP/IP domain, too.
    """
    resolver = (variables.get("_mx_delivery_info") or {}).get("resolver") or {}
    own = () if family_of(variables) == "transport" else (resolver.get("domain") or "",)
    said = _asked(variables).get("search_list") or ()
    every = (*own, *(resolver.get("search_list") or ()), *said)
    return [name.lower() for name in every if name]


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
