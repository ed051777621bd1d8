#!/usr/bin/python
# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mx_lock_info
short_description: Return the MX and address pairs of a lock file
version_added: 0.3.0
author:
  - The postmaster.exchange contributors (@postmaster-exchange)
description:
  - Reads a lock, the file that M(postmaster.exchange.mx_lock) writes, and returns what
    M(postmaster.exchange.mx_pairs_info) would, without asking DNS.
  - With O(resolved), the current answers of DNS, also returns the domains that have moved since.
  - Changes nothing.
options:
  path:
    description: The lock file. A relative path counts from where ansible-playbook was started.
    type: path
    required: true
  content:
    description:
      - The content of the lock, instead of a file. O(path) is then only its name in
        messages. An earlier job had it from RV(postmaster.exchange.mx_lock#module:content).
    type: str
  resolved:
    description: The result of M(postmaster.exchange.mx_pairs_info) to compare the lock with.
    type: dict
  domains:
    description:
      - The domains to return, all of the lock by default. Each is a name or a dictionary as in
        O(postmaster.exchange.mx_pairs_info#module:domains). The task fails for one that the lock
        does not contain.
    type: list
    elements: raw
  stale:
    description: Action on a lock that is older than its TTLs and O(grace) allow.
    type: str
    choices: [ignore, warn, fail]
    default: warn
  grace:
    description: For how many seconds after its TTL an answer in the lock still counts as good.
    type: int
    default: 86400
  agreement:
    description:
      - As O(postmaster.exchange.mx_pairs_info#module:agreement), and like O(allow_private),
        O(families), O(max_pairs), O(own_addresses) and O(own_names) one of the options that shape
        the pairs.
        The task fails if the lock was computed with others that do not serve.
    type: str
    choices: [first, all]
    default: first
  allow_private:
    description: As O(postmaster.exchange.mx_pairs_info#module:allow_private).
    type: bool
    default: false
  families:
    description: As O(postmaster.exchange.mx_pairs_info#module:families). A lock of more serves.
    type: list
    elements: str
    choices: [ipv4, ipv6]
    default: [ipv4]
  max_pairs:
    description: As O(postmaster.exchange.mx_pairs_info#module:max_pairs).
    type: int
    default: 0
  own_addresses:
    description:
      - As O(postmaster.exchange.mx_pairs_info#module:own_addresses). A lock of more serves.
    type: list
    elements: str
    default: []
  own_names:
    description: As O(postmaster.exchange.mx_pairs_info#module:own_names). A lock of more serves.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - postmaster.exchange.attributes
attributes:
  action:
    details:
      - The task runs on the controller, which has the lock, with the connections
        P(ansible.builtin.winrm#connection), P(ansible.builtin.psrp#connection) and
        P(ansible.builtin.local#connection).
      - With any other connection, as by delegation, the module runs on that host.
  async:
    details:
      - Only if the module runs on another host; see the attribute C(action).
  check_mode:
    support: full
    details:
      - The module changes nothing, and does the same in check mode.
  diff_mode:
    support: none
    details:
      - There is nothing to compare.
  platform:
    support: full
    platforms: posix
requirements:
  - PyYAML
seealso:
  - module: postmaster.exchange.mx_lock
  - module: postmaster.exchange.mx_pairs_info
"""

EXAMPLES = r"""
- name: Take the pairs from the lock that was reviewed, and fail if it is older than a week
  postmaster.exchange.mx_lock_info:
    path: mx_pairs.lock.yml
    domains: [nestle.com]
    stale: fail
    grace: 604800
  register: locked
  run_once: true

- name: Deliver exactly that
  postmaster.exchange.imc_delivery:
    routes: "{{ locked.routes }}"

- name: Compute the pairs of now
  postmaster.exchange.mx_pairs_info:
    domains: [nestle.com]
  register: mx
  run_once: true

- name: Show what has moved since
  postmaster.exchange.mx_lock_info:
    path: mx_pairs.lock.yml
    domains: [nestle.com]
    resolved: "{{ mx }}"
  register: compared
  run_once: true
  failed_when: compared.lock.moved | length > 0
"""

RETURN = r"""
domains:
  description:
    - The pairs of each domain in the lock, as in
      RV(postmaster.exchange.mx_pairs_info#module:domains). The TTL is that of the lock.
    - C(warnings), C(failures) and C(evidence) are those of O(resolved) where it is given; else
      there are the codes of the warnings that were noted.
  returned: success
  type: list
  elements: dict
pairs:
  description: As RV(postmaster.exchange.mx_pairs_info#module:pairs).
  returned: success
  type: list
  elements: dict
routes:
  description: As RV(postmaster.exchange.mx_pairs_info#module:routes).
  returned: success
  type: list
  elements: dict
stats:
  description: Those of O(resolved), or zeros where no name server was asked.
  returned: success
  type: dict
lock:
  description: The origin and age of the lock, and the changes of its domains.
  returned: success
  type: dict
  contains:
    path:
      description: The file.
      type: str
      sample: /srv/mail/mx_pairs.lock.yml
    resolved_at:
      description: When the oldest of its answers was seen (UTC).
      type: str
      sample: "2026-11-23T12:00:00Z"
    stale:
      description: True if an answer is older than its TTL and O(grace) allow.
      type: bool
      sample: false
    stale_domains:
      description: The domains with such answers.
      type: list
      elements: str
      sample: []
    compared:
      description: Whether O(resolved) was given.
      type: bool
      sample: true
    not_compared:
      description: Domains about which O(resolved) knows nothing, so that they may have moved.
      type: list
      elements: str
      sample: []
    moved:
      description: The domains that DNS leads elsewhere than the lock.
      type: list
      elements: dict
      contains:
        domain:
          description: The domain.
          type: str
          sample: nestle.com
        lock:
          description: Its C(status) and C(pairs) in the lock.
          type: dict
        live:
          description: Its C(status) and C(pairs) in O(resolved).
          type: dict
stale_domains:
  description: As RV(lock.stale_domains).
  returned: failure by O(stale=fail)
  type: list
  elements: str
  sample: [nestle.com]
"""

from ..module_utils._base import python_version  # noqa: F401  # pylint: disable=unused-import
from ..module_utils._lock.module import READ_MODULE
from ..module_utils._run.module_runner import run_module


def main() -> None:
    """Run where Ansible put this file; on the controller the action plugin does it instead."""
    run_module(READ_MODULE)


if __name__ == "__main__":
    main()
