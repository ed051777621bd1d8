# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter postmaster.exchange.domain_names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils._base.errors import InvalidInput
from ..module_utils._report.domains import names

DOCUMENTATION = r"""
name: domain_names
author:
  - The postmaster.exchange contributors
short_description: Names of domains that are listed with or without settings
version_added: 0.1.0
description:
  - Picks the names out of a list of domains as the role P(postmaster.exchange.mx_delivery#role)
    takes it, in which an entry is a name, or a dictionary with a V(name) and settings.
  - Says nothing about whether the names are domains; M(postmaster.exchange.mx_pairs_info) does.
options:
  _input:
    description: The domains.
    type: list
    elements: raw
    required: true
"""

EXAMPLES = r"""
- name: Compute the pairs of the domains that the role gets
  postmaster.exchange.mx_pairs_info:
    domains: "{{ mx_delivery_domains | postmaster.exchange.domain_names }}"
"""

RETURN = r"""
_value:
  description: The names, each once, in the order of the list.
  type: list
  elements: str
"""


def domain_names(domains: Sequence[Any]) -> list[str]:
    """Return the name of each entry, without repetition."""
    try:
        return names(domains)
    except InvalidInput as err:
        raise AnsibleFilterError(str(err)) from err


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"domain_names": domain_names}
