# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter postmaster.exchange.domains_to_test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils._base.errors import InvalidInput, MissingLibrary
from ..module_utils._report.domains import by_domain
from ..module_utils._run.changed_domains import came_to_nothing, deferred, worth_testing

DOCUMENTATION = r"""
name: domains_to_test
author:
  - The postmaster.exchange contributors
short_description: Those of a list of domains that are worth a test message from a host
version_added: 0.1.0
description:
  - Picks from a list of domains, as the role P(postmaster.exchange.mx_delivery#role) takes it,
    those that M(postmaster.exchange.delivery_test) is to send a message to, with their settings.
  - A domain that takes no mail, or about which nothing is known, is none of them. Of a task that
    failed, or did nothing on the host, there is nothing to test.
options:
  _input:
    description: The domains, names or dictionaries with a V(name).
    type: list
    elements: raw
    required: true
  routes:
    description: The routes that M(postmaster.exchange.mx_pairs_info) returned.
    type: list
    elements: dict
    required: true
  enforced:
    description:
      - What M(postmaster.exchange.imc_delivery) or M(postmaster.exchange.transport_delivery)
        returned for the host.
    type: dict
    required: true
  which:
    description:
      - V(changed) picks the domains whose routes or connectors the host's task changed, or all if
        it changed the registry value; V(all) all that are pinned; V(none) none.
    type: str
    choices: [changed, all, none]
    default: changed
  also:
    description:
      - Domains to pick as well if they are pinned, with V(changed). In a run in batches these are
        the domains that change on other hosts, so that a batch in which they were changed before is
        tested like one that changes them.
    type: list
    elements: str
    default: []
    version_added: 0.2.0
  limit:
    description: Pick at most so many, the first of the list.
    type: int
positional: routes, enforced, which
"""

EXAMPLES = r"""
- name: See that mail arrives where something changed
  postmaster.exchange.delivery_test:
    domains: "{{ mx_delivery_domains | postmaster.exchange.domains_to_test(mx.routes, pinned) }}"
"""

RETURN = r"""
_value:
  description: The domains picked, as they stand in the list.
  type: list
  elements: raw
"""


def domains_to_test(  # noqa: PLR0913 - what a filter takes
    domains: Sequence[Any],
    routes: Sequence[Mapping[str, Any]],
    enforced: Mapping[str, Any],
    which: str = "changed",
    *,
    also: Sequence[str] = (),
    limit: int | None = None,
) -> list[Any]:
    """Return the entries whose domain is worth a test message, each domain once."""
    if which not in {"changed", "all", "none"}:
        raise AnsibleFilterError(f"which is {which!r}; it can be changed, all or none")
    if which == "none" or came_to_nothing(enforced) or deferred(enforced):
        return []
    pinned = {route["domain"] for route in routes if route["status"] == "ok"}
    wanted = pinned
    if which == "changed":
        wanted = worth_testing(enforced, pinned) | (pinned & set(also))
    try:
        entries = by_domain(domains)
    except (InvalidInput, MissingLibrary) as err:
        raise AnsibleFilterError(str(err)) from err
    return [entry for domain, entry in entries.items() if domain in wanted][:limit]


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"domains_to_test": domains_to_test}
