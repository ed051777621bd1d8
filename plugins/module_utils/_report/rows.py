# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of a run as one row for each domain on each host, for formats without a tree. Pure.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .host_result import error_text
from .states import State

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A domain on a host. ``state`` is empty for a domain that the host does not list.

    ``before`` and ``after`` are the addresses of a route that changes, ``test`` the result of its
    test message, and ``error`` the error of its delayed mail, or else of its test message.
    ``delayed`` is the number of delayed messages, None where it is not known, and ``oldest`` the
    time of the oldest (ISO 8601, UTC). ``cause`` is the code of the best cause in a diagnosis.
    """

    host: Mapping[str, Any]
    domain: str
    state: str = ""
    reason: str = ""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    test: str = ""
    stuck: bool = False
    delayed: int | None = None
    oldest: str = ""
    error: str = ""
    cause: str = ""


def rows(document: Document) -> Iterator[Row]:
    """Yield the rows host by host, in the order of the document."""
    pinned = [_by_domain(organisation) for organisation in document["organisations"]]
    for host in document["hosts"]:
        connectors = {} if host["organisation"] is None else pinned[host["organisation"]]
        yield from _of_host(document, host, connectors)


def _by_domain(organisation: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the connectors of an organisation that change, by domain."""
    return {
        domain: connector
        for connector in organisation["connectors"]
        if connector["action"]
        for domain in connector["domains"]
    }


def _of_host(
    document: Document, host: Mapping[str, Any], connectors: Mapping[str, Mapping[str, Any]]
) -> Iterator[Row]:
    changes = {
        change["domain"]: change for change in (document["changes"][n] for n in host["changes"])
    }
    tests = {one["domain"]: one for one in (host["tests"] or {}).get("results", ())}
    stuck = {one["domain"]: one for one in (host["queue"] or {}).get("stuck", ())}
    causes = {one["domain"]: one["causes"][0]["code"] for one in host.get("diagnosis") or ()}
    reasons = {number: reason for reason, some in host["reasons"].items() for number in some}
    states = {number: State(s) for s, numbers in host["domains"].items() for number in numbers}
    for number in sorted(states):
        name = str(document["domains"][number]["name"])
        change, test, waiting = changes.get(number), tests.get(number), stuck.pop(name, None)
        before, after = (change["before"], change["after"]) if change else ((), ())
        if connector := None if change else connectors.get(name):
            before, after = (
                (connector.get(side) or {}).get("smart_hosts", ()) for side in ("before", "after")
            )
        yield Row(
            host,
            name,
            states[number],
            reasons.get(number, ""),
            tuple(before),
            tuple(after),
            test["verdict"] if test else "",
            cause=causes.get(name, ""),
            **_waiting(waiting, test),
        )
    for name, waiting in stuck.items():
        yield Row(host, name, cause=causes.get(name, ""), **_waiting(waiting, None))


def _waiting(waiting: Mapping[str, Any] | None, test: Mapping[str, Any] | None) -> dict[str, Any]:
    error = error_text((waiting or test or {}).get("error"))
    if waiting is None:
        return {"error": error}
    return {
        "stuck": True,
        "delayed": waiting["messages"],
        "oldest": waiting["oldest"] or "",
        "error": error,
    }
