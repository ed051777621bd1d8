# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task can be told of a host, so that it does not ask again."""

from __future__ import annotations


class ModuleDocFragment:
    """An option; the modules that return it say so themselves."""

    DOCUMENTATION = r"""
options:
  installation:
    description:
      - What is known of Exchange on this host, so that it is not asked for once more.
      - This is what a task before has returned as
        RV(postmaster.exchange.exchange_info#module:installation) or
        RV(postmaster.exchange.imc_delivery#module:installation). Both may leave something out, and
        what is missing is asked for.
      - It has to be of the same host, the same O(target_computer), and the same run. It is checked
        as strictly as what a host says, and not compared with the host.
    type: dict
    suboptions:
      service:
        description:
          - The state of the service C(MSExchangeIMC).
        type: str
        choices:
          - stopped
          - start pending
          - stop pending
          - running
          - continue pending
          - pause pending
          - paused
      build:
        description:
          - The newest build of Exchange 4.0 to 5.5 that Setup installed (C(NewestBuild)).
        type: int
      root_dir:
        description:
          - The connector's folder (C(RootDir)), as the host itself names it.
        type: str
      tracking_folder:
        description:
          - The folder of the message tracking log, as the host itself names it.
        type: str
      pickup:
        description:
          - Whether there is a Pickup folder that the connector reads.
        type: bool
      domain:
        description:
          - The TCP/IP domain of the host.
        type: str
      version:
        description:
          - The version of Exchange, from 2010 on.
        type: str
        choices: ["2010", "2013", "2016", "2019", SE]
      server:
        description:
          - Which of O(installation.servers) the host is.
        type: str
      servers:
        description:
          - The servers of the organisation that transport mail, by their names.
        type: list
        elements: str
"""
