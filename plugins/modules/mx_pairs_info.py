#!/usr/bin/python
# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mx_pairs_info
short_description: Compute the MX and address pairs of mail domains by DNS
version_added: 0.3.0
author:
  - The postmaster.exchange contributors (@postmaster-exchange)
description:
  - Asks DNS for the exchanges of mail domains and their addresses, as a careful mail server would,
    and returns one pair for every address of every exchange. This is step 2 of the article Q169781.
  - The same DNS data always gives the same result, in whatever order name servers give it. Pairs
    are sorted by preference, then by the name of the exchange, then by address.
  - A failed lookup gives the domain the status V(temporary_failure), and no pairs. An incomplete
    list of pairs is never returned, so a failure of DNS changes no route.
  - If a name server reports that a domain or an exchange does not exist, the others are asked, too,
    and the name servers of the zone above. If one of them knows the name, the status of the domain
    is V(disagreement), and no route changes.
  - Every question is asked once in a run, however many domains share it. Compute once for all hosts
    (C(run_once)), and hand RV(routes) to M(postmaster.exchange.imc_delivery).
  - The task runs on the controller, whatever the connection of the play is. Where C(delegate_to)
    names a host that is reached over SSH or another connection for such hosts, it runs there.
  - Changes nothing.
options:
  domains:
    description:
      - The mail domains, each the part of an address after the C(@). They are absolute names; no
        search list is applied to them.
      - Upper case, a trailing dot, and international names (IDNA 2008) are accepted. Domains that
        are given twice are asked and returned once.
      - An entry may be a dictionary with the name as C(domain), and with settings of that domain,
        C(allow_private), C(dead_exchanges) and C(moving), instead of the options of these
        names. Other keys are ignored.
      - For an entry that is not a domain (an address, an e-mail address, too long, empty, ...) see
        O(invalid_domains).
    type: list
    elements: raw
    required: true
  invalid_domains:
    description:
      - What happens if an entry of O(domains) is not a domain, or a setting of it is not known.
      - V(fail) fails the task before anything is asked, and names all such entries.
      - V(return) resolves the others, and returns these in RV(invalid).
    type: str
    choices: [fail, return]
    default: fail
  nameservers:
    description:
      - The name servers to ask, as address, V(address:port) or V([IPv6 address]:port).
      - They are asked in this order; a question that one of them does not answer goes to the next.
      - If not given, or empty, those of C(/etc/resolv.conf) are asked.
    type: list
    elements: str
  port:
    description:
      - The port of the name servers that are given without one, and of the domains' own.
    type: int
    default: 53
  timeout:
    description:
      - Seconds to wait for one answer of one name server. It doubles each time that all name
        servers were asked.
    type: float
    default: 2.0
  lifetime:
    description:
      - Seconds after which a question is given up, over all name servers and retries.
    type: float
    default: 12.0
  retries:
    description:
      - How many times a question goes to all name servers again that none of them answered.
    type: int
    default: 2
  concurrency:
    description:
      - How many questions may be under way at once, from 1 to 500.
      - At the start there are at most 50. They become more as long as the name server answers, and
        50 again for good where more than one in eight of them is lost or refused then. They never
        take more than half of the files that the system lets a process open.
    type: int
    default: 500
  max_rate:
    description: Limit of questions a second to all name servers; V(0) is unlimited.
    type: float
    default: 0.0
  families:
    description:
      - Which addresses to look up. Exchange 4.0 to 5.5 take V(ipv4) only.
      - With V(ipv6) in the list, a failed lookup of AAAA makes the domain a V(temporary_failure).
    type: list
    elements: str
    choices: [ipv4, ipv6]
    default: [ipv4]
  own_names:
    description:
      - Host names of our own mail servers. If one is an exchange of a domain, it is left out with
        all exchanges of equal or greater preference, or mail would loop.
    type: list
    elements: str
    default: []
  own_addresses:
    description:
      - Addresses, or ranges such as V(192.0.2.0/24), of our own mail servers. An exchange that has
        one of them is left out as one of O(own_names) is.
      - A host name is accepted, too, since inventories often hold one as C(ansible_host). It counts
        as if it stood in O(own_names), and so do the addresses that DNS has for it.
    type: list
    elements: str
    default: []
  allow_private:
    description:
      - Keep addresses that no mail server on the Internet has (private, documentation, shared and
        other ranges that are not global). Without it they are left out with a warning.
      - Addresses that no mail server can have are left out either way. They are unspecified,
        loopback, link-local, multicast, reserved and broadcast addresses.
    type: bool
    default: false
  dead_exchanges:
    description:
      - What to do if the address lookup of an exchange fails, but the MX lookup of its domain does
        not.
      - V(refuse) makes the domain a V(temporary_failure), since part of its pairs would not be the
        pairs.
      - V(drop) asks again some seconds later. Where all name servers fail in the same way both
        times, the exchange is left out with the warning V(dead_exchange), as Exchange does with
        C(DnsFaultTolerance) set to C(Lenient). At least one other exchange has to be left.
    type: str
    choices: [refuse, drop]
    default: refuse
  moving:
    description:
      - What to do with a domain with addresses that change from answer to answer, as in the pools
        of large providers. Addresses with a TTL of up to 60 seconds are looked up twice to find
        this. Exchanges under C(mail.protection.outlook.com) count
        as moving, whatever they answer.
      - V(keep) gives the domain the status V(moving) and no pairs, so no new route is made and an
        existing one stays.
      - V(pin) returns all addresses that were seen.
    type: str
    choices: [keep, pin]
    default: keep
  search_list:
    description:
      - The suffixes that the mail servers append to names. For each of them, the domain is also
        asked for with the suffix appended.
      - An answer there is evidence that an Exchange Server without C(DisableResolverSearchList)
        misroutes the mail (Q150969), and is returned as warning V(search_list_hijack).
    type: list
    elements: str
    default: []
  agreement:
    description:
      - With V(first), the first name server that answers a question is believed.
      - With V(all), each name server is asked on its own. A domain with different answers gets the
        status V(disagreement), with all answers in RV(domains[].views).
    type: str
    choices: [first, all]
    default: first
  max_pairs:
    description:
      - The most pairs to return for one domain, the best ones, with a warning. V(0) is unlimited.
    type: int
    default: 0
  evidence:
    description:
      - Also collect evidence about a domain and its exchanges, whether their name servers fail
        on AAAA, which is the known cause of C(451 4.4.0 DNS query failed) (KB972744), and
        whether answers are authentic (DNSSEC).
      - It more than doubles the number of questions, and never changes a status or a pair. It is
        asked when all pairs are known.
      - AAAA is asked of the own name servers of each name only, at O(port). A caching name server
        could keep a wrong answer, and deny the name to all its clients for some time. Names with
        silent servers of their own are returned as C(aaaa_not_asked).
    type: bool
    default: false
  fail_on:
    description:
      - The statuses of a domain with which the task fails. The result is complete nevertheless.
    type: list
    elements: str
    choices:
      - null_mx
      - no_such_domain
      - no_address
      - loop
      - moving
      - temporary_failure
      - disagreement
    default: []
