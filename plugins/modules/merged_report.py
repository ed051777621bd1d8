#!/usr/bin/python
# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: merged_report
short_description: Put the reports of all slices of a run together
version_added: 0.2.0
author:
  - The postmaster.exchange contributors (@postmaster-exchange)
description:
  - A run over many hosts can be cut into slices, each with a part of the inventory, as job slicing
    of AWX does. Each slice reports on its hosts. This puts these reports together, prints what one
    run over all hosts would have reported, and writes it to files on the controller.
  - Sees that the reports are of one run, that no host is in two of them, and that every host of the
    run is in one. A host that no slice reported on is in the result, as one of which nothing is
    known.
  - Hosts that left the connectors of their organisation to a host of another slice are told by what
    that one did. If none did it, they have failed.
options:
  hosts:
    description:
      - The names of all hosts of the run, in their order. This task runs in a job that is not cut,
        so its own inventory has them.
    type: list
    elements: str
    required: true
  folder:
    description:
      - Folder with the reports of the slices as JSON, all C(*.json) in it.
      - Without it the reports are taken from variables, into which AWX puts what earlier jobs of
        the workflow handed on by M(ansible.builtin.set_stats). Their names begin with
        C(mx_delivery_report_), as in RV(postmaster.exchange.delivery_report#module:artefact). Where
        some are of a run in check mode, a look beforehand, and others are not, these others count.
    type: path
  max_changed_hosts:
    description:
      - How many of all hosts may be to change, as a number, or as per cent such as V(20%). Nothing
        is limited by default. RV(would_refuse) tells whether there are more.
    type: str
    default: ""
  html:
    description: Where to write the HTML page. Relative paths count from where Ansible was started.
    type: path
  json:
    description: Where to write the JSON document, in the same way. Not into O(folder).
    type: path
  junit:
    description: Where to write the JUnit XML file, in the same way.
    type: path
attributes:
  action:
    description: Has an action plugin of the same name.
    support: full
    details:
      - Always runs on the controller.
  async:
    description: Can be used with the keyword C(async).
    support: none
  check_mode:
    description: Can run in check mode.
    support: full
    details:
      - The files are written in check mode, too.
  diff_mode:
    description: Shows differences in diff mode.
    support: none
  platform:
    description: Systems on which it can run. The Exchange hosts are Windows.
    support: full
    platforms: posix
seealso:
  - module: postmaster.exchange.delivery_report
"""

EXAMPLES = r"""
- name: Put the reports of the slices together
  postmaster.exchange.merged_report:
    hosts: "{{ ansible_play_hosts_all }}"
    folder: /srv/mail/reports/awx-4711
    html: /srv/mail/reports/awx-4711.html
  run_once: true
"""

RETURN = r"""
lines:
  description: The summary.
  returned: always
  type: list
  elements: str
  sample:
    - Of 5 hosts 2 differ, 3 are as they should be.
verdict:
  description: V(clean), V(drift) or V(failed), the worst of all hosts. Only an audit has V(drift).
  returned: always
  type: str
  sample: clean
verdicts:
  description: The verdict on each host, by its name.
  returned: always
  type: dict
  sample:
    mail5-a: clean
problems:
  description: What is wrong with a host, as a sentence, by its name; only hosts that have some.
  returned: always
  type: dict
  sample:
    mail5-b: no slice reported on this host
unreachable_hosts:
  description: The hosts that could not be reached, or that no slice reported on.
  returned: always
  type: list
  elements: str
  sample: [mail5-b]
kind:
  description: What the run was, V(audit), V(enforce) or V(rollback).
  returned: always
  type: str
  sample: enforce
would_refuse:
  description: Why O(max_changed_hosts) does not allow what was found to change, or an empty text.
  returned: always
  type: str
  sample: ""
slices:
  description: How many reports were put together.
  returned: always
  type: int
  sample: 4
counts:
  description:
    - How many pairs of host and domain stand how, as
      RV(postmaster.exchange.delivery_report#module:counts).
  returned: always
  type: dict
files:
  description: The files that were written, by the names of the options.
  returned: always
  type: dict
  sample:
    html: /srv/mail/reports/awx-4711.html
"""
