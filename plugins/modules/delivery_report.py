#!/usr/bin/python
# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: delivery_report
short_description: Report the results of all hosts, on the terminal and in files
version_added: 0.3.0
author:
  - The postmaster.exchange contributors (@postmaster-exchange)
description:
  - Reads the results of M(postmaster.exchange.mail_delivery) of all hosts, prints a summary, and
    writes a report to files on the controller. The files are an HTML page without anything from the
    network, a JSON document, and JUnit XML for CI.
  - Returns a verdict on each host for M(postmaster.exchange.delivery_verdict), which turns it into
    the exit status of the run.
  - With O(kind=limits), decides whether a run changes too many hosts. With O(kind=diagnose),
    explains why mail is delayed. With O(kind=backups), lists the backups.
  - Control characters in texts of hosts and name servers are replaced by U+FFFD.
  - The summary is not printed if a program reads standard output (callback C(json) or C(jsonl)).
options:
  hosts:
    description:
      - The names of the hosts. The report has all of them, also those without a result.
      - By default they are those for which O(routes) were computed.
    type: list
    elements: str
  results:
    description:
      - Name of the variable in which each host has the result of
        M(postmaster.exchange.mail_delivery), as the task's C(register) has it.
    type: str
    required: true
  compared:
    description:
      - Name of the variable with the result of a comparison before the run
        (O(postmaster.exchange.mail_delivery#module:mode=compare)), if there was one.
    type: str
  routes:
    description:
      - The result of M(postmaster.exchange.delivery_routes), also a failed one. It has the domains
        of each host.
      - The result of M(postmaster.exchange.mx_pairs_info) works, too. Its domains then count for
        every host.
      - May be omitted after a rollback, which needs no DNS.
    type: dict
  kind:
    description:
      - V(audit) reports each difference as a finding. V(enforce) and V(rollback) report changes, or
        what they would change in check mode.
      - V(limits) prints and writes nothing. It returns how far the run reaches, from the
        comparison, and whether its next hosts must not be changed.
      - V(diagnose) explains each domain with mail that is delayed in a queue.
      - V(check) lists the facts of each host, each problem with its remedy, and whether the hosts
        are ready for an audit.
      - V(backups) lists the backups of each host and organisation.
    type: str
    choices: [audit, enforce, rollback, diagnose, check, backups, limits]
    default: enforce
  held:
    description:
      - Why hosts without a result were not started, such as RV(held) of O(kind=limits). By default,
        the failures of an earlier batch are the reason in a run with O(kind=enforce).
    type: str
    default: ""
  undone:
    description:
      - The run that a rollback undoes. With O(kind=rollback) it is a failure where it changed none
        of the hosts.
    type: str
    default: ""
  fail_on:
    description:
      - DNS statuses of a domain that are a problem of its hosts, and V(stuck) for domains with
        mail that is delayed in the queue.
    type: list
    elements: str
    choices:
      - disagreement
      - loop
      - moving
      - no_address
      - no_such_domain
      - null_mx
      - stuck
      - temporary_failure
    default: []
  search_list:
    description:
      - Suffixes that hosts may append to names, besides those that they report. Used by
        O(kind=diagnose).
    type: list
    elements: str
    default: []
  max_changed_hosts:
    description:
      - How many of the hosts a run may change, as a number or a percentage such as V(20%). No limit
        by default.
    type: str
    default: ""
  max_removed_domains:
    description:
      - How many missing domains may lose their pins in a run, on all hosts together. No limit by
        default. A percentage is left to the limit of each host.
    type: str
    default: ""
  force:
    description: Ignores limits.
    type: bool
    default: false
  artefact:
    description:
      - Returns the report as RV(artefact). A later job merges the reports of slices.
    type: bool
    default: false
  note:
    description:
      - Why the run is made, such as a ticket.
    type: str
    default: ""
  plan:
    description:
      - Path of the plan with O(kind=audit). It has what enforce would change on each host, for
        people to approve.
      - Needs results with O(postmaster.exchange.mail_delivery#module:return_plan).
    type: path
  html:
    description:
      - Path of the HTML page. Relative paths start at the folder in which Ansible was started.
      - Missing folders are created. A complete new file replaces an older one; if that fails, the
        older one remains.
    type: path
  json:
    description: Path of the JSON document, in the same way.
    type: path
  junit:
    description: Path of the JUnit XML file, in the same way.
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
      - Writes the files in check mode, too. They show that no changes were made.
  diff_mode:
    description: Shows differences in diff mode.
    support: none
    details:
      - The HTML page and the JSON document contain the differences.
  platform:
    description: Systems on which it can run. The Exchange hosts are Windows.
    support: full
    platforms: posix
seealso:
  - module: postmaster.exchange.mail_delivery
  - module: postmaster.exchange.delivery_routes
  - module: postmaster.exchange.delivery_verdict
  - module: postmaster.exchange.merged_report
"""

EXAMPLES = r"""
- name: Audit mail delivery
  hosts: exchange
  gather_facts: false
  tasks:
    - name: Compare each host with DNS
      postmaster.exchange.mail_delivery:
        mode: compare
        domains: [nestle.com, aol.com]
      register: delivery
      ignore_errors: true
      ignore_unreachable: true

    - name: Report, with a page for people and a file for CI
      postmaster.exchange.delivery_report:
        kind: audit
        hosts: "{{ ansible_play_hosts_all }}"
        results: delivery
        html: reports/audit.html
        junit: reports/audit.xml
      run_once: true
      register: report

    - name: Set the exit status
      postmaster.exchange.delivery_verdict:
        verdict: "{{ report.verdicts[inventory_hostname] }}"
        msg: "{{ report.problems[inventory_hostname] | default('') }}"
"""

RETURN = r"""
lines:
  description: The printed lines.
  returned: unless O(kind=limits)
  type: list
  elements: str
  sample:
    - Of 5 hosts, 2 have drift, 3 are up to date.
verdict:
  description:
    - The worst verdict of all hosts, of V(failed), V(unjudged), V(drift) and V(clean).
    - V(failed) also if O(routes) is a failed result.
  returned: unless O(kind=limits)
  type: str
  sample: drift
verdicts:
  description:
    - The verdict on each host, by its name. Each is a value of
      O(postmaster.exchange.delivery_verdict#module:verdict).
    - V(unjudged) is a host that could not be checked. Only an audit has V(drift).
  returned: unless O(kind=limits)
  type: dict
  sample:
    mail5-a: drift
    mail5-b: clean
problems:
  description: What is wrong with a host, as a sentence, by its name; only hosts with a problem.
  returned: unless O(kind=limits)
  type: dict
  sample:
    mail5-a: enforce would change the routes of nestle.com
messages:
  description:
    - RV(problems) as the failure message of a host. In a run over more than 20 hosts, it refers to
      the report instead.
  returned: unless O(kind=limits)
  type: dict
  sample:
    mail5-a: enforce would change the routes of nestle.com
closing:
  description:
    - The lines, each with its tone, that the playbooks print below Ansible's recap, which is longer
      than a screen for many hosts. Empty for 20 hosts or fewer.
  returned: with O(kind=audit), O(kind=enforce) and O(kind=rollback)
  type: list
  elements: list
  sample:
    - ["Result: All 120 hosts are up to date.", clean]
counts:
  description:
    - Pairs of host and domain by state. The hosts of one organisation count as one host.
  returned: with O(kind=audit), O(kind=enforce) and O(kind=rollback)
  type: dict
  contains:
    total:
      description: All pairs of host and domain.
      type: int
      sample: 15
    up_to_date:
      description: Pairs without drift.
      type: int
      sample: 9
    not_proved:
      description: Changed, by this run or an earlier one, without a delivered test message since.
      type: int
      sample: 0
    would_change:
      description: Pending changes.
      type: int
      sample: 5
    changed:
      description: Changed by this run.
      type: int
      sample: 0
    kept:
      description: Left as it is because of a DNS status.
      type: int
      sample: 1
    refused:
      description: Not changed, due to a limit, a conflicting connector, or a missing C(imccopy).
      type: int
      sample: 0
    failed:
      description: On hosts that failed.
      type: int
      sample: 0
    unknown:
      description: On hosts that could not be checked.
      type: int
      sample: 0
    reasons:
      description: Those kept or refused, by reason.
      type: dict
      sample:
        temporary_failure: 1
    stuck:
      description: Pairs with mail delayed in the queue of the host. Each also has a state.
      type: int
      sample: 2
    stuck_unlisted:
      description: The same for domains that the host does not list, which RV(counts.total) omits.
      type: int
      sample: 0
artefact:
  description:
    - The report as one compressed text, by the name of its variable, for
      M(ansible.builtin.set_stats). The name differs from slice to slice.
  returned: with O(artefact=true)
  type: dict
  sample:
    mx_delivery_report_1f2e3d4c5b6a: eNqtVk1v...
files:
  description: The files that were written, by option.
  returned: unless O(kind=limits)
  type: dict
  sample:
    html: /srv/ansible/reports/audit.html
changing:
  description: The hosts that the run would change.
  returned: with O(kind=limits)
  type: list
  elements: str
  sample: [mail5-a]
domains:
  description: The domains that would get a new route on any of them.
  returned: with O(kind=limits)
  type: list
  elements: str
  sample: [nestle.com]
would_refuse:
  description: Why a limit stops the run before the first change, or an empty text.
  returned: with O(kind=limits)
  type: str
  sample: ""
held:
  description:
    - Why the next hosts must not be changed, or an empty text. That is a host of an earlier batch
      that failed, or RV(would_refuse), except in check mode.
  returned: with O(kind=limits)
  type: str
  sample: ""
"""
