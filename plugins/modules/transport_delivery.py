#!/usr/bin/python
# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: transport_delivery
short_description: Pin mail domains to their MX addresses on Exchange 2010 and later
version_added: 0.3.0
author:
  - The postmaster.exchange contributors (@postmaster-exchange)
description:
  - Manages Send connectors that deliver the mail of one domain each straight to the addresses of
    its exchanges. Microsoft recommends this where mail stays queued with C(451 4.4.0 DNS query
    failed) (KB972744), as the article Q169781 did for the Internet Mail Connector.
  - The connectors of this module carry a mark in their comment. Other connectors are neither
    changed nor removed, except for those that O(existing=adopt) takes over. Of a connector,
    only what the options name is managed; all other properties stay as they are.
  - Connectors belong to the whole organisation. However many of its hosts are in the play, one
    change is made; the other hosts find nothing to do. All reads and writes of a change go to one
    domain controller, which its backup names, and for a week after it so do those of later runs
    that have this backup, or are of the same user on this controller.
  - A change is a transaction. A backup is made first, every connector is read back, and if anything
    fails the previous connectors are put back. New connectors are made and others changed before
    any is removed, so that mail for a domain always has a route.
  - A new connector inherits what protects and identifies the mail from the connector that carries
    the domain today, namely the source servers, the HELO name, TLS settings and certificate, the
    front-end proxy, limits, error policies and protocol logging. The diff shows their origin. In
    place of a connector that is scoped to one Active Directory site, it is scoped, too.
  - Some domains are refused while the others are changed; see RV(refused). These are authoritative
    accepted domains, domains with an unmanaged connector (O(existing)), domains with mail through a
    relay (O(bypass_relay)) or through another connector at each site (O(source_servers)), and
    domains with settings that a pin cannot inherit, such as mutual TLS.
  - Exchange is reached at its own PowerShell endpoint. Only cmdlets with typed parameters are run;
    no script is ever sent. A host with nothing to do costs one cmdlet.
