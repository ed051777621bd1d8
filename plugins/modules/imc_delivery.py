#!/usr/bin/python
# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: imc_delivery
short_description: Pin mail domains to their MX addresses on Exchange 4.0 to 5.5
version_added: 0.3.0
author:
  - The postmaster.exchange contributors (@postmaster-exchange)
description:
  - Manages the two settings with which the Internet Mail Connector of Exchange 4.0, and the
    Internet Mail Service of Exchange 5.0 and 5.5, deliver to domains with several MX records
    (Q169781). These are the registry value C(DisableResolverSearchList), and the delivery route
    table that the Administrator program calls C(Message Delivery by E-Mail Domain).
  - Both are changed as one transaction. Backups are made first, on the host and on the controller;
    every write is read back and compared; the service is restarted once and watched. If anything
    fails, value, table and service are restored, and the error names the state of the host.
  - The table is read and written with C(imccopy.exe) of the Exchange 5.x CD (Q182522), on a host
    that needs nothing else but WinRM. Only native commands are run there (C(reg), C(sc),
    C(imccopy), C(type), C(echo), C(ping)); no script is pushed, and no temporary file remains.
  - Rows of other domains, other registry values, and unknown sections, keys and flags of the table
    survive byte for byte. A table that cannot be written back exactly, such as one with
    characters of an unknown code page, is not changed at all.
  - A host without drift costs one command, and C(8) WinRM requests or fewer with NTLM.
  - The next run finds an interrupted one, continues it, and starts the service if that run had
    stopped it.
