#!/usr/bin/python
# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: exchange_info
short_description: Return the Exchange version of a host
version_added: 0.3.0
author:
  - The postmaster.exchange contributors (@postmaster-exchange)
description:
  - Returns version, service, folders and tools of a host with Exchange 4.0, 5.0 or 5.5, and the
    problems that keep this collection from working there.
  - Of Exchange 2010 to Subscription Edition it returns the version, the organisation, its servers,
    and its name resolution, which is the DNS servers of the Transport service
    (C(Get-TransportService)) and the suffixes that Windows appends to names.
  - A host without Exchange is an answer and no failure. RV(family) is V(none) then.
  - One or two commands are run on the host, and two cmdlets where it has Exchange 2010 or later.
    Nothing is changed.
options:
  family:
    description:
      - Which kind of Exchange to look for.
      - V(auto) asks the registry over WinRM, by C(NewestBuild) for Exchange 4.0 to 5.5, and by what
        Setup of 2010 and later leaves under C(SOFTWARE\Microsoft\ExchangeServer). Where the latter
        is found, but Exchange's PowerShell (O(endpoint)) cannot be asked, the version of the
        registry is returned, and RV(warnings) has the reason.
      - V(transport) asks Exchange's PowerShell, whether or not there is WinRM. Without it
        RV(resolver) is null.
    type: str
    choices: [auto, imc, transport]
    default: auto
  gather:
    description:
      - How much to ask. V(basics) reads family, version, service and suffixes of names from the
        registry only. It skips folders, tools, and an organisation of Exchange 2010 or later.
      - With O(family=transport) nothing is skipped, since the registry may be out of reach.
    type: str
    choices: [all, basics]
    default: all
  target_computer:
    description:
      - The name of the Exchange computer, where the host of the play is a management host in front
        of it. Its registry, service and files are reached over the network then (C(\\HOST\C$)).
      - For Exchange 2010 and later it is also the name by which RV(server) is looked for in the
        organisation, where the name in the inventory is another.
    type: str
  smtp_port:
    description:
      - Port of the SMTP service of Exchange 4.0 to 5.5. Its banner has the build of the service
        (Q257618), which can be older than that of Setup, or of a hotfix. It is asked from the
        machine on which the task runs, for at most 5 seconds.
      - By default the banner is not asked.
    type: int
    version_added: 0.3.0
  smtp_host:
    description:
      - Name or address of that service. By default O(target_computer), else where the connection of
        the task leads to.
    type: str
    version_added: 0.3.0
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
  - module: postmaster.exchange.queue_info
  - module: postmaster.exchange.imc_delivery
"""

EXAMPLES = r"""
- name: List the versions of Exchange on the hosts
  postmaster.exchange.exchange_info:
  register: exchange

- name: Go on only where an Internet Mail Connector runs
  ansible.builtin.meta: end_host
  when: exchange.family != 'imc' or exchange.service is none or exchange.service.state != 'running'

- name: Ask DNS whether the search list of this host misroutes mail
  postmaster.exchange.mx_pairs_info:
    domains: [nestle.com]
    search_list: "{{ exchange.resolver.search_list }}"

- name: Look at a server of Exchange 2010 or later that has no WinRM
  postmaster.exchange.exchange_info:
    family: transport

- name: Look at a computer that has no WinRM, from its management host
  postmaster.exchange.exchange_info:
    target_computer: MAIL4OLD
"""

RETURN = r"""
family:
  description:
    - V(imc) where Exchange 4.0, 5.0 or 5.5 is installed, V(transport) where it is 2010 or later,
      V(none) where none of them is.
    - V(other) where Exchange left a build in the registry that belongs to none of them.
  returned: success
  type: str
  sample: imc
exchange_installed:
  description: Whether Exchange of any kind was found.
  returned: success
  type: bool
  sample: true
version:
  description:
    - V(4.0), V(5.0), V(5.5), V(2010), V(2013), V(2016), V(2019) or V(SE); null where the build is
      none of theirs, or where it is not known which server this is.
  returned: success
  type: str
  sample: "5.5"
build:
  description:
    - The newest build that Setup installed, or null. A number (C(NewestBuild)) for V(imc), text
      for V(transport), such as C(15.2.1544.4). Security updates do not change it.
  returned: success
  type: raw
  sample: 2653
service_build:
  description:
    - Version, build and revision of the service by its SMTP banner, with O(smtp_port), or null.
  returned: success
  type: str
  sample: 5.5.2653.13
  version_added: 0.3.0
service_pack:
  description:
    - The service pack the build belongs to, V(RTM) for none; null for a build in between, and from
      2013 on.
  returned: success
  type: str
  sample: SP4
service:
  description: The service C(MSExchangeIMC); null if not installed, as with V(transport).
  returned: success
  type: dict
  contains:
    name:
      description: The name of the service.
      type: str
      sample: MSExchangeIMC
    state:
      description: Its state in words.
      type: str
      sample: running
    state_number:
      description: Its state as Windows numbers it. V(1) is stopped, V(4) running.
      type: int
      sample: 4
    start_type:
      description: V(auto), V(manual), V(disabled) or V(unknown), among others.
      type: str
      sample: auto
root_dir:
  description: The connector's folder (C(RootDir)), or null.
  returned: success
  type: str
  sample: C:\exchsrvr\imcdata
tracking:
  description: The message tracking log.
  returned: success
  type: dict
  contains:
    folder:
      description: Its folder, or null if unknown.
      type: str
      sample: C:\exchsrvr\tracking.log
    exists:
      description:
        - Whether the folder is there. It is not proof that the connector writes to it.
        - Null with V(transport), where it is not looked for.
      type: bool
      sample: true
