# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a report, one table for each kind of Exchange, and the connectors they share. Pure.

Input is the document of a run. Of a large fleet only the hosts that need somebody are shown.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from .judgement import Outcome, proposes
from .labels import STANDINGS
from .text import Line, columns, count, listed, words

#: Hosts shown one by one; of more, those that came out worst.
MOST_HOSTS = 20
#: Connectors of an organisation that are shown; of more, how many there are.
MOST_CONNECTORS = 20

_TITLES = {
    "imc": " of Exchange 4.0 to 5.5",
    "transport": " of Exchange 2010 or later",
    None: " of unknown kind",
}
_HOST_HEADING: tuple[str, ...] = ("host", "routes", "search list", "service", "test messages")
_SERVER_HEADING: tuple[str, ...] = ("host", "connectors", "test messages")
_WORST_FIRST = {one.value: place for place, one in enumerate(Outcome)}
_TONES = {"clean": "", "drift": "drift", "failed": "failed"}

_Entry = Mapping[str, Any]


def host_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    """Return the tables; where both kinds of Exchange take part, each says of which it is."""
    run = document["run"]
    audit = run["kind"] == "audit"
    proposed = proposes(run)
    kinds: dict[str | None, list[_Entry]] = {family: [] for family in _TITLES}
    for host in document["hosts"]:
        kinds[host["family"]].append(host)
    several = sum(map(bool, kinds.values())) > 1
    first = True
    for family, hosts in kinds.items():
        if not hosts:
            continue
        if not first:
            yield Line("")
        first = False
        yield Line(count(len(hosts), "host") + (_TITLES[family] if several else ""))
        heading = _SERVER_HEADING if family == "transport" else _HOST_HEADING
        cells = _server_cells if family == "transport" else partial(_host_cells, proposed)
        yield from _table(heading, hosts, cells, audit=audit)
    for organisation in document["organisations"]:
        yield Line("")
        yield from _connectors(organisation, proposed=proposed)


def _table(
    heading: tuple[str, ...],
    hosts: Sequence[_Entry],
    cells: Callable[[_Entry], tuple[str, ...]],
    *,
    audit: bool,
) -> Iterator[Line]:
    """Yield the lines of a table; an audit sends no messages, and has no column for them."""
    shown = hosts
    if len(hosts) > MOST_HOSTS:
        wanting = [host for host in hosts if host["outcome"] != Outcome.IN_PLACE]
        shown = sorted(wanting, key=lambda host: _WORST_FIRST[host["outcome"]])[:MOST_HOSTS]
    if not shown and hosts:
        yield Line("  all are as they should be")
        return
    width = len(heading) - (1 if audit else 0)
    rows = [(host["name"], *cells(host)) for host in shown]
    lines = columns([row[:width] for row in (heading, *rows)])
    yield Line(lines[0])
    for host, line in zip(shown, lines[1:], strict=True):
        yield Line(line, _TONES[host["verdict"]])
    if len(hosts) > len(shown):
        yield Line(f"  and {count(len(hosts) - len(shown), 'more host')}")


def _host_cells(proposed: bool, host: _Entry) -> tuple[str, ...]:
    if whole := _whole(host):
        return whole, "", "", ""
    switch = host["switch"] or {}
    difference = "to change" if proposed else "changed"
    return (
        standing_text(host),
        difference if switch.get("changed") else "in place",
        _service_cell(host["service"] or {}),
        _test_cell(host["tests"]),
    )


def _server_cells(host: _Entry) -> tuple[str, ...]:
    whole = _whole(host)
    return whole or standing_text(host), "" if whole else _test_cell(host["tests"])


def _whole(host: _Entry) -> str:
    """Return what is to be said of a host instead of what is on it, or nothing."""
    if host["failure"]:
        return "failed"
    if host["held"]:
        return "not begun"
    return "no such service here" if host["skipped"] is not None else ""


def standing_text(host: _Entry) -> str:
    """Say how many of a host's domains stand how."""
    numbers = {one: len(host["standing"].get(one.value, ())) for one in STANDINGS}
    told = ", ".join(f"{number} {STANDINGS[one]}" for one, number in numbers.items() if number)
    return told or "none listed"


def counts_text(counts: Mapping[str, int]) -> str:
    """Say how many pairs of host and domain stand how."""
    return ", ".join(
        f"{counts[one.value]} {called}" for one, called in STANDINGS.items() if counts[one.value]
    )


def _service_cell(service: Mapping[str, Any]) -> str:
    if service.get("to_restart"):
        return "to restart"
    if service.get("restarted"):
        return "restarted"
    if service.get("restart_required"):
        return "restart needed"
    state = service.get("state") or ""
    return "not touched" if state in {"", "running"} else f"{state}, not touched"


def _test_cell(tests: Mapping[str, Any] | None) -> str:
    if tests is None:
        return "none"
    if tests["failure"]:
        return "failed"
    verdicts: dict[str, int] = {}
    for result in tests["results"]:
        verdicts[words(result["verdict"])] = verdicts.get(words(result["verdict"]), 0) + 1
    if tests["not_tested"]:  # a limit was set
        verdicts["not tested"] = tests["not_tested"]
    return ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items()) or "none"


def _connectors(organisation: _Entry, *, proposed: bool) -> Iterator[Line]:
    connectors = organisation["connectors"]
    number = sum(connector["after"] is not None for connector in connectors)
    yield Line(f"{organisation['name']}, {count(number, 'Send connector')} for pinned domains")
    shown = connectors
    if len(connectors) > MOST_CONNECTORS:  # then those that change come first
        shown = sorted(connectors, key=lambda connector: connector["action"] is None)
    shown = shown[:MOST_CONNECTORS]
    if shown:
        heading = ("domain", "smart hosts", "source servers", "")
        rows = [_connector_cells(connector, proposed=proposed) for connector in shown]
        lines = columns([heading, *rows])
        yield Line(lines[0])
        for connector, line in zip(shown, lines[1:], strict=True):
            yield Line(line, "drift" if connector["action"] else "")
    if len(connectors) > len(shown):
        yield Line(f"  and {len(connectors) - len(shown)} more")


def _connector_cells(connector: _Entry, *, proposed: bool) -> tuple[str, str, str, str]:
    """Return domain, smart hosts, servers and what becomes of it.

    Smart hosts that become others stand ahead of them.
    """
    old, new, action = connector.get("before"), connector["after"], connector["action"]
    shown = new or old or {}
    hosts = _smart_hosts(shown)
    if old and new and _smart_hosts(old) != hosts:
        hosts = f"{_smart_hosts(old) or 'none'} -> {hosts or 'none'}"
    servers = listed(shown.get("source_servers") or ())
    mark = "" if not action else f"to {action}" if proposed else f"{action.rstrip('e')}ed"
    return listed(connector["domains"]), hosts, servers or "Exchange's choice", mark


def _smart_hosts(connector: _Entry) -> str:
    return listed(host.strip("[]") for host in connector.get("smart_hosts") or ())
