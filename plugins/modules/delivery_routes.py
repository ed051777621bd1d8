# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: delivery_routes
short_description: Check the role's variables of all hosts, and resolve their domains once
version_added: 0.3.0
author:
  - The postmaster.exchange contributors (@postmaster-exchange)
description:
  - The first task of the role P(postmaster.exchange.mx_delivery#role), run once for all hosts of
    the play or batch. It reads and checks the role's variables of each host, and resolves the
    domains of all of them together, by DNS as M(postmaster.exchange.mx_pairs_info) does, or from a
    lock.
  - A wrong variable is a failure of its host only. The others go on, and
    M(postmaster.exchange.delivery_report) names that host and the error.
  - It fails if no routes are known, and under another strategy than C(linear), under which neither
    limits nor batches hold.
options:
  entry_point:
    description:
      - The entry point of the role that defines the variables.
    type: str
    choices: [main, audit, diagnose, check, rollback, write_lock]
    default: main
  routes:
    description:
      - An earlier result of this module, to extend by the results of the hosts.
      - An audit then looks domains up with the suffixes that hosts append to names; a diagnosis
        resolves the domains with delayed mail.
    type: dict
  results:
    description:
      - Name of the variable in which each host has the result of
        M(postmaster.exchange.mail_delivery). Needed with O(routes).
    type: str
extends_documentation_fragment:
  - postmaster.exchange.attributes.only_here
"""

EXAMPLES = r"""
- name: Check the variables of all hosts, and resolve their domains
  postmaster.exchange.delivery_routes:
    entry_point: main
  run_once: true
  register: resolved

- name: Deliver
  postmaster.exchange.mail_delivery:
    mode: enforce
    settings: "{{ resolved.settings[resolved.hosts[inventory_hostname]].options }}"
    run_id: "{{ resolved.run.id }}"
  when: inventory_hostname in resolved.hosts
"""

RETURN = r"""
run:
  description: Name and start of the run.
  returned: always
  type: dict
  sample:
    id: 2026-11-23T114500Z-4f1c
    started_at: "2026-11-23T11:45:00Z"
hosts:
  description: The hosts with valid variables, each with the number of its settings.
  returned: always
  type: dict
  sample:
    mail5-a: 0
    mail5-b: 0
failures:
  description: The other hosts, each with the error in its variables.
  returned: always
  type: dict
  sample: {}
settings:
  description: What hosts with the same variables ask for. Hosts alike share one entry.
  returned: always
  type: list
  elements: dict
  contains:
    family:
      description: The Exchange family in the variables, V(auto), V(imc) or V(transport).
      type: str
      sample: auto
    domains:
      description: The domains, in their one spelling.
      type: list
      elements: str
      sample: [nestle.com]
    families:
      description: Which addresses the connectors lead to.
      type: list
      elements: str
      sample: [ipv4]
    search_list:
      description: Suffixes that the variables name.
      type: list
      elements: str
      sample: []
    options:
      description: The option O(postmaster.exchange.mail_delivery#module:settings), with the routes.
      type: dict
      sample: {}
serial:
  description: Sizes of the batches, those of the first host.
  returned: always
  type: list
  elements: str
  sample: ["1", "100%"]
compare_first:
  description: Whether a limit or batches ask for all hosts to be compared before the first change.
  returned: always
  type: bool
  sample: false
fail_on:
  description: Statuses of a domain that fail the run. This and the next two are the first host's.
  returned: always
  type: list
  elements: str
  sample: [temporary_failure]
max_changed_hosts:
  description: How many hosts may change.
  returned: always
  type: str
  sample: 20%
force:
  description: Whether to let a run through that changes more.
  returned: always
  type: bool
  sample: false
plan:
  description:
    - The option O(postmaster.exchange.mail_delivery#module:approved_plan) of each host.
  returned: if the role's variables name an approved plan
  type: dict
  sample:
    mail5-a:
      made: "2026-11-23T11:45:00Z"
      state: sha256:6a09e667f3bcc908b2fb1366ea957d3e3adec17512775099da2f590b0667322a
      changes: []
routes:
  description:
    - The routes of all hosts. This key and C(domains), C(pairs), C(stats), C(warnings) and C(lock)
      are those of M(postmaster.exchange.mx_pairs_info) and M(postmaster.exchange.mx_lock_info).
  returned: success
  type: list
  elements: dict
  sample:
    - domain: nestle.com
      status: ok
      addresses: [192.0.2.25]
"""
