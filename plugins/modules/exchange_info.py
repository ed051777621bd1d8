#!/usr/bin/python
# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: exchange_info
short_description: Tell which Exchange a host runs
version_added: 0.1.0
author:
  - The postmaster.exchange contributors (@postmaster-exchange)
description:
  - Tells version, service, folders and tools of a host with Exchange 4.0, 5.0 or 5.5, and what of
    them keeps this collection from doing its work there.
  - A host without Exchange is an answer and no failure. RV(family) is V(none) then.
  - Two commands are run on the host. Nothing is changed.
options:
  target_computer:
    description:
      - The name of the Exchange computer, where the host of the play is a management host in front
        of it. Its registry, service and files are reached over the network then (C(\\HOST\C$)).
    type: str
extends_documentation_fragment:
  - postmaster.exchange.attributes
  - postmaster.exchange.connection
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
requirements:
  - pywinrm >= 0.5
seealso:
  - module: postmaster.exchange.queue_info
  - module: postmaster.exchange.imc_delivery
"""

EXAMPLES = r"""
- name: See what the hosts run
  postmaster.exchange.exchange_info:
  register: exchange

- name: Go on only where an Internet Mail Connector runs
  ansible.builtin.meta: end_host
  when: exchange.family != 'imc' or exchange.service is none or exchange.service.state != 'running'

- name: Ask DNS whether the search list of this host leads mail astray
  postmaster.exchange.mx_pairs:
    domains: [nestle.com]
    search_list: "{{ exchange.resolver.search_list }}"

- name: Look at a computer that has no WinRM, from its management host
  postmaster.exchange.exchange_info:
    target_computer: MAIL4OLD
"""

RETURN = r"""
family:
  description:
    - V(imc) where Exchange 4.0, 5.0 or 5.5 is installed, V(none) where none of them is.
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
  description: V(4.0), V(5.0) or V(5.5); null where the build is none of theirs.
  returned: success
  type: str
  sample: "5.5"
build:
  description: The newest build that Setup installed (C(NewestBuild)), or null.
  returned: success
  type: int
  sample: 2653
service_pack:
  description: The service pack the build belongs to, V(RTM) for none; null for a build in between.
  returned: success
  type: str
  sample: SP4
service:
  description: The service C(MSExchangeIMC), or null where there is none.
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
      description: Its folder, or null where the host does not tell.
      type: str
      sample: C:\exchsrvr\tracking.log
    exists:
      description: Whether the folder is there. It is not proof that the connector writes to it.
      type: bool
      sample: true
pickup:
  description: Whether there is a Pickup folder that the connector reads, as 5.5 does (Q201314).
  returned: success
  type: bool
  sample: true
resolver:
  description: What decides which names the connector asks DNS for (Q150969).
  returned: success
  type: dict
  contains:
    search_list_disabled:
      description:
        - Whether C(DisableResolverSearchList) is there in this spelling and not 0. It counts for
          the service only since its last start.
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
          O(postmaster.exchange.mx_pairs#module:search_list).
      type: list
      elements: str
      sample: [hq.example]
tools:
  description:
    - The path of each tool the collection uses or that tells more about the connector, or null.
    - With O(target_computer) they are those of the host in front of it, except C(imccopy).
  returned: success
  type: dict
  sample:
    find: C:\Windows\system32\find.exe
    findstr: C:\Windows\system32\findstr.exe
    imccopy: C:\imccopy.exe
    imcsave: null
    reg: C:\Windows\system32\reg.exe
    restest: null
    sc: C:\Windows\system32\sc.exe
    typeperf: C:\Windows\system32\typeperf.exe
notes:
  description: Sentences about what this collection cannot do here, and why.
  returned: success
  type: list
  elements: str
  sample:
    - "There is no tracking log: enable message tracking on the connector."
"""

from ..module_utils.adapter import run_module
from ..module_utils.delivery.run_exchange_info import run
from ..module_utils.delivery.specs import EXCHANGE_INFO_SPEC
from ..module_utils.remote.psrp import connect


def main() -> None:
    """Run as a module, on the machine of the task's connection."""
    run_module(EXCHANGE_INFO_SPEC, run, connects=connect)


if __name__ == "__main__":
    main()
