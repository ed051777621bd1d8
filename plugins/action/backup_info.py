# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the backups of a host, from the controller where the connection allows it."""

from __future__ import annotations

from ..module_utils._base import python_version  # noqa: F401  # pylint: disable=unused-import
from ..module_utils._run.backup_info import MODULE
from ..plugin_utils._action import EngineAction


class ActionModule(EngineAction):
    """The action plugin of postmaster.exchange.backup_info."""

    module = MODULE
