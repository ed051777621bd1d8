#!/usr/bin/python
# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The action plugin of this name does the work on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: delivery_verdict
short_description: End a host's run with the state that sets the exit status
version_added: 0.3.0
author:
  - The postmaster.exchange contributors (@postmaster-exchange)
description:
  - The last task of the role P(postmaster.exchange.mx_delivery#role). Until then, failed and
    unreachable hosts stay in the play, so that the report has all of them.
  - C(ansible-playbook) returns exit status 0 if no host failed, 2 if one failed, and 4 if one was
    unreachable. So an audit that found a difference (2) differs from one that could not check a
    host (4).
options:
  verdict:
    description:
      - V(clean) succeeds.
      - V(drift) and V(failed) fail the task.
      - V(unjudged) makes the host unreachable, which is Ansible's word for an unknown state.
    type: str
    choices: [clean, drift, unjudged, failed]
    required: true
  msg:
    description: The message of the task.
    type: str
    default: ''
extends_documentation_fragment:
  - postmaster.exchange.attributes.only_here
"""

EXAMPLES = r"""
- name: Set the exit status
  postmaster.exchange.delivery_verdict:
    verdict: drift
    msg: enforce would change the routes of nestle.com
"""

RETURN = r"""
verdict:
  description: The verdict, as given.
  returned: always
  type: str
  sample: drift
"""
