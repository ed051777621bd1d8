# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run mail_delivery in the worker process, over the connection that the inventory describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..module_utils._remote.psrp import connect
from ..module_utils._run.mail_delivery import run
from ..module_utils._run.mail_delivery_spec import ARGUMENT_SPEC
from ..plugin_utils._action import EngineAction

#: The endpoint of Exchange's own PowerShell, which only Exchange 2010 and later has.
_EXCHANGE = "Microsoft.Exchange"


class ActionModule(EngineAction):
    """The action plugin of postmaster.exchange.mail_delivery."""

    argument_spec = ARGUMENT_SPEC
    engine = staticmethod(run)
    connects = staticmethod(connect)

    def _run_engine(
        self, params: Mapping[str, Any], variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Run it; a connection to Exchange's own PowerShell says which Exchange it is."""
        psrp = self._connection.transport == "psrp" and params["family"] == "auto"
        if psrp and self._connection.get_option("configuration_name") == _EXCHANGE:
            params = {**params, "family": "transport"}
        return super()._run_engine(params, variables)
