# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why mail is delayed, and what would help, as text. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._imc.host import VALUE_NAME, build_warning
from .._report.states import out_of_sight
from .._report.text import clean, count, failure_of, listed, wrapped
from .causes import Cause, Code, causes, why_down
from .commands import Place, commands, pin_command
from .evidence import HostEvidence, StuckDomain

MOST_EXPLAINED = 20
_MOST_EVIDENCE = 3
_MOST_COMMANDS = 5
_PLACES = {Place.EXCHANGE_SHELL: "Exchange Management Shell", Place.HOST: "command prompt"}
_OPEN = frozenset({Code.UNKNOWN, Code.UNREACHABLE, Code.DROPPED})
# Exchange adds this to every error.
_PADDING = (
    "Attempted failover to alternate host, but that did not succeed. Either there are no alternate"
    " hosts, or delivery failed to all alternate hosts."
)
# What pinning may change; each with the sentence of mx_pairs_info.
_MIND = ("mx_is_cname",)

Finding = tuple[StuckDomain, list[Cause]]


def diagnosis(
    resolved: Mapping[str, Any],
    hosts: Sequence[HostEvidence],
    *,
    suffixes: Sequence[str] = (),
    inventories: Sequence[str] = (),
) -> list[str]:
    """Return the explanation of all hosts.

    ``resolved`` is the result of mx_pairs_info for the domains, ``suffixes`` are those that the
    administrator named besides the hosts' own, ``inventories`` the sources of hosts of this run.
    """
    domains = {domain["domain"]: domain for domain in resolved.get("domains") or ()}
    failure = failure_of(resolved)
    lines = [f"DNS could not be asked: {failure}", ""] if failure else []
    pinned: set[str] = set()
    to_copy: dict[str, list[str]] = {}
    for host in hosts:
        known = findings(host, domains, suffixes)
        pinned.update(domain.domain for domain, every in known if _cured_by_pin(domain, every))
        lines += [*_host(host, known), ""]
        for where, text in _first_commands(host, known):
            to_copy.setdefault(where, []).append(text)
    lines += _advice(hosts, sorted(pinned))
    return [
        *(part for line in lines for part in wrapped(clean(line))),
        *_to_copy(sorted(pinned), to_copy, inventories),
    ]


def _first_commands(host: HostEvidence, known: Sequence[Finding]) -> Iterator[tuple[str, str]]:
    """Yield what to type on a host for the best cause of each domain, and where."""
    for domain, every in known[:MOST_EXPLAINED]:
        for command in commands(host, domain, every[0]):
            if command.place is not Place.CONTROLLER:
                yield f"{host.name}, {_PLACES[command.place]}", command.text


def _to_copy(
    pinned: Sequence[str], by_place: Mapping[str, Sequence[str]], inventories: Sequence[str]
) -> Iterator[str]:
    """Yield commands, each on a line of its own, however long it is."""
    if not (pinned or by_place):
        return
    yield ""
    yield "To copy"
    if pinned:
        yield f"  {pin_command('audit', pinned, inventories)}"
    for place, texts in by_place.items():
        yield f"  On {clean(place)}:"
        shown = list(dict.fromkeys(texts))
        yield from (f"    {text}" for text in shown[:_MOST_COMMANDS])
        if len(shown) > _MOST_COMMANDS:
            yield f"    and {len(shown) - _MOST_COMMANDS} more in the report as JSON"


def findings(
    host: HostEvidence, domains: Mapping[str, Mapping[str, Any]], suffixes: Sequence[str]
) -> list[Finding]:
    """Return the causes of each delayed domain of a host that could be checked."""
    if host.failure:
        return []
    every = host.stuck_domains(domains, suffixes)
    return [(domain, causes(domain, every)) for domain in every]


def _cured_by_pin(domain: StuckDomain, known: Sequence[Cause]) -> bool:
    """Whether pinning the domain would help, and would change anything."""
    shown = [cause for cause in known if cause.sure and cause.code not in _OPEN]
    wanted = any(cause.pin for cause in shown or known)
    changes = domain.transport or domain.repins or domain.by_hand
    return wanted and domain.can_be_pinned and changes


