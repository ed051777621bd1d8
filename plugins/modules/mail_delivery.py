#!/usr/bin/python
# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mail_delivery
short_description: Pin mail domains to their MX addresses on an Exchange host of any version
version_added: 0.3.0
author:
  - The postmaster.exchange contributors (@postmaster-exchange)
description:
  - Does everything that a run does on one host, over one session. It detects the Exchange, compares
    the host with O(routes), changes it within the limits, reads the change back, sends test
    messages and follows them, and reads the queues.
  - It runs the same parts as M(postmaster.exchange.exchange_info),
    M(postmaster.exchange.imc_delivery) or M(postmaster.exchange.transport_delivery),
    M(postmaster.exchange.delivery_test), M(postmaster.exchange.queue_info) and
    M(postmaster.exchange.backup_info), and returns what each of them returns. Their pages describe
    what a change is, what it never touches, and how it is undone.
  - A part that fails makes the task fail. RV(failed_part) names it, and the parts before it stay in
    the result.
options:
  mode:
    description:
      - V(compare) returns what V(enforce) would change; read-only.
      - V(enforce) changes the host to match O(routes) and O(state), and sends the test
        messages that O(test.domains) asks for.
      - V(diagnose) reads the installation and the queues. With O(routes) it also compares, and
        sends the test messages that O(test.domains=stuck) asks for. It changes no setting.
      - V(check) reads which Exchange the host has, and what the account may read there. It changes
        nothing, needs no O(routes), and sends no message.
      - V(restore) restores a backup; V(compare) with O(backup) shows what that would change.
      - V(history) lists the backups, each with what restoring it would change.
    type: str
    choices: [compare, enforce, diagnose, check, restore, history]
    required: true
  settings:
    description:
      - Any of the other options as one dictionary, such as M(postmaster.exchange.delivery_routes)
        returns for each host. What the task gives besides counts more.
    type: dict
  family:
    description:
      - The Exchange of the host. V(imc) is 4.0, 5.0 or 5.5, with the Internet Mail Connector or
        Service. V(transport) is 2010 and later.
      - V(auto) reads it from the host's registry over WinRM. A C(psrp) connection to
        C(Microsoft.Exchange) needs no such question.
    type: str
    choices: [auto, imc, transport]
    default: auto
  routes:
    description:
      - The domains and their addresses, as M(postmaster.exchange.mx_pairs_info) returns them in
        RV(postmaster.exchange.mx_pairs_info#module:routes).
      - Each is a dictionary with C(domain), C(addresses) and C(status), and C(test_recipient), the
        mailbox at the domain that gets the test message instead of C(postmaster). With C(test) set
        to V(false) the domain gets none.
      - Other keys are settings of the domain, see
        O(postmaster.exchange.transport_delivery#module:routes).
      - Needed for O(mode=compare) and O(mode=enforce). With O(mode=restore) they only name domains
        to test.
    type: list
    elements: dict
  resolved:
    description:
      - What M(postmaster.exchange.mx_pairs_info) returns as
        RV(postmaster.exchange.mx_pairs_info#module:domains), for Exchange 2010 and later; see
        O(postmaster.exchange.transport_delivery#module:resolved).
    type: list
    elements: dict
  state:
    description:
      - V(present) makes the routes or connectors of the domains in O(routes), and leaves all others
        alone.
      - V(exact) also removes those of other domains; of connectors, only those that this collection
        made.
      - V(absent) removes those of the domains in O(routes).
    type: str
    choices: [present, absent, exact]
    default: present
  missing_domain:
    description:
      - What happens to the routes or the connector of a domain with the status V(no_such_domain) or
        V(null_mx). With C(unconfirmed) in the entry they are kept.
    type: str
    choices: [keep, remove]
    default: keep
  max_changes:
    description:
      - How many routes, or connectors for pinned domains, may change, as a number or as a
        percentage such as V(25%). A larger change fails before anything is changed.
    type: str
  max_removed_domains:
    description:
      - How many domains O(missing_domain=remove) may take the pins of at once, as a number or as a
        percentage of all pinned domains. More fails before anything is changed, unless
        O(force=true). An empty value sets no limit.
    type: str
    default: "3"
  note:
    description:
      - Why the change is made, such as the number of a ticket. It is written into the backup, and
        into the comment of a connector that is changed.
      - It becomes one line of at most 200 characters.
    type: str
  moved_often:
    description:
      - In check mode, warns of pins that moved more often than so many times in the 20 newest
        backups. V(0) reads no backups.
    type: int
    default: 0
  return_plan:
    description:
      - Whether RV(delivery) has C(planned), what is to be changed and the digest of the state from
        which that was computed. An audit keeps it for an approval.
    type: bool
    default: false
  approved_plan:
    description:
      - What was approved for this host, as C(state) and C(changes) of an earlier C(planned), and
        the time of that as C(made). For O(mode=compare) and O(mode=enforce).
      - The task plans as always. If there is a change to make, and the state or the change differs,
        the task fails and changes nothing. Nothing is taken from this option.
      - V({}) approves no change.
    type: dict
  may_change:
    description:
      - Whether this host may change the connectors of its organisation. With V(false) it only
        compares, and returns in its part RV(delivery) that it left the change to another host.
    type: bool
    default: true
  refuse_removals:
    description:
      - With O(state=exact), fail before the first change where it would remove the pins of domains
        that are not in O(routes).
    type: bool
    default: false
  backup_dir:
    description:
      - Folder on the controller for backups, V(backups) by default.
    type: path
  backup:
    description:
      - The backup to restore. A name as in V(2026-11-23T114500Z), the name of a run, for the
        settings before it, or a path.
      - By default it is the newest of the host or organisation that was not made by a restore.
      - Where it is not the name of a backup, a host that has none is left alone.
    type: str
  command_timeout:
    description:
      - Seconds that one command on the host, or one cmdlet, may take.
    type: int
    default: 120
  imc:
    description:
      - What concerns Exchange 4.0 to 5.5. The options are those of
        M(postmaster.exchange.imc_delivery) with the same names.
    type: dict
    suboptions:
      resolver_search_list:
        description:
          - The state of the registry value C(DisableResolverSearchList).
        type: str
        choices: [disabled, enabled, unmanaged]
        default: unmanaged
      service_restart:
        description:
          - Whether to restart a running service when something changed.
        type: str
        choices: [when_changed, never]
        default: when_changed
      service_timeout:
        description:
          - Seconds that the service may take to stop, and again to start, without any progress.
        type: int
        default: 900
      missing_service:
        description:
          - Whether a host without the service is an error.
        type: str
        choices: [fail, skip]
        default: fail
      missing_imccopy:
        description:
          - Whether a host without C(imccopy) is an error, or gets a worksheet of the rows to enter
            by hand.
        type: str
        choices: [fail, warn]
        default: fail
      imccopy:
        description:
          - Path of C(imccopy) on the host, if the module does not find it.
        type: str
      registry_key:
        description:
          - Key of the service's parameters.
        type: str
        default: HKLM\SYSTEM\CurrentControlSet\Services\MSExchangeIMC\Parameters
      max_routes:
        description:
          - Warn when the table holds more rows (Q182522).
        type: int
        default: 100
      silent_exchanges:
        description:
          - Whether to name mail servers that accept connections and send no greeting, or to leave
            them out (V(drop)).
        type: str
        choices: [warn, drop]
        default: warn
      host_backup_dir:
        description:
          - Folder on the host for its copy of the backup.
        type: str
      target_computer:
        description:
          - The Exchange computer behind a management host.
        type: str
      target_imccopy:
        description:
          - The command that runs C(imccopy) on that computer.
        type: str
      target_directory:
        description:
          - Folder for temporary files on that computer.
        type: str
        default: C:\TEMP
  connectors:
    description:
      - What concerns Exchange 2010 and later. The options are those of
        M(postmaster.exchange.transport_delivery) with the same names, and C(families).
    type: dict
    suboptions:
      families:
        description:
          - Which addresses become smart hosts.
        type: list
        elements: str
        choices: [ipv4, ipv6]
        default: [ipv4, ipv6]
      mx_preference:
        description:
          - Whether all mail servers of a domain become smart hosts, or those of the best preference
            only.
        type: str
        choices: [all, best]
        default: all
      existing:
        description:
          - Whether to adopt an unmanaged connector for exactly a listed domain, or to refuse the
            change.
        type: str
        choices: [adopt, refuse]
        default: refuse
      bypass_relay:
        description:
          - Whether to make connectors for domains with mail through smart hosts today.
        type: bool
        default: false
      edge_synchronization:
        description:
          - Whether to start the synchronization of Edge Transport servers after a change.
        type: bool
        default: true
      external_dns:
        description:
          - Name servers, as IP addresses, that the Transport service asks for domains of others. An
            empty list is Exchange's default, the DNS of the adapters. Not managed by default.
        type: list
        elements: str
      external_dns_connectors:
        description:
          - Names of the Send connectors that use O(connectors.external_dns), or with an empty list
            there stop using it.
        type: list
        elements: str
      name_template:
        description:
          - Name of a new connector, with V({domain}) for the domain.
        type: str
        default: postmaster.exchange {domain}
      cost:
        description:
          - Cost of the address spaces, from 1 to 100.
        type: int
        default: 1
      source_servers:
        description:
          - Servers that send by the connectors.
        type: list
        elements: str
      port:
        description:
          - Port of the smart hosts.
        type: int
        default: 25
      require_tls:
        description:
          - Whether mail may only be sent over TLS.
        type: bool
      tls_auth_level:
        description:
          - How the certificate of the other side is checked.
        type: str
        choices: [encryption_only, certificate_validation, domain_validation]
      tls_domain:
        description:
          - The domain that the certificate must name.
        type: str
      protocol_logging:
        description:
          - Whether the connectors write a protocol log.
        type: str
        choices: [none, verbose]
      domain_controller:
        description:
          - Domain controller for all reads and writes.
        type: str
  test:
    description:
      - Test messages. The options are those of M(postmaster.exchange.delivery_test) with the same
        names, and those that select the domains to test.
    type: dict
    suboptions:
      domains:
        description:
          - V(changed) are the domains with changed routes or connectors, or all if the registry
            value changed, and those of earlier changes that no test message has proved. V(all) are
            all with addresses.
          - With V(none) O(mode=enforce) drops earlier changes without proof, and warns of it.
          - V(stuck) are those of O(routes), in O(mode=diagnose).
        type: str
        choices: [none, changed, all, stuck]
        default: none
      limit:
        description:
          - Send at most this many messages.
        type: int
        default: 100
      retry_queues:
        description:
          - Whether to resubmit the waiting mail of the tested domains first, on Exchange 2010 and
            later.
        type: bool
        default: true
      fail_on_undelivered:
        description:
          - Whether the task fails if a test message is not delivered.
        type: bool
        default: true
      sender:
        description:
          - Sender of the messages.
        type: str
      subject:
        description:
          - Beginning of their subject.
        type: str
        default: Delivery test
      method:
        description:
          - How Exchange 4.0 to 5.5 gets them.
        type: str
        choices: [auto, pickup, smtp]
        default: auto
      deadline:
        description:
          - Seconds after which a message that is still on its way counts as not delivered.
        type: int
        default: 300
      interval:
        description:
          - Seconds between two reads of the tracking log.
        type: int
        default: 5
      smtp:
        description:
          - Where and how to submit by SMTP.
        type: dict
        suboptions:
          host:
            description:
              - The host itself by default.
            type: str
          port:
            description:
              - Port of the SMTP server.
            type: int
            default: 25
          starttls:
            description:
              - Whether to submit over TLS.
            type: bool
            default: false
          user:
            description:
              - User to log in as.
            type: str
          password:
            description:
              - Password of that user.
            type: str
          cleartext_login:
            description:
              - Whether to log in without TLS.
            type: bool
            default: false
          ca_cert:
            description:
              - File of the certificate authorities that are trusted.
            type: path
          validate:
            description:
              - Whether to check the certificate.
            type: bool
            default: true
          timeout:
            description:
              - Seconds for one step of the dialogue.
            type: int
            default: 30
  also_test:
    description:
      - Domains that O(test.domains=changed) includes whether they changed on this host or not.
    type: list
    elements: str
    default: []
  queue:
    description:
      - The queues. The options are those of M(postmaster.exchange.queue_info) with the same names,
        and C(read).
    type: dict
    suboptions:
      read:
        description:
          - Whether to read the queues. By default O(mode=diagnose) does, and no other mode.
        type: bool
      own_domains:
        description:
          - Own mail domains, for which nothing can be stuck.
        type: list
        elements: str
        default: []
      min_age:
        description:
          - Seconds that mail has to wait before its domain counts as stuck.
        type: int
        default: 0
  read_resolver:
    description:
      - Whether to also read what Windows appends to names on Exchange 2010 and later. That takes a
        WinRM session besides Exchange's PowerShell.
    type: bool
    default: false
  smtp_login:
    description:
      - User and password of O(test.smtp). A playbook can keep them apart from the other options
        this way.
    type: dict
    suboptions:
      user:
        description:
          - User to log in as.
        type: str
        required: true
      password:
        description:
          - Password of that user.
        type: str
        required: true
extends_documentation_fragment:
  - postmaster.exchange.attributes
  - postmaster.exchange.attributes.both
  - postmaster.exchange.backups
  - postmaster.exchange.change
  - postmaster.exchange.connection
  - postmaster.exchange.endpoint
attributes:
  check_mode:
    support: full
    details:
      - In check mode nothing is changed and no message is sent.
  diff_mode:
    support: full
    details:
      - Shows the registry value and the routes, or the connectors, before and after the change.
  platform:
    support: full
    platforms: posix
notes:
  - The other modules of this collection do one part each, with the same options.
  - Only ASCII names are sent to a host. An internationalised domain is pinned by its A-labels.
seealso:
  - module: postmaster.exchange.mx_pairs_info
  - module: postmaster.exchange.delivery_routes
  - module: postmaster.exchange.delivery_report
"""

EXAMPLES = r"""
- name: Compute the pairs once
  postmaster.exchange.mx_pairs_info:
    domains: [nestle.com, aol.com]
  register: mx
  run_once: true

- name: Pin the domains, and prove that mail arrives
  postmaster.exchange.mail_delivery:
    mode: enforce
    routes: "{{ mx.routes }}"
    resolved: "{{ mx.domains }}"
    imc:
      resolver_search_list: disabled
    test:
      domains: changed

- name: Show what would change, and what waits in the queues
  postmaster.exchange.mail_delivery:
    mode: compare
    routes: "{{ mx.routes }}"
    queue:
      read: true
  diff: true

- name: Read the installation and the queues
  postmaster.exchange.mail_delivery:
    mode: diagnose
    queue:
      min_age: 300
  register: seen

- name: Change a few routes at a time, and nothing if more would change
  postmaster.exchange.mail_delivery:
    mode: enforce
    family: imc
    routes: "{{ mx.routes }}"
    max_changes: 25%
    run_id: change-4711

- name: List what could be restored
  postmaster.exchange.mail_delivery:
    mode: history

- name: Restore what was there before a run, and test what changed
  postmaster.exchange.mail_delivery:
    mode: restore
    backup: change-4711
    test:
      domains: changed
      sender: postmaster@hq.example
"""

RETURN = r"""
mode:
  description: What O(mode) is.
  returned: always
  type: str
  sample: enforce
family:
  description:
    - The Exchange that the host was served as, V(imc) or V(transport). Empty where it could not be
      detected.
  returned: always
  type: str
  sample: imc
run_id:
  description: What O(run_id) is. Empty where that is not set.
  returned: always
  type: str
  sample: change-4711
changed:
  description:
    - Whether a setting of the host or its organisation changed, or waiting mail was resubmitted. In
      check mode, and with O(mode=compare), whether O(mode=enforce) would change one.
  returned: always
  type: bool
  sample: true
exchange:
  description:
    - What M(postmaster.exchange.exchange_info) returns. None if O(family) already
      names the Exchange.
  returned: always
  type: dict
  sample: {}
delivery:
  description:
    - What M(postmaster.exchange.imc_delivery) or M(postmaster.exchange.transport_delivery) returns,
      with the rows of a route table as text. None where nothing was compared.
    - With O(mode=restore) it has C(no_backup) on a host that was left alone.
    - C(unproved) lists the domains that were changed, by this run or an earlier one, without a
      delivered test message since. It is remembered beside their backups.
  returned: always
  type: dict
  sample: {}
rights:
  description:
    - With O(mode=check), C(allowed) lists what the account may read, which are cmdlets on Exchange
      2010 and later. C(lacking) lists what it may not, each with C(what), C(for), and C(msg). None
      otherwise.
    - Rights to change are not checked, because nothing shows them without a change.
  returned: always
  type: dict
  sample: {}
tests:
  description:
    - What M(postmaster.exchange.delivery_test) returns. None where no message was to be sent.
  returned: always
  type: dict
  sample: {}
queue:
  description:
    - What M(postmaster.exchange.queue_info) returns. None where the queues were not read.
  returned: always
  type: dict
  sample: {}
backups:
  description:
    - What M(postmaster.exchange.backup_info) returns. None but for O(mode=history).
  returned: always
  type: dict
  sample: {}
failed_part:
  description:
    - The first part that failed, V(exchange), V(delivery), V(rights), V(tests), V(queue) or
      V(backups). That
      part of the result has C(failed) or C(unreachable), and its C(msg).
  returned: always
  type: str
  sample: delivery
"""

from ..module_utils._base import python_version  # noqa: F401  # pylint: disable=unused-import
from ..module_utils._run.mail_delivery import MODULE
from ..module_utils._run.module_runner import run_module


def main() -> None:
    """Run as a module, on the machine of the task's connection."""
    run_module(MODULE)


if __name__ == "__main__":
    main()
