#!/usr/bin/python
# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: delivery_test
short_description: Send a test message to each domain and follow it
version_added: 0.3.0
author:
  - The postmaster.exchange contributors (@postmaster-exchange)
description:
  - Sends one message to a mailbox of each domain through an Exchange host, and follows it in the
    message tracking log of the host until it has left, came back, or the deadline is over. This is
    step 6 of the article Q169781.
  - Exchange 5.5 gets the messages through its Pickup folder (Q201314), all other versions by SMTP.
  - From Exchange 2010 on they are followed in the tracking logs of all Transport servers of the
    organisation (C(Get-MessageTrackingLog)), and looked for in their queues (C(Get-Message)).
  - Each message has a random Message-ID of its own, and is marked as generated automatically
    (RFC 3834), so that it is not confused with other mail and gets no automatic replies.
  - A message that has no verdict at the deadline is looked for in the queue, and the SMTP protocol
    log is searched for the error, which the connector writes at diagnostics level 3 or more only
    (Q154505).
  - A message that an Edge Transport server or a relay (the smart host of a connector) has is
    V(relayed). This is neither a failure nor a proof of delivery, since Exchange does not log
    what follows.
  - The task fails if a message was not delivered, unless O(fail_on_undelivered=false). The failed
    task holds the complete result, too.
  - No setting of the host is changed, so the task is C(changed) only if O(retry_queues) retried
    some queue, though mail was sent.
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
  retry_queues:
    description:
      - Whether to have the queues that hold mail for O(domains) retried before the messages are
        sent, on all Transport servers. For O(family=transport), after a cause was removed.
      - The queues are resubmitted (C(Retry-Queue -Resubmit)), so that their messages take the route
        that a new connector gives them. A mere retry would go to the old next hop.
      - Only queues in the state C(Retry), and C(Unreachable), are touched. One that Exchange is
        trying at the moment is looked at again for some seconds. A queue that also holds mail for
        other domains is retried whole.
    type: bool
    default: false
  remove_queued:
    description:
      - Whether to remove test messages that still wait in a queue at the end, without a report to
        their sender (C(Remove-Message)). For O(family=transport).
      - No command is documented that removes them from the queue of an Internet Mail Connector.
        They stay there until they expire, with a warning.
    type: bool
    default: false
  domains:
    description:
      - The domains to test; the same domain given twice gets one message.
      - An entry is a name, or a dictionary with a V(name) (or V(domain)) and a V(recipient) (or
        V(test_recipient)). The recipient is V(postmaster) at the domain where none is given, a
        mailbox that every mail domain has to have (RFC 5321).
      - C(addresses) of a dictionary are those of the domain's own mail servers. A smart host among
        them does not count as a relay. C(relay) names the host to which Exchange 4.0 to 5.5
        forwards the domain's mail, since the module does not read its route table.
      - At most 500 domains are tested in one task.
    type: list
    elements: raw
    required: true
  sender:
    description:
      - The mailbox that sends, in the envelope and in the header. Non-delivery reports go there, so
        use one that is read.
      - By default V(postmaster) at the TCP/IP domain of the host, or at the organisation's default
        accepted domain with O(family=transport).
    type: str
  subject:
    description: The subject of the messages, in any language.
    type: str
    default: Delivery test
  method:
    description:
      - How the messages are handed to the host.
      - V(pickup) writes them to the host and moves them into its Pickup folder, which only 5.5 has.
      - V(smtp) submits them to the SMTP port of the host, from the machine on which the task runs.
        The host has to accept mail for foreign domains from there.
      - V(auto) takes V(pickup) where there is such a folder, else V(smtp). On Exchange 4.0, which
        does not relay, it sends nothing, and follows mail of users in the tracking log as long as
        such mail waits.
    type: str
    choices: [auto, pickup, smtp]
    default: auto
  smtp:
    description: How to submit by SMTP.
    type: dict
    suboptions:
      host:
        description:
          - Name or address of the SMTP server.
          - By default O(target_computer), else where the connection of the task leads to.
        type: str
      port:
        description: Its port.
        type: int
        default: 25
      starttls:
        description:
          - Whether to switch to TLS before the login. The submission fails if the server does not
            offer it.
        type: bool
        default: false
      user:
        description:
          - User to log in as (AUTH), by CRAM-MD5, PLAIN or LOGIN. A listener that takes NTLM or
            GSSAPI only, as Exchange does without basic authentication, cannot be logged in to.
        type: str
      password:
        description: Password of O(smtp.user).
        type: str
      cleartext_login:
        description:
          - Allow to log in without TLS, with a password that everybody between here and there can
            read.
        type: bool
        default: false
      ca_cert:
        description:
          - File with the certificates of the authorities to trust, in PEM format. By default those
            of the system.
        type: path
      validate:
        description: Whether to check the certificate of the server.
        type: bool
        default: true
      timeout:
        description: Seconds to wait for each answer of the server.
        type: int
        default: 30
  deadline:
    description: Seconds after which messages that are still on their way are given up.
    type: int
    default: 300
  interval:
    description:
      - Seconds between two looks at the tracking log, after the first ones, which come sooner. Each
        of them costs one command.
    type: int
    default: 5
  fail_on_undelivered:
    description:
      - Whether the task fails if a message has another verdict than V(delivered) or V(relayed).
    type: bool
    default: true
  target_computer:
    description:
      - The name of the Exchange computer, where the host of the play is a management host in front
        of it. Its registry, service and files are reached over the network then (C(\\HOST\C$)).
      - With O(family=transport) the server that gets the messages, where it is not the one that
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
      - Sends and retries nothing, and returns in RV(would_send) and RV(would_retry) what it would.
        The host is looked at.
  diff_mode:
    support: none
    details:
      - Messages are not a state that could be compared.
  platform:
    support: full
    platforms: posix
