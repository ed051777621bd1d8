# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what a plan of routes must take into account from the queue and the logs of a host.

Three things: servers that accept a connection and stay silent (Q182821), domains with waiting or
recently sent mail (a row takes subdomains along, Q259531), and one host that takes all mail.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from .._base.errors import ExchangeError, HostUnreachable, SessionLost
from .._mail.delivery import NextHop, QueueLimits, QueueReport
from .._remote.session import Session
from .host import ImcHost
from .queue import ImcQueues

#: Messages of the queue, bytes of each, protocol logs, and lines of the tracking logs.
_LIMITS = QueueLimits(500, 65_536, 20, 5_000, counters=False)
#: An address is a relay if the mail of at least so many domains goes to it, and to no other.
_FORWARDED = 3


@dataclass(frozen=True, slots=True)
class SeenMail:
    """The domains of waiting and sent mail, and the addresses that the service connected to.

    ``warnings`` are about what could not be read.
    """

    domains: tuple[str, ...] = ()
    hops: tuple[NextHop, ...] = ()
    warnings: tuple[str, ...] = ()
    read: bool = False

    @classmethod
    def of(cls, report: QueueReport) -> SeenMail:
        """Return what a report of the queue shows."""
        domains = dict.fromkeys((*report.entries, *report.sent_domains))
        return cls(tuple(domains), tuple(report.next_hops), read=True)

    def __bool__(self) -> bool:
        """Whether queue and logs were read, or could not be."""
        return self.read or bool(self.warnings)

    @property
    def silent(self) -> frozenset[str]:
        """The addresses that accepted the newest connection and sent no greeting."""
        return frozenset(hop.address for hop in self.hops if hop.silent)

    def relay(self, routed: Collection[str], wanted: Iterable[str]) -> str:
        """Return the one address that takes the mail of every domain, or nothing.

        Domains with routes, and addresses of required routes, do not count.
        """
        if len(self.hops) != 1:
            return ""
        (hop,) = self.hops
        others = [name for name in hop.domains if name not in routed]
        return hop.address if len(others) >= _FORWARDED and hop.address not in wanted else ""


NOTHING_SEEN = SeenMail()


def look(session: Session, host: ImcHost) -> SeenMail:
    """Read queue and logs of a host. Raises HostUnreachable; other failures are warnings."""
    try:
        report = ImcQueues(session, host).queues(_LIMITS)
    except HostUnreachable:
        raise
    except ExchangeError as error:
        if isinstance(error, SessionLost):
            session.reopen()
        what = "silent mail servers and subdomains with mail are unknown"
        return SeenMail(warnings=(f"Queue and logs could not be read, so {what}: {error.message}",))
    return SeenMail.of(report)
