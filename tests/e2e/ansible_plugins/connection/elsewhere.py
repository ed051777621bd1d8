# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection that is no local one to Ansible, and leads to this machine nevertheless."""

from __future__ import annotations

from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = """
name: elsewhere
short_description: another machine
description: This machine, under another name.
author: the lab
options: {}
"""


class Connection(Local):
    """The machine on which tests let real modules run."""

    transport = "elsewhere"
