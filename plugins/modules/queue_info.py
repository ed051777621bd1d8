#!/usr/bin/python
# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: queue_info
short_description: Return the outbound mail in the queues of a host
version_added: 0.3.0
author:
  - The postmaster.exchange contributors (@postmaster-exchange)
description:
  - Looks into the outbound queue of the Internet Mail Connector of Exchange 4.0, 5.0 or 5.5, or
    into the queues of the Transport service of Exchange 2010 to Subscription Edition. Returns the
    domains with waiting mail, since when it waits, and with which error.
  - On a connector the domains come from the messages in C(RootDir\Out), from their envelope if it
    precedes the message (C(X-Receiver)), else from their header. Errors come from the
    SMTP protocol log, which the connector writes at diagnostics level 3 or more only (Q154505), and
    returned mail from the message tracking log.
  - Hand RV(stuck_domains) to M(postmaster.exchange.mx_pairs_info).
  - Returns only the domains of recipients and the oldest date of the messages.
  - The Transport service is asked by C(Get-Queue). For a queue without a domain, such as one for a
    smart host, the domains come from the recipients of its messages (C(Get-Message)). Mail for the
    organisation's own domains is left out (C(Get-AcceptedDomain)).
  - A connector is asked two to five commands, and logs of any size are read from their ends. A
    Transport server is asked three cmdlets, and one more for each queue, for 50 queues at most.
    Nothing is changed.
options:
  family:
    description:
      - Which kind of Exchange the host is. V(imc) is the Internet Mail Connector of 4.0 to 5.5,
        V(transport) the Transport service of 2010 to Subscription Edition.
      - V(auto) asks the registry over WinRM, as M(postmaster.exchange.exchange_info) does. A
        C(psrp) connection to Exchange's PowerShell needs no such question.
      - V(transport) asks only Exchange's own PowerShell (O(endpoint)).
    type: str
    choices: [auto, imc, transport]
    default: auto
  all_servers:
    description:
      - Whether to look at the queues of all Transport servers of the organisation, instead of those
        of this host. Only for O(family=transport).
    type: bool
    default: false
  own_domains:
    description:
      - The mail domains of the own organisation. Local recipients beside foreign ones in the header
        of a message do not count as waiting.
    type: list
    elements: str
    default: []
  min_age:
    description:
      - Minimum age of a domain's oldest message in seconds, by the date in its header, to list the
        domain in RV(stuck_domains). It leaves out mail that is just being sent.
      - A domain that a server put off, or with undated messages, is listed at any age.
    type: int
    default: 0
  max_files:
    description:
      - The most messages to look into, the oldest first.
      - With O(family=transport) these are the messages in queues without a domain.
    type: int
    default: 100
    aliases: [max_messages]
  max_bytes:
    description: The longest message to look into, in bytes. All messages are counted.
    type: int
    default: 262144
  max_logs:
    description: The most files of the SMTP protocol log to read, the newest first.
    type: int
    default: 20
  tracking_lines:
    description:
      - Lines to read from the end of the tracking log of each of the last two days.
      - With O(family=transport) the most failures (C(FAIL)) of the last day to ask for; V(0) asks
        for none, which spares a busy server the search.
    type: int
    default: 5000
  counters:
    description:
      - Whether to ask for the performance counters, which takes a second. Only for O(family=imc).
    type: bool
    default: true
  target_computer:
    description:
      - The name of the Exchange computer, where the host of the play is a management host in front
        of it. Its registry, service and files are reached over the network then (C(\\HOST\C$)).
      - With O(family=transport) the Transport server with the queues, if it is not the one that
        runs the cmdlets.
    type: str
extends_documentation_fragment:
  - postmaster.exchange.attributes
  - postmaster.exchange.attributes.both
  - postmaster.exchange.connection
  - postmaster.exchange.endpoint
attributes:
  check_mode:
    support: full
    details:
      - The module changes nothing, and does the same in check mode.
  diff_mode:
    support: none
    details:
      - There is nothing to compare.
  platform:
    support: full
    platforms: posix
seealso:
  - module: postmaster.exchange.mx_pairs_info
  - module: postmaster.exchange.delivery_test
  - name: Q169781
    description: The article about mail that stays in this queue.
    link: https://jeffpar.github.io/kbarchive/kb/169/Q169781/
"""

EXAMPLES = r"""
- name: Look into the queue
  postmaster.exchange.queue_info:
    own_domains: [hq.example]
  register: queue

