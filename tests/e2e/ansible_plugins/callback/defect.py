# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plants a defect: engines crash on the host that DEFECT names (none without it), in a request."""

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: defect
type: aggregate
short_description: a defect
description: Plants a defect.
author: the lab
"""


class CallbackModule(CallbackBase):
    """Plants it before the workers are forked."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "defect"

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Replace what receives answers."""
        from ansible_collections.postmaster.exchange.plugins.module_utils._remote import winrs  # noqa: PLC0415

        collect = winrs.WinrsSession._collect

        def crash(session: Any, *arguments: Any) -> Any:
            if session.host == os.environ.get("DEFECT"):
                raise RuntimeError(f"a defect, at {session!r} and {session._protocol!r}")
            return collect(session, *arguments)

        winrs.WinrsSession._collect = crash
