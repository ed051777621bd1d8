#!/usr/bin/python
# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mx_lock
short_description: Keep MX and address pairs in a file for review
version_added: 0.3.0
author:
  - The postmaster.exchange contributors (@postmaster-exchange)
description:
  - Writes the result of M(postmaster.exchange.mx_pairs_info) to a file, the lock, for version
    control. Resolve once, review the change, and enforce exactly that.
  - The same pairs are always the same text. Pairs come first, sorted by domain, one a line; the
    times of the lookups and the TTLs come last.
  - A domain without an answer from DNS stays as it is in the lock, with a warning. A lock with the
    same pairs and unexpired TTLs is not rewritten.
  - M(postmaster.exchange.mx_lock_info) reads the lock. The playbooks
    P(postmaster.exchange.mx_delivery#role) use both for the variable C(mx_delivery_lock).
options:
  path:
    description: The lock file. A relative path counts from where ansible-playbook was started.
    type: path
    required: true
  resolved:
    description: The result of M(postmaster.exchange.mx_pairs_info), which the lock is brought to.
    type: dict
    required: true
  prune:
    description: Removes domains from the lock that O(resolved) does not have.
    type: bool
    default: true
  agreement:
    description:
      - As O(postmaster.exchange.mx_pairs_info#module:agreement), and like O(allow_private),
        O(families), O(max_pairs), O(own_addresses) and O(own_names) one of the options that shape
        the pairs.
        They are noted in the lock.
    type: str
    choices: [first, all]
    default: first
  allow_private:
    description: As O(postmaster.exchange.mx_pairs_info#module:allow_private).
    type: bool
    default: false
  families:
    description: As O(postmaster.exchange.mx_pairs_info#module:families).
    type: list
    elements: str
    choices: [ipv4, ipv6]
    default: [ipv4]
  max_pairs:
    description: As O(postmaster.exchange.mx_pairs_info#module:max_pairs).
    type: int
    default: 0
  own_addresses:
    description: As O(postmaster.exchange.mx_pairs_info#module:own_addresses).
    type: list
    elements: str
    default: []
  own_names:
    description: As O(postmaster.exchange.mx_pairs_info#module:own_names).
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
  diff_mode:
    support: full
    details:
      - Shows the change of the file.
  platform:
    support: full
    platforms: posix
requirements:
  - PyYAML
seealso:
  - module: postmaster.exchange.mx_pairs_info
  - module: postmaster.exchange.mx_lock_info
"""

EXAMPLES = r"""
- name: Compute the pairs
  postmaster.exchange.mx_pairs_info:
    domains: [nestle.com, aol.com]
  register: mx
  run_once: true

- name: Keep them for review
  postmaster.exchange.mx_lock:
    path: mx_pairs.lock.yml
    resolved: "{{ mx }}"
  run_once: true

- name: Renew some of them, and leave the others as they are
  postmaster.exchange.mx_lock:
    path: mx_pairs.lock.yml
    resolved: "{{ mx }}"
    prune: false
  run_once: true
"""

RETURN = r"""
content:
  description: What the file holds, or would hold in check mode.
  returned: success
  type: str
valid_until:
  description: When the first TTL in it ends (UTC).
  returned: success
  type: str
  sample: "2026-11-23T12:05:00Z"
path:
  description: The file.
  returned: success
  type: str
  sample: /srv/mail/mx_pairs.lock.yml
times_only:
  description: True if only times are new in the lock.
  returned: success
  type: bool
  sample: false
kept:
  description: The domains that DNS had no answer for, and that stay locked as they were.
  returned: success
  type: list
  elements: str
  sample: []
unknown:
  description: The domains that DNS had no answer for, and that are not in the lock.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ..module_utils._base import python_version  # noqa: F401  # pylint: disable=unused-import
from ..module_utils._lock.module import WRITE_MODULE
from ..module_utils._run.module_runner import run_module


def main() -> None:
    """Run where Ansible put this file; on the controller the action plugin does it instead."""
    run_module(WRITE_MODULE)


if __name__ == "__main__":
    main()