def _host(host: HostEvidence, known: Sequence[Finding]) -> Iterator[str]:
    """Yield the lines of one host."""
    if host.failure:
        yield f"{host.name}: {host.failure}"
        return
    exchange, queue = host.exchange or {}, host.queue or {}
    waiting = queue.get("files", 0)
    yield (
        f"{host.name}: Exchange {exchange.get('version') or 'of an unknown version'}, "
        + ("" if host.transport else f"service {host.service}, ")
        + (f"{count(waiting, 'message')} in the queue" if waiting else "the queue is empty")
    )
    if edges := queue.get("out_of_sight"):
        yield f"  {out_of_sight(edges)}"
    yield f"  {_name_servers(exchange) if host.transport else _search_list(host)}"
    if not host.transport:
        yield from _connector(host, waiting=bool(waiting))
    entries = {one["domain"]: one for one in queue.get("queues") or ()}
    returned = [one.get("domain") for one in queue.get("returned") or ()]
    for domain, every in known[:MOST_EXPLAINED]:
        entry = entries[domain.domain]
        since = f" since {entry['oldest']}" if entry.get("oldest") else ""
        number = returned.count(domain.domain)
        back = f"; {number} returned recently" if number else ""
        yield f"  {domain.domain}: {count(entry['messages'], 'message')}{since}{back}"
        yield f"    {' '.join(_paragraph(domain, every))}"
    if len(known) > MOST_EXPLAINED:
        yield f"  and {len(known) - MOST_EXPLAINED} more domains"
    # Gaps in the logs matter only if something waits.
    parts = [exchange, queue] if known else [exchange]
    shown = build_warning(host.build) if waiting else ""
    notes = [note for part in parts for note in part.get("warnings") or () if note != shown]
    delivery = host.delivery or {}
    if host.transport and not delivery.get("refused") and (failure := failure_of(delivery)):
        notes.append(f"The organisation's Send connectors are unknown. {_short(host, failure)}")
    if failure := failure_of(host.tests):
        notes.append(f"Test messages could not be sent. {_short(host, failure)}")
    yield from (f"  Note: {note}" for note in notes)


def _connector(host: HostEvidence, *, waiting: bool) -> Iterator[str]:
    """Yield the lines that concern a host of Exchange 4.0 to 5.5 only."""
    if waiting and (faults := build_warning(host.build)):
        yield f"  {faults}"
    if host.service_down:
        yield (
            "  New mail waits in MTS-OUT and the MTA while the service is down; this run reads"
            " neither (Q285090)."
        )
    if rows := host.malformed_rows:
        yield (
            f"  {count(len(rows), 'malformed row')} in the route table (first: {rows[0]!a:.80})."
            " The service does not start on it (event 4056)."
        )
    if host.blocked:
        yield f"  {why_down(host.blocked).remedy}"
    if host.refusals:
        yield f"  Nothing can be pinned here: {'; '.join(host.refusals)}."


def _short(host: HostEvidence, failure: str) -> str:
    return failure.removeprefix(f"{host.name}: ")


def _search_list(host: HostEvidence) -> str:
    """Return whether the connector appends something to names."""
    if host.misspelled:
        return (
            f"The registry value is stored as {host.resolver['stored_name']}, a spelling that"
            " Exchange ignores: it appends the search list to names (Q150969)."
        )
    if host.appends:
        return f"{VALUE_NAME} is not set: Exchange appends the search list to names (Q150969)."
    return f"{VALUE_NAME} is set: Exchange looks names up as they are."


def _name_servers(exchange: Mapping[str, Any]) -> str:
    """Return the name servers of a Transport server, and what Windows appends to names."""
    servers = exchange.get("servers") or ()
    mine = [one for one in servers if one["name"] == exchange.get("server")]
    dns = (mine[0].get("external_dns") if mine else None) or {}
    asked = listed(dns.get("servers") or ())
    if not asked:
        asked = "those of its adapters" if dns.get("adapter_enabled") else "unknown"
    appended = listed((exchange.get("resolver") or {}).get("search_list") or ())
    suffixes = f"Windows may append {appended} to names" if appended else "search list unknown"
    return f"Name servers for outbound mail: {asked}; {suffixes}."


def _paragraph(domain: StuckDomain, known: Sequence[Cause]) -> Iterator[str]:
    """Yield the sentences on one domain; ``known`` are its causes, the best first."""
    first, *others = known
    yield f"{'Cause unknown' if first.code is Code.UNKNOWN else 'Cause'}: {first.sentence}."
    for text in first.evidence[:_MOST_EVIDENCE]:
        yield f"{text[0].upper()}{text[1:]}."
    if error := domain.error:
        source = f" ({error.source})" if error.source else ""
        line = (error.line or error.reply).replace(_PADDING, "[...]")
        yield f"Last error: {line}{source}."
    if domain.conflict:
        yield f"A pin is refused: {domain.conflict}."
    elif domain.relay:
        yield (
            f"A connector to {domain.relay} carries the domain, so Exchange asks no MX records for"
            " it; a pin would bypass that relay."
        )
    for cause in others:
        yield f"{'Also' if cause.sure else 'Possible'}: {cause.sentence}."
    remedies = dict.fromkeys(
        remedy
        for remedy in (*(cause.remedy for cause in known), *(cause.instead for cause in known))
        if remedy
    )
    if remedies:
        yield f"To do: {' '.join(remedies)}"
    if any(cause.pin for cause in known):
        for note in domain.warnings(*_MIND)[:_MOST_EVIDENCE]:
            yield f"Note that {note['message']}."


def _advice(hosts: Sequence[HostEvidence], pinned: Sequence[str]) -> Iterator[str]:
    """Yield what this collection can do on all hosts."""
    able = [host for host in hosts if not (host.failure or host.refusals)]
    appending = [host.name for host in able if host.appends]
    if not (pinned or appending):
        yield "No further action available in this collection."
        return
    yield "What would help"
    if appending:
        yield f"  Switch the search list off on {listed(appending)}."
    if pinned:
        yield f"  Add to mx_delivery_domains: {', '.join(pinned)}."
    yield "  postmaster.exchange.audit shows the change, postmaster.exchange.enforce makes it."