notes:
  - Message tracking has to be enabled on the connector (its properties, Internet Mail). Without it
    a sent message and a lost one look the same, and the verdict is V(unknown).
  - The tracking log of Exchange 4.0 records only that the gateway sent the message.
seealso:
  - module: postmaster.exchange.imc_delivery
  - module: postmaster.exchange.queue_info
  - name: Q173364
    description: Events of the message tracking log.
    link: https://jeffpar.github.io/kbarchive/kb/173/Q173364/
"""

EXAMPLES = r"""
- name: See that mail arrives
  postmaster.exchange.delivery_test:
    domains: "{{ mx.routes | map(attribute='domain') }}"
    sender: mail-admins@hq.example

- name: Deliver a domain straight to its exchanges
  postmaster.exchange.imc_delivery:
    routes: "{{ mx.routes }}"
  register: pinned

- name: See that its mail arrives
  postmaster.exchange.delivery_test:
    domains: "{{ mx.routes | map(attribute='domain') }}"
  when: pinned is changed

- name: Retry the queues with the new connectors, and test the delivery
  postmaster.exchange.delivery_test:
    family: transport
    domains: "{{ mx.routes | map(attribute='domain') }}"
    retry_queues: true

- name: Write to a mailbox that the partner set up for tests
  postmaster.exchange.delivery_test:
    domains:
      - nestle.com
      - name: partner.example
        recipient: mailtest@partner.example
    deadline: 900
    fail_on_undelivered: false
  register: test

- name: Show the results
  ansible.builtin.debug:
    msg: "{{ test.results | items2dict(key_name='domain', value_name='verdict') }}"

- name: Submit by SMTP with a login
  postmaster.exchange.delivery_test:
    domains: [nestle.com]
    method: smtp
    smtp:
      host: mail5-a.hq.example
      starttls: true
      ca_cert: files/hq-ca.pem
      user: mx-test
      password: "{{ mx_test_password }}"
