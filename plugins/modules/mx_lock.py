#!/usr/bin/python
# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mx_lock
short_description: Keep MX and address pairs in a file that is reviewed, and take them from there
version_added: 0.2.0
author:
  - The postmaster.exchange contributors (@postmaster-exchange)
description:
  - Writes what M(postmaster.exchange.mx_pairs) returned to a file, the lock, that is made for
    version control. Resolve once, review the change, and enforce exactly that.
  - Reads a lock and returns what M(postmaster.exchange.mx_pairs) would, without asking DNS. Where
    its answer of now is given as well, tells which domains have moved since.
  - The same pairs are always the same text. What matters stands first, sorted by domain, with one
    line for each pair; when it was seen, and the TTL, stand at the end.
  - The playbooks P(postmaster.exchange.mx_delivery#role) use it for the variable
    C(mx_delivery_lock).
options:
  path:
    description: The lock file. A relative path counts from the folder of the playbook.
    type: path
    required: true
  content:
    description:
      - The lock itself, for O(state=read), in the place of what the file holds; O(path) is only
        what it is called then. An earlier job, from which it comes, had it from RV(content).
    type: str
  state:
    description:
      - V(read) returns what the lock says, and changes nothing.
      - V(written) brings the lock to what O(resolved) says. A domain that DNS could not tell about
        stays as it is in the lock, with a warning. A lock that says the same, and whose TTLs have
        not run out, is left alone to the letter.
    type: str
    choices: [read, written]
    default: read
  resolved:
    description:
      - The result of M(postmaster.exchange.mx_pairs). To be written with O(state=written), to be
        compared with O(state=read).
    type: dict
  domains:
    description:
      - The domains to return with O(state=read), all of the lock by default. The task fails for one
        that the lock does not know.
    type: list
    elements: str
  prune:
    description:
      - Whether domains that O(resolved) does not have leave the lock with O(state=written).
    type: bool
    default: true
  stale:
    description:
      - What to do with O(state=read) if the lock is older than its TTLs and O(grace) allow.
    type: str
    choices: [ignore, warn, fail]
    default: warn
  grace:
    description: For how many seconds after its TTL an answer in the lock still counts as good.
    type: int
    default: 86400
  agreement:
    description:
      - As O(postmaster.exchange.mx_pairs#module:agreement), and like O(allow_private), O(families),
        O(max_pairs), O(own_addresses) and O(own_names) one of the options that shape the pairs.
        With O(state=written) they are noted in the lock. With O(state=read) the task fails if the
        lock was computed with others that do not serve.
    type: str
    choices: [first, all]
    default: first
  allow_private:
    description: As O(postmaster.exchange.mx_pairs#module:allow_private).
    type: bool
    default: false
  families:
    description: As O(postmaster.exchange.mx_pairs#module:families). A lock of more serves as well.
    type: list
    elements: str
    choices: [ipv4, ipv6]
    default: [ipv4]
  max_pairs:
    description: As O(postmaster.exchange.mx_pairs#module:max_pairs).
    type: int
    default: 0
  own_addresses:
    description: As O(postmaster.exchange.mx_pairs#module:own_addresses). A lock of more serves.
    type: list
    elements: str
    default: []
  own_names:
    description: As O(postmaster.exchange.mx_pairs#module:own_names). A lock of more serves as well.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - postmaster.exchange.attributes
attributes:
  action:
    details:
      - The task runs on the controller whatever the connection is, so that is where the lock lies.
        Only where it is delegated to a host whose connection is none of
        P(ansible.builtin.winrm#connection), P(ansible.builtin.psrp#connection) and
        P(ansible.builtin.local#connection), the module runs on that host.
  async:
    details:
      - Only where the module runs on another host, as told for the attribute C(action).
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
  - module: postmaster.exchange.mx_pairs
"""

EXAMPLES = r"""
- name: Compute the pairs
  postmaster.exchange.mx_pairs:
    domains: [nestle.com, aol.com]
  register: mx
  run_once: true

- name: Keep them for review
  postmaster.exchange.mx_lock:
    path: mx_pairs.lock.yml
    state: written
    resolved: "{{ mx }}"
  run_once: true

- name: Take them from the lock that was reviewed, and fail if it is older than a week
  postmaster.exchange.mx_lock:
    path: mx_pairs.lock.yml
    domains: [nestle.com]
    stale: fail
    grace: 604800
  register: locked
  run_once: true

- name: Deliver exactly that
  postmaster.exchange.imc_delivery:
    routes: "{{ locked.routes }}"

- name: See what has moved since
  postmaster.exchange.mx_lock:
    path: mx_pairs.lock.yml
    resolved: "{{ mx }}"
  register: compared
  run_once: true
  failed_when: compared.lock.moved | length > 0
"""

RETURN = r"""
domains:
  description:
    - What the lock says about each domain, as RV(postmaster.exchange.mx_pairs#module:domains). The
      TTL is that of the lock. C(warnings), C(failures) and C(evidence) are those of O(resolved)
      where it is given; else there are the codes of the warnings that were noted.
  returned: success with O(state=read)
  type: list
  elements: dict
pairs:
  description: As RV(postmaster.exchange.mx_pairs#module:pairs).
  returned: success with O(state=read)
  type: list
  elements: dict
routes:
  description: As RV(postmaster.exchange.mx_pairs#module:routes).
  returned: success with O(state=read)
  type: list
  elements: dict
stats:
  description: Those of O(resolved), or zeros where no name server was asked.
  returned: success with O(state=read)
  type: dict
lock:
  description: Where this comes from, and what has become of it.
  returned: success with O(state=read)
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
      description: Whether an answer is older than its TTL and O(grace) allow.
      type: bool
      sample: false
    stale_domains:
      description: The domains whose answers are.
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
content:
  description: What the file holds, or would hold in check mode.
  returned: success with O(state=written)
  type: str
valid_until:
  description: When the first TTL in it ends (UTC).
  returned: success with O(state=written)
  type: str
  sample: "2026-11-23T12:05:00Z"
path:
  description: The file.
  returned: success with O(state=written)
  type: str
  sample: /srv/mail/mx_pairs.lock.yml
times_only:
  description: Whether nothing but times is new in the lock.
  returned: success with O(state=written)
  type: bool
  sample: false
kept:
  description: The domains that DNS could not tell about, and that stay locked as they were.
  returned: success with O(state=written)
  type: list
  elements: str
  sample: []
unknown:
  description: The domains that DNS could not tell about, and that are not in the lock.
  returned: success with O(state=written)
  type: list
  elements: str
  sample: []
stale_domains:
  description: As RV(lock.stale_domains).
  returned: failure by O(stale=fail)
  type: list
  elements: str
  sample: [nestle.com]
"""

from ..module_utils._lock.module import run
from ..module_utils._lock.spec import ARGUMENT_SPEC, CONSTRAINTS
from ..module_utils._run.module_runner import run_module


def main() -> None:
    """Run where Ansible put this file; on the controller the action plugin does it instead."""
    run_module(ARGUMENT_SPEC, run, needs_session=False, **CONSTRAINTS)


if __name__ == "__main__":
    main()
