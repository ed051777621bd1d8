# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules of the collection have in common in the way they run."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes. A module adds its own support of check mode, diff mode and platform."""

    DOCUMENTATION = r"""
requirements:
  - Python >= 3.11
attributes:
  action:
    description:
      - Has an action plugin of the same name, so that it can run on the controller.
    support: full
    details:
      - Where the connection is P(ansible.builtin.winrm#connection),
        P(ansible.builtin.psrp#connection) or P(ansible.builtin.local#connection), the task runs
        on the controller, and needs the Python libraries there.
      - With any other connection the module runs on the machine it leads to, for example on a Linux
        host between the controller and the Exchange hosts.
      - A host with a C(ansible_shell_type) of Windows cannot run such a module. Its task runs on
        the controller, too.
      - Where the task works on a host from the controller, the keyword C(become) is refused, unless
        it names the user who logs in. It can be used on the machine of another connection.
  async:
    description:
      - Can be used with the keyword C(async).
    support: partial
    details:
      - Only where the module runs on the machine of another connection. A task that runs on the
        controller is refused with C(async); there, hosts are worked on in parallel as C(forks)
        allows.
  check_mode:
    description:
      - Can run in check mode and return what it would change, without changing it.
  diff_mode:
    description:
      - Shows in diff mode what it changed, or in check mode what it would change.
  platform:
    description:
      - Systems on which the module itself can run. The Exchange hosts are Windows.
"""

    # Of modules that take the option connection.
    EXCHANGE = r"""
attributes:
  action_group:
    description:
      - Use C(group/postmaster.exchange.exchange) in C(module_defaults) to set O(connection) for all
        modules that work on a host.
    support: full
    membership:
      - postmaster.exchange.exchange
"""

    # Of modules that take the options connection and endpoint.
    BOTH = r"""
attributes:
  action_group:
    description:
      - Use C(group/postmaster.exchange.exchange) in C(module_defaults) to set O(connection) for all
        modules that work on a host, and C(group/postmaster.exchange.powershell) to set O(endpoint)
        for all that run Exchange cmdlets.
    support: full
    membership:
      - postmaster.exchange.exchange
      - postmaster.exchange.powershell
"""

    # Of tasks that ask no host, and change nothing.
    ONLY_HERE = r"""
requirements:
  - Python >= 3.11
attributes:
  action:
    description: Is an action plugin, and runs on the controller whatever the connection is.
    support: full
  check_mode:
    description: Can run in check mode, and changes nothing in any mode.
    support: full
  diff_mode:
    description: Has nothing to show in diff mode.
    support: none
"""
