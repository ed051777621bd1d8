# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter postmaster.exchange.changed_domains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils._base.errors import InvalidInput, MissingLibrary
from ..module_utils._report.domains import by_domain
from ..module_utils._run.changed_domains import changed_domains as changed
from ..module_utils._run.changed_domains import switch_changed

DOCUMENTATION = r"""
name: changed_domains
author:
  - The postmaster.exchange contributors
short_description: Those domains whose way out of a host a task changed
version_added: 0.2.0
description:
  - Returns the domains whose routes or Send connectors a task changed, as the entries of a list of
    domains where they are in it.
  - If M(postmaster.exchange.imc_delivery) changed the registry value, these are all of that list,
    too, for the value changes how the host finds every domain.
  - Unlike P(postmaster.exchange.domains_to_test#filter), it asks for no pairs, as after a rollback.
options:
  _input:
    description:
      - The result of M(postmaster.exchange.imc_delivery) or
        M(postmaster.exchange.transport_delivery).
    type: dict
    required: true
  domains:
    description: Names of domains, or dictionaries with the key C(name).
    type: list
    elements: raw
    default: []
positional: domains
"""

EXAMPLES = r"""
- name: Test what the rollback changed
  postmaster.exchange.delivery_test:
    domains: "{{ restored | postmaster.exchange.changed_domains(mx_delivery_domains) }}"
"""

RETURN = r"""
_value:
  description: The entries.
  type: list
  elements: raw
"""


def changed_domains(enforced: Mapping[str, Any], domains: Sequence[Any] = ()) -> list[Any]:
    """Return the entries of the domains that a task changed, those of the list first."""
    if any(enforced.get(key) for key in ("failed", "skipped", "worksheet", "deferred")):
        return []
    names = changed(enforced)
    try:
        listed = by_domain(domains)
        wanted = {name: listed.get(name, name) for name in names if _is_domain(name)}
    except (InvalidInput, MissingLibrary) as err:
        raise AnsibleFilterError(str(err)) from err
    if switch_changed(enforced):
        wanted = {**listed, **wanted}
    return list(wanted.values())


def _is_domain(name: str) -> bool:
    """Whether mail can be sent to it: a table can hold other things, and a connector ``*``."""
    try:
        return bool(by_domain([name]))
    except InvalidInput:
        return False


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"changed_domains": changed_domains}