- name: Compute where the stuck mail belongs
  postmaster.exchange.mx_pairs_info:
    domains: "{{ queue.stuck_domains }}"
  when: queue.stuck_domains

- name: Look into the queues of all servers of an organisation, by one of them
  postmaster.exchange.queue_info:
    family: transport
    all_servers: true
  run_once: true
  register: queues

- name: Say so where mail has waited for more than an hour
  postmaster.exchange.queue_info:
    min_age: 3600
  register: late
  failed_when: late.stuck_domains | length > 0
"""

RETURN = r"""
family:
  description: Which kind of Exchange the host is, V(imc) or V(transport).
  returned: success
  type: str
  sample: imc
version:
  description:
    - V(4.0), V(5.0), V(5.5), V(2010), V(2013), V(2016), V(2019) or V(SE); null if unknown.
  returned: success
  type: str
  sample: "5.5"
service:
  description:
    - The state of the service C(MSExchangeIMC), in words. Null with O(family=transport).
  returned: success
  type: str
  sample: running
files:
  description:
    - Messages in C(RootDir\Out), or in the outbound queues. One message may wait for several
      domains.
  returned: success
  type: int
  sample: 2
bytes:
  description: Their size together. Null with O(family=transport).
  returned: success
  type: int
  sample: 3531
files_unread:
  description: How many of them were not looked into, because of the limits or since they left.
  returned: success
  type: int
  sample: 0
oldest:
  description:
    - The oldest date in their headers, or the time when Exchange received the oldest (UTC), or
      null.
  returned: success
  type: str
  sample: "2026-11-23T11:45:07Z"
counters:
  description:
    - Performance counters of the connector since its start. Null if unknown, and with
      O(family=transport).
  returned: success
  type: dict
  contains:
    queued_outbound:
      description: C(Queued Outbound), entries that wait; one message may have several.
      type: int
      sample: 2
    connections_failed:
      description: C(Connections Total Failed).
      type: int
      sample: 16
    ndrs:
      description: C(NDRs Total Inbound), which counts the reports made for outbound mail.
      type: int
      sample: 1
    outbound_messages:
      description: C(Outbound Messages Total).
      type: int
      sample: 340
queues:
  description: What waits, by domain, most messages first.
  returned: success
  type: list
  elements: dict
  contains:
    domain:
      description: The domain.
      type: str
      sample: nestle.com
    messages:
      description: Messages that were looked into and have a recipient there.
      type: int
      sample: 1
    oldest:
      description: The oldest date in their headers (UTC), or null.
      type: str
      sample: "2026-11-23T11:45:07Z"
    last_error:
      description:
        - The last failure that the SMTP protocol log has for the domain, or the last error of its
          queue, without the fields around it (C({LED=...})); or null.
      type: str
      sample: 421 NSO hq.com Unable to contact destination SMTP demon nestle.com
    error:
      description:
        - The same error taken apart, or null. The same keys are returned wherever this collection
          returns an error of a message.
      type: dict
      contains:
        code:
          description: Its reply code, or null.
          type: int
          sample: 421
        enhanced:
          description: Its enhanced status code, or null.
          type: str
          sample: "4.4.1"
        text:
          description: The rest of the reply.
          type: str
          sample: "Service not available"
        error_class:
          description:
            - What kept the mail. V(dns) where DNS gave no answer, V(no_connection) where nothing
              answered, V(connection_dropped) where a connection broke off, V(certificate) where
              this side rejected the certificate of the next hop, V(tls_failed) where TLS could
              not be negotiated, V(tls_required) where the next hop requires it,
              V(front_end_proxy) where the own front end set up no session, V(wrong_region) where
              Exchange Online serves the domain elsewhere now, V(relay_refused),
              V(authentication), V(domain_security) where mutual TLS was demanded and failed,
              V(own_policy) for a rule of the own organisation, V(refused) for any other reply with
              4xx or 5xx, V(no_route) where no Send connector takes the domain, V(expired) for a
              message that waited too long, else V(other).
          type: str
          sample: "refused"
        origin:
          description:
            - Whose word it is, V(this_host), V(front_end), V(edge), V(relay) or V(far_server).
            - The code and the text are its words.
          type: str
          sample: "far_server"
        address:
          description:
            - The address of the next hop that was tried, or null. Never one of the host itself.
          type: str
          sample: "192.0.2.25"
        host_name:
          description: The name of the next hop that was tried, or null.
          type: str
          sample: "mail.nestle.com"
        time:
          description: When, as the server writes it in its own format, or null.
          type: str
          sample: "10/21/2020 10:43:36 AM"
        winsock:
          description: A code of Windows Sockets, such as 10060, or null.
          type: int
          sample: 10060
        line:
          description: All that Exchange shows, without the fields around it (C({LED=...})).
          type: str
          sample: "421 4.3.2 Service not available"
        source:
          description: Where it was read.
          type: str
          sample: "SMTP protocol log L0000009.LOG"
