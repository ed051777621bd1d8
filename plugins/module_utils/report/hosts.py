# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a report, one table for each kind of Exchange, and the connectors they share. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .outcome import (
    HostOutcome,
    Standing,
    changed_domains,
    standings,
    switch_changed,
    worth_testing,
)
from .text import columns, count, listed, words

#: Connectors of an organisation that are shown; of more, how many there are.
MOST_CONNECTORS = 20

_Connector = Mapping[str, Any]


def host_lines(
    hosts: Sequence[HostOutcome], statuses: Mapping[str, str], *, audit: bool
) -> Iterator[str]:
    """Return the tables; where both kinds of Exchange take part, each says of which it is."""
    old = [host for host in hosts if not host.transport]
    new = [host for host in hosts if host.transport]
    if old or not new:
        yield count(len(old), "host") + (" of Exchange 4.0 to 5.5" if new else "")
        yield from _table(
            ("host", "routes", "search list", "service", "test messages"),
            [_host_row(host, statuses, audit=audit) for host in old],
            audit=audit,
        )
    if old and new:
        yield ""
    if new:
        yield count(len(new), "host") + " of Exchange 2010 or later"
        yield from _table(
            ("host", "connectors", "test messages"),
            [_server_row(host, statuses, audit=audit) for host in new],
            audit=audit,
        )
        yield from _organisations(new, audit=audit)


def _table(
    heading: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, audit: bool
) -> Iterator[str]:
    """Yield the lines of a table; an audit sends no messages, and has no column for them."""
    width = len(heading) - (1 if audit else 0)
    yield from columns([row[:width] for row in (heading, *rows)])


def _host_row(
    host: HostOutcome, statuses: Mapping[str, str], *, audit: bool
) -> tuple[str, str, str, str, str]:
    if host.failure:
        return host.name, "failed", "", "", ""
    if host.skipped or host.enforced is None:
        return host.name, "no such service here", "", "", ""
    change = "to change" if audit else str(Standing.CHANGED)
    switched = switch_changed(host.enforced)
    return (
        host.name,
        _domains_cell(host, statuses, audit=audit),
        change if switched else str(Standing.IN_PLACE),
        _service_cell(host.enforced, audit=audit),
        _test_cell(host, statuses),
    )


def _service_cell(enforced: Mapping[str, Any], *, audit: bool) -> str:
    if enforced.get("restarted"):
        return "to restart" if audit else "restarted"
    if enforced.get("restart_required"):
        return "restart needed"
    state = (enforced.get("service") or {}).get("state", "")
    return "not touched" if state in {"", "running"} else f"{state}, not touched"


def _test_cell(host: HostOutcome, statuses: Mapping[str, str]) -> str:
    if host.tested is None or host.tested.get("skipped"):
        return "none"
    if "results" not in host.tested:
        return "failed"
    results = host.tested["results"]
    verdicts = Counter(words(result["verdict"]) for result in results)
    pinned = [domain for domain in host.domains if statuses.get(domain) == "ok"]
    untested = len(worth_testing(host.enforced or {}, pinned)) - len(results)
    if untested > 0:  # a limit was set
        verdicts["not tested"] = untested
    return ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items()) or "none"


def _server_row(
    host: HostOutcome, statuses: Mapping[str, str], *, audit: bool
) -> tuple[str, str, str]:
    if host.failure or host.enforced is None:
        return host.name, "failed", ""
    return host.name, _domains_cell(host, statuses, audit=audit), _test_cell(host, statuses)


def _domains_cell(host: HostOutcome, statuses: Mapping[str, str], *, audit: bool) -> str:
    """Say how many of a host's domains stand how."""
    found = standings(host, statuses)
    change = "to change" if audit else str(Standing.CHANGED)
    told = ", ".join(
        f"{found[one]} {change if one is Standing.CHANGED else one}"
        for one in Standing
        if found[one]
    )
    return told or "none listed"


def _organisations(hosts: Sequence[HostOutcome], *, audit: bool) -> Iterator[str]:
    """Show the connectors of each organisation once, whatever the number of its hosts."""
    seen: dict[str, Mapping[str, Any]] = {}
    for host in hosts:
        result = host.enforced or {}
        if host.failure or "connectors" not in result:
            continue
        name = f"{result['organisation']['name']} ({result['organisation']['forest']})"
        # Whoever made the change tells more than those who found it made.
        if name not in seen or (result["changed"] and not seen[name]["changed"]):
            seen[name] = result
    for name, result in seen.items():
        yield ""
        yield from _connectors(name, result, audit=audit)


def _connectors(name: str, result: Mapping[str, Any], *, audit: bool) -> Iterator[str]:
    before = {one["name"]: one for one in result["connectors"]["before"]}
    later = {one["name"]: one for one in result["connectors"]["after"]}
    yield f"{name}, {count(len(later), 'Send connector')} for pinned domains"
    changed = set(changed_domains(result))
    rows = []
    for title in sorted({**before, **later}, key=str.casefold):
        old, new = before.get(title), later.get(title)
        mark = _mark(old, new, changed, audit=audit)
        rows.append((*_connector_cells(old, new), mark))
    if rows:
        shown = [("domain", "smart hosts", "source servers", ""), *rows[:MOST_CONNECTORS]]
        yield from columns(shown)
    if len(rows) > MOST_CONNECTORS:
        yield f"  and {len(rows) - MOST_CONNECTORS} more"


def _mark(old: _Connector | None, new: _Connector | None, changed: set[str], *, audit: bool) -> str:
    """Say what becomes of a connector, or became of it."""
    if new is None:
        return "to remove" if audit else "removed"
    if not changed.intersection(_domains(new)):
        return ""
    verb = ("create", "created") if old is None else ("change", "changed")
    return f"to {verb[0]}" if audit else verb[1]


def _connector_cells(old: _Connector | None, new: _Connector | None) -> tuple[str, str, str]:
    """Return domain, smart hosts and servers; smart hosts that become others stand ahead of them.

    One of ``old`` and ``new`` is a connector.
    """
    shown = new or old or {}
    hosts = _hosts(shown)
    if old and new and _hosts(old) != hosts:
        hosts = f"{_hosts(old) or 'none'} -> {hosts or 'none'}"
    servers = listed(shown.get("source_servers") or ())
    return listed(_domains(shown)), hosts, servers or "Exchange's choice"


def _hosts(connector: _Connector) -> str:
    return listed(host.strip("[]") for host in connector.get("smart_hosts") or ())


def _domains(connector: _Connector) -> list[str]:
    """Return the domains in address spaces such as ``SMTP:nestle.com;1``."""
    spaces = connector.get("address_spaces") or ()
    return [space.partition(":")[2].rpartition(";")[0] or space for space in spaces]
