#!/usr/bin/python
# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: merged_report
short_description: Merge the reports of all slices of a run
version_added: 0.3.0
author:
  - The postmaster.exchange contributors (@postmaster-exchange)
description:
  - A run over many hosts can be split into slices, each with a part of the inventory, as job
    slicing of AWX does. This merges the reports of the slices, prints what one run over all hosts
    would have reported, and writes it to files on the controller.
  - Checks that the reports are of one run, that no two have a host in common, and that every host
    of the run is in one. A host without a report counts as unreachable.
  - The state of a host that left the connectors of its organisation to a host of another slice
    follows from that host. If none changed them, the host has failed.
  - Reads regular files only, of at most 256 MiB each.
options:
  hosts:
    description:
      - The names of all hosts of the run, in order. The job of this task is not split, so that its
        inventory has them.
    type: list
    elements: str
    required: true
  folder:
    description:
      - Folder with the reports of the slices as JSON, all C(*.json) in it.
      - Without it, reads variables with names that begin with C(mx_delivery_report_), as in
        RV(postmaster.exchange.delivery_report#module:artefact). AWX sets them from
        M(ansible.builtin.set_stats) of earlier jobs. Reports of check mode count only if there are
        no others.
      - The plans of the slices are there, too, with O(plan). Their variables begin with
        C(mx_delivery_plan_).
    type: path
  max_changed_hosts:
    description:
      - How many of all hosts may have pending changes, as a number or a percentage such as V(20%).
        Unlimited by default. RV(would_refuse) is set if more hosts have them.
    type: str
    default: ""
  html:
    description:
      - Path of the HTML page. Relative paths start at the folder in which Ansible was started.
    type: path
  json:
    description: Path of the JSON document, in the same way. Not in O(folder).
    type: path
  junit:
    description: Path of the JUnit XML file, in the same way.
    type: path
  plan:
    description: Path of the plan of the whole run, from those of the slices. Not in O(folder).
    type: path
  markdown:
    description: Path of the report as Markdown, in the same way.
    type: path
    version_added: 0.3.0
  csv:
    description:
      - Path of the report as comma-separated values (RFC 4180), in the same way. It has a row for
        each domain on each host.
    type: path
    version_added: 0.3.0
  prometheus:
    description:
      - Path of the report as metrics in the text format of Prometheus, in the same way. The
        textfile collector of node_exporter reads files with a name that ends in C(.prom).
    type: path
    version_added: 0.3.0
requirements:
  - Python >= 3.11
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
      - Writes the files in check mode, too.
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
- name: Merge the reports of the slices
  postmaster.exchange.merged_report:
    hosts: "{{ ansible_play_hosts_all }}"
    folder: /srv/mail/reports/awx-4711
    html: /srv/mail/reports/awx-4711.html
  run_once: true
"""

RETURN = r"""
lines:
  description: The printed lines.
  returned: always
  type: list
  elements: str
  sample:
    - Of 5 hosts, 2 have drift, 3 are up to date.
verdict:
  description: The worst verdict of all hosts, V(failed), V(unjudged), V(drift) or V(clean).
  returned: always
  type: str
  sample: clean
verdicts:
  description:
    - The verdict on each host, by its name.
    - A host is V(unjudged) in place of V(failed) after an audit, and where it was unreachable or no
      slice has a report on it.
  returned: always
  type: dict
  sample:
    mail5-a: clean
problems:
  description: What is wrong with a host, as a sentence, by its name; only hosts with a problem.
  returned: always
  type: dict
  sample:
    mail5-b: no slice reported on this host
messages:
  description:
    - RV(problems) as the failure message of a host. In a run over more than 20 hosts, it refers to
      the report instead.
  returned: always
  type: dict
  sample:
    mail5-b: no slice reported on this host
closing:
  description:
    - The lines, each with its tone, that the playbooks print below Ansible's recap, which is longer
      than a screen for many hosts. Empty for 20 hosts or fewer.
  returned: always
  type: list
  elements: list
  sample:
    - ["Result: All 120 hosts are up to date.", clean]
kind:
  description: The kind of the run, V(audit), V(enforce) or V(rollback).
  returned: always
  type: str
  sample: enforce
would_refuse:
  description: Why O(max_changed_hosts) does not allow the pending changes, or an empty text.
  returned: always
  type: str
  sample: ""
plan_content:
  description:
    - The plan as one text, for
      O(postmaster.exchange.mx_delivery#role:main:mx_delivery_plan_content).
  returned: with O(plan)
  type: str
  sample: eNqrVkrLL8pNLFGyUlAqyC8uyU0s
slices:
  description: The number of merged reports.
  returned: always
  type: int
  sample: 4
counts:
  description:
    - Pairs of host and domain by state, as in
      RV(postmaster.exchange.delivery_report#module:counts).
  returned: always
  type: dict
files:
  description: The files that were written, by option.
  returned: always
  type: dict
  sample:
    html: /srv/mail/reports/awx-4711.html
"""
