# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What waits in a queue, by domain: pure analysis of what was found on a host.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .headers import MessageHead
from .verdict import DeliveryError


@dataclass(frozen=True, slots=True)
class DomainError:
    """The last thing a server said about mail to a domain; ``address`` is one named in it."""

    error: DeliveryError
    address: str | None = None


@dataclass(slots=True)
class DomainQueue:
    """Messages that wait for one domain. A message for several domains counts for each."""

    domain: str
    messages: int = 0
    oldest: datetime | None = None
    last: DomainError | None = None

    def add(self, head: MessageHead) -> None:
        self.messages += 1
        if head.date is not None and (self.oldest is None or head.date < self.oldest):
            self.oldest = head.date

    def as_dict(self) -> dict[str, object]:
        error = self.last.error if self.last else None
        return {
            "domain": self.domain,
            "messages": self.messages,
            "oldest": iso(self.oldest),
            "last_error": _line(error) if error else None,
            "code": error.code if error else None,
            "enhanced_code": error.enhanced if error else None,
            "address": self.last.address if self.last else None,
            "source": error.source if error else None,
        }


def by_domain(
    heads: Iterable[MessageHead],
    errors: Mapping[str, DomainError],
    own_domains: Collection[str],
) -> list[DomainQueue]:
    """Return the queues, most messages first, then by name; the own domains have none."""
    queues: dict[str, DomainQueue] = {}
    for head in heads:
        for domain in head.domains:
            if domain not in own_domains:
                queues.setdefault(domain, DomainQueue(domain)).add(head)
    for domain, queue in queues.items():
        queue.last = errors.get(domain)
    return sorted(queues.values(), key=lambda queue: (-queue.messages, queue.domain))


def stuck(queues: Iterable[DomainQueue], now: datetime, min_age: int) -> list[str]:
    """Return the domains whose mail waits for ``min_age`` seconds or more, sorted.

    A domain is left out only if its oldest message is known to be younger, and no server put it
    off yet: mail whose age nobody knows may well be stuck.
    """
    limit = now - timedelta(seconds=min_age)
    return sorted(
        queue.domain
        for queue in queues
        if queue.last is not None or queue.oldest is None or queue.oldest <= limit
    )


def _line(error: DeliveryError) -> str:
    code = "" if error.code is None else str(error.code)
    return " ".join(part for part in (code, error.enhanced, error.text) if part)


def iso(when: datetime | None) -> str | None:
    """Return a time as the results show it, in UTC."""
    return None if when is None else when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
