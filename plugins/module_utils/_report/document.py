# Copyright (c) 2026, the postmaster.exchange contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run did, or an audit found, on all hosts: one document that all reports are made of. Pure.

Input are the results of the tasks: of mx_pairs_info once, of imc_delivery or transport_delivery,
delivery_test, queue_info and exchange_info for each host. Nothing is concluded that they do not
say. docs/report-schema.json describes the document; its version counts up there and here.

Domains stand in one list, and hosts name them by their number in it, so that a thousand hosts with
a thousand domains are a few million small numbers at most and never as many texts.

This file is private to the collection postmaster.exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .answer import answer
from .changes import Changes, Domains
from .deferred import settle
from .host_entry import Host, host_entry
from .judgement import Judge
from .organisations import Organisations
from .outcome import HostOutcome, status_for
from .text import cleaned

SCHEMA_VERSION = "1.1"

_PAIR = ("preference", "exchange", "address", "ttl")
_EVERY_DOMAIN = ("domain", "pairs", "warnings", "failures", "views", "evidence")


@dataclass(frozen=True, slots=True)
class Run:
    """Which run this is. Times are UTC, as ``2026-11-23T11:45:07Z``; ``started_at`` may be unknown.

    ``login`` is the user on the controller, ``awx`` the job and user of AWX where it is one.
    ``brake`` is why a limit on the changes of the whole run stops it, or would.
    """

    kind: str
    check_mode: bool
    finished_at: str
    started_at: str | None = None
    id: str | None = None
    login: str | None = None
    awx: Mapping[str, str] | None = None
    brake: str | None = None
    collection: str = ""
    ansible: str = ""
    fail_on: Sequence[str] = ()

    @property
    def judge(self) -> Judge:
        """By what the hosts of this run are judged."""
        audit = self.kind == "audit"
        return Judge(audit, audit or self.check_mode, frozenset(self.fail_on))


def build(run: Run, resolved: Mapping[str, Any], hosts: Sequence[HostOutcome]) -> dict[str, Any]:
    """Return the document.

    ``resolved`` is the result of mx_pairs_info or mx_lock, whatever became of it. All texts in the
    document are cleaned: hosts and name servers wrote some of them.
    """
    told = {entry["domain"]: entry for entry in resolved.get("domains") or ()}
    moved = {entry["domain"]: entry for entry in (resolved.get("lock") or {}).get("moved") or ()}
    domains = Domains([_domain(entry, moved.get(name)) for name, entry in told.items()])
    changes, organisations = Changes(domains), Organisations()
    narrowed: dict[tuple[str, ...], dict[str, str]] = {}
    entries: list[Host] = []
    for host in hosts:
        families = tuple(host.families)
        statuses = narrowed.get(families)
        if statuses is None:
            statuses = {name: status_for(entry, families) for name, entry in told.items()}
            narrowed[families] = statuses
        entries.append(host_entry(host, statuses, run.judge, changes, organisations))
    found = [host.entry for host in entries]
    settle(found)
    unknown = dict(pair for host in entries for pair in host.unknown.items())
    document = {
        "schema_version": SCHEMA_VERSION,
        "run": _run(run, resolved),
        "answer": answer(found, unknown, _failure(resolved)),
        "domains": domains.entries,
        "changes": changes.entries,
        "hosts": found,
        "organisations": organisations.entries(),
    }
    clean: dict[str, Any] = cleaned(document)
    return clean


def _domain(entry: Mapping[str, Any], moved: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a domain with what is known of it; evidence that says nothing is left out."""
    more = {key: value for key, value in entry.items() if key not in _EVERY_DOMAIN}
    evidence = {key: value for key, value in (entry.get("evidence") or {}).items() if value}
    result = {
        "name": entry["domain"],
        **more,
        "pairs": [_pair(pair) for pair in entry.get("pairs") or ()],
        "warnings": list(entry.get("warnings") or ()),
        "failures": list(entry.get("failures") or ()),
        "views": [
            {**view, "pairs": [_pair(pair) for pair in view.get("pairs") or ()]}
            for view in entry.get("views") or ()
        ],
    }
    if evidence:
        result["evidence"] = evidence
    if moved is not None:
        result["moved"] = {side: _side(moved.get(side) or {}) for side in ("lock", "live")}
    return result


def _pair(pair: Mapping[str, Any]) -> dict[str, Any]:
    return {key: pair.get(key) for key in _PAIR}


def _side(side: Mapping[str, Any]) -> dict[str, Any]:
    pairs = side.get("pairs") or ()
    return {"status": side.get("status"), "pairs": [_pair(pair) for pair in pairs]}


def _run(run: Run, resolved: Mapping[str, Any]) -> dict[str, Any]:
    lock = resolved.get("lock")
    stats = resolved.get("stats") or {}
    return {
        "id": run.id,
        "kind": run.kind,
        "check_mode": run.check_mode,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "by": {"login": run.login, "awx": dict(run.awx) if run.awx else None},
        "collection": run.collection,
        "ansible": run.ansible,
        "fail_on": list(run.fail_on),
        "brake": run.brake or None,
        "dns": {"questions": stats.get("questions"), "seconds": stats.get("seconds")},
        "lock": lock
        and {
            "path": lock.get("path"),
            "resolved_at": lock.get("resolved_at"),
            "stale": bool(lock.get("stale")),
            "stale_domains": list(lock.get("stale_domains") or ()),
            "compared": bool(lock.get("compared")),
        },
        "slices": None,
    }


def _failure(resolved: Mapping[str, Any]) -> str | None:
    """Return why the pairs are not known, if they are not."""
    if resolved.get("failed") or resolved.get("unreachable"):
        return str(resolved.get("msg") or "the pairs could not be computed")
    return None