extends_documentation_fragment:
  - postmaster.exchange.attributes
attributes:
  action:
    details:
      - The task runs on the controller, and needs the Python libraries there, with the connections
        P(ansible.builtin.winrm#connection), P(ansible.builtin.psrp#connection) and
        P(ansible.builtin.local#connection).
      - With any other connection, as by delegation, the module runs on that host.
  async:
    details:
      - Only if the module runs on another host; see the attribute C(action).
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
requirements:
  - dnspython >= 2.6.1
  - idna (for international names)
seealso:
  - module: postmaster.exchange.imc_delivery
  - name: RFC 5321 section 5.1
    description: How a mail server finds the exchanges of a domain.
    link: https://www.rfc-editor.org/rfc/rfc5321#section-5.1
  - name: RFC 7505
    description: Null MX, the domain that takes no mail.
    link: https://www.rfc-editor.org/rfc/rfc7505
"""

EXAMPLES = r"""
- name: Compute the pairs of two domains, once for all hosts
  postmaster.exchange.mx_pairs_info:
    domains:
      - nestle.com
      - aol.com
    own_addresses: "{{ groups['exchange'] | map('extract', hostvars, 'ansible_host') }}"
  register: mx
  run_once: true

- name: Deliver mail for these domains straight to their exchanges
  postmaster.exchange.imc_delivery:
    resolver_search_list: disabled
    routes: "{{ mx.routes }}"

- name: See whether the search list of the site misroutes mail
  postmaster.exchange.mx_pairs_info:
    domains: [nestle.com]
    search_list: [hq.example]
  register: searched
  failed_when: >-
    searched.domains | map(attribute='warnings') | flatten
    | selectattr('code', 'eq', 'search_list_hijack') | length > 0

- name: Believe only answers on which the inner and the outer name server agree
  postmaster.exchange.mx_pairs_info:
    domains: [partner.example]
    nameservers:
      - 192.0.2.53
      - "[2001:db8::53]:5353"
    agreement: all
    allow_private: true
    fail_on: [disagreement, temporary_failure]

- name: Find out why mail to a domain is deferred with 451 4.4.0
  postmaster.exchange.mx_pairs_info:
    domains: [nestle.com]
    evidence: true

- name: Give one partner a private address, and another one exchange less
  postmaster.exchange.mx_pairs_info:
    domains:
      - nestle.com
      - domain: partner.example
        allow_private: true
      - domain: aol.com
        dead_exchanges: drop

- name: Ask from a host in another network
  postmaster.exchange.mx_pairs_info:
    domains: [nestle.com]
  delegate_to: bastion.hq.example
"""

RETURN = r"""
domains:
  description: What is known about each domain, in the order asked, each once.
  returned: success, or failure by O(fail_on)
  type: list
  elements: dict
  contains:
    domain:
      description: The domain, in lower case, international names as A-labels, without trailing dot.
      type: str
      sample: nestle.com
    status:
      description:
        - V(ok) if there are pairs.
        - V(null_mx) if the domain declares that it takes no mail (RFC 7505), and V(no_such_domain)
          if it does not exist in DNS. Only these two mark a domain as missing.
        - V(no_address) if no exchange has an address that can be used, V(loop) if only our own
          hosts were left as exchanges.
        - V(moving) if the addresses change from answer to answer, see O(moving).
        - V(temporary_failure) if a question that the pairs depend on got no answer, V(disagreement)
          if name servers differ with O(agreement=all), or if one denies the domain or an exchange
          that another one knows. The pairs are not known then.
      type: str
      sample: ok
    implicit_mx:
      description: True if the domain has no MX record and is its own exchange (RFC 5321).
      type: bool
      sample: false
    pairs:
      description: The pairs, best first; empty unless RV(domains[].status) is V(ok).
      type: list
      elements: dict
      contains:
        preference:
          description: The preference of the exchange; the lower, the better.
          type: int
          sample: 10
        exchange:
          description: The name of the exchange.
          type: str
          sample: mail.nestle.com
        address:
          description: One of its addresses.
          type: str
          sample: 192.0.2.25
        ttl:
          description: The smallest time to live of the answers that lead to it, in seconds.
          type: int
          sample: 300
    ttl:
      description: The smallest time to live of all answers for the domain, in seconds.
      type: int
      sample: 300
    valid_until:
      description: Until when DNS promises that this result holds (UTC).
      type: str
      sample: "2026-11-23T12:05:00Z"
    warnings:
      description:
        - What is wrong with the domain. Each has a C(code) that does not change, a C(message), and
          the facts of that code.
        - >-
          The codes are V(null_mx_ignored), V(mx_is_address), V(mx_is_no_host), V(mx_is_cname),
          V(own_exchange), V(exchange_without_address), V(address_not_global), V(max_pairs),
          V(alias_to_nowhere), V(dead_exchange), V(moving), V(denied), V(search_list_hijack) and
          V(aaaa_trouble).
      type: list
      elements: dict
      sample:
        - code: mx_is_address
          message: The MX '192.0.2.1' is an address where a host name belongs; it was left out.
          preference: 10
          exchange: 192.0.2.1
    failures:
      description: The questions that failed, with what each name server made of them.
      type: list
      elements: dict
      contains:
        name:
          description: The name asked for.
          type: str
          sample: mail.nestle.com
        type:
          description: The type of record asked for.
          type: str
          sample: A
        kind:
          description:
            - One of V(server_failure), V(refused), V(lame), V(bogus) (DNSSEC), V(malformed),
              V(cname_loop), V(timeout) and V(unreachable).
          type: str
          sample: server_failure
        nameserver:
          description: Who was asked.
          type: str
          sample: 192.0.2.53:53
        message:
          description: What it answered.
          type: str
          sample: SERVFAIL, extended error 22 (no reachable authority)
        needed:
          description: Whether the pairs depend on it; the others were asked for evidence only.
          type: bool
          sample: true
    views:
      description: The answers of each name server, with O(agreement=all).
      type: list
      elements: dict
      contains:
        nameserver:
          description: The name server.
          type: str
          sample: 192.0.2.53:53
        status:
          description: As RV(domains[].status).
          type: str
          sample: ok
        pairs:
          description: As RV(domains[].pairs).
          type: list
          elements: dict
          sample:
            - preference: 10
              exchange: mail.nestle.com
              address: 192.0.2.25
              ttl: 300
    evidence:
      description: The results of O(evidence=true). Empty for a domain with a failed lookup.
      type: dict
      contains:
        authentic:
          description:
            - Whether the name server vouches for MX and addresses by DNSSEC. The AD flag counts
              only in answers with EDNS and without the flag AA.
          type: bool
          sample: false
        aaaa_not_asked:
          description: Names without a lookup of AAAA, since none of their own servers answered.
          type: list
          elements: str
          sample: []
pairs:
  description: The pairs of all domains in one list, as RV(domains[].pairs), each with its domain.
  returned: success, or failure by O(fail_on)
  type: list
  elements: dict
  sample:
    - domain: nestle.com
      preference: 10
      exchange: mail.nestle.com
      address: 192.0.2.25
      ttl: 300
routes:
  description:
    - One entry for every domain asked, ready for M(postmaster.exchange.imc_delivery). Without
      addresses, the status separates "unknown, leave alone" from "does not exist".
  returned: success, or failure by O(fail_on)
  type: list
  elements: dict
  contains:
    domain:
      description: The domain.
      type: str
      sample: nestle.com
    status:
      description: As RV(domains[].status).
      type: str
      sample: ok
    addresses:
      description: Its addresses, best first.
      type: list
      elements: str
      sample: [192.0.2.25, 192.0.2.26]
    short_lived:
      description:
        - Only there, and true, where the addresses have a TTL of up to 60 seconds. An existing
          route that shares an address with these stays as it is.
      type: bool
      sample: true
    unconfirmed:
      description:
        - Only present, and true, if a single name server reports that the domain does not exist.
          Neither another one of O(nameservers) nor one of the zone above could be asked. Then
          C(missing_domain=remove) removes nothing.
      type: bool
      sample: true
invalid:
  description: The entries of O(domains) that are refused, with O(invalid_domains=return).
  returned: success, or failure by O(fail_on)
  type: list
  elements: dict
  contains:
    entry:
      description: The entry, as text.
      type: str
      sample: postmaster@nestle.com
    message:
      description: Why it is refused.
      type: str
      sample: "'postmaster@nestle.com' is an e-mail address; use its domain part"
stats:
  description: Counters of the run.
  returned: success, or failure by O(fail_on)
  type: dict
  contains:
    domains:
      description: Domains, duplicates not counted.
      type: int
      sample: 2
    questions:
      description: Different questions put to name servers.
      type: int
      sample: 5
    cache_hits:
      description: Questions that had already been asked in this run.
      type: int
      sample: 1
    retries:
      description: Questions asked again, of the next name server or once more.
      type: int
      sample: 0
    tcp:
      description: Questions asked again over TCP, since the answer was truncated.
      type: int
      sample: 0
    seconds:
      description: How long the run took.
      type: float
      sample: 0.041
"""

from ..module_utils._base import python_version  # noqa: F401  # pylint: disable=unused-import
from ..module_utils._pairs.module import MODULE
from ..module_utils._run.module_runner import run_module


def main() -> None:
    """Run where Ansible put this file; on the controller the action plugin does it instead."""
    run_module(MODULE)


if __name__ == "__main__":
    main()