stuck_domains:
  description: The domains of RV(queues) that O(min_age) leaves, sorted; all are valid names.
  returned: success
  type: list
  elements: str
  sample: [aol.com, nestle.com]
failures:
  description:
    - Failures in the SMTP protocol log, the newest first, or last errors of queues; each once, at
      most 100.
  returned: success
  type: list
  elements: dict
  contains:
    domain:
      description: The domain of the failed mail, or null if the log does not show it.
      type: str
      sample: nestle.com
    error:
      description: The error, as in RV(queues).
      type: dict
    count:
      description: How often it occurs in the files read, or how many queues have it.
      type: int
      sample: 7
    log:
      description: The newest of these files, or one of these queues.
      type: str
      sample: L0000009.LOG
returned:
  description:
    - Recipients that a non-delivery report was made for, by the end of the tracking log, or that
      mail failed for within a day (C(FAIL)); the last 100.
  returned: success
  type: list
  elements: dict
  contains:
    recipient:
      description: The recipient as the log has it.
      type: str
      sample: SMTP:buyer@nestle.com
    domain:
      description: The domain, or null if the recipient is not a mailbox.
      type: str
      sample: nestle.com
    time:
      description: When (UTC), or the text of the log where it is ambiguous.
      type: str
      sample: "2026-11-23T11:45:07Z"
    event:
      description: The event of the tracking log.
      type: str
      sample: 1007 gateway report generation
    error:
      description: Why, as in RV(queues), or null. Exchange 4.0 to 5.5 does not log it.
      type: dict
out_of_sight:
  description:
    - Edge Transport servers of the organisation. Their queues are not seen from inside, so mail may
      wait there that nothing here shows.
  returned: always
  type: list
  elements: str
  sample: []
transport_queues:
  description: The queues of the Transport service; empty with O(family=imc).
  returned: success
  type: list
  elements: dict
  contains:
    identity:
      description: The identity of the queue.
      type: str
      sample: EX19\31
    server:
      description: Its server.
      type: str
      sample: EX19
    status:
      description: C(Status), such as V(Retry).
      type: str
      sample: Retry
    delivery_type:
      description: C(DeliveryType).
      type: str
      sample: DnsConnectorDelivery
    next_hop:
      description: C(NextHopDomain).
      type: str
      sample: nestle.com
    messages:
      description: C(MessageCount).
      type: int
      sample: 3
    domains:
      description: The foreign domains it holds mail for, as far as they are known.
      type: list
      elements: str
      sample: [nestle.com]
    last_error:
      description: Its last error, without the fields around it, or null.
      type: str
      sample: 451 4.4.0 DNS query failed
    error:
      description: The same error taken apart, as in RV(queues), or null.
      type: dict
    next_retry:
      description: When it is tried again (UTC), or null.
      type: str
      sample: "2026-11-23T11:55:07Z"
next_hops:
  description:
    - The addresses that the service connected to by the SMTP protocol logs read, the newest
      connection first, at most 100; empty with O(family=transport).
  returned: success
  type: list
  elements: dict
  version_added: 0.2.0
  contains:
    address:
      description: The address.
      type: str
      sample: 192.0.2.25
    domains:
      description: The domains with mail that met no failure there.
      type: list
      elements: str
      sample: [nestle.com]
    silent:
      description:
        - Whether the newest connection was accepted and ended without a greeting (Q182821).
      type: bool
      sample: false
sent_domains:
  description:
    - The domains to which mail was sent of late by tracking and SMTP protocol logs, at most 1000;
      empty with O(family=transport).
  returned: success
  type: list
  elements: str
  version_added: 0.2.0
  sample: [nestle.com]
warnings:
  description: The sources that could not be read, each with the consequence.
  returned: where there are any
  type: list
  elements: str
  sample:
    - typeperf was not found on the host, so its performance counters are unknown.
"""

from ..module_utils._base import python_version  # noqa: F401  # pylint: disable=unused-import
from ..module_utils._run.module_runner import run_module
from ..module_utils._run.queue_info import MODULE


def main() -> None:
    """Run as a module, on the machine of the task's connection."""
    run_module(MODULE)


if __name__ == "__main__":
    main()
