# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What waits in the queues of a host, since when, and with which error.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from .._base.context import Context, EngineModule
from .._base.errors import InvalidInput
from .._connectors.queue_info import TransportQueues
from .._connectors.servers import NO_SERVERS, KnownServers
from .._imc.host import UNKNOWN_HOST, ImcHost, gather_host
from .._imc.queue import ImcQueues
from .._imc.seen import SeenMail
from .._mail.delivery import QueueLimits, QueueReport
from .._pairs.names import parse_domain
from .._remote.psrp import connect
from .exchange_info import with_family
from .options import QUEUE_INFO_SPEC

#: Upper bounds of the options: what one task may make a controller read.
_MOST = {
    "max_files": 10_000,
    "max_bytes": 4_000_000,
    "max_logs": 1_000,
    "tracking_lines": 100_000,
    "min_age": 366 * 86_400,
}


class QueueReader(Protocol):
    """The part of a family that reads the queues of one host."""

    def queues(self, limits: QueueLimits) -> QueueReport:
        """Return what waits. Raises ExchangeError where that cannot be read."""


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the task result; raises ExchangeError on a host without a connector."""
    limits = queue_limits(params)
    params = with_family(params, context)
    report = open_reader(params, context).queues(limits)
    if report.family == "imc":
        context.learned.keep(SeenMail.of(report))
    return report.to_dict(context.now(), params["min_age"])


def queue_limits(params: Mapping[str, Any]) -> QueueLimits:
    """Return the options of a look at queues. Raises InvalidInput for one out of its bounds."""
    for name, most in _MOST.items():
        if not 0 <= params[name] <= most:
            raise InvalidInput(f"{name} must be 0 to {most}, not {params[name]}.")
    return QueueLimits(
        messages=params["max_files"],
        bytes=params["max_bytes"],
        logs=params["max_logs"],
        tracking_lines=params["tracking_lines"],
        counters=params["counters"],
        own_domains=frozenset(parse_domain(name) for name in params["own_domains"]),
    )


def open_reader(params: Mapping[str, Any], context: Context) -> QueueReader:
    """Return the reader of the family that the options name."""
    computer = params.get("target_computer") or ""
    if params.get("family") == "transport":
        return TransportQueues(
            context.need_cmdlets(),
            (context.host, context.address),
            context.now(),
            computer,
            all_servers=params["all_servers"],
            known=context.learned.of(KnownServers, NO_SERVERS),
        )
    if params.get("all_servers"):
        raise InvalidInput("all_servers is for family=transport; a connector has one host.")
    session = context.need_session()
    known = context.learned.of(ImcHost, UNKNOWN_HOST)
    host = gather_host(session, computer, known=known)
    context.learned.keep(host)
    return ImcQueues(session, host)


MODULE = EngineModule(QUEUE_INFO_SPEC, run, connects=connect)