"""

RETURN = r"""
results:
  description: What became of each message, in the order of O(domains).
  returned: success, or failure because of a message that was not delivered
  type: list
  elements: dict
  contains:
    domain:
      description: The domain, in lower case.
      type: str
      sample: nestle.com
    recipient:
      description: Who got the message.
      type: str
      sample: postmaster@nestle.com
    message_id:
      description: The Message-ID of the message.
      type: str
      sample: <delivery-test-9f86d081884c7d659a2feaa0-0001@hq.example>
    verdict:
      description:
        - V(delivered) if a server of the destination took the message.
        - V(relayed) if an Edge Transport server or a relay has it; RV(results[].reason) names it.
        - V(queued) if it waits on the host, V(returned) if a non-delivery report was made.
        - V(refused) if the host did not take it from us.
        - V(unknown) if the tracking log does not show it; RV(results[].reason) has the reason.
        - V(not_tested) on Exchange 4.0, which does not relay (Q148985), unless mail of a user to
          the domain left meanwhile, or the message by O(method=smtp) was delivered. This is not a
          failure; RV(results[].reason) names the last such mail in the tracking log.
        - V(would_send) in check mode; then there are only domain, recipient and verdict.
      type: str
      sample: queued
    reason:
      description: The verdict in words.
      type: str
      sample: the message waits in the queue
    time:
      description: When the host recorded the event that decides (UTC), or null.
      type: str
      sample: "2026-11-23T11:45:07Z"
    seconds:
      description: Seconds from the submission until this task saw that event, or null.
      type: float
      sample: 5.1
    error:
      description:
        - Why the message was not accepted, or null if unknown. The keys are those of
          RV(postmaster.exchange.queue_info#module:queues[].error).
      type: dict
      sample:
        code: 421
        enhanced: 4.3.2
        text: Service not available
        error_class: refused
        origin: far_server
        address: 192.0.2.25
        host_name: mail.nestle.com
        time: 10/21/2020 10:43:36 AM
        winsock: null
        line: "451 4.4.395 Target host responded with error. -> 421 4.3.2 Service not available"
        source: queue EX19\31
    events:
      description: The records of the tracking log about the message.
      type: list
      elements: dict
      contains:
        event:
          description: Number and name of the event, or its name and the server that logged it.
          type: str
          sample: 1010 SMTP queued outbound
        time:
          description: When (UTC), or the text of the log where it is ambiguous.
          type: str
          sample: "2026-11-23T11:45:07Z"
delivered:
  description: The domains with a delivered message.
  returned: as RV(results)
  type: list
  elements: str
  sample: [aol.com]
relayed:
  description: The domains with a message that an Edge Transport server or a relay has.
  returned: as RV(results)
  type: list
  elements: str
  sample: []
undelivered:
  description: The other domains.
  returned: as RV(results)
  type: list
  elements: str
  sample: [nestle.com]
would_send:
  description: What would be sent; empty without check mode.
  returned: as RV(results)
  type: list
  elements: dict
  contains:
    domain:
      description: The domain.
      type: str
      sample: nestle.com
    recipient:
      description: Who would get the message.
      type: str
      sample: postmaster@nestle.com
    sender:
      description: Who would send it.
      type: str
      sample: postmaster@hq.example
    subject:
      description: Its subject.
      type: str
      sample: Delivery test
retried:
  description: The queues that were retried; empty in check mode.
  returned: as RV(results), and where no message could be sent after it
  type: list
  elements: dict
  contains:
    queue:
      description: The identity of the queue.
      type: str
      sample: EX19\31
    domains:
      description: Which of O(domains) it held mail for.
      type: list
      elements: str
      sample: [nestle.com]
    messages:
      description: How many messages it held.
      type: int
      sample: 3
    last_error:
      description: Its last error, or null.
      type: str
      sample: 451 4.4.0 DNS query failed
would_retry:
  description: The queues that would be retried; empty without check mode.
  returned: as RV(results)
  type: list
  elements: dict
  contains:
    queue:
      description: The identity of the queue.
      type: str
      sample: EX19\31
    domains:
      description: Which of O(domains) it held mail for.
      type: list
      elements: str
      sample: [nestle.com]
    messages:
      description: How many messages it held.
      type: int
      sample: 3
    last_error:
      description: Its last error, or null.
      type: str
      sample: 451 4.4.0 DNS query failed
warnings:
  description: Sentences about queues that were not seen or not retried.
  returned: where there are any
  type: list
  elements: str
  sample:
    - The queue EX19\31 is suspended and was left alone (nestle.com).
method:
  description:
    - How the messages were handed over, V(pickup) or V(smtp), or V(none) on Exchange 4.0.
  returned: as RV(results)
  type: str
  sample: pickup
sender:
  description: Who sent them.
  returned: as RV(results)
  type: str
  sample: postmaster@hq.example
smtp_server:
  description: Where they were submitted, or null with V(pickup).
  returned: as RV(results)
  type: str
  sample: mail5-a.hq.example:25
version:
  description:
    - The version of Exchange, such as V(5.5) or V(2019), or null if unknown.
  returned: as RV(results)
  type: str
  sample: "5.5"
tracking_folder:
  description:
    - The folder of the tracking log. Null if unknown, and with O(family=transport).
  returned: as RV(results)
  type: str
  sample: C:\exchsrvr\tracking.log
msg:
  description: The outcome as a sentence.
  returned: as RV(results)
  type: str
  sample: "Test messages: 2 delivered, 1 relayed."
"""

from ..module_utils._base import python_version  # noqa: F401  # pylint: disable=unused-import
from ..module_utils._run.delivery_test import MODULE
from ..module_utils._run.module_runner import run_module


def main() -> None:
    """Run as a module, on the machine of the task's connection."""
    run_module(MODULE)


if __name__ == "__main__":
    main()