options:
  resolver_search_list:
    description:
      - Whether the service appends the domains of the resolver search list to the names it asks for
        (Q150969, Q190711).
      - V(disabled) sets the registry value C(DisableResolverSearchList) to 1. A value that is
        there with any other number but 0 is as good, and is left alone. One that is spelled with
        other capitals, or has another type, is replaced, because the service reads exactly
        this name.
      - V(enabled) deletes the value, however it is spelled.
      - V(unmanaged) leaves it alone.
    type: str
    choices: [disabled, enabled, unmanaged]
    default: unmanaged
  routes:
    description:
      - The domains to manage in the delivery route table, as M(postmaster.exchange.mx_pairs_info)
        returns them in its RV(postmaster.exchange.mx_pairs_info#module:routes). Each is a
        dictionary.
      - C(domain) is the mail domain. It matches the rows of the table without regard to case.
      - C(addresses) is the list of its IPv4 addresses in the order of preference. The rows of the
        domain become exactly these pairs, in this order, where its first row stood or at the end of
        the table. Rows that are there already keep their spelling and flag.
      - C(status) is V(ok) by default. With V(temporary_failure), V(disagreement), V(moving),
        V(loop) or V(no_address) nothing is known about the addresses, and the rows of the domain
        are never changed, in whatever O(state). With V(no_such_domain) or V(null_mx) see
        O(missing_domain).
      - C(bypass_relay) allows a new route on a host that forwards all mail to a relay (C(Forward
        all messages to host)). Such a host asks no MX, so without it the task fails and names the
        relay.
      - The task warns of settings that a row cannot have, such as C(port) and C(require_tls), see
        O(postmaster.exchange.transport_delivery#module:routes).
      - A row takes mail for all subdomains of its domain, too, unless these have rows of their own
        (Q259531). The task warns of those in O(routes) and O(known_domains) that have none, and,
        where rows change, of those in the queue and in the logs of the last days.
      - An invalid address or domain, an IPv6 address, a route without an address, or a domain with
        two different answers fails the task before the host is contacted.
      - Without this option the table is neither read nor changed.
    type: list
    elements: dict
  silent_exchanges:
    description:
      - How to treat a mail server that accepts connections and sends no greeting, as the newest
        files of the SMTP protocol log show it. Exchange 5.0, and 5.5 before SP1, then try no other
        server of the domain (Q182821).
      - V(warn) names such servers. V(drop) also leaves their addresses out of O(routes), but never
        all addresses of a domain. They come back when the newest connection there got a greeting,
        or the logs no longer show any.
      - The service writes this log at diagnostics level 3 or more (Q154505). With V(warn) it is
        read only where rows change.
    type: str
    choices: [warn, drop]
    default: warn
    version_added: 0.2.0
  known_domains:
    description:
      - Domains to which the host sends mail, such as those that M(postmaster.exchange.queue_info)
        returns. Nothing is changed for them. The task warns where the row of a parent domain also
        takes their mail.
    type: list
    elements: str
    default: []
  state:
    description:
      - V(present) makes the rows of the domains in O(routes), and leaves all others alone.
      - V(exact) does the same, and removes the rows of all domains that are not in O(routes). An
        empty list is refused, because it would empty the table.
      - V(absent) removes the rows of the domains in O(routes). They need no addresses then.
      - V(restored) puts back registry value and table as O(backup) holds them, as a transaction
        like the others, with a backup of what is there now.
    type: str
    choices: [present, absent, exact, restored]
    default: present
  missing_domain:
    description:
      - Keeps with a warning, or removes, the rows of a domain that no longer takes mail, with the
        status V(no_such_domain) or V(null_mx).
      - With C(unconfirmed) in the entry they are kept, since only one name server reported it.
    type: str
    choices: [keep, remove]
    default: keep
  service_restart:
    description:
      - The service reads its settings only when it starts. With V(when_changed) it is restarted
        after a change, once, if it was running.
      - With V(never) it is left alone, and RV(restart_required) shows that a restart is due. The
        run notes this on the host, with the process id of the service. Later runs report it until
        the service has been restarted or stopped, and the next one with V(when_changed) restarts
        it, even without another change.
      - A service that is found stopped or disabled is left as found, with a warning.
      - A service that runs is not restarted while the table has malformed rows, since it would not
        start again (event 4056). The task fails and names them, unless O(force=true).
      - On a node of a cluster nothing is changed; the task fails with the steps to do by hand.
    type: str
    choices: [when_changed, never]
    default: when_changed
  service_timeout:
    description:
      - Seconds that the service may take to stop, and again to start, without any progress. With a
        long queue or a large address book, a start takes many minutes (Q184542, Q185996).
      - A service that is still starting after that is not stopped again. The task fails, and leaves
        the new settings in place.
    type: int
    default: 900
  command_timeout:
    description:
      - Seconds that one command on the host may take. A host that hangs fails the task after it.
    type: int
    default: 120
  max_changes:
    description:
      - How many routes may change, as a number such as V(20), or as per cent of all routes of the
        table, such as V(25%). All are those before or those afterwards, whichever are more.
      - A row that is added or removed counts, and so does one of a domain that leads to another
        address. The registry value does not. More than V(100%) change where every row goes and as
        many come.
      - If more would change, the task fails and nothing is changed, unless O(force=true). In check
        mode it warns, and returns RV(would_refuse).
      - Not set by default, so that any change is made.
    type: str
  max_removed_domains:
    description:
      - How many domains O(missing_domain=remove) may take the rows of at once, as a number or as a
        percentage of all pinned domains. More are a sign of a name server with a fault.
      - If more would be removed, the task fails and nothing is changed, unless O(force=true). In
        check mode it warns, and returns RV(would_refuse). An empty value sets no limit.
    type: str
    default: "3"
  backup_dir:
    description:
      - Folder on the controller for backups. Each goes to a folder of its own in it, named by the
        computer's own name and time (UTC), such as C(mail5-a/2026-11-23T114500Z).
      - A relative path counts from where ansible-playbook was started. A folder inside an installed
        collection, or of a job of ansible-runner or AWX, is refused.
      - Where the module runs on another machine, this folder is there.
      - The default is C(backups) in the folder where ansible-playbook was started.
    type: path
  backup:
    description:
      - The backup to put back, with O(state=restored). This is an earlier RV(backup), or a folder
        that holds such folders. Of these the newest of this host is taken that was not made by a
        task with O(state=restored) itself. Where a run was cut off and a later one took up its
        work, that is the backup of the first.
      - A backup is put back only on the computer that it is of, with the same build of Exchange and
        in the same organisation, unless O(force=true).
    type: path
  host_backup_dir:
    description:
      - Folder on the host for its own backups. In it, each Exchange computer has a folder of its
        own.
      - The lease by which one run at a time works on a host, and the notes of runs, stay at their
        one place whatever this option is.
      - Backups are never removed. Old ones can be deleted by hand.
      - The default is C(%ALLUSERSPROFILE%\postmaster.exchange).
    type: str
  imccopy:
    description:
      - Path of C(imccopy.exe) on the host.
      - By default it is looked for by C(PATH), in C(C:\), in C(C:\exchsrvr\bin), and in the folder
        C(bin) beside the folder that the registry value C(RootDir) names.
    type: str
  missing_imccopy:
    description:
      - What to do without C(imccopy), when the table can be neither read nor written.
        For Exchange 4.0 no such tool is documented.
      - The registry value is set in any case. Then V(fail) fails the task, and V(warn) warns. Both
        return the rows to be typed by hand as RV(worksheet).
    type: str
    choices: [fail, warn]
    default: fail
  missing_service:
    description:
      - What to do with a host that has no service C(MSExchangeIMC). V(skip) skips it.
      - A host that does not let us look, for want of rights for example, always fails.
    type: str
    choices: [fail, skip]
    default: fail
  registry_key:
    description:
      - The registry key of the parameters of the service.
    type: str
    default: HKLM\SYSTEM\CurrentControlSet\Services\MSExchangeIMC\Parameters
  max_routes:
    description:
      - Warn if the table gets more rows than this. The Administrator program before Exchange 5.5
        SP1 corrupts a table that is too long (Q182522, Q242221); no article gives a number.
      - V(0), and a host with 5.5 SP1 or later, get no warning.
    type: int
    default: 100
  return_routes:
    description:
      - Which rows the result has. With V(changed), RV(routes) has the rows of each domain with a
        changed row, and is empty without changes.
      - With V(text) the same rows are in RV(routes_text) instead. The controller keeps the result
        of each host in memory, where a row takes a fifth as text. The role
        P(postmaster.exchange.mx_delivery#role) asks for that.
    type: str
    choices: [all, changed, text]
    default: all
  target_computer:
    description:
      - Name of the Exchange computer, where it has no WinRM (Windows NT 4.0) and the host is a
        management host that reaches it over the network.
      - Its registry and service are reached as C(\\NAME), its files through the share C(C$). The
        logon on the management host has to be one that may do so; with NTLM it usually is not, for
        its rights end at that host. Kerberos with delegation, CredSSP or Basic get further.
    type: str
  target_imccopy:
    description:
      - Command that runs C(imccopy) on O(target_computer), waits for its end, and returns its exit
        code. What does that differs by site. The arguments of C(imccopy) replace C({arguments}), or
        are appended.
      - >-
        Only letters, digits, spaces and C(\ : . / _ - $ ~ , = @ +) may occur in it.
      - Without it the table of O(target_computer) is treated as on a host without C(imccopy).
    type: str
  target_directory:
    description:
      - Folder on O(target_computer) for temporary files of C(imccopy), as a local path without
        spaces on a drive that is shared (C(C$) for C(C:)).
    type: str
    default: C:\TEMP
extends_documentation_fragment:
  - postmaster.exchange.attributes
  - postmaster.exchange.attributes.exchange
  - postmaster.exchange.backups
  - postmaster.exchange.change
  - postmaster.exchange.connection
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - The rows of the whole table are shown before and after, with a remark at those that are kept
        since they are not managed.
  platform:
    support: full
    platforms: posix
seealso:
  - module: postmaster.exchange.mx_pairs_info
  - module: postmaster.exchange.delivery_test
  - name: Microsoft Knowledge Base article Q169781
    description: IMC fails to send mail to domains with multiple MX records.
    link: https://jeffpar.github.io/kbarchive/kb/169/Q169781/
  - name: Microsoft Knowledge Base article Q182522
    description: Imccopy and the route table.
    link: https://jeffpar.github.io/kbarchive/kb/182/Q182522/
"""

EXAMPLES = r"""
- name: Compute the pairs once
  postmaster.exchange.mx_pairs_info:
    domains: [nestle.com, aol.com]
  register: mx
  run_once: true

- name: Deliver these domains straight to their exchanges
  postmaster.exchange.imc_delivery:
    resolver_search_list: disabled
    routes: "{{ mx.routes }}"
  register: pinned

- name: See what would change
  postmaster.exchange.imc_delivery:
    resolver_search_list: disabled
    routes: "{{ mx.routes }}"
  check_mode: true
  diff: true

- name: Deliver one domain to hosts that are known, and restart in the next maintenance window
  postmaster.exchange.imc_delivery:
    routes:
      - domain: partner.example
        addresses: [192.0.2.25, 192.0.2.26]
    service_restart: never

- name: Change a few routes at a time, and nothing if more would change
  postmaster.exchange.imc_delivery:
    routes: "{{ mx.routes }}"
    max_changes: 25%
    run_id: change-4711

- name: Let DNS decide again for a domain
  postmaster.exchange.imc_delivery:
    routes:
      - domain: partner.example
    state: absent

- name: Restore the previous settings
  postmaster.exchange.imc_delivery:
    state: restored
    backup: backups/mail5-a/2026-11-23T114500Z

- name: Work on a Windows NT 4.0 computer behind a management host
  postmaster.exchange.imc_delivery:
    resolver_search_list: disabled
    routes: "{{ mx.routes }}"
    target_computer: MAIL4OLD
    target_imccopy: C:\tools\psexec.exe \\MAIL4OLD C:\exchsrvr\bin\imccopy.exe {arguments}

- name: Work on a host that the inventory does not know, from the controller
  postmaster.exchange.imc_delivery:
    resolver_search_list: disabled
    connection:
      host: mail5-b.hq.example
      user: HQ\operator
      password: "{{ vault_operator_password }}"
  delegate_to: localhost
"""

RETURN = r"""
registry:
  description: The registry value before and after. Null if it does not exist.
  returned: when the host could be looked at
  type: dict
  contains:
    before:
      description: The value with its name as stored, its type and its data, as it was found.
      type: dict
      sample: null
    after:
      description: The same, as it is afterwards, or would be in check mode.
      type: dict
      sample:
        name: DisableResolverSearchList
        type: REG_DWORD
        data: 1
routes:
  description:
    - The rows of the table, before and afterwards. Null if the table was not read, and with
      O(return_routes=text).
    - With O(return_routes=changed) only the rows of each domain with a changed row.
  returned: when the host could be looked at
  type: dict
  contains:
    before:
      description: The rows as found, in their order. A malformed row is shown as C(raw).
      type: list
      elements: dict
      sample:
        - domain: partner.corp
          address: 10.1.2.3
          flag: "0"
    after:
      description: The rows as they are afterwards, or would be in check mode.
      type: list
      elements: dict
      sample:
        - domain: partner.corp
          address: 10.1.2.3
          flag: "0"
        - domain: nestle.com
          address: 192.0.2.25
          flag: "0"
led_by_parent:
  description:
    - Domains of O(routes), O(known_domains), or the host's mail that have no rows of their own, so
      that the rows of a parent domain take their mail (Q259531).
  returned: when the host could be looked at
  type: list
  elements: dict
  sample: []
  version_added: 0.2.0
  contains:
    domain:
      description: The domain.
      type: str
      sample: list.nestle.com
    parent:
      description: The domain of the rows.
      type: str
      sample: nestle.com
    hosts:
      description: Where these rows lead.
      type: list
      elements: str
      sample: [192.0.2.25]
    before:
      description: Whether it is so before the change.
      type: bool
      sample: false
    after:
      description: Whether it is so afterwards.
      type: bool
      sample: true
malformed_rows:
  description:
    - The rows of the table that the service cannot parse, verbatim. It does not start with them
      (event 4056, Q182522).
  returned: when the host could be looked at
  type: list
  elements: str
  sample: []
relayed:
  description:
    - The listed domains without a row, each with the host to which the connector forwards all such
      mail (C(DefaultRouting)). The host is empty if the connector asks DNS.
  returned: when the host could be looked at
  type: dict
  sample: {}
routes_text:
  description:
    - The rows of each domain with a changed row, before and afterwards, as in the table. Null if
      the table was not read, and without O(return_routes=text).
  returned: when the host could be looked at
  type: dict
  contains:
    before:
      description: The rows as found, a row a line.
      type: str
      sample: ""
    after:
      description: The rows as they are afterwards, or would be in check mode.
      type: str
      sample: "nestle.com;192.0.2.25;0\n"
service:
  description: The service as it is afterwards.
  returned: when the host could be looked at
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      sample: MSExchangeIMC
    state:
      description: Its state, such as V(running) or V(stopped).
      type: str
      sample: running
    start_type:
      description: How it is started, V(auto), V(manual) or V(disabled).
      type: str
      sample: auto
restarted:
  description: Whether the service was restarted or started, or would be in check mode.
  returned: when the host could be looked at
  type: bool
  sample: true
restart_required:
  description: True if a restart is due that this run may not, or must not, do.
  returned: when the host could be looked at
  type: bool
  sample: false
backup:
  description: Folder of the backup on the controller. Null if nothing was changed.
  returned: when the host could be looked at
  type: str
  sample: /srv/ansible/backups/mail5-a/2026-11-23T114500Z
restored_from:
  description: Folder of the backup that was put back.
  returned: with O(state=restored)
  type: str
  sample: /srv/ansible/backups/mail5-a/2026-11-23T114500Z
change_limit:
  description: How large the change is, measured by O(max_changes). Null where that is not set.
  returned: success, or when O(max_changes) refused the change
  type: dict
  contains:
    limit:
      description: Value of O(max_changes).
      type: str
      sample: 25%
    changes:
      description: How many routes change.
      type: int
      sample: 12
    of:
      description: Of how many.
      type: int
      sample: 40
    domains:
      description: The first few of the domains with changed routes.
      type: list
      elements: str
      sample: [nestle.com, aol.com]
    domain_count:
      description: How many domains that are in all.
      type: int
      sample: 2
    exceeded:
      description: True if the change is larger than the limit.
      type: bool
      sample: true
    refused:
      description: Whether it is refused for that, or would be in check mode.
      type: bool
      sample: true
    text:
      description: The same as a sentence. Empty where the change is not too large.
      type: str
      sample: >-
        12 changes to 40 routes (30 %) exceed max_changes (25%). Affected:
        nestle.com, aol.com
removed_domains:
  description: Missing domains that O(missing_domain=remove) takes the pins of.
  returned: success
  type: list
  elements: str
  sample: []
unpinned:
  description: Domains of O(routes) that do not exist in DNS and have no pin.
  returned: success
  type: list
  elements: str
  sample: []
would_refuse:
  description: Whether this was check mode, and O(max_changes) would refuse the change.
  returned: success
  type: bool
  sample: false
planned:
  description:
    - What is to be changed, and from which state that was computed.
    - It is C(state), a digest of the registry value and the route table, and C(changes), each with
      the rows that go and come.
  returned: with O(return_plan)
  type: dict
  sample:
    state: sha256:6a09e667f3bcc908b2fb1366ea957d3e3adec17512775099da2f590b0667322a
    changes:
      - change: 1 route
        domains: [nestle.com]
        before: []
        after: [nestle.com;192.0.2.25;0]
run_id:
  description: What O(run_id) is. Empty where that is not set.
  returned: success
  type: str
  sample: 2026-11-23T114500Z-4f1c
worksheet:
  description:
    - Rows to be typed or removed by hand, on a host without C(imccopy). Empty otherwise.
  returned: when the host could be looked at
  type: list
  elements: dict
  sample:
    - action: enter
      domain: nestle.com
      address: 192.0.2.25
rolled_back:
  description:
    - Whether a change failed and everything was put back. Only a failed task has V(true).
    - A task that failed before the first change does not return it.
  returned: success, or when a change failed
  type: bool
  sample: false
state:
  description:
    - The settings of the host after a failed change. V(old) are those before it, V(new) those after
      it, and V(unknown) a mixture or not known.
  returned: when a change failed
  type: str
  sample: old
parts:
  description:
    - The same for each part that the failed change had touched, which are C(route_table),
      C(registry_value) and C(service). C(service) describes the settings that it was started
      with.
  returned: when a change failed
  type: dict
  sample:
    route_table: old
    registry_value: old
    service: old
at_work:
  description:
    - The other run that has locked the host - its C(controller), and C(since) and C(until) when by
      the host's clock its lease lasts.
  returned: when the task failed for that reason
  type: dict
  sample:
    controller: ctl1
    since: 2026-11-23 11:45:00 UTC
    until: 2026-11-23 12:00:00 UTC
left_behind:
  description: Files that may be left on the host, where they could not be deleted.
  returned: when a task failed and left any
  type: raw
  sample: []
requests:
  description:
    - WinRM requests that the commands of this task took, three for each. Logging in and opening
      the shell take up to four more, which count where the task has a connection of its own, and
      closing it one.
  returned: success
  type: int
  sample: 3
"""

from ..module_utils._base import python_version  # noqa: F401  # pylint: disable=unused-import
from ..module_utils._run.imc_delivery import MODULE
from ..module_utils._run.module_runner import run_module


def main() -> None:
    """Run where Ansible put this file; on the controller the action plugin does it instead."""
    run_module(MODULE)


if __name__ == "__main__":
    main()
