#!/usr/bin/python
# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: delivery_report
short_description: Report what the role mx_delivery did or found on all hosts
version_added: 0.2.0
author:
  - The postmaster.exchange contributors (@postmaster-exchange)
description:
  - Puts the results of all hosts together, prints them as a summary that a person reads, and writes
    them to files on the controller.
  - The files are an HTML page that needs nothing besides itself, the same as JSON, and JUnit XML
    for CI.
  - Made for the role P(postmaster.exchange.mx_delivery#role), whose registered variables of the
    hosts it reads. Nothing is concluded that the tasks did not return.
  - In texts of hosts and name servers, characters that would do something instead of being seen
    are replaced by U+FFFD.
  - The summary is not printed where the callback of standard output is one for programs (C(json),
    C(jsonl)).
options:
  resolved:
    description:
      - The result of M(postmaster.exchange.mx_pairs_info), also a failed one. It may be left out
        after a rollback, which asks nobody.
    type: dict
  hosts:
    description:
      - The names of the hosts. Each is in the report; one without a result was not looked at.
    type: list
    elements: str
    required: true
  kind:
    description:
      - What the run was. In a V(audit) a host that differs is a finding. Otherwise changes were
        made, or would be, in check mode.
    type: str
    choices: [audit, enforce, rollback]
    default: enforce
  fail_on:
    description:
      - Statuses of a domain that are a problem of every host that asks for it, and V(stuck) for
        domains whose mail is stuck in the queue of a host.
    type: list
    elements: str
    choices: [disagreement, loop, no_address, no_such_domain, null_mx, stuck, temporary_failure]
    default: []
  artefact:
    description:
      - Whether to return the report as RV(artefact), for a job that merges the reports of slices.
    type: bool
    default: false
  html:
    description:
      - Where to write the HTML page. Relative paths count from where Ansible was started.
      - Missing folders are made. A file is replaced when the new one is complete; until then, and
        if that fails, it stays as it was.
    type: path
  json:
    description: Where to write the JSON document, in the same way.
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
      - The files are written in check mode, too. They tell that nothing was changed.
  diff_mode:
    description: Shows differences in diff mode.
    support: none
    details:
      - The differences of the hosts are in the HTML page and the JSON document.
  platform:
    description: Systems on which it can run. The Exchange hosts are Windows.
    support: full
    platforms: posix
seealso:
  - module: postmaster.exchange.mx_pairs_info
  - module: postmaster.exchange.imc_delivery
  - module: postmaster.exchange.transport_delivery
  - module: postmaster.exchange.delivery_test
  - module: postmaster.exchange.merged_report
"""

EXAMPLES = r"""
- name: Report, with a page for people and a file for CI
  postmaster.exchange.delivery_report:
    resolved: "{{ _mx_delivery_resolved }}"
    hosts: "{{ ansible_play_hosts_all }}"
    kind: audit
    html: reports/audit.html
    junit: reports/audit.xml
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
  description:
    - V(clean), V(drift) or V(failed), the worst of all hosts. Only an audit has V(drift).
    - V(failed) also if O(resolved) is a failed result.
  returned: always
  type: str
  sample: drift
verdicts:
  description: The verdict on each host, by its name.
  returned: always
  type: dict
  sample:
    mail5-a: drift
    mail5-b: clean
problems:
  description: What is wrong with a host, as a sentence, by its name; only hosts that have some.
  returned: always
  type: dict
  sample:
    mail5-a: enforce would change the routes of nestle.com
counts:
  description: How many pairs of host and domain stand how.
  returned: always
  type: dict
  contains:
    total:
      description: All pairs of host and domain.
      type: int
      sample: 15
    in_place:
      description: As it should be.
      type: int
      sample: 9
    drifted:
      description: To be changed.
      type: int
      sample: 5
    changed:
      description: Changed by this run.
      type: int
      sample: 0
    failed:
      description: On hosts that failed, or could not be judged.
      type: int
      sample: 0
    held:
      description: On hosts that the run did not begin with.
      type: int
      sample: 0
    unknown:
      description: DNS could not tell where mail goes, so that it is left as it is.
      type: int
      sample: 1
    gone:
      description: DNS says that the domain takes no mail.
      type: int
      sample: 0
    by_hand:
      description: Somebody has to type it, since there is no C(imccopy).
      type: int
      sample: 0
    stuck:
      description: Whose mail is stuck in the queue of the host. They stand somehow, too.
      type: int
      sample: 2
    stuck_unlisted:
      description: The same for domains that the host does not list, which RV(counts.total) lacks.
      type: int
      sample: 0
artefact:
  description:
    - The report as one text, compressed, by the name of the variable that is to hold it, for
      M(ansible.builtin.set_stats). The name differs from slice to slice.
  returned: with O(artefact=true)
  type: dict
  sample:
    mx_delivery_report_1f2e3d4c5b6a: eNqtVk1v...
files:
  description: The files that were written, by the names of the options.
  returned: always
  type: dict
  sample:
    html: /srv/ansible/reports/audit.html
"""
