# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of queue_info: what waits in the outbound queue of a host, for whom, and why.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .._base.context import Context, EngineModule
from .._base.errors import ExchangeError, InvalidInput
from .._connectors import queue_info as transport_queue_info
from .._imc.host import ImcHost, gather_host
from .._imc.logs import LoggedFailure, NotDelivered
from .._imc.protocol_log import SmtpFailure
from .._imc.queue import Found, Limits, look
from .._pairs.names import parse_domain
from .._remote.psrp import connect
from .installation import parse_installation
from .queue import by_domain, iso, stuck
from .specs import QUEUE_INFO_SPEC

#: Upper bounds of the options: what one task may make a controller read.
_MOST = {
    "max_files": 10_000,
    "max_bytes": 4_000_000,
    "max_logs": 1_000,
    "tracking_lines": 100_000,
    "min_age": 366 * 86_400,
}
#: Failures and returned recipients that the result shows, the newest.
_SHOWN = 100


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the task result; raises ExchangeError on a host without a connector."""
    limits = _limits(params)
    if params.get("family") == "transport":
        return transport_queue_info.run(params, context)
    if params.get("all_servers"):
        raise InvalidInput("all_servers is for family=transport; a connector has one host.")
    own = {parse_domain(name) for name in params["own_domains"]}
    session = context.need_session()
    host = gather_host(
        session, params.get("target_computer") or "", known=parse_installation(params)
    )
    _check(host)
    found = look(session, host, limits, counters=params["counters"])
    queues = by_domain(found.heads, found.errors(), own)
    return {
        "changed": False,
        "family": "imc",
        "version": host.version,
        "service": host.service.words if host.service else None,
        "files": found.files,
        "bytes": found.size,
        "files_unread": found.unread,
        "oldest": iso(min((head.date for head in found.heads if head.date), default=None)),
        "counters": found.counters,
        "queues": [queue.as_dict() for queue in queues],
        "stuck_domains": stuck(queues, context.now(), params["min_age"]),
        "failures": _failures(found.failures)[:_SHOWN],
        "returned": [_returned(one) for one in found.returned[-_SHOWN:]],
        "transport_queues": [],
        "notes": _notes(found),
    }


def _limits(params: Mapping[str, Any]) -> Limits:
    for name, most in _MOST.items():
        if not 0 <= params[name] <= most:
            raise InvalidInput(f"{name} is {params[name]}; it has to be between 0 and {most}.")
    return Limits(
        files=params["max_files"],
        bytes=params["max_bytes"],
        logs=params["max_logs"],
        tracking_lines=params["tracking_lines"],
    )


def _check(host: ImcHost) -> None:
    if host.service is None:
        raise ExchangeError(
            f"{host.name}: there is no Internet Mail Connector here, and so no queue of it.",
            hint="exchange_info tells what the host runs.",
        )
    if not host.root_dir:
        raise ExchangeError(
            f"{host.name}: the registry does not tell the connector's folder (RootDir).",
            hint="See whether the connector is completely installed.",
        )


def _failures(logged: Sequence[LoggedFailure]) -> list[dict[str, Any]]:
    """Return each failure once, with how often it stands in the logs, the newest first."""
    counts = Counter(one.failure for one in logged)
    newest: dict[SmtpFailure, str] = {}
    for one in logged:
        newest.setdefault(one.failure, one.log)
    return [
        {
            "domain": failure.domain,
            "address": failure.address,
            "code": failure.code,
            "enhanced_code": failure.enhanced,
            "text": failure.text,
            "trouble": None,
            "said": None,
            "count": counts[failure],
            "log": log,
        }
        for failure, log in newest.items()
    ]


def _returned(one: NotDelivered) -> dict[str, Any]:
    return {
        "recipient": one.recipient,
        "domain": one.domain,
        "time": iso(one.time) or one.time_text,
        "event": one.event,
    }


def _notes(found: Found) -> list[str]:
    notes = list(found.notes)
    if found.unread:
        notes.append(
            f"{found.unread} of {found.files} messages were not looked into: too many, too long, or"
            " gone meanwhile. Their domains may be missing (max_files, max_bytes)."
        )
    if not found.failures:
        notes.append(
            "The SMTP protocol log shows no failure. The connector writes it only at diagnostics"
            " level 3 or more (KB Q154505), so this may mean nothing."
        )
    return notes


MODULE = EngineModule(QUEUE_INFO_SPEC, run, connects=connect)
