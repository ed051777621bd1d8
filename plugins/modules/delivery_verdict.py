#!/usr/bin/python
# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The action plugin of this name does it; there is no module to run elsewhere.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: delivery_verdict
short_description: End the run of a host with the state that the exit status comes from
version_added: 0.2.0
author:
  - The postmaster.exchange contributors (@postmaster-exchange)
description:
  - The last task of the role P(postmaster.exchange.mx_delivery#role). Until then every host stays
    in the play, also one that failed or could not be reached, so that all are in the report.
  - C(ansible-playbook) ends with the exit status 0 if no host failed, with 2 if one failed, and
    with 4 if one was unreachable, whatever became of the others. That is what tells an audit that
    found a difference (2) from one that could not judge (4).
options:
  verdict:
    description:
      - V(clean) is an ordinary success.
      - V(drift) and V(failed) let the task fail.
      - V(unjudged) lets the host count as unreachable. Nothing is known of it.
    type: str
    choices: [clean, drift, failed, unjudged]
    required: true
  msg:
    description: What is said of the host.
    type: str
    default: ''
extends_documentation_fragment:
  - postmaster.exchange.attributes.only_here
"""

EXAMPLES = r"""
- name: Tell the verdict
  postmaster.exchange.delivery_verdict:
    verdict: drift
    msg: enforce would change the routes of nestle.com
"""

RETURN = r"""
verdict:
  description: The verdict, as it was given.
  returned: always
  type: str
  sample: drift
"""
