#!/usr/bin/python
# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The action plugin of this name does it; there is no module to run elsewhere.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: delivery_variables
short_description: Check the variables of the role mx_delivery, and tell what a host asks for
version_added: 0.2.0
author:
  - The postmaster.exchange contributors (@postmaster-exchange)
description:
  - Checks the variables of a host by the argument specification of the role
    P(postmaster.exchange.mx_delivery#role), and what such a specification cannot say, such as that
    a limit is a number or per cent. Then tells what the host asks for by them.
  - The playbooks use it instead of the check that comes with every role, so that a host with a
    wrong variable is still in the report, and an audit of it ends as one that could not judge.
  - Fails with all that is wrong. Nothing is asked of any host.
options:
  entry_point:
    description: Entry point of the role whose variables are meant.
    type: str
    required: true
  family:
    description:
      - Which kind of Exchange the inventory says that the host has, V(imc) or V(transport), or
        V(auto) if it says nothing.
    type: str
    default: auto
    version_added: 0.3.0
extends_documentation_fragment:
  - postmaster.exchange.attributes.only_here
"""

EXAMPLES = r"""
- name: Check the variables
  postmaster.exchange.delivery_variables:
    entry_point: main
  register: asked
"""

RETURN = r"""
family:
  description: The option O(family), as it was given.
  returned: success
  type: str
  sample: imc
domains:
  description: The names of the domains to deliver to, one a line.
  returned: success
  type: str
  sample: |-
    nestle.com
    aol.com
families:
  description: The families of addresses that a host of Exchange 2010 or later takes.
  returned: success
  type: list
  elements: str
  sample: [ipv4]
own_names:
  description: Names of the organisation's own mail servers.
  returned: success
  type: list
  elements: str
  sample: [mail.hq.example]
own_addresses:
  description: Addresses and networks of the organisation's own mail servers.
  returned: success
  type: list
  elements: str
  sample: [192.0.2.0/28]
search_list:
  description: Suffixes that may be appended to names, as the inventory says. An audit has them.
  returned: success
  type: list
  elements: str
  sample: [hq.example]
braked:
  description: Whether all hosts are to be compared before the first is changed.
  returned: success
  type: bool
  sample: false
"""
