# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the cmdlets that only look an account may run: each of them is run once.

Rights to change cannot be seen without a change, so they are not looked for.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._base.context import Context
from .._base.texts import utc_text
from .._remote.session import Cmdlet, CmdletError, CmdletSession
from .servers import NO_SERVERS, KnownServers, read_transport_services

#: The purpose of each cmdlet; see docs/least-privilege.md.
LOOKING = {
    "Get-ExchangeServer": "all playbooks",
    "Get-AcceptedDomain": "all playbooks",
    "Get-SendConnector": "audit, enforce, rollback",
    "Get-TransportConfig": "audit, enforce, rollback",
    "Get-TransportService": "audit, diagnose",
    "Get-Queue": "audit, diagnose, enforce",
    "Get-Message": "audit, diagnose",
    "Get-MessageTrackingLog": "test messages",
}
_ONE: Mapping[str, Any] = {"ResultSize": 1}


def read_rights(_params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the result: the cmdlets that ran, and the errors of the others.

    Raises ExchangeError where the host does not answer.
    """
    session = context.need_cmdlets()
    known = context.learned.of(KnownServers, NO_SERVERS)
    server = known.here or next(iter(known.names), "")
    there = {"Server": server} if server else {}
    questions = {
        "Get-Queue": {**there, **_ONE},
        "Get-Message": {**there, **_ONE},
        "Get-MessageTrackingLog": {**there, **_ONE, "Start": utc_text(context.now())},
    }
    allowed, lacking = [], []
    for name, purpose in LOOKING.items():
        try:
            _ask(session, Cmdlet(name, questions.get(name, {})))
            allowed.append(name)
        except CmdletError as error:
            lacking.append({"what": name, "for": purpose, "msg": str(error)})
    return {"changed": False, "allowed": allowed, "lacking": lacking}


def _ask(session: CmdletSession, cmdlet: Cmdlet) -> None:
    if cmdlet.name == "Get-TransportService":  # 2010 calls it otherwise
        read_transport_services(session.invoke)
    else:
        session.invoke(cmdlet)