pickup:
  description:
    - Whether there is a Pickup folder that the connector reads, as 5.5 does (Q201314). Null with
      V(transport), where it is not used.
  returned: success
  type: bool
  sample: true
resolver:
  description:
    - The settings that decide which names the connector asks DNS for (Q150969), or what Windows
      appends to names from Exchange 2010 on. Null without WinRM.
  returned: success
  type: dict
  contains:
    search_list_disabled:
      description:
        - Whether C(DisableResolverSearchList) is there in this spelling and not 0. It counts for
          the service only since its last start.
        - This and the three values after it are null with V(transport), which has no such switch.
      type: bool
      sample: false
    stored_name:
      description: The name of the value as it is stored, or null. Another spelling has no effect.
      type: str
      sample: DisableResolverSearchList
    stored_type:
      description: Its type.
      type: str
      sample: REG_DWORD
    stored_data:
      description: Its data, as C(reg query) shows it.
      type: str
      sample: "0x1"
    domain:
      description: The TCP/IP domain of the host, or null.
      type: str
      sample: hq.example
    search_list:
      description:
        - The search list of the host, ready for
          O(postmaster.exchange.mx_pairs_info#module:search_list).
        - With V(transport) the list in force, from a policy, else from the host, else made of the
          suffixes of the computer and its adapters.
      type: list
      elements: str
      sample: [hq.example]
    source:
      description:
        - Where RV(resolver.search_list) comes from, V(policy), V(search_list) or V(suffixes). Only
          with V(transport).
      type: str
      sample: suffixes
    nameservers:
      description:
        - The name servers of TCP/IP, or of its adapters, as far as the registry has them.
      type: list
      elements: str
      sample: [10.0.0.53]
    adapters:
      description: The suffixes of the network adapters. Only with V(transport).
      type: list
      elements: str
      sample: [corp.hq.example]
clock_difference:
  description:
    - By how many seconds the clock of the host of the connection is ahead of the controller's,
      negative where it is behind, by the date of its last answer over WinRM. Exact to two seconds.
    - Null where WinRM was not used, or its answers have no date.
  returned: success
  type: int
  sample: -1
tools:
  description:
    - The path, or null, of each tool that the collection uses or that helps to examine the
      connector.
    - With O(target_computer) they are those of the host in front of it, except C(imccopy).
    - Empty with V(transport), which needs none.
  returned: success
  type: dict
  sample:
    find: C:\Windows\system32\find.exe
    findstr: C:\Windows\system32\findstr.exe
    imccopy: C:\exchsrvr\bin\imccopy.exe
    imcsave: null
    reg: C:\Windows\system32\reg.exe
    restest: null
    sc: C:\Windows\system32\sc.exe
    typeperf: C:\Windows\system32\typeperf.exe
organisation:
  description: The name of the Exchange organisation; null with V(imc), and where it was not seen.
  returned: success
  type: str
  sample: First Organization
server:
  description: Which of RV(servers) this host is, or null where that is not known.
  returned: success
  type: str
  sample: EX19
servers:
  description: The servers of the organisation; empty with V(imc).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name of the server.
      type: str
      sample: EX19
    fqdn:
      description: Its full name.
      type: str
      sample: EX19.hq.example
    version:
      description: V(2010), V(2013), V(2016), V(2019) or V(SE), or null for another build.
      type: str
      sample: "2019"
    build:
      description: The build in C(AdminDisplayVersion), or null.
      type: str
      sample: 15.2.1544.4
    display_version:
      description: C(AdminDisplayVersion) as Exchange shows it.
      type: str
      sample: Version 15.2 (Build 1544.4)
    edition:
      description: The edition, or null.
      type: str
      sample: Enterprise
    roles:
      description: C(ServerRole), or null.
      type: str
      sample: Mailbox
    site:
      description: The Active Directory site, or null.
      type: str
      sample: Default-First-Site-Name
    transport:
      description: Whether the server queues and sends mail for the organisation.
      type: bool
      sample: true
    tracking:
      description: If message tracking is enabled, or null if unknown.
      type: bool
      sample: true
    external_dns:
      description: Whom the Transport service asks for names of other mail systems, or null.
      type: dict
      contains:
        servers:
          description: C(ExternalDNSServers). If it is empty, Exchange asks those of the adapters.
          type: list
          elements: str
          sample: []
        adapter_enabled:
          description: C(ExternalDNSAdapterEnabled).
          type: bool
          sample: true
        adapter_guid:
          description: C(ExternalDNSAdapterGuid); all zero means every adapter.
          type: str
          sample: 00000000-0000-0000-0000-000000000000
        protocol:
          description: C(ExternalDNSProtocolOption).
          type: str
          sample: Any
    internal_dns:
      description: The same for names of the organisation's own servers (C(InternalDNS...)).
      type: dict
      sample: {servers: [], adapter_enabled: true, protocol: Any}
warnings:
  description: Limits of this collection on this host, each with its reason.
  returned: where there are any
  type: list
  elements: str
  sample:
    - "No tracking log was found. Enable message tracking on the connector."
"""

from ..module_utils._base import python_version  # noqa: F401  # pylint: disable=unused-import
from ..module_utils._run.exchange_info import MODULE
from ..module_utils._run.module_runner import run_module


def main() -> None:
    """Run as a module, on the machine of the task's connection."""
    run_module(MODULE)


if __name__ == "__main__":
    main()