options:
  routes:
    description:
      - The domains to manage, as M(postmaster.exchange.mx_pairs_info) returns them in its
        RV(postmaster.exchange.mx_pairs_info#module:routes). Each is a dictionary.
      - C(domain) is the mail domain.
      - C(addresses) is the list of its addresses, IPv4 or IPv6. They become the smart hosts of the
        connector. Exchange treats them as equals, whatever their order; see O(mx_preference).
      - C(status) is V(ok) by default. With V(temporary_failure), V(disagreement), V(moving),
        V(loop) or V(no_address) nothing is known about the addresses, and the connector of the
        domain is never changed, in whatever O(state). With V(no_such_domain) or V(null_mx) see
        O(missing_domain).
      - C(mx_preference), C(port), C(cost), C(require_tls), C(tls_auth_level), C(tls_domain) and
        C(bypass_relay) take the place of the options of these names for this domain. C(note) is put
        behind the comment of the connector.
      - Needed for all but O(state=restored).
    type: list
    elements: dict
  resolved:
    description:
      - What M(postmaster.exchange.mx_pairs_info) returns as
        RV(postmaster.exchange.mx_pairs_info#module:domains). It is where O(mx_preference=best)
        takes the MX preferences from.
    type: list
    elements: dict
  state:
    description:
      - V(present) makes the connectors of the domains in O(routes), and leaves all others alone.
      - V(exact) does the same, and removes our connectors of all domains that are not in O(routes).
        An empty list is refused, because it would remove them all.
      - V(absent) removes our connectors of the domains in O(routes). They need no addresses then.
      - V(restored) puts our connectors, and those that were adopted, back to what they were when
        O(backup) was made, as a transaction like the others.
    type: str
    choices: [present, absent, exact, restored]
    default: present
  mx_preference:
    description:
      - Which exchanges of a domain become smart hosts. Since Exchange spreads mail over them
        without regard to the MX preference, V(all) also uses those of a worse preference, which
        some domains keep for emergencies.
      - V(best) uses only those of the best preference, and needs O(resolved).
    type: str
    choices: [all, best]
    default: all
  missing_domain:
    description:
      - Keeps with a warning, or removes, the connector of a domain that no longer takes mail, with
        the status V(no_such_domain) or V(null_mx).
      - With C(unconfirmed) in the entry it is kept, since only one name server reported it.
    type: str
    choices: [keep, remove]
    default: keep
  existing:
    description:
      - What to do with an unmanaged connector for exactly such a domain. With V(refuse) this
        domain stays as it is, and RV(refused) shows how the connector differs from a pin.
      - V(adopt) makes it ours. Its name and the properties that are not managed stay. A connector
        that serves other address spaces as well, is scoped to one site, belongs to a hybrid
        configuration, demands mutual TLS, or logs in by a password is never adopted.
      - Connectors for C(*), or for a parent domain, do not conflict, since Exchange prefers the
        more specific one.
    type: str
    choices: [adopt, refuse]
    default: refuse
  bypass_relay:
    description:
      - Allows new connectors for domains with mail through smart hosts today, such as a filter, a
        provider or Exchange Online. Exchange looks up no MX records for such mail, and a pin
        bypasses the filter and the archive.
      - To allow it for one domain, set C(bypass_relay) to V(true) in its entry of O(routes).
    type: bool
    default: false
  edge_synchronization:
    description:
      - Runs C(Start-EdgeSynchronization) after a change of connectors with Edge Transport servers
        as source servers. Without it, these receive the change at their next interval. Its outcome
        is RV(edge_synchronization); a failure is a warning.
    type: bool
    default: true
  external_dns:
    description:
      - Name servers, as IP addresses, that the Transport service asks for domains of others. It is
        the second cure that KB972744 names, and does not go out of date as a pin does.
      - On each server C(ExternalDNSServers) gets these addresses, in any order, and
        C(ExternalDNSAdapterEnabled) V(false), by C(Set-TransportService), or on Exchange 2010 by
        C(Set-TransportServer). The servers are those that send by O(external_dns_connectors), or
        all where that is not set. Edge Transport servers are never changed.
      - An empty list is Exchange's default. The list of the servers is emptied, the DNS of their
        adapters counts again, and O(external_dns_connectors) stop using external DNS.
      - Not managed by default. With it, O(routes) may be left out for O(state=present).
      - O(state=restored) puts a setting back only where it still is as a run of this controller
        left it; others stay, with a warning.
    type: list
    elements: str
  external_dns_connectors:
    description:
      - Names of the Send connectors that use O(external_dns) (C(UseExternalDNSServersEnabled)).
        Other connectors stay as they are, and so does all else of these.
      - The task fails, and changes nothing, where one does not exist, is a pin, or sends by an Edge
        Transport server.
    type: list
    elements: str
  name_template:
    description:
      - Name of a new connector. V({domain}) in it becomes the domain. A name that is taken gets
        a number, and one over 64 characters is cut.
      - Existing connectors are not renamed.
    type: str
    default: postmaster.exchange {domain}
  cost:
    description:
      - Cost of the address space, from 1 to 100. It orders connectors with the same address space;
        one with a higher cost is not a fallback for delivery failures of another.
    type: int
    default: 1
  source_servers:
    description:
      - The servers that send by the connectors. By default those of a new connector are taken over
        as described above, and those of an existing one stay.
      - They are needed for a new connector where several carry the domain today, each for its own
        Active Directory site. It then serves all sites.
    type: list
    elements: str
  port:
    description:
      - Port of the smart hosts.
    type: int
    default: 25
  require_tls:
    description:
      - Whether mail may only be sent over TLS. Not managed by default; a new connector inherits it.
      - V(false) where TLS is required today needs O(force=true).
    type: bool
  tls_auth_level:
    description:
      - How far the certificate of the other side is checked, with O(require_tls=true). Not managed
        by default.
      - The parameter C(TlsAuthLevel) of C(Set-SendConnector) has V(encryption_only) as
        C(EncryptionOnly), V(certificate_validation) as C(CertificateValidation), and
        V(domain_validation) as C(DomainValidation).
    type: str
    choices: [encryption_only, certificate_validation, domain_validation]
  tls_domain:
    description:
      - The domain that has to be in the certificate, with O(tls_auth_level=domain_validation).
      - It is that of all connectors of the task. Manage domains with different ones by tasks of
        their own.
    type: str
  protocol_logging:
    description:
      - Whether conversations are logged, which are read where mail does not arrive. Not managed by
        default.
    type: str
    choices: [none, verbose]
  domain_controller:
    description:
      - Name of the domain controller to read and write at. Needed only to choose another than
        Exchange would.
      - It must show the changes that the newest backup recorded elsewhere, or the task fails.
    type: str
  max_changes:
    description:
      - How many connectors may change, as a number such as V(20), or as per cent of all connectors
        of ours in the organisation, such as V(25%). All are those before or those afterwards,
        whichever are more.
      - A connector that is made, changed, adopted or removed counts. With O(external_dns), so does
        each server, and each connector that it is about is one of all.
      - If more would change, the task fails and nothing is changed, unless O(force=true). In check
        mode it warns, and returns RV(would_refuse).
      - Not set by default, so that any change is made.
    type: str
  max_removed_domains:
    description:
      - How many domains O(missing_domain=remove) may take the connectors of at once, as a number or
        as a percentage of all pinned domains. More are a sign of a name server with a fault.
      - If more would be removed, the task fails and nothing is changed, unless O(force=true). In
        check mode it warns, and returns RV(would_refuse). An empty value sets no limit.
    type: str
    default: "3"
  backup_dir:
    description:
      - Folder on the controller for backups. Each goes to a folder of its own in it, named by
        organisation and time (UTC), such as
        C(first_organization_hq.example~740454d348/2026-11-23T114500Z). The digest replaces the
        letters that a folder's name cannot have.
      - A relative path counts from where ansible-playbook was started. A folder inside an installed
        collection, or of a job of ansible-runner or AWX, is refused.
      - Where the module runs on another machine, this folder is there.
      - The default is C(backups) in the folder where ansible-playbook was started.
    type: path
  backup:
    description:
      - The backup to put back, with O(state=restored). This is an earlier RV(backup), or a folder
        that holds such folders. Of these the newest of this organisation is taken that was not made
        by a task with O(state=restored) itself. Where a run of this controller was cut off and a
        later one took up its work, that is the backup of the first.
      - A backup is put back only in the organisation it is of.
    type: path
  may_change:
    description:
      - Whether this host may change its organisation.
      - With V(false) the organisation is only compared, as in check mode, and RV(deferred) shows
        whether there is something to change. Use it if the hosts of an organisation are spread over
        several slices of a job, so that only one slice makes the change.
    type: bool
    default: true
  cmdlet_timeout:
    description:
      - Seconds that one cmdlet may take. A host that hangs fails the task after it.
    type: int
    default: 120
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
  diff_mode:
    support: full
    details:
      - Shows each domain with changed connectors, and the external DNS of each server and
        connector, before and after.
  platform:
    support: full
    platforms: posix
notes:
  - The account needs a management role with C(Get-SendConnector), C(New-SendConnector),
    C(Set-SendConnector) and C(Remove-SendConnector), such as Send Connectors of the role group
    Organization Management. To look only, C(Get-SendConnector) is enough. O(external_dns) needs
    C(Get-TransportService), C(Set-TransportService) and C(Get-ExchangeServer) as well, or on
    Exchange 2010 C(Get-TransportServer) and C(Set-TransportServer).
  - Connectors of an organisation that two controllers change at the same moment end up right, or
    are put right by the next run; a connector that was made twice is removed again.
seealso:
  - module: postmaster.exchange.mx_pairs_info
  - module: postmaster.exchange.queue_info
  - module: postmaster.exchange.delivery_test
  - name: DNS query failed when sending mail
    description: Microsoft's workaround for current versions of Exchange.
    link: https://learn.microsoft.com/en-us/exchange/troubleshoot/mailflow/dns-query-failed
  - name: Send connectors
    description: What Send connectors are, and how Exchange chooses one.
    link: https://learn.microsoft.com/en-us/exchange/mail-flow/connectors/send-connectors
"""

EXAMPLES = r"""
- name: Compute the pairs once
  postmaster.exchange.mx_pairs_info:
    domains: [nestle.com, aol.com]
    families: [ipv4]
    evidence: true
  register: mx
  run_once: true

- name: Deliver these domains straight to their exchanges
  postmaster.exchange.transport_delivery:
    routes: "{{ mx.routes }}"
    resolved: "{{ mx.domains }}"
  register: pinned

- name: See what would change
  postmaster.exchange.transport_delivery:
    routes: "{{ mx.routes }}"
  check_mode: true
  diff: true

- name: Use the best exchanges only, and let two servers send
  postmaster.exchange.transport_delivery:
    routes: "{{ mx.routes }}"
    resolved: "{{ mx.domains }}"
    mx_preference: best
    source_servers: [EX19-A, EX19-B]

- name: Deliver to a partner over TLS, and take over the connector made by hand for this partner
  postmaster.exchange.transport_delivery:
    routes:
      - domain: partner.example
        addresses: [192.0.2.25, "2001:db8::25"]
    existing: adopt
    require_tls: true
    tls_auth_level: domain_validation
    tls_domain: mail.partner.example

- name: Change a few connectors at a time, and nothing if more would change
  postmaster.exchange.transport_delivery:
    routes: "{{ mx.routes }}"
    max_changes: 25%
    run_id: change-4711

- name: Let DNS decide again for a domain
  postmaster.exchange.transport_delivery:
    routes:
      - domain: partner.example
    state: absent

- name: Restore the connectors from before the last change
  postmaster.exchange.transport_delivery:
    state: restored
    backup: backups

- name: Ask other name servers for all mail that the connector Internet carries
  postmaster.exchange.transport_delivery:
    external_dns: [203.0.113.53, 203.0.113.54]
    external_dns_connectors: [Internet]

- name: Go back to the DNS of the adapters
  postmaster.exchange.transport_delivery:
    external_dns: []
    external_dns_connectors: [Internet]

- name: Reach the endpoint over HTTPS, with Basic
  postmaster.exchange.transport_delivery:
    routes: "{{ mx.routes }}"
    endpoint:
      scheme: https
      auth: basic
      ca_cert: /etc/ssl/certs/hq-ca.pem
"""

RETURN = r"""
organisation:
  description: The Exchange organisation.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      sample: First Organization
    forest:
      description: The Active Directory forest it is in.
      type: str
      sample: hq.example
domain_controller:
  description: The domain controller that was asked, and written to.
  returned: success
  type: str
  sample: dc1.hq.example
connectors:
  description:
    - The connectors that carry our mark, and those that this task changes, by name.
  returned: success
  type: dict
  contains:
    before:
      description: As they were found.
      type: list
      elements: dict
      sample: []
    after:
      description: As they are afterwards, or would be in check mode.
      type: list
      elements: dict
      sample:
        - name: postmaster.exchange nestle.com
          address_spaces: ["SMTP:nestle.com;1"]
          smart_hosts: ["[192.0.2.25]", "[192.0.2.26]"]
          dns_routing: false
          authentication: None
          port: 25
          enabled: true
          source_servers: [EX19-A, EX19-B]
          require_tls: false
          tls_auth_level: null
          tls_domain: null
          protocol_logging: None
          comment: "postmaster.exchange: delivers nestle.com to its MX addresses. ... Pin 1f..."
steps:
  description: What was done, or would be in check mode, in this order.
  returned: success
  type: list
  elements: dict
  contains:
    cmdlet:
      description: The cmdlet.
      type: str
      sample: New-SendConnector
    connector:
      description: Name of the connector.
      type: str
      sample: postmaster.exchange nestle.com
    domain:
      description: The domain it is for.
      type: str
      sample: nestle.com
edge_synchronization:
  description:
    - What came of bringing the change to Edge Transport servers; null where none sends by the
      connectors that changed.
  returned: success
  type: dict
  contains:
    servers:
      description: The Edge Transport servers.
      type: list
      elements: str
      sample: [edge1]
    started:
      description: Whether the synchronization was started.
      type: bool
    succeeded:
      description: Whether all of its results were successful.
      type: bool
    message:
      description: What went wrong, or nothing.
      type: str
external_dns:
  description:
    - The external DNS that O(external_dns) or the backup is about. Null where it is not managed.
  returned: success
  type: dict
  contains:
    servers:
      description: The Transport services, each before and after.
      type: list
      elements: dict
      sample:
        - name: EX19-A
          before:
            servers: []
            adapter_enabled: true
          after:
            servers: [203.0.113.53]
            adapter_enabled: false
    connectors:
      description: Whether the Send connectors use external DNS, before and after.
      type: list
      elements: dict
      sample:
        - name: Internet
          before: false
          after: true
refused:
  description:
    - Domains that get no connector. The others are changed, and each refusal is a warning.
  returned: success, or when something was refused
  type: list
  elements: dict
  contains:
    domain:
      description: The domain.
      type: str
      sample: nestle.com
    connector:
      description: Name of the conflicting connector.
      type: str
      sample: Partner relay
    reason:
      description: Why it is not changed.
      type: str
      sample: serves other address spaces too, which a pin would take along
    differences:
      description: How a connector that could be adopted differs from a pin, each as a phrase.
      type: list
      elements: str
      sample: [smart host 192.0.2.9 instead of 192.0.2.25]
backup:
  description: Folder of the backup on the controller. Null if nothing was changed.
  returned: success, or when a change failed
  type: str
  sample: /srv/ansible/backups/first_organization_hq.example~740454d348/2026-11-23T114500Z
restored_from:
  description: Folder of the backup that was put back.
  returned: with O(state=restored)
  type: str
  sample: /srv/ansible/backups/first_organization_hq.example~740454d348/2026-11-23T114500Z
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
      description: How many connectors change.
      type: int
      sample: 12
    of:
      description: Of how many.
      type: int
      sample: 40
    domains:
      description: The first few of the domains with changed connectors.
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
        12 changes to 40 connectors (30 %) exceed max_changes (25%). Affected:
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
deferred:
  description:
    - True if this host leaves a change to another host. RV(steps) lists it, without C(changed) and
      a difference.
  returned: with O(may_change=false), unless in check mode
  type: bool
  sample: true
same_as:
  description:
    - The host for which this run has already shown the same change, in check mode with O(run_id).
      One host of an organisation would make the change, and the others would find it made; so this
      result has neither C(changed) nor a difference, but RV(steps).
  returned: in check mode with O(run_id), if an earlier host of the organisation has reported it
  type: str
  sample: ex19-a
planned:
  description:
    - What is to be changed, and from which state that was computed.
    - It is C(state), a digest of the organisation's Send connectors, and C(changes), each with the
      parameters before and after.
  returned: with O(return_plan)
  type: dict
  sample:
    state: sha256:6a09e667f3bcc908b2fb1366ea957d3e3adec17512775099da2f590b0667322a
    changes:
      - change: Set-SendConnector for nestle.com
        domains: [nestle.com]
        connector: postmaster.exchange nestle.com
        before:
          SmartHosts: ["[192.0.2.99]"]
        after:
          SmartHosts: ["[192.0.2.25]"]
run_id:
  description: What O(run_id) is. Empty where that is not set.
  returned: success
  type: str
  sample: 2026-11-23T114500Z-4f1c
rolled_back:
  description:
    - Whether a change failed and everything was put back. Only a failed task has V(true).
  returned: success, or when a change failed
  type: bool
  sample: false
state:
  description:
    - The connectors after a failed change. V(old) are those before it, V(new) those after it, and
      V(unknown) a mixture or not known.
  returned: when a change failed
  type: str
  sample: old
parts:
  description: The same for each domain with connectors that the failed change had touched.
  returned: when a change failed
  type: dict
  sample:
    nestle.com: old
requests:
  description:
    - HTTP requests of this task, those of the login included. A cmdlet takes three, the first
      of a runspace two, and opening a runspace two to five; closing it takes one more that is not
      counted here.
  returned: success
  type: int
  sample: 6
"""

from ..module_utils._base import python_version  # noqa: F401  # pylint: disable=unused-import
from ..module_utils._run.module_runner import run_module
from ..module_utils._run.transport_delivery import MODULE


def main() -> None:
    """Run where Ansible put this file; on the controller the action plugin does it instead."""
    run_module(MODULE)


if __name__ == "__main__":
    main()
