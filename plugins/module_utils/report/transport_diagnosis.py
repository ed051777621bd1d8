# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a diagnosis about a host of Exchange 2010 or later. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .text import count, failure_text, listed, words
from .transport_causes import Kind, causes

_MOST_EVIDENCE = 3
#: What pinning cures: who delivers to an address asks no name server.
_CURED = frozenset({Kind.REMOTE_AAAA, Kind.OWN_DNS})
_WORTH_TELLING = frozenset({"mx_is_cname", "mx_is_address", "tlsa", "mta_sts"})

Domains = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Host:
    """A host, with its results of exchange_info and queue_info."""

    name: str
    info: Mapping[str, Any]
    queue: Mapping[str, Any]


def is_transport(info: Mapping[str, Any] | None) -> bool:
    """Whether a result of exchange_info is of such a host."""
    return (info or {}).get("family") == "transport"


def host_lines(
    host: Host, domains: Domains, suffixes: Sequence[str], *, most: int
) -> Iterator[str]:
    """Explain one host and at most so many of its domains.

    ``suffixes`` are those of its own and those the administrator named.
    """
    info, queue = host.info, host.queue
    waiting = queue.get("files", 0)
    yield (
        f"{host.name}: Exchange {info.get('version') or 'of an unknown version'}, "
        + (f"{count(waiting, 'message')} waiting" if waiting else "nothing waits")
    )
    yield f"  {_names_asked(info)}"
    stuck = set(queue.get("stuck_domains") or ())
    queues = [one for one in queue.get("queues") or () if one["domain"] in stuck]
    found = causes({**queue, "queues": queues}, domains)
    for one in queues[:most]:
        since = f" since {one['oldest']}" if one.get("oldest") else ""
        yield f"  {one['domain']}: {count(one['messages'], 'message')}{since}"
        if one.get("last_error"):
            yield f"    said last: {one['last_error']}"
        cause = found[one["domain"]]
        yield f"    {cause.sentence}"
        yield from (f"    {text}." for text in cause.evidence[:_MOST_EVIDENCE] if _new(text, one))
        yield from (f"    {text}" for text in _about(domains.get(one["domain"]), suffixes))
    if len(queues) > most:
        yield f"  and {len(queues) - most} more domains"
    for note in (*(info.get("notes") or ()), *((queue.get("notes") or ()) if queues else ())):
        yield f"  Note: {note}"


def cured_by_pinning(queue: Mapping[str, Any], domains: Domains) -> list[str]:
    """Return the stuck domains that a pinned connector would deliver, sorted."""
    stuck = set(queue.get("stuck_domains") or ())
    found = causes(queue, domains)
    return sorted(
        name
        for name, cause in found.items()
        if name in stuck and cause.kind in _CURED and domains.get(name, {}).get("status") == "ok"
    )


def _names_asked(info: Mapping[str, Any]) -> str:
    """Say whom the host asks for names, and what Windows appends to them."""
    servers = info.get("servers") or ()
    mine: Mapping[str, Any] = next(
        (one for one in servers if one["name"] == info.get("server")), {}
    )
    dns = mine.get("external_dns") or {}
    asked = listed(dns.get("servers") or ())
    if not asked:
        asked = "those of its adapters" if dns.get("adapter_enabled") else "not known"
    resolver = info.get("resolver") or {}
    appended = listed(resolver.get("search_list") or ())
    told = f"names may get {appended} appended" if appended else "what is appended is not known"
    return f"Name servers for outbound mail: {asked}; {told}."


def _new(text: str, waiting: Mapping[str, Any]) -> bool:
    """Whether a piece of evidence is not the error that was shown just before."""
    return text != waiting.get("last_error")


def _about(domain: Mapping[str, Any] | None, suffixes: Sequence[str]) -> Iterator[str]:
    """Say what DNS tells of a domain besides the cause."""
    if domain is None:
        return
    warnings = domain.get("warnings") or ()
    for warning in warnings:
        if warning["code"] == "search_list_hijack" and warning["suffix"] in suffixes:
            yield f"Possible too: {warning['message']}."
    if domain["status"] == "ok":
        yield f"Its addresses: {listed(pair['address'] for pair in domain['pairs'])}."
    elif domain["status"] not in {"null_mx", "no_such_domain"}:
        yield f"DNS does not tell now where it goes: {words(domain['status'])}."
        for failure in domain.get("failures") or ():
            if failure.get("needed", True):
                yield f"{failure_text(failure)}."
    yield from (f"{one['message']}." for one in warnings if one["code"] in _WORTH_TELLING)
