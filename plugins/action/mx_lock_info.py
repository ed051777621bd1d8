# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run mx_lock_info on the controller, where the lock is, unless the task is delegated."""

from __future__ import annotations

from ..module_utils._base import python_version  # noqa: F401  # pylint: disable=unused-import
from ..module_utils._lock.module import READ_MODULE
from ..plugin_utils._action import EngineAction


class ActionModule(EngineAction):
    """The action plugin of postmaster.exchange.mx_lock_info."""

    module = READ_MODULE
