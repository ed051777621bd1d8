#!/usr/bin/python
# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: backup_info
short_description: List the backups of a host or organisation, and how each differs from now
version_added: 0.3.0
author:
  - The postmaster.exchange contributors (@postmaster-exchange)
description:
  - Lists the backups that M(postmaster.exchange.imc_delivery) made of a host, or
    M(postmaster.exchange.transport_delivery) of an organisation, before a change. For each
    backup it returns when and by which run it was made, and what restoring it would change now.
  - The host is looked at once, as in a check run. Nothing is changed, here or there.
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
  backup_dir:
    description:
      - Folder on the controller that holds the backups, as in the option of that name of the
        modules that make them.
      - The default is C(backups) in the folder where ansible-playbook was started.
    type: path
  limit:
    description:
      - Show so many backups, the newest. V(0) shows all.
    type: int
    default: 20
  imccopy:
    description:
      - Path of C(imccopy.exe) on the host, if the module does not find it.
    type: str
  registry_key:
    description:
      - The registry key of the parameters of the service C(MSExchangeIMC).
    type: str
    default: HKLM\SYSTEM\CurrentControlSet\Services\MSExchangeIMC\Parameters
  missing_service:
    description:
      - What to do with a host that has no service C(MSExchangeIMC). V(skip) skips it.
    type: str
    choices: [fail, skip]
    default: fail
  target_computer:
    description:
      - Name of the Exchange computer, where the host is a management host in front of it. Only for
        O(family=imc), as O(target_directory) and O(target_imccopy).
    type: str
  target_imccopy:
    description:
      - Command that runs C(imccopy) on O(target_computer), as the option of that name of
        M(postmaster.exchange.imc_delivery).
    type: str
  target_directory:
    description:
      - Folder on O(target_computer) for temporary files of C(imccopy).
    type: str
    default: C:\TEMP
  domain_controller:
    description:
      - Name of the domain controller to read at, with O(family=transport). Needed only to choose
        another than Exchange would.
    type: str
  command_timeout:
    description:
      - Seconds that one command on the host, or one cmdlet, may take.
    type: int
    default: 120
extends_documentation_fragment:
  - postmaster.exchange.attributes
  - postmaster.exchange.attributes.both
  - postmaster.exchange.backups
  - postmaster.exchange.connection
  - postmaster.exchange.endpoint
attributes:
  check_mode:
    support: full
    details:
      - The module changes nothing, and does the same in check mode.
  diff_mode:
    support: partial
    details:
      - The differences are in the result, as RV(backups[].diff). Ansible itself shows those of
        changes only.
  platform:
    support: full
    platforms: posix
seealso:
  - module: postmaster.exchange.imc_delivery
  - module: postmaster.exchange.transport_delivery
"""

EXAMPLES = r"""
- name: List the backups
  postmaster.exchange.backup_info:
  register: saved

- name: Restore the settings from before a run
  postmaster.exchange.imc_delivery:
    state: restored
    backup: "{{ (saved.backups | selectattr('run', 'eq', 'change-4711') | last).path }}"

- name: The same of an organisation
  postmaster.exchange.backup_info:
    family: transport
  run_once: true
"""

RETURN = r"""
family:
  description: Which kind of Exchange the host is, V(imc) or V(transport).
  returned: success
  type: str
  sample: imc
of:
  description: The host, or the organisation, that the backups are of.
  returned: success
  type: str
  sample: mail5-a
folder:
  description: Folder on the controller that they are in.
  returned: success
  type: str
  sample: /srv/ansible/backups/mail5-a
count:
  description: How many there are; there can be more than are shown.
  returned: success
  type: int
  sample: 1
backups:
  description: The backups, the newest first.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of its folder, which is when it was made (UTC).
      type: str
      sample: 2026-11-23T114500Z
    path:
      description: The folder.
      type: str
      sample: /srv/ansible/backups/mail5-a/2026-11-23T114500Z
    taken:
      description: When the backup was made, by its own record. Empty without such a record.
      type: str
      sample: "2026-11-23T11:45:00+00:00"
    run:
      description: Name of the run that made it, before it changed something. Empty if it has none.
      type: str
      sample: change-4711
    before:
      description:
        - What that run was going to do. V(restored) is the restore of another backup, V(enforced)
          anything else. Empty if the backup does not record it, as with O(family=imc).
      type: str
      sample: enforced
    usable:
      description: Whether it can be put back.
      type: bool
      sample: true
    problem:
      description: Why it cannot. Empty if it can.
      type: str
      sample: ""
    same:
      description: Whether all is now as it was then, so that putting it back would change nothing.
      type: bool
      sample: false
    changes:
      description: How many routes, or connectors, putting it back would change.
      type: int
      sample: 3
    domains:
      description: The domains that these are of.
      type: list
      elements: str
      sample: [nestle.com]
    summary:
      description: The difference in a few words.
      type: str
      sample: 3 routes (nestle.com) and the search list switch
    diff:
      description:
        - The difference, from now to the backup, in blocks with the keys C(before_header),
          C(before), C(after_header) and C(after). Only in diff mode.
      type: list
      elements: dict
      sample:
        - before_header: "mail5-a: delivery routes, now"
          before: "nestle.com  192.0.2.25\n"
          after_header: "mail5-a: delivery routes, in 2026-11-23T114500Z"
          after: ""
"""

from ..module_utils._base import python_version  # noqa: F401  # pylint: disable=unused-import
from ..module_utils._run.backup_info import MODULE
from ..module_utils._run.module_runner import run_module


def main() -> None:
    """Run as a module, on the machine of the task's connection."""
    run_module(MODULE)


if __name__ == "__main__":
    main()
